"""Which headers of a response script sees."""

from __future__ import annotations

from flask_corsguard.protocol.headers import EXPOSE_HEADERS, FORBIDDEN_RESPONSE_HEADERS
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.fetch_response import VisibleHeaders
from flask_corsguard.text import shown

# https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
_SAFELISTED = frozenset(
    {
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    }
)
# Not for script, so that nobody misses them: they speak to browsers and caches.
_QUIET = (
    "accept-ranges",
    "access-control-",
    "age",
    "allow",
    "alt-svc",
    "connection",
    "content-security-policy",
    "cross-origin-",
    "date",
    "etag",
    "keep-alive",
    "permissions-policy",
    "referrer-policy",
    "report",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
)


def visible_headers(exchange: Exchange, *, cors: bool, credentials: bool) -> VisibleHeaders:
    """https://fetch.spec.whatwg.org/#concept-filtered-response-cors

    :param cors: whether the page is of another origin.
    :param credentials: whether the request was made with ``credentials: "include"``.
    """
    listed = exchange.list_of(EXPOSE_HEADERS)
    exposed = {name.lower() for name in listed or ()}
    every = not cors or ("*" in exposed and not credentials)
    visible: dict[str, str] = {}
    hidden: dict[str, str] = {}
    names = {name.lower(): name for name, _ in exchange.response_headers}
    for name, given in sorted(names.items()):
        if name in FORBIDDEN_RESPONSE_HEADERS:
            hidden[name] = f"Script never sees {given}, whatever the server sends."
        elif every or name in exposed or name in _SAFELISTED:
            visible[name] = exchange.value_of(name) or ""
        else:
            hidden[name] = _why_hidden(exchange, given, listed)
    return VisibleHeaders(visible, hidden)


def missed(headers: VisibleHeaders) -> str:
    """What hides those headers that somebody could miss, in words."""
    return "\n".join(why for name, why in headers.hidden.items() if not name.startswith(_QUIET))


def _why_hidden(exchange: Exchange, name: str, listed: list[str] | None) -> str:
    found = "no Access-Control-Expose-Headers names it"
    if listed is None:
        value = shown(exchange.value_of(EXPOSE_HEADERS) or "")
        found = f"{EXPOSE_HEADERS}: {value} is not a list of header names separated by commas"
    elif "*" in listed:
        found = "'*' does not count for a request with credentials: 'include'"
    return (
        f"Script does not see {name}: {found}.\nSend: {EXPOSE_HEADERS}: {name}\n"
        f"Change: add '{name}' to expose_headers."
    )
