"""What the demo's page does, and what is expected of it on either origin: calls, then transfers,
then calls while the list of origins changes.

The page, the player behind ``--once`` and the browser tests all read these lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple


class Expected(NamedTuple):
    """What one page should see of one call.

    :ivar status: the status that the page reads, or None where the browser lets it read nothing.
    :ivar reads: what the page reads: the body, or the header that the call asks about.
    :ivar reason: the name of the guard's reason for a rejection, as signalled; None for no signal.
    :ivar note: where the browser refuses and the guard does not: why.
    """

    status: int | None
    reads: str = ""
    reason: str | None = None
    note: str = ""

    @property
    def readable(self) -> bool:
        """Whether the page may read the response."""
        return self.status is not None


class Case(NamedTuple):
    """One call of ``fetch()``.

    :ivar id: a short name. It goes into the URL, so that no two calls share a cached preflight.
    :ivar about: what the call shows, in a few words.
    :ivar allowed: what the page on the allowed origin should see.
    :ivar stranger: what the page on the other origin should see.
    :ivar credentials: whether the browser may send and store cookies.
    :ivar headers: the request headers that the page sets.
    :ivar body: the request body.
    :ivar reads_header: a response header that the page reads, instead of the body.
    """

    id: str
    about: str
    method: str
    path: str
    allowed: Expected
    stranger: Expected
    credentials: bool = False
    headers: Mapping[str, str] = {}
    body: str | None = None
    reads_header: str | None = None

    @property
    def url(self) -> str:
        """The path to ask for, with the name of the case."""
        return f"{self.path}?case={self.id}"

    def expected(self, page: str) -> Expected:
        """What the page called *page* (``"allowed"`` or ``"stranger"``) should see."""
        return self.allowed if page == "allowed" else self.stranger

    def as_json(self, page: str) -> dict[str, Any]:
        """The case as the page reads it."""
        fields = self._asdict()
        del fields["allowed"], fields["stranger"]
        return fields | {"url": self.url, "expected": self.expected(page)._asdict()}


class Moved(NamedTuple):
    """What a form that one page sends should do.

    :ivar change: by how much the balance changes.
    :ivar reason: the name of the guard's reason for a rejection, as signalled; None for no signal.
    :ivar blocked: whether the guard refuses the request, so that the view does not run.
    """

    change: int
    reason: str | None = None
    blocked: bool = False


class Transfer(NamedTuple):
    """A form that takes money out of one account.

    :ivar account: ``"unprotected"`` or ``"protected"``.
    :ivar enforce: that account's ``enforce``, the only difference between the two.
    :ivar allowed: what it should do when the page on the allowed origin sends it.
    :ivar stranger: what it should do when the page on the other origin sends it.
    """

    account: str
    enforce: Literal["off", "unsafe"]
    allowed: Moved
    stranger: Moved
    path: str = "/transfer"
    amount: int = 10

    @property
    def id(self) -> str:
        """A short name, by which the reason is found."""
        return f"transfer-{self.account}"

    @property
    def url(self) -> str:
        """The path to send the form to, with that name."""
        return f"{self.path}?case={self.id}"

    def expected(self, page: str) -> Moved:
        """What it should do when the page called *page* sends it."""
        return self.allowed if page == "allowed" else self.stranger

    def as_json(self, page: str) -> dict[str, Any]:
        """The transfer as the page reads it."""
        fields = self._asdict()
        del fields["allowed"], fields["stranger"]
        expected = self.expected(page)._asdict()
        return fields | {"id": self.id, "url": self.url, "expected": expected}


class Step(NamedTuple):
    """What becomes of the file that lists who may read ``GET /offers``.

    :ivar about: what happens, in a few words.
    :ivar both: whether it lists both pages then, or the allowed one alone.
    """

    about: str
    both: bool

    def expected(self, page: str) -> Expected:
        """What the page called *page* should see then, whichever worker responds."""
        return Expected(200) if self.both or page == "allowed" else _ORIGIN


_ORIGIN = Expected(None, reason="ORIGIN_NOT_ALLOWED")
_JSON = {"Content-Type": "application/json"}
_STAR_WITH_COOKIES = Expected(
    None,
    note="The guard allows the origin. The browser refuses: '*' is not valid for credentials.",
)

CASES = (
    Case(
        "default",
        "A route without a mark: the default policy",
        "GET",
        "/orders",
        Expected(200, '{"orders":3}'),
        _ORIGIN,
    ),
    Case(
        "open",
        "An open route: origins='*'",
        "GET",
        "/status",
        Expected(200, '{"up":true}'),
        Expected(200, '{"up":true}'),
    ),
    Case(
        "open-cookie",
        "The open route, asked with cookies",
        "GET",
        "/status",
        _STAR_WITH_COOKIES,
        _STAR_WITH_COOKIES,
        credentials=True,
    ),
    Case(
        "sign-in",
        "Signing in: the response sets a cookie",
        "POST",
        "/session",
        Expected(200, '{"signed_in":"demo"}'),
        _ORIGIN,
        credentials=True,
        headers=_JSON,
        body='{"name": "demo"}',
    ),
    Case(
        "cookie",
        "A credentialed route, with that cookie",
        "GET",
        "/session",
        Expected(200, '{"name":"demo"}'),
        _ORIGIN,
        credentials=True,
    ),
    Case(
        "no-cookie",
        "The same route without the cookie",
        "GET",
        "/session",
        Expected(401, '{"error":"401 Unauthorized"}'),
        _ORIGIN,
    ),
    Case(
        "article-get",
        "A policy per method: everyone may GET",
        "GET",
        "/articles/1",
        Expected(200, '{"article":1}'),
        Expected(200, '{"article":1}'),
    ),
    Case(
        "article-put",
        "The same URL: one origin may PUT",
        "PUT",
        "/articles/1",
        Expected(200, '{"saved":1}'),
        _ORIGIN,
        headers=_JSON,
        body='{"title": "CORS"}',
    ),
    Case(
        "article-delete",
        "The same URL: neither page may DELETE",
        "DELETE",
        "/articles/1",
        _ORIGIN,
        _ORIGIN,
    ),
    Case(
        "header-allowed",
        "A request header that allow_headers lists",
        "GET",
        "/orders",
        Expected(200, '{"orders":3}'),
        _ORIGIN,
        headers={"X-Request-ID": "demo"},
    ),
    Case(
        "header-refused",
        "A request header that it does not list",
        "GET",
        "/orders",
        Expected(None, reason="HEADERS_NOT_ALLOWED"),
        _ORIGIN,
        headers={"X-Debug": "1"},
    ),
    Case(
        "exposed",
        "A response header that expose_headers lists",
        "GET",
        "/orders",
        Expected(200, "X-Total-Count: 3"),
        _ORIGIN,
        reads_header="X-Total-Count",
    ),
    Case(
        "not-exposed",
        "A response header that it does not list",
        "GET",
        "/orders",
        Expected(200, "X-Server-Node: null"),
        _ORIGIN,
        reads_header="X-Server-Node",
    ),
    Case(
        "method-refused",
        "A method that the route does not accept",
        "PATCH",
        "/orders",
        Expected(None, reason="METHOD_NOT_ALLOWED"),
        _ORIGIN,
    ),
    Case(
        "method-405",
        "Another one: POST needs no preflight",
        "POST",
        "/orders",
        Expected(405, '{"error":"405 Method Not Allowed"}'),
        _ORIGIN,
    ),
    Case(
        "not-found",
        "A URL without a route",
        "GET",
        "/nowhere",
        Expected(404, '{"error":"404 Not Found"}'),
        _ORIGIN,
    ),
    Case(
        "exempt",
        "An exempt route: the view sets its own header",
        "GET",
        "/legacy",
        Expected(200, '{"legacy":true}'),
        Expected(
            None,
            note="The route is exempt, so the guard sends no signal. The view's own header names"
            " another origin, and the browser refuses.",
        ),
    ),
)

TRANSFERS = (
    Transfer(
        "unprotected",
        "off",
        allowed=Moved(-10),
        # Rejected, but only by CORS: the view has run.
        stranger=Moved(-10, "ORIGIN_NOT_ALLOWED"),
    ),
    Transfer(
        "protected",
        "unsafe",
        allowed=Moved(-10),
        stranger=Moved(0, "ORIGIN_NOT_ALLOWED", blocked=True),
    ),
)

STEPS = (
    Step("The file lists the allowed page", both=False),
    Step("The button adds the other page", both=True),
    Step("The button takes it out again", both=False),
)
# A page makes these two calls of GET /offers at once, so that each worker gets one of them.
LIVE_CASES = ("live-1", "live-2")
