"""What is written for each policy: who may read, and the headers of the responses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from flask_corsguard.export.expressions import (
    BeyondSubsetError,
    of_method,
    of_names,
    of_requested_headers,
    readers,
)
from flask_corsguard.export.regions import Region, Unsayable, meaning
from flask_corsguard.protocol.audiences import policies_of
from flask_corsguard.protocol.decision import CorsRequest
from flask_corsguard.protocol.explanation import policy_summaries
from flask_corsguard.protocol.headers import ALLOW_METHODS, ALLOW_PRIVATE_NETWORK, VARY
from flask_corsguard.protocol.lists import source_name
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.table import Entry
from flask_corsguard.text import name_of

#: Stand for what a response repeats of the request, and have no form that a value could have.
ORIGIN, METHOD, NAMES = "\0origin", "\0method", "\0names"


class Answer(NamedTuple):
    """What a policy says to those whom it admits.

    :ivar number: from 1, in the whole export.
    :ivar policy: the policy.
    :ivar where: its route, and what set it.
    :ivar title: the policy in a few words.
    :ivar method: matches the methods that may be requested.
    :ivar names: matches the lists of headers that may be.
    :ivar private: whether a private network may be reached.
    :ivar headers: of a response, without ``Vary``.
    :ivar preflight: of the response to a preflight.
    :ivar repeated: matches the methods that are repeated instead of those in *preflight*; or "".
    """

    number: int
    policy: Policy
    where: str
    title: str
    method: str
    names: str
    private: bool
    headers: Mapping[str, str]
    preflight: Mapping[str, str]
    repeated: str


class Verdict(NamedTuple):
    """What counts in one or more regions.

    :ivar number: from 1, in the whole export.
    :ivar title: what set the policy.
    :ivar readers: expressions for origins, with the number of the policy that admits them, or 0
        for nobody; the first that matches counts.
    :ivar always: the number of the policy that admits requests without ``Origin`` too, or 0.
    :ivar vary: of every response, or "".
    :ivar preflight_vary: of the response to a preflight.
    """

    number: int
    title: str
    readers: Sequence[tuple[str, int]]
    always: int
    vary: str
    preflight_vary: str


class Verdicts:
    """The verdicts of some regions.

    :ivar rows: matches the path; matches the method, or ""; the number of the verdict, or 0 where
        nothing is written; and the region's name. The first that matches counts.
    :ivar all: the verdicts.
    :ivar answers: what the policies in them say.
    :ivar problems: what a server cannot say.
    :ivar remarks: what it says in another way than the guard.
    """

    def __init__(self, regions: Iterable[Region]) -> None:
        self.rows: list[tuple[str, str, int, str]] = []
        self.all: list[Verdict] = []
        self.answers: list[Answer] = []
        self.problems: list[Unsayable] = []
        self.remarks: dict[str, None] = {}
        numbers: dict[object, int] = {}
        for region in regions:
            entry, number = region.entry, 0
            if entry is not None and entry.policy is not None:
                key = meaning(entry)[:-1]
                number = numbers.get(key) or self._add(entry, region.name)
                numbers[key] = number
            method = f"(?i:{of_names(region.methods)})" if region.methods else ""
            self.rows.append((region.path, method, number, in_comment(region.name)))

    @property
    def prefix(self) -> str:
        """What the names of variables begin with: the same for the same rows and verdicts, so that
        two exports in one server have nothing in common."""
        text = repr((self.rows, self.all, [answer[4:] for answer in self.answers]))
        return f"cors_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"

    def _add(self, entry: Entry, name: str) -> int:
        policies = policies_of(entry.policy)
        place = ", ".join(filter(None, (entry.scope.source, entry.scope.location)))
        found = [
            Unsayable(f"{name} ({place})", field, message)
            for policy in policies
            for field, message in _unsayable(policy)
        ]
        self.problems += [problem for problem in found if problem not in self.problems]
        if found:
            return 0
        whom: list[tuple[str, int]] = []
        always = 0
        summaries = policy_summaries(entry.policy)
        for at, policy in enumerate(policies):
            methods = entry.scope.allow_methods[at] if entry.scope.allow_methods else None
            title = in_comment(f"Policy {summaries[at]}")
            number = self._answer(policy, entry, methods, f"{name} ({place})", title)
            if policy.compiled.star:
                always = number if len(policies) == 1 else 0
                whom += [] if always else [(".+", number)]
            else:
                whom += [(text, number if reads else 0) for text, reads in readers(policy)]
            if policy.enforce == "report":
                self.remarks['enforce="report" reports nothing where Flask is not asked.'] = None
        headers = policies[0].compiled.headers
        vary, preflight_vary = headers.refused.get(VARY, ""), headers.preflight_refused[VARY]
        title = in_comment(f"Who may read: {name}, by {place}")
        self.all.append(Verdict(len(self.all) + 1, title, whom, always, vary, preflight_vary))
        return len(self.all)

    def _answer(
        self, policy: Policy, entry: Entry, methods: str | None, where: str, title: str
    ) -> int:
        compiled, scope = policy.compiled, entry.scope
        request = CorsRequest(ORIGIN, METHOD, preflight=True, private_network=True)
        headers = dict(compiled.headers.allowed(ORIGIN))
        preflight = dict(compiled.headers.preflight(ORIGIN, request, (NAMES,), scope, methods))
        for prepared in (headers, preflight):
            prepared.pop(VARY, None)
        if not compiled.private_network:
            del preflight[ALLOW_PRIVATE_NETWORK]
        elsewhere = scope.governed_elsewhere
        repeated = of_names(elsewhere) if elsewhere else ""
        if preflight.get(ALLOW_METHODS) == METHOD:
            repeated = ""
        answer = Answer(
            len(self.answers) + 1,
            policy,
            where,
            title,
            of_method(policy, scope.methods),
            of_requested_headers(policy),
            compiled.private_network,
            headers,
            preflight,
            repeated,
        )
        self.answers.append(answer)
        return answer.number


def in_comment(text: str) -> str:
    """Any text for one line of a comment. Apache continues a line that ends with a backslash, of a
    comment too."""
    printable = (c if c.isascii() and c.isprintable() else "?" for c in text)
    return "".join(printable).replace("\\", "/")


def _unsayable(policy: Policy) -> Iterator[tuple[str, str]]:
    origins = policy.origins
    if origins != "*":
        if origins.compiled.check is not None:
            name = ascii(name_of(origins.compiled.check))
            yield "origins", f"the function {name} decides, which only Python runs. List origins."
        for source in origins.compiled.sources:
            name = ascii(source_name(source))
            yield "origins", f"the source {name} changes while the app runs. List origins."
    try:
        for _ in readers(policy):
            pass
    except BeyondSubsetError as error:
        message = f"a pattern has a part that a server may read otherwise: {error}."
        yield "origins or deny_origins", f"{message} List origins, or write a plainer pattern."
    if policy.enforce in ("unsafe", "all"):
        value = cast("str", policy.enforce)
        message = f"a server does not know which requests are the app's own, as {value!r} has to."
        yield "enforce", f"{message} Say enforce='off' for what Flask does not serve."
    if not policy.answer_preflight:
        yield "answer_preflight", "no view of the app answers there. Leave it out."
