"""The messages between the command and the processes of the apps."""

from __future__ import annotations

from typing import Any, NamedTuple

_VALUES = {"content-type": "application/json", "authorization": "Bearer token"}


class SampleUrl(NamedTuple):
    """A URL of a route.

    :ivar rule: the rule, with its host or subdomain if it has one; or a path that has no route.
    :ivar methods: what the rule accepts, without OPTIONS; empty for a path that has no route.
    :ivar group: the blueprint, or the module of the view.
    """

    rule: str
    url: str
    methods: tuple[str, ...]
    group: str


class Description(NamedTuple):
    """What a comparison needs to know about an app.

    :ivar unreachable: the rules that no URL was found for.
    :ivar origins: the origins that each policy, or call of Flask-CORS, names.
    :ivar headers: the request headers that any of them names, in lower case.
    :ivar watched: what the function given as *watch* returned.
    """

    urls: tuple[SampleUrl, ...]
    unreachable: tuple[str, ...]
    origins: tuple[tuple[str, ...], ...]
    headers: tuple[str, ...]
    watched: Any


class Ask(NamedTuple):
    """One call of ``fetch()``.

    :ivar page: the page's origin, ``null``, or "" for a page of the app itself.
    :ivar headers: the headers that the page sets, in lower case.
    :ivar send: whether the request itself is sent, and not only its preflight.
    """

    url: str
    method: str
    page: str
    headers: tuple[str, ...] = ()
    send: bool = True

    def fetch(self, *, credentials: bool) -> str:
        """The call, as JavaScript."""
        options = [] if self.method == "GET" else [f'method: "{self.method}"']
        if self.headers:
            listed = ", ".join(f'"{name.title()}": "{value}"' for name, value in self.with_values())
            options.append(f"headers: {{{listed}}}")
        options += ['credentials: "include"'] if credentials else []
        return f'fetch("{self.url}"' + (f", {{{', '.join(options)}}})" if options else ")")

    def with_values(self) -> list[tuple[str, str]]:
        """The headers, each with a value that a page would send."""
        return [(name, _VALUES.get(name, "x")) for name in self.headers]


class Seen(NamedTuple):
    """The result of one call.

    :ivar status: the last response's status.
    :ivar refused: whether a guard has refused the request, so that no view ran.
    :ivar sent: whether the browser sends the request: it needs no preflight, or passes it.
    :ivar readable: whether the page may read the response.
    :ivar exposed: the response headers that JavaScript may read beyond the safelisted ones; ``*``
        stands for all.
    :ivar block: the rule that keeps the request or the response back, or "".
    :ivar headers: the CORS headers of the last response.
    """

    status: int
    refused: bool
    sent: bool
    readable: bool
    exposed: frozenset[str]
    block: str
    headers: tuple[tuple[str, str], ...]
