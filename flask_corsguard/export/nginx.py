"""Verdicts as configuration for nginx.

Everything is decided by ``map`` blocks, whose values are kept for the request, so that error pages
and other inner redirects have the verdict of the URL that was asked for. The strings of a ``map``
ignore case, so whatever comes from the network is compared with an expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flask_corsguard.export.expressions import ANY_METHOD
from flask_corsguard.export.regions import Unsayable
from flask_corsguard.export.verdicts import METHOD, NAMES, ORIGIN, Verdicts
from flask_corsguard.protocol import headers

#: The file for ``http { }``, and the one for ``server { }``.
FILES = ("corsguard-http.conf", "corsguard-server.conf")

# nginx reads no longer parameter: NGX_CONF_BUFFER is 4096.
_LONGEST_PARAMETER = 4000
_ORIGIN = "$http_origin"
_METHOD = "$http_access_control_request_method"
_NAMES = "$http_access_control_request_headers"
_NETWORK = "$http_access_control_request_private_network"
_OF_ALL = (headers.ALLOW_ORIGIN, headers.ALLOW_CREDENTIALS, headers.EXPOSE_HEADERS)
_OF_PREFLIGHTS = (headers.ALLOW_METHODS, headers.ALLOW_HEADERS, headers.MAX_AGE)

INTRODUCTION = (
    f"1. {FILES[0]}: include it in http {{ }}.",
    f"2. {FILES[1]}: include it in server {{ }}, ahead of the locations that serve these paths.",
    "nginx inherits add_header lines only where a block has none of its own. So lines of http { }",
    "(Strict-Transport-Security, Content-Security-Policy, X-Content-Type-Options, and the like)",
    "have to be repeated in server { }, and a location with such lines of its own needs the second",
    "file once more, and then those of server { } as well.",
    "If what serves the files sends Access-Control-* or Vary itself (proxy_pass), hide these with",
    "proxy_hide_header.",
)
WARNING = (
    "nginx inherits add_header lines (Strict-Transport-Security, Content-Security-Policy,"
    " X-Content-Type-Options, ...) only where a block has none of its own: repeat those of http { }"
    " in server { }, and include corsguard-server.conf also in each location that has some."
)


def sections(verdicts: Verdicts) -> tuple[list[str], list[str]]:
    """The lines of both files."""
    maps = _Maps(verdicts)
    return maps.lines(), maps.server()


def problems(verdicts: Verdicts) -> Iterator[Unsayable]:
    """What nginx alone cannot say."""
    for answer in verdicts.answers:
        for field in ("expose_headers", "allow_headers", "methods"):
            names: Iterable[str] = answer.policy.values[field] or ()
            if any("$" in name for name in names):
                message = "nginx takes the $ in a name for a variable. Leave that name out."
                yield Unsayable(answer.where, field, message)
    where = ""
    for block in _Maps(verdicts).lines():
        where = block if block.startswith("# ") else where
        longest = max(map(len, block.split('"')))
        if longest > _LONGEST_PARAMETER:
            message = f"it comes to {longest:,} characters; nginx reads {_LONGEST_PARAMETER:,}."
            yield Unsayable(where[2:], "the longest of its values", message)


class _Maps:
    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts

    def _of(self, name: str) -> str:
        return f"${self._verdicts.prefix}_{name}"

    def lines(self) -> list[str]:
        """Every block of ``http``."""
        return [*self._request(), *self._readers(), *self._preflights(), *self._responses()]

    def server(self) -> list[str]:
        """The lines of ``server``."""
        status = self._of("status")
        ends = [f"if ({status} = {code}) {{ return {code}; }}" for code in (204, 403)]
        written = [name for name, rows, _ in self._headers() if rows]
        return ends + [f"add_header {n} {self._of(_variable(n))} always;" for n in written]

    def _map(self, source: str, target: str, rows: Mapping[str, object], default: object) -> str:
        lines = [f'    "{key}" {_quoted(value)};' for key, value in rows.items()]
        first = f"    default {_quoted(default)};"
        return "\n".join([f'map "{source}" {self._of(target)} {{', first, *lines, "}"])

    def _request(self) -> Iterator[str]:
        yield "# A method of the right form; of a preflight, the requested one."
        yield self._map(_METHOD, "requested", {"": "", f"~^{ANY_METHOD}\\z": _METHOD}, "?")
        key = f"$request_method:{self._of('requested')}:{_ORIGIN}"
        yield self._map(key, "preflight", {r"~(?s)^OPTIONS:[^:]+:.": 1}, "")
        key = self._of("preflight")
        yield self._map(key, "method", {"": "$request_method"}, self._of("requested"))
        yield "# Which policy a path has."
        rows: dict[str, object] = {}
        for path, method, number, _ in self._verdicts.rows:
            rows.setdefault(f"~(?s)^{method or '[^ ]+'} {path}", number or "")
        yield self._map(f"{self._of('method')} $uri", "verdict", rows, "")

    def _readers(self) -> Iterator[str]:
        for verdict in self._verdicts.all:
            yield f"# {verdict.title}"
            rows: dict[str, object] = {}
            for text, number in verdict.readers:
                rows.setdefault(rf"~(?s)^{text}\z", number or "")
            yield self._map(_ORIGIN, f"v{verdict.number}", rows, verdict.always or "")
        readers = {v.number: self._of(f"v{v.number}") for v in self._verdicts.all}
        yield self._map(self._of("verdict"), "reader", readers, "")

    def _preflights(self) -> Iterator[str]:
        for answer in self._verdicts.answers:
            at = f"a{answer.number}"
            yield f"# {answer.title}"
            yield self._map(_METHOD, f"{at}_method", {rf"~^{answer.method}\z": 1}, "")
            yield self._map(_NAMES, f"{at}_names", {rf"~^{answer.names}\z": 1}, "")
            key = f"{self._of(f'{at}_method')}:{self._of(f'{at}_names')}:{_NETWORK}"
            expression = "~^1:1:" if answer.private else r"~^1:1:(?!true\z)"
            yield self._map(key, at, {expression: 1}, "")
        sendable = {a.number: self._of(f"a{a.number}") for a in self._verdicts.answers}
        yield self._map(self._of("reader"), "sendable", sendable, "")
        key = ":".join(map(self._of, ("preflight", "verdict", "sendable")))
        rows = {r"~^1:[0-9]+:1\z": 204, r"~^1:[0-9]+:\z": 403}
        yield self._map(key, "status", rows, "")

    def _responses(self) -> Iterator[str]:
        yield "# The headers of the responses: of all, of preflights that are allowed, and refused."
        for name, rows, key in self._headers():
            if rows:
                yield self._map(key, _variable(name), rows, "")

    def _headers(self) -> Iterator[tuple[str, dict[str, object], str]]:
        """Each header, its values, and what they are looked up by."""
        answers = self._verdicts.answers
        key = f"{self._of('status')}:{self._of('reader')}"
        for name in _OF_ALL:
            rows: dict[str, object] = {}
            for answer in answers:
                rows |= _if_there(f":{answer.number}", answer.headers, name)
                rows |= _if_there(f"204:{answer.number}", answer.preflight, name)
            yield name, rows, key
        for name in _OF_PREFLIGHTS:
            rows = {}
            for answer in answers:
                if name == headers.ALLOW_METHODS and answer.repeated:
                    rows[rf"~^204:{answer.number}:{answer.repeated}\z"] = METHOD
                rows |= _if_there(f"~^204:{answer.number}:", answer.preflight, name)
            yield name, rows, f"{key}:{_METHOD}"
        rows = {rf"~^204:{a.number}:true\z": "true" for a in answers if a.private}
        yield headers.ALLOW_PRIVATE_NETWORK, rows, f"{key}:{_NETWORK}"
        rows = {}
        for verdict in self._verdicts.all:
            rows |= {f":{verdict.number}": verdict.vary} if verdict.vary else {}
            rows[f"~^...:{verdict.number}\\z"] = verdict.preflight_vary
        yield headers.VARY, rows, f"{self._of('status')}:{self._of('verdict')}"


def _if_there(key: str, values: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: values[name]} if name in values else {}


def _variable(header: str) -> str:
    return header.removeprefix("Access-Control-").replace("-", "_").lower()


def _quoted(value: object) -> str:
    """What a map gives: one of its own variables, a number, or a header's value, which is a list of
    tokens."""
    text = {ORIGIN: _ORIGIN, METHOD: _METHOD, NAMES: _NAMES}.get(str(value), str(value))
    return f'"{text}"'
