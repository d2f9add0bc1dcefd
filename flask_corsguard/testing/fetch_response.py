"""What a page gets to see of an answer, and what the test gets to see beyond that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_corsguard.errors import BrowserError, unknown_name
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.testing.blocks import POLICY_BLOCKS, Block, Finding
from flask_corsguard.testing.exchange import Exchange


class VisibleHeaders(Mapping[str, str]):
    """The response headers that script sees. Their names are in lower case, sorted, and found in
    any case.

    :ivar hidden: those that the response has besides, each with what hides it, in words.
    """

    def __init__(self, visible: Mapping[str, str], hidden: Mapping[str, str]) -> None:
        self.hidden = hidden
        self._visible = visible

    def __getitem__(self, name: str) -> str:
        lower = name.lower()
        if lower in self._visible:
            return self._visible[lower]
        raise KeyError(self.why_not(name).replace("\n", " "))

    def __iter__(self) -> Iterator[str]:
        return iter(self._visible)

    def __len__(self) -> int:
        return len(self._visible)

    def __repr__(self) -> str:
        return repr(self._visible)

    def why_not(self, name: str) -> str:
        """Why script does not see a header."""
        return self.hidden.get(name.lower(), f"The response has no header {name}.")


_MATTERS_OF_COURSE = frozenset({Block.BEACON, Block.NAVIGATION, Block.UNREACHABLE})
_NO_HEADERS = VisibleHeaders({}, {})


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came of one fetch.

    :ivar question: who asked for what, in words.
    :ivar exchanges: every request that went over the wire, in order.
    :ivar readable: whether script may read the response.
    :ivar reason: the rule that stopped it, or None.
    :ivar why: that rule in words, with what to send and what to change instead; for a readable
        response, which of its headers script does not see, or "".
    :ivar type: ``basic``, ``cors``, ``opaque``, ``opaqueredirect``; None where ``fetch()`` failed.
    :ivar status: the status that script sees: 0 for an opaque response, None where there is none.
    :ivar url: where the response came from, after redirects; "" where script is not told.
    :ivar redirected: whether script is told that there were any.
    :ivar headers: the headers that script sees.
    :ivar text: the body as script reads it, or None where there is none to read.
    """

    question: str
    exchanges: tuple[Exchange, ...]
    readable: bool
    reason: Block | None = None
    why: str = ""
    type: str | None = None
    status: int | None = None
    url: str = ""
    redirected: bool = False
    headers: VisibleHeaders = field(default_factory=lambda: _NO_HEADERS)
    text: str | None = None

    @property
    def ok(self) -> bool:
        """Whether script sees a 2xx status."""
        return self.status is not None and 200 <= self.status <= 299

    @property
    def json(self) -> Any:
        """The body, parsed; None where script may not read it.

        :raises ValueError: if it is not JSON.
        """
        return json.loads(self.text) if self.readable and self.text is not None else None

    def assert_readable(self) -> Answer:
        """Fail unless script may read the response.

        :returns: the answer itself.
        :raises AssertionError: with the rule that stopped it, the remedy, and all that went over
            the wire.
        """
        __tracebackhide__ = True
        if not self.readable:
            raise AssertionError(self._report("is not readable", self.why))
        return self

    def assert_visible(self, *names: str) -> Answer:
        """Fail unless script may read the response and sees these headers of it.

        :param names: in any case.
        :returns: the answer itself.
        :raises AssertionError: with what hides them.
        """
        __tracebackhide__ = True
        self.assert_readable()
        hidden = [self.headers.why_not(name) for name in names if name not in self.headers]
        if hidden:
            raise AssertionError(self._report("does not show every header", "\n".join(hidden)))
        return self

    def assert_blocked(self, reason: Block | str | None = None) -> Answer:
        """Fail unless script is kept from the response.

        :param reason: the rule that is to stop it, such as ``"allow_origin_missing"``. If None, any
            but those that stop everything of the kind: a navigation, a beacon, a missing server.
        :returns: the answer itself.
        :raises AssertionError: where script may read it, or another rule stopped it.
        :raises BrowserError: where there is no such rule.
        """
        __tracebackhide__ = True
        if reason is not None and reason not in list(Block):
            names = [block.value for block in Block]
            raise BrowserError(unknown_name("", "reason", reason, "rule", names).message)
        if self.readable:
            found = f"Script reads it: status {self.status}, {self.text!r:.200}"
            raise AssertionError(self._report("is not blocked", found))
        if reason is None and self.reason in _MATTERS_OF_COURSE:
            verdict = f"is blocked, but by {self.reason}, which says nothing about the server"
            raise AssertionError(self._report(verdict, self.why))
        if reason not in (None, self.reason):
            verdict = f"is blocked by {self.reason}, not by {reason}"
            raise AssertionError(self._report(verdict, self.why))
        return self

    def _report(self, verdict: str, why: str) -> str:
        lines = [f"{self.question} {verdict}", *(f"  {line}" for line in why.splitlines())]
        for number, exchange in enumerate(self.exchanges, 1):
            lines += ["", f"  {number}. {exchange}"]
        if not self.exchanges:
            lines += ["", "  Nothing went over the wire."]
        return "\n".join(lines)

    def __repr__(self) -> str:
        verdict = f"readable, {self.status} {self.type}"
        if not self.readable:
            verdict = f"not readable, {self.reason}: {self.why}"
        return f"<{self.question}: {verdict}>"


def blocked(
    question: str,
    exchanges: Iterable[Exchange],
    finding: Finding,
    opaque: str | None = None,
    url: str = "",
) -> Answer:
    """An answer that script cannot read.

    :param opaque: the type of a response of which script sees that it is there; None for none.
    :param url: what script sees of where that came from.
    """
    exchanges = tuple(exchanges)
    decision = exchanges[-1].decision if exchanges else None
    is_rejected = decision is not None and decision.outcome is Outcome.REJECTED
    if decision is not None and is_rejected and finding.block in POLICY_BLOCKS:
        # It knows better what to change, and where.
        verdict = f"Flask-CorsGuard decided: {decision.explain()}"
        why = f"{finding._replace(change='')}\n{verdict}"
    else:
        why = str(finding)
    if opaque is None:
        return Answer(question, exchanges, False, finding.block, why)
    return Answer(question, exchanges, False, finding.block, why, opaque, 0, url, text="")
