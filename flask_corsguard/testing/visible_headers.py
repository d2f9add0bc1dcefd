"""Which headers of a response the page sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from flask_corsguard.protocol.headers import EXPOSE_HEADERS, FORBIDDEN_RESPONSE_HEADERS
from flask_corsguard.protocol.safelist import SAFELISTED_RESPONSE_HEADERS
from flask_corsguard.testing.advice import change_at
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.failure_notes import hidden_header
from flask_corsguard.text import shown

# These are for browsers and caches: no page misses them.
_NOT_MISSED = re.compile(
    "accept-ranges|access-control-|age|allow|alt-svc|connection|content-security-policy|"
    "cross-origin-|date|etag|keep-alive|permissions-policy|referrer-policy|report|server|set-cookie|"
    "strict-transport-security|transfer-encoding|vary|via|x-content-type-options|x-frame-options|"
    "x-xss-protection"
)


class VisibleHeaders(Mapping[str, str]):
    """A mapping of the response headers that the page sees. Names are sorted and in lower case;
    look-ups ignore case.

    :ivar hidden: the response's other headers, each with the reason why it is hidden.
    """

    def __init__(self, visible: Mapping[str, str], hidden: Mapping[str, str]) -> None:
        self.hidden = hidden
        self._visible = visible

    def __getitem__(self, name: str) -> str:
        lower = name.lower()
        if lower in self._visible:
            return self._visible[lower]
        if lower in self.hidden:
            hidden_header.append((lower, self.hidden[lower]))
        raise KeyError(self.why_not(name).replace("\n", " "))

    def __iter__(self) -> Iterator[str]:
        return iter(self._visible)

    def __len__(self) -> int:
        return len(self._visible)

    def __repr__(self) -> str:
        return repr(self._visible)

    def why_not(self, name: str) -> str:
        """Return why the page does not see a header, in words."""
        return self.hidden.get(name.lower(), f"The response has no header {name}.")

    @property
    def missed(self) -> str:
        """Why headers that somebody could miss are hidden, in words."""
        return "\n".join(w for name, w in self.hidden.items() if not _NOT_MISSED.match(name))


def visible_headers(exchange: Exchange, *, cors: bool, credentials: bool) -> VisibleHeaders:
    """https://fetch.spec.whatwg.org/#concept-filtered-response-cors

    :param cors: whether the page has another origin.
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
            hidden[name] = f"JavaScript never sees {given}, whatever the server sends."
        elif every or name in exposed or name in SAFELISTED_RESPONSE_HEADERS:
            visible[name] = exchange.value_of(name) or ""
        else:
            hidden[name] = _why_hidden(exchange, given, listed)
    return VisibleHeaders(visible, hidden)


def _why_hidden(exchange: Exchange, name: str, listed: list[str] | None) -> str:
    found = "no Access-Control-Expose-Headers names it"
    if listed is None:
        value = shown(exchange.value_of(EXPOSE_HEADERS) or "")
        found = f"{EXPOSE_HEADERS}: {value} is not a list of header names separated by commas"
    elif "*" in listed:
        found = "browsers ignore '*' for a request with credentials: 'include'"
    return (
        f"JavaScript does not see {name}: {found}.\nSend: {EXPOSE_HEADERS}: {name}\n"
        + change_at(exchange, f"add '{name}' to expose_headers")
    )
