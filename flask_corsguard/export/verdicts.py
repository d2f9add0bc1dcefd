"""What is written for each policy: who may read, and the headers of the responses."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from flask_corsguard.export.expressions import (
    BeyondSubsetError,
    listed,
    of_method,
    of_names,
    of_requested_headers,
    path_literal,
    readers,
)
from flask_corsguard.export.regions import Inexpressible, Region, meaning
from flask_corsguard.protocol.audiences import policies_of
from flask_corsguard.protocol.decision import CorsRequest
from flask_corsguard.protocol.explanation import policy_summaries
from flask_corsguard.protocol.headers import ALLOW_METHODS, ALLOW_PRIVATE_NETWORK, VARY
from flask_corsguard.protocol.lists import source_name
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.table import Entry
from flask_corsguard.text import name_of

#: Stand for what a response repeats from the request. No real value looks like them.
ORIGIN, METHOD, NAMES = "\0origin", "\0method", "\0names"

_LONGEST_COMMENT = 1000

_T = TypeVar("_T", bound=Hashable)


class Readers(NamedTuple):
    """Who may read.

    :ivar rows: expressions for origins, of which the first that matches counts, each with the
        number of the policy that admits them, from 1, or 0 if none does.
    :ivar always: whether the first policy admits every request, even without ``Origin``.
    """

    rows: tuple[tuple[str, int], ...]
    always: bool


class Grant(NamedTuple):
    """What one policy of a verdict lets the origins do that it admits.

    :ivar policy: the policy.
    :ivar methods: an expression for the methods that may be requested.
    :ivar names: an expression for the lists of headers that may be requested.
    :ivar headers: the headers of a response, without ``Vary``.
    :ivar preflight: the headers of the response to a preflight, without ``Vary``.
    :ivar repeated: an expression for the methods that are repeated instead of those in
        *preflight*, or "".
    """

    policy: Policy
    methods: str
    names: str
    headers: Mapping[str, str]
    preflight: Mapping[str, str]
    repeated: str

    @property
    def private(self) -> bool:
        """Whether a private network may be reached."""
        return self.policy.allow_private_network


class Verdict(NamedTuple):
    """What applies in one or more regions.

    :ivar where: one of them, and what set the policy.
    :ivar summary: the policy in a few words.
    :ivar readers: who may read.
    :ivar grants: what the policies allow, in their order.
    :ivar vary: the ``Vary`` of every response, or "".
    :ivar preflight_vary: that of the response to a preflight.
    """

    where: str
    summary: str
    readers: Readers
    grants: tuple[Grant, ...]
    vary: str
    preflight_vary: str


class Place(NamedTuple):
    """A region with its verdict.

    :ivar path: an expression for the path.
    :ivar method: an expression for the method.
    :ivar number: the number of the verdict, from 1, or 0 where nothing is written.
    :ivar name: the region in words.
    """

    path: str
    method: str
    number: int
    name: str


class Verdicts:
    """The verdicts of some regions.

    :param mount: the path that the app is mounted at, or "".
    :ivar rows: the regions. The first that matches counts.
    :ivar all: the verdicts.
    :ivar problems: what no server can express.
    :ivar remarks: what a server does differently from the guard.
    """

    def __init__(self, regions: Iterable[Region], mount: str) -> None:
        self.rows: list[Place] = []
        self.all: list[Verdict] = []
        self.problems: list[Inexpressible] = []
        self.remarks: dict[str, None] = {}
        self._named: set[tuple[str, str]] = set()
        numbers: dict[object, int] = {}
        for region in regions:
            entry, number = region.entry, 0
            if entry is not None and entry.policy is not None:
                key = meaning(entry)[:-1]  # the files have rows of their own
                if key not in numbers:
                    numbers[key] = self._add(entry, region.name)
                number = numbers[key]
            method = f"(?i:{of_names(region.methods)})" if region.methods else "[^ ]+"
            path = f"{path_literal(mount)}{region.path}"
            self.rows.append(Place(path, method, number, in_comment(region.name)))

    @property
    def prefix(self) -> str:
        """How variables are named at the beginning: the same for the same rows and verdicts only,
        so that two exports share no variables."""
        said = [(v.readers, [a[1:] for a in v.grants], v.vary) for v in self.all]
        text = repr((self.rows, said)).encode("utf-8", "surrogatepass")
        return f"cors_{hashlib.sha256(text).hexdigest()[:6]}"

    def readers(self) -> dict[Readers, int]:
        """Each group of readers, with a number from 1."""
        return _numbered(verdict.readers for verdict in self.all)

    def methods(self) -> dict[str, int]:
        """Each expression for methods, with a number from 1."""
        return _numbered(grant.methods for verdict in self.all for grant in verdict.grants)

    def names(self) -> dict[str, int]:
        """Each expression for requested headers, with a number from 1."""
        return _numbered(grant.names for verdict in self.all for grant in verdict.grants)

    def _add(self, entry: Entry, name: str) -> int:
        policies, scope = policies_of(entry.policy), entry.scope
        where = f"{name} (policy: {', '.join(filter(None, (scope.source, scope.location)))})"
        found = [
            Inexpressible(where, field, message)
            for policy in policies
            for field, message in _inexpressible(policy)
        ]
        if found:
            # Once for each mark, whose routes may be many.
            self.problems += found if (scope.source, scope.location) not in self._named else []
            self._named.add((scope.source, scope.location))
            return 0
        rows: list[tuple[str, int]] = []
        always = policies[0].compiled.star and len(policies) == 1
        for number, policy in enumerate(policies, 1):
            if policy.compiled.star:
                rows += [] if always else [(".+", number)]
            else:
                rows += [(text, number if reads else 0) for text, reads in readers(policy)]
            if policy.enforce == "report":
                self.remarks['enforce="report": a server in front of Flask reports nothing.'] = None
        first: dict[str, int] = {}
        for text, number in rows:
            first.setdefault(text, number)
        grants = tuple(_grant(policy, at, entry) for at, policy in enumerate(policies))
        headers = policies[0].compiled.headers
        vary = headers.refused.get(VARY, "")
        who = Readers(tuple(first.items()), always)
        summary = in_comment("; then ".join(policy_summaries(entry.policy)))
        last = headers.preflight_refused[VARY]
        self.all.append(Verdict(in_comment(where), summary, who, grants, vary, last))
        return len(self.all)


def _grant(policy: Policy, at: int, entry: Entry) -> Grant:
    compiled, scope = policy.compiled, entry.scope
    methods = scope.allow_methods[at] if scope.allow_methods else None
    request = CorsRequest(ORIGIN, METHOD, preflight=True, private_network=True)
    headers = dict(compiled.headers.allowed(ORIGIN))
    preflight = dict(compiled.headers.preflight(ORIGIN, request, (NAMES,), scope, methods))
    for prepared in (headers, preflight):
        prepared.pop(VARY, None)
    if not compiled.private_network:
        del preflight[ALLOW_PRIVATE_NETWORK]
    elsewhere = scope.governed_elsewhere
    is_listed = preflight.get(ALLOW_METHODS) != METHOD
    return Grant(
        policy,
        of_method(policy, scope.methods),
        of_requested_headers(policy),
        headers,
        preflight,
        of_names(elsewhere) if elsewhere and is_listed else "",
    )


def _numbered(values: Iterable[_T]) -> dict[_T, int]:
    return {value: number for number, value in enumerate(dict.fromkeys(values), 1)}


def in_comment(text: str) -> str:
    """Any text as one line of a comment, cut to the length that nginx reads. Apache continues even
    a comment after a backslash at the end of its line."""
    printable = (c if c.isascii() and c.isprintable() else "?" for c in text[:_LONGEST_COMMENT])
    return "".join(printable).replace("\\", "/")


def _inexpressible(policy: Policy) -> Iterator[tuple[str, str]]:
    """The fields that no server can express, each with a message."""
    if policy.origins != "*":
        compiled = policy.origins.compiled
        if compiled.check is not None:
            name = ascii(name_of(compiled.check))
            yield (
                "origins",
                (f"the function {name} decides, and only Python can run it. List origins."),
            )
        for source in compiled.sources:
            name = ascii(source_name(source))
            yield "origins", f"the rows of {name} change while the app runs. List origins."
    for field, forms in (("origins", policy.origins), ("deny_origins", policy.deny_origins)):
        try:
            tuple(listed(forms))
        except BeyondSubsetError as error:
            message = f"in a pattern, a server may read {error} differently from Python."
            yield field, f"{message} List origins, or write a plainer pattern."
    if policy.enforce in ("unsafe", "all"):
        value = policy.enforce
        message = (
            f"a server cannot tell the app's own pages from others, and {value!r} depends on that."
        )
        yield "enforce", f"{message} Where Flask does not respond, write enforce='off'."
    if not policy.answer_preflight:
        yield "answer_preflight", "no view of the app responds there. Leave it out."
    if policy.dangerously_let_views_override:
        message = "no view of the app responds there, and a server does not know a view's headers."
        yield "dangerously_let_views_override", f"{message} Leave it out."
