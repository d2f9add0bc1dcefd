"""What a page sees of a response, and what only the test sees."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Never

from flask_corsguard.errors import BrowserError, unknown_name
from flask_corsguard.protocol.reasons import Reason
from flask_corsguard.testing.advice import why_blocked
from flask_corsguard.testing.blocks import (
    UNCONDITIONAL_BLOCKS,
    Block,
    BlockedError,
)
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.visible_headers import VisibleHeaders

# What people look for in a response, from other libraries.
_ELSEWHERE = {
    "assert_allowed": "assert_readable()",
    "data": "text",
    "get_json": "json",
    "status_code": "status",
}


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """The result of one fetch.

    :ivar question: the page and its request, in words.
    :ivar exchanges: every request that went over the wire, in order, as an :class:`Exchange`.
    :ivar readable: whether the page may read the response.
    :ivar reason: the :class:`Block`, the rule that keeps the response from the page, or None.
    :ivar why: that rule in words, with what to send and what to change; for a readable response,
        the headers that the page does not see and the cookies that are not kept or not sent, or "".
    :ivar relative: whether the test gave a relative URL that stayed at the page's own origin, so
        that CORS had nothing to decide.
    :ivar type: ``basic``, ``cors``, ``opaque`` or ``opaqueredirect``; None if ``fetch()`` failed.
    :ivar status: the status that the page sees: 0 for an opaque response, None if ``fetch()``
        failed.
    :ivar url: the response's URL, after redirects; "" if the page does not see it.
    :ivar redirected: whether the page sees that there were redirects.
    :ivar headers: the :class:`VisibleHeaders`, those that the page sees.
    :ivar text: the body as the page reads it, or None if it cannot.
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
    headers: VisibleHeaders = field(default_factory=lambda: VisibleHeaders({}, {}))
    text: str | None = None
    relative: bool = False

    @property
    def ok(self) -> bool:
        """Whether the page sees a 2xx status, as ``response.ok`` in JavaScript."""
        return self.status is not None and 200 <= self.status <= 299

    @property
    def json(self) -> Any:
        """The body, parsed as JSON; None if the page may not read it.

        :raises ValueError: if it is not JSON.
        """
        return json.loads(self.text) if self.readable and self.text is not None else None

    if not TYPE_CHECKING:  # type checkers report these themselves

        def __getattr__(self, name: str) -> Never:
            hint = f". Write {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
            message = f"'Response' object has no attribute {name!r}{hint}"
            raise AttributeError(message, name=name, obj=self)

    def assert_readable(self) -> Response:
        """Fail unless the page may read the response, whatever its status.

        :returns: the response itself.
        :raises AssertionError: if it may not, with the rule, what to change, and everything that
            went over the wire; or if the URL was relative, which tests nothing about CORS.
        """
        __tracebackhide__ = True
        if not self.readable:
            raise AssertionError(self._report("is not readable", self.why))
        if self.relative:
            raise AssertionError(self._report("tells you nothing about CORS", self._same_origin))
        return self

    def assert_visible(self, *names: str) -> Response:
        """Fail unless the page may read the response and sees these headers.

        :param names: header names; case does not matter.
        :returns: the response itself.
        :raises AssertionError: if it does not, with the rule that hides them.
        """
        __tracebackhide__ = True
        self.assert_readable()
        hidden = [self.headers.why_not(name) for name in names if name not in self.headers]
        if hidden:
            raise AssertionError(self._report("does not show every header", "\n".join(hidden)))
        return self

    def assert_blocked(self, reason: Block | str | None = None) -> Response:
        """Fail if the page may read the response.

        :param reason: the :class:`Block` that should keep it from the page, such as
            ``"allow_origin_missing"``. With None, any rule counts except those that block every
            response of a kind, whatever the server sends: navigations, beacons, mixed content and
            ``mode="no-cors"``, for example.
        :returns: the response itself.
        :raises AssertionError: if the page may read it, or another rule keeps it from the page.
        :raises BrowserError: if there is no such rule.
        """
        __tracebackhide__ = True
        if reason is not None and reason not in list(Block):
            raise BrowserError(self._unknown_reason(reason))
        if self.readable:
            found = f"The page can read it: status {self.status}, {self.text!r:.200}"
            if self.type == "basic":
                found = f"{found}\n{self._same_origin}"
            raise AssertionError(self._report("is not blocked", found))
        verdict = ""
        if reason is None and self.reason in UNCONDITIONAL_BLOCKS:
            verdict = f"is blocked, but by {self.reason}, which says nothing about the server"
        elif reason not in (None, self.reason):
            verdict = f"is blocked by {self.reason}, not by {reason}"
        if verdict:
            raise AssertionError(self._report(verdict, self.why))
        return self

    @property
    def _same_origin(self) -> str:
        return (
            "The request has the page's own origin, which no policy restricts.\n"
            "Change: give the full URL of an API at another origin, such as https://api.test/users."
            f" If the page's own origin is meant, write {self.url}."
        )

    def _unknown_reason(self, given: object) -> str:
        """A message that there is no such rule, with the one that is probably meant: people often
        give one of the guard's reasons."""
        name = str(given.name if isinstance(given, Reason) else given).lower().replace("-", "_")
        guards, hint = Reason.__members__.get(name.upper()), ""
        meant = name if name in list(Block) else None
        if guards is not None:
            is_preflight = not guards.is_about_origin or any(e.preflight for e in self.exchanges)
            meant = Block.PREFLIGHT_STATUS if is_preflight else Block.ALLOW_ORIGIN_MISSING
            hint = (
                f" {guards.name} is one of the guard's reasons, which pages never see. In a test,"
                " it is response.exchanges[-1].decision.reason."
            )
        known = map(str, Block)
        return unknown_name("", "reason", given, "rule", known, meant and str(meant)).message + hint

    def _report(self, verdict: str, why: str) -> str:
        lines = [f"{self.question} {verdict}", *(f"  {line}" for line in why.splitlines())]
        for number, exchange in enumerate(self.exchanges, 1):
            lines += ["", f"  {number}. {exchange}"]
        if not self.exchanges:
            lines += ["", "  Nothing was sent."]
        return "\n".join(lines)

    def __repr__(self) -> str:
        verdict = f"readable, {self.status} {self.type}"
        if not self.readable:
            verdict = f"not readable, {self.reason}: {self.why}"
        return f"<{self.question}: {verdict}>"


def blocked(
    question: str,
    exchanges: Iterable[Exchange],
    error: BlockedError,
    opaque: str | None = None,
    url: str = "",
) -> Response:
    """A response that the page cannot read.

    :param opaque: the type of the response, if the page sees a response at all.
    :param url: the URL that the page sees.
    """
    exchanges = tuple(exchanges)
    why = why_blocked(error, exchanges)
    if opaque is None:
        return Response(question, exchanges, False, error.block, why)
    return Response(question, exchanges, False, error.block, why, opaque, 0, url, text="")
