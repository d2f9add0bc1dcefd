"""Verdicts as configuration for nginx.

``map`` blocks decide everything. A request keeps their values, so that error pages and other
internal redirects have the verdict of the requested URL. Strings in a ``map`` ignore case, so
values from the network are compared with expressions, which are case-sensitive; nginx does not try
these on an empty value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flask_corsguard.export.expressions import ALIAS, ANY_METHOD
from flask_corsguard.export.regions import Inexpressible
from flask_corsguard.export.verdicts import METHOD, NAMES, ORIGIN, Grant, Verdict, Verdicts
from flask_corsguard.protocol import headers

FILES = ("corsguard-http.conf", "corsguard-server.conf")
INTRODUCTION = (
    f"{FILES[0]}: include it in http {{ }}.",
    f"{FILES[1]}: include it in the server {{ }} whose locations serve these paths.",
    "nginx inherits add_header lines only where a block has none of its own. So lines of http { }",
    "(Strict-Transport-Security, Content-Security-Policy, X-Content-Type-Options and the like)",
    "must be repeated in that server { }; and a location with such lines must include the",
    "second file too, and then repeat those of server { }.",
    "If what serves the paths (proxy_pass) sends other Access-Control-* headers than these, hide",
    "them with proxy_hide_header.",
)
WARNING = (
    "nginx inherits add_header lines (Strict-Transport-Security, Content-Security-Policy,"
    " X-Content-Type-Options, ...) only where a block has none of its own: repeat those of http { }"
    f" in server {{ }}, and include {FILES[1]} also in each location that has some."
)

# nginx reads no longer parameters: NGX_CONF_BUFFER is 4096.
_LONGEST_PARAMETER = 4000  # room for what is around it
_ORIGIN = "$http_origin"
_METHOD = "$http_access_control_request_method"
_NAMES = "$http_access_control_request_headers"
_NETWORK = "$http_access_control_request_private_network"
_REPEATED = {ORIGIN: _ORIGIN, METHOD: _METHOD, NAMES: _NAMES}
_OF_ALL = (headers.ALLOW_ORIGIN, headers.ALLOW_CREDENTIALS, headers.EXPOSE_HEADERS)
_OF_PREFLIGHTS = (headers.ALLOW_METHODS, headers.ALLOW_HEADERS, headers.MAX_AGE)


def sections(verdicts: Verdicts) -> tuple[list[str], list[str]]:
    """The lines of both files."""
    maps = _Maps(verdicts)
    return [*maps.http()], [*maps.server()]


def problems(verdicts: Verdicts) -> Iterator[Inexpressible]:
    """What nginx, unlike Apache, cannot express."""
    for path, method, _, name in verdicts.rows:
        yield from _too_long(name, "path", f"{method}{path}")
    for verdict in verdicts.all:
        yield from _too_long(verdict.where, "origins", *(text for text, _ in verdict.readers.rows))
        for grant in verdict.grants:
            yield from _names_with_dollars(verdict, grant)
            values = {**grant.headers, **grant.preflight}
            for field, header, text in (
                ("methods", headers.ALLOW_METHODS, grant.methods),
                ("allow_headers", headers.ALLOW_HEADERS, grant.names),
                ("expose_headers", headers.EXPOSE_HEADERS, ""),
            ):
                yield from _too_long(verdict.where, field, text, values.get(header, ""))


def _too_long(where: str, field: str, *texts: str) -> Iterator[Inexpressible]:
    longest = max(map(len, texts), default=0)
    if longest > _LONGEST_PARAMETER:
        message = f"it would need {longest:,} characters, and nginx reads {_LONGEST_PARAMETER:,}."
        yield Inexpressible(where, field, message)


def _names_with_dollars(verdict: Verdict, grant: Grant) -> Iterator[Inexpressible]:
    for field in ("methods", "allow_headers", "expose_headers"):
        names: Iterable[str] = grant.policy.values[field] or ()
        for name in names:
            if "$" in name:
                message = (
                    f"nginx takes the $ in {name!r} as the start of a variable. Leave the name out."
                )
                yield Inexpressible(verdict.where, field, message)


class _Maps:
    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._prefix = verdicts.prefix
        # "verdict.policy", the key of look-ups -> what the policy allows
        self._grants: dict[str, Grant] = {
            f"{number}.{at}": grant
            for number, verdict in enumerate(verdicts.all, 1)
            for at, grant in enumerate(verdict.grants, 1)
        }

    def _of(self, name: str) -> str:
        return f"${self._prefix}_{name}"

    def _map(
        self,
        source: str,
        target: str,
        rows: Mapping[str, object],
        default: object = "",
        *,
        volatile: bool = False,
    ) -> str:
        lines = [f'    "{key}" "{value}";' for key, value in rows.items()]
        lines += ["    volatile;"] if volatile else []
        first = f'map "{source}" {self._of(target)} {{'
        return "\n".join([first, f'    default "{default}";', *lines, "}"])

    def http(self) -> Iterator[str]:
        """Comments and blocks."""
        yield from self._request()
        yield from self._who()
        yield from self._what()
        yield "# The headers: key 204 for preflights that are allowed, 403 for others."
        for name, rows, key in self._headers():
            if rows:
                yield self._map(key, _variable(name), rows)
        yield "# Each header once: add_header runs twice for a 416, and the app may send the same."
        for name, rows, _ in self._headers():
            if rows and name != headers.VARY:
                value = self._of(_variable(name))
                sent = f"$sent_http_{name.replace('-', '_').lower()}"
                rows = {"~^416 (?!416)": "", r"~^[0-9]+ [0-9,: ]*? (.+) \1\z": ""}
                key = f"$status $upstream_status {sent} {value}"
                yield self._map(key, f"{_variable(name)}_once", rows, value, volatile=True)

    def server(self) -> Iterator[str]:
        """The lines for ``server``."""
        status = self._of("status")
        yield from (f"if ({status} = {code}) {{ return {code}; }}" for code in (204, 403))
        for name, rows, _ in self._headers():
            if rows:
                once = "" if name == headers.VARY else "_once"
                yield f"add_header {name} {self._of(_variable(name))}{once} always;"

    def _request(self) -> Iterator[str]:
        yield "# The method; for a preflight, the requested one."
        rows = {"": "", rf"~^{ANY_METHOD}\z": _METHOD}
        yield self._map(_METHOD, "requested", rows, "?")
        key = f"$request_method:{self._of('requested')}:{_ORIGIN}"
        yield self._map(key, "preflight", {"~(?s)^OPTIONS:[^:]+:.": 1})
        rows = {"": "$request_method"}
        yield self._map(self._of("preflight"), "method", rows, self._of("requested"))
        yield "# Which policy applies."
        paths: dict[str, object] = {}
        for path, method, number, _ in self._verdicts.rows:
            paths.setdefault(f"~(?s)^{method} {path}", number or "")
        yield self._map(f"{self._of('method')} $uri", "verdict", paths)

    def _who(self) -> Iterator[str]:
        numbers = self._verdicts.readers()
        for readers, number in numbers.items():
            for verdict in self._verdicts.all:
                if verdict.readers == readers:
                    yield f"# {verdict.where}: {verdict.summary}"
            rows = {rf"~(?s)^{text}\z": policy or "" for text, policy in readers.rows}
            default = 1 if readers.always else ""
            yield self._map(_ORIGIN, f"readers{number}", rows, default)
        yield "# No origin, if the path as sent differs from the path that is served."
        yield self._map("$request_uri", "alias", {f"~^{ALIAS}": 1})
        rows = {
            f"{number}:": self._of(f"readers{numbers[verdict.readers]}")
            for number, verdict in enumerate(self._verdicts.all, 1)
        }
        yield self._map(f"{self._of('verdict')}:{self._of('alias')}", "reader", rows)

    def _what(self) -> Iterator[str]:
        yield "# What they may do."
        methods, names = self._verdicts.methods(), self._verdicts.names()
        for text, number in methods.items():
            yield self._map(_METHOD, f"methods{number}", {rf"~^{text}\z": 1})
        for text, number in names.items():
            yield self._map(_NAMES, f"names{number}", {"": 1, rf"~^{text}\z": 1})
        rows = {
            key: ":".join(
                [
                    self._of(f"methods{methods[grant.methods]}"),
                    self._of(f"names{names[grant.names]}"),
                    "" if grant.private else _NETWORK,
                ]
            )
            for key, grant in self._grants.items()
        }
        yield self._map(self._key(), "allowed", rows)
        key = ":".join(map(self._of, ("preflight", "verdict", "allowed")))
        status = {r"~^1:[0-9]+:1:1:(?!true\z)": 204, "~^1:[0-9]+:": 403}
        yield self._map(key, "status", status)

    def _key(self) -> str:
        return f"{self._of('verdict')}.{self._of('reader')}"

    def _headers(self) -> Iterator[tuple[str, dict[str, object], str]]:
        """Each header, its values, and what they are looked up by."""
        key = f"{self._of('status')}:{self._key()}"
        for name in _OF_ALL:
            rows: dict[str, object] = {}
            for at, grant in self._grants.items():
                rows |= _if_there(f":{at}", grant.headers, name)
                rows |= _if_there(f"204:{at}", grant.preflight, name)
            yield name, rows, key
        for name in _OF_PREFLIGHTS:
            rows = {}
            for at, grant in self._grants.items():
                expression = f"~^204:{at}:".replace(".", r"\.")
                if name == headers.ALLOW_METHODS and grant.repeated:
                    rows[rf"{expression}{grant.repeated}\z"] = _METHOD
                rows |= _if_there(expression, grant.preflight, name)
            yield name, rows, f"{key}:{_METHOD}"
        private = [at for at, grant in self._grants.items() if grant.private]
        rows = {rf"~^204:{at}:true\z".replace(".", r"\."): "true" for at in private}
        yield headers.ALLOW_PRIVATE_NETWORK, rows, f"{key}:{_NETWORK}"
        rows = {}
        for number, verdict in enumerate(self._verdicts.all, 1):
            rows |= {f":{number}": verdict.vary} if verdict.vary else {}
            rows |= {f"{status}:{number}": verdict.preflight_vary for status in (204, 403)}
        yield headers.VARY, rows, f"{self._of('status')}:{self._of('verdict')}"


def _if_there(key: str, values: Mapping[str, str], name: str) -> dict[str, object]:
    return {key: _REPEATED.get(values[name], values[name])} if name in values else {}


def _variable(header: str) -> str:
    return header.removeprefix("Access-Control-").replace("-", "_").lower()
