"""The ``resources`` of Flask-CORS, which are patterns of paths, as prefixes for ``for_path``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from flask_corsguard.errors import Problem
from flask_corsguard.flask_cors_options import (
    HINTS,
    CompatError,
    NotInGuardError,
    check_names,
    compat_policy,
)
from flask_corsguard.path_prefix import read_prefix
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.text import text_of

# A path: what it begins with, perhaps one of several, and what may follow.
_RESOURCE = re.compile(
    r"\^?(?P<head>(?:/|\\/|[\w~@-]|\\?\.(?![*+?])|\\-)*?)"
    r"(?:\((?:\?:)?(?P<choices>[\w|~-]+)\)(?P<more>(?:/[\w~-]+)*?))?"
    r"(?:\*|/?\??\(?\.?[*+]?\)?\$?|\(/\.\*\)\?\$?)"
)
_EVERYTHING = re.compile(r"\^?(?:/?\.?\*\$?|/?\(\.\*\)\$?|\^/?)")


#: The policy of a path that no call covers.
NOBODY = compat_policy({"origins": []})


def resource_paths(resource: str | re.Pattern[str]) -> list[str]:
    """The prefixes for ``for_path`` that cover what a key of ``resources`` matches.

    A prefix covers whole segments: the key ``/api/*`` also matches ``/apix``, which the prefix
    ``/api`` does not cover; and ``/api/.*`` does not match ``/api`` itself, which it does cover.

    :param resource: a string or a pattern, matched with ``re.match`` by Flask-CORS.
    :returns: ``["/"]`` for everything.
    :raises NotInGuardError: if the prefixes would cover more.
    :raises CompatError: if it is not a pattern.
    """
    text = resource.pattern if isinstance(resource, re.Pattern) else resource
    if not isinstance(text, str):
        raise CompatError(f"resources: {text_of(resource)} is not a string. Write '/api/*'")
    if _EVERYTHING.fullmatch(text):
        return ["/"]
    found = re.match(r"\^?((?:/?[\w~-]+(?=[/$?]|$))*)", text)
    start = f"/{found[1].strip('/')}/*".replace("//", "/") if found else "/*"
    if isinstance(resource, str) and HINTS.isdisjoint(text):
        raise NotInGuardError(
            f"resources: {text!r} covers that one path and nothing below it. Write {start!r} for"
            " everything below it, or take it out and write @cross_origin() on the view"
        )
    prefixes = _prefixes(text)
    wrong: list[Problem] = []
    for prefix in prefixes:
        read_prefix("resources", prefix, wrong)
    below = (prefix + path for prefix in prefixes for path in ("/x", "/-/y.z"))
    is_cut = re.search(r"[\w~-][*+?]\$?$", text)  # the last letter may be left out
    if not prefixes or wrong or is_cut or not all(re.match(resource, path) for path in below):
        raise NotInGuardError(
            f"resources: no list of path prefixes matches the same paths as {text!r}. Write"
            f" prefixes such as {start!r}, or take it out and write @cross_origin() on the views"
        )
    return prefixes


def _prefixes(text: str) -> list[str]:
    found = _RESOURCE.fullmatch(text)
    if found is None:
        return []
    head, choices, more = found.group("head", "choices", "more")
    heads = [head + choice + more for choice in choices.split("|")] if choices else [head]
    if choices and not head.endswith("/"):
        return []
    return [re.sub(r"\\(.)", r"\1", each).rstrip("/") for each in heads]


class PathRow(NamedTuple):
    """A key of ``resources``, translated.

    :ivar pattern: what Flask-CORS matches with the beginning of a path.
    :ivar prefixes: prefixes that cover at least what it matches.
    :ivar is_exact: whether they cover no more, except for whole segments.
    """

    pattern: str | re.Pattern[str]
    prefixes: list[str]
    policy: Policy
    is_exact: bool


class PathTable:
    """What one call of ``CORS`` says about each path. The first row that matches counts.

    :param options: those of the call, after merging.
    :raises CompatError: for what cannot be translated; the message says what to write.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        common = {name: value for name, value in options.items() if name != "resources"}
        resources: Any = options.get("resources", "/*")
        check_names(common)
        if isinstance(resources, Mapping):
            pairs: list[tuple[Any, Any]] = sorted(cast("Any", resources).items(), key=_order)
        else:
            listed: Any = [resources] if isinstance(resources, (str, re.Pattern)) else resources
            pairs = [(resource, {}) for resource in listed]
        self.rows: list[PathRow] = []
        for resource, own in pairs:
            if not isinstance(own, Mapping):
                raise CompatError(
                    f"resources: {text_of(own)} is not a dictionary of options. Write"
                    f" {{{resource!r}: {{'origins': {text_of(own)}}}}}"
                )
            pattern, prefixes, is_exact = _read(resource)
            options = {**common, **cast("Mapping[str, Any]", own)}
            self.rows.append(PathRow(pattern, prefixes, compat_policy(options), is_exact))

    def at(self, path: str) -> list[Policy]:
        """The policy that Flask-CORS would use for a path, if any."""
        return [row.policy for row in self.rows if re.match(row.pattern, path)][:1]

    def under(self, prefix: str) -> list[Policy]:
        """The policies for paths under a prefix: for some of them, and then for all of them."""
        found: list[Policy] = []
        for row in self.rows:
            if any(covers(each, prefix) for each in row.prefixes):
                found.append(row.policy)
                if row.is_exact:
                    break
        return found


def _read(resource: str | re.Pattern[str]) -> tuple[str | re.Pattern[str], list[str], bool]:
    """What Flask-CORS matches, prefixes that cover all of it, and whether they cover no more."""
    try:
        prefixes = resource_paths(resource)
    except NotInGuardError:
        prefixes = ["/"]
        if isinstance(resource, str) and HINTS.isdisjoint(resource):
            return rf"{re.escape(resource)}\Z", prefixes, False
        try:
            re.compile(resource)
        except re.error as error:
            raise CompatError(f"resources: {resource!r} is not a valid pattern: {error}") from None
        return resource, prefixes, False
    return "" if prefixes == ["/"] else resource, prefixes, True


def in_turn(policies: Iterable[Policy]) -> Policy | tuple[Policy, ...]:
    """Policies in the form that a guard takes, without those after one that admits everybody."""
    found: list[Policy] = []
    for policy in dict.fromkeys(policies):
        found.append(policy)
        if policy.origins == "*":
            break
    return tuple(found) if len(found) > 1 else found[0] if found else NOBODY


def covers(prefix: str, path: str) -> bool:
    """Whether a path lies under a prefix, by whole segments."""
    return prefix == "/" or f"{path}/".startswith(f"{prefix}/")


def _order(pair: tuple[Any, Any]) -> tuple[bool, int, int]:
    """The key by which Flask-CORS sorts a dictionary of resources."""
    key, is_pattern = pair[0], isinstance(pair[0], re.Pattern)
    text = str(key.pattern if is_pattern else ".*" if key == "*" else key)
    return not is_pattern, -text.count("/"), -len(text)
