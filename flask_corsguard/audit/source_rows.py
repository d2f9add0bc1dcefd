"""The rows of sources, for the audit to read like entries of policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.lists import is_source
from flask_corsguard.protocol.origins import OriginSet, parse_pattern
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.sources.feed import View, views_of


def is_unread(view: View) -> bool:
    """Whether a source admits nobody, because it cannot be read."""
    return view.snapshot is None or view.feed.is_stale


def rows_of(policy: Policy) -> Iterator[str]:
    """The good rows of a policy's sources, of all tenants."""
    for view in views_of(policy):
        yield from (row for _, row in view.snapshot or ())


def with_rows(policy: Policy) -> Policy:
    """A policy that lists the rows of its sources instead of the sources. It equals *policy*, and
    so can stand for it."""
    allow = policy.compiled.allow
    if allow is None or not allow.sources:
        return policy
    rows = dict.fromkeys(sorted(rows_of(policy)))  # in the same order each time
    entries = [entry for entry in policy.origins if not is_source(entry)]
    strings = chain((entry for entry in entries if isinstance(entry, str)), rows)
    compiled = OriginSet(
        filter(None, (parse_pattern(text) for text in strings if "*" in text)),
        (entry for entry in entries if isinstance(entry, re.Pattern)),
        allow.check,
        allow.check_takes_request,
        allow.exact.union(row for row in rows if "*" not in row),
    )
    listed = policy.with_origins(OriginList.of((*entries, *rows), compiled))
    listed.compiled.live = policy.compiled.live
    return listed


def source_of_row(policy: Policy, row: str) -> str:
    """The name of the source of a policy that gives a row; "" if none does."""
    return next(
        (
            view.feed.name
            for view in views_of(policy)
            if any(row == each for _, each in view.snapshot or ())
        ),
        "",
    )
