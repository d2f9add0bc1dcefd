"""What the demo's two pages do, and the results to expect. The pages, ``--once`` and the tests all
read these lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Origins(NamedTuple):
    """Where the servers are. To a browser, ``localhost`` and ``127.0.0.1`` are two sites."""

    shop: str
    other: str
    api: str


class Case(NamedTuple):
    """One call of ``fetch()``.

    :ivar about: what it teaches.
    :ivar expected: page -> the outcome of the call: READ, BROWSER or the name of the guard's
        reason. A page that is not in it does not make the call.
    :ivar note: what to add to the guard's words.
    :ivar credentials: whether the browser sends and stores cookies.
    :ivar sandboxed: whether a sandboxed frame in the page makes the call.
    """

    id: str
    about: str
    method: str
    path: str
    expected: Mapping[str, str]
    note: str = ""
    headers: Mapping[str, str] = {}
    credentials: bool = False
    sandboxed: bool = False

    @property
    def extras(self) -> list[str]:
        """What the call has besides its method and path, in words."""
        extras = [f"{name}: {value}" for name, value in self.headers.items()]
        extras += ["with cookies"] if self.credentials else []
        return [*extras, *(["in a sandboxed frame"] if self.sandboxed else [])]


class Account(NamedTuple):
    """An account that takes transfers from a form.

    :ivar expected: page -> the change of the balance by the form.
    """

    id: str
    about: str
    path: str
    expected: Mapping[str, int]


AMOUNT = 10
READ = "READ"
#: The guard allows the origin, but the browser blocks the response.
BROWSER = "BROWSER"

ACCOUNTS = (
    Account("plain", "CORS alone", "/transfer", {"shop": -AMOUNT, "other": -AMOUNT}),
    Account("guarded", 'enforce="unsafe"', "/guarded/transfer", {"shop": -AMOUNT, "other": 0}),
)

CASES = (
    Case(
        "orders",
        "The default policy",
        "GET",
        "/orders",
        {"shop": READ, "other": "ORIGIN_NOT_ALLOWED"},
    ),
    Case("open", "A view that everyone may read", "GET", "/status", {"shop": READ, "other": READ}),
    Case("cookies", "Cookies", "GET", "/me", {"shop": READ}, credentials=True),
    Case(
        "star",
        "Cookies, where everyone may read",
        "GET",
        "/status",
        {"shop": BROWSER},
        "The browser refuses: it accepts '*' only for calls without cookies. Name the origins, with"
        " allow_credentials=True.",
        credentials=True,
    ),
    Case(
        "header",
        "A header that the policy does not list",
        "GET",
        "/orders",
        {"shop": "HEADERS_NOT_ALLOWED"},
        headers={"X-Debug": "1"},
    ),
    Case(
        "delete",
        "A call that changes something",
        "DELETE",
        "/orders",
        {"other": "ORIGIN_NOT_ALLOWED"},
    ),
    Case(
        "null",
        "A page that hides its origin",
        "GET",
        "/orders",
        {"other": "ORIGIN_NULL"},
        sandboxed=True,
    ),
)

#: Called while the list of origins changes. ``expected`` holds until the button is pressed.
LIVE = Case("offers", "Origins in a file", "GET", "/offers", {"other": "ORIGIN_NOT_ALLOWED"})

#: Mistakes in ``origins``, to begin with.
MISTAKES = (
    "https://app.example.com/",
    "app.example.com",
    "https://app.example.com:443",
    "https://*example.com",
    "null",
)
