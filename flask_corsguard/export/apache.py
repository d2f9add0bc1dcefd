"""Verdicts as configuration for Apache httpd 2.4.

``SetEnvIf`` notes which origins, methods and headers are allowed by which policy, before the path
counts; of its lines, the last that matches wins. ``<If>`` looks at the path as Apache has normalised
it. No expression reads a request header by ``%{HTTP:...}``, which would add that to ``Vary``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from flask_corsguard.export.expressions import ANY_METHOD
from flask_corsguard.export.regions import Unsayable
from flask_corsguard.export.verdicts import METHOD, NAMES, ORIGIN, Answer, Verdict, Verdicts
from flask_corsguard.protocol import headers

FILES = ("corsguard.conf",)
INTRODUCTION = (
    f"{FILES[0]}: include it in the <VirtualHost> that serves these paths.",
    "It needs mod_headers, mod_setenvif and mod_alias, and Apache 2.4.26 or newer.",
    "Header lines elsewhere, such as for Strict-Transport-Security, stay in force. An ErrorDocument",
    "that is a path has the policy of that path, not of the URL that was asked for.",
)
WARNING = ""

# The scanner of expressions keeps no more: MAX_STRING_LEN is 8192.
_LONGEST_EXPRESSION = 8000
_REPEATED = {
    ORIGIN: "expr=%{req_novary:Origin}",
    METHOD: "expr=%{req_novary:Access-Control-Request-Method}",
    NAMES: "expr=%{req_novary:Access-Control-Request-Headers}",
}
_OWN = (
    headers.ALLOW_ORIGIN,
    headers.ALLOW_CREDENTIALS,
    headers.EXPOSE_HEADERS,
    headers.ALLOW_METHODS,
    headers.ALLOW_HEADERS,
    headers.MAX_AGE,
    headers.ALLOW_PRIVATE_NETWORK,
)


def sections(verdicts: Verdicts) -> tuple[list[str]]:
    """The lines of the file."""
    return ([*_File(verdicts).lines()],)


def problems(verdicts: Verdicts) -> Iterator[Unsayable]:
    """What Apache alone cannot say."""
    for path, method, _, name in verdicts.rows:
        longest = len(path) + len(method)
        if longest > _LONGEST_EXPRESSION:
            message = f"it comes to {longest:,} characters; Apache reads {_LONGEST_EXPRESSION:,}."
            yield Unsayable(name, "path", message)


class _File:
    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._prefix = verdicts.prefix

    def _set(self, header: str, expression: str, name: str, value: object = 1) -> str:
        return f'SetEnvIf {header} "{expression}" {self._prefix}_{name}={value}'

    def _is(self, name: str, value: object = "", *, equal: bool = True) -> str:
        return f"reqenv('{self._prefix}_{name}') {'==' if equal else '!='} '{value}'"

    def _has(self, name: str) -> str:
        return self._is(name, equal=False)

    def lines(self) -> Iterator[str]:
        """Every line."""
        requested, own = "Access-Control-Request-Method", f"{self._prefix}_method=$1"
        yield "# A method of the right form; of a preflight, the requested one."
        yield self._set("Origin", "(?s).", "origin")
        yield self._set("Request_Method", "(.*)", "method", "$1")
        yield self._set(requested, "(?s).", "requested", "?")
        yield self._set(requested, rf"^({ANY_METHOD})\z", "requested", "$1")
        yield self._set("Access-Control-Request-Private-Network", r"^true\z", "network")
        preflight = f"{self._has('origin')} && {self._has('requested')}"
        repeated = f"reqenv('{self._prefix}_requested') =~ /(.*)/"
        yield f"SetEnvIfExpr \"%{{REQUEST_METHOD}} == 'OPTIONS' && {preflight} && {repeated}\" {own}"
        yield f"SetEnvIfExpr \"%{{REQUEST_METHOD}} == 'OPTIONS' && {preflight}\" {self._prefix}_preflight=1"
        for answer in self._verdicts.answers:
            at = f"a{answer.number}"
            yield f"# {answer.title}"
            yield self._set(requested, rf"^{answer.method}\z", f"{at}_method")
            yield self._set("Access-Control-Request-Headers", rf"^{answer.names}\z", f"{at}_names")
        for verdict in self._verdicts.all:
            yield from self._readers(verdict)
        yield from self._paths()

    def _readers(self, verdict: Verdict) -> Iterator[str]:
        at = f"v{verdict.number}"
        yield f"# {verdict.title}"
        if verdict.always:
            yield self._set("Origin", "^", at, verdict.always)
        for text, number in reversed(verdict.readers):
            expression = rf"(?s)^{text}\z"
            if number:
                yield self._set("Origin", expression, at, number)
            else:
                yield f'SetEnvIf Origin "{expression}" !{self._prefix}_{at}'
        for answer in self._answers_of(verdict):
            needs = [self._has("preflight"), self._is(at, answer.number)]
            needs += [self._has(f"a{answer.number}_{of}") for of in ("method", "names")]
            needs += [] if answer.private else [self._is("network")]
            condition = " && ".join(needs)
            yield f'SetEnvIfExpr "{condition}" {self._prefix}_{at}_204={answer.number}'

    def _answers_of(self, verdict: Verdict) -> list[Answer]:
        numbers = {verdict.always, *(number for _, number in verdict.readers)}
        return [answer for answer in self._verdicts.answers if answer.number in numbers]

    def _paths(self) -> Iterator[str]:
        """The first section that matches counts; rows that follow one another share one."""
        section, tested = "If", f"'%{{reqenv:{self._prefix}_method}} %{{REQUEST_URI}}'"
        for number, names, expressions in _together(self._verdicts.rows):
            yield f"# {'; '.join(names)}"
            yield f'<{section} "{tested} =~ m#(?s)^(?:{"|".join(expressions)})#">'
            if number:
                yield from self._responses(self._verdicts.all[number - 1])
            yield f"</{section}>"
            section = "ElseIf"

    def _responses(self, verdict: Verdict) -> Iterator[str]:
        at = f"v{verdict.number}"
        for name in _OWN:
            yield f"    Header onsuccess unset {name}"
            yield f"    Header always unset {name}"
        plain, preflight = self._is("preflight"), self._has("preflight")
        if verdict.vary:
            yield f'    Header always merge Vary "{verdict.vary}" "expr={plain}"'
        yield f'    Header always merge Vary "{verdict.preflight_vary}" "expr={preflight}"'
        for answer in self._answers_of(verdict):
            yield from _headers(answer.headers, f"{plain} && {self._is(at, answer.number)}")
            allowed = self._is(f"{at}_204", answer.number)
            other = {**answer.preflight}
            if answer.repeated and headers.ALLOW_METHODS in other:
                listed = other.pop(headers.ALLOW_METHODS)
                matches = rf"reqenv('{self._prefix}_requested') =~ m#^{answer.repeated}\z#"
                yield from _headers({headers.ALLOW_METHODS: METHOD}, f"{allowed} && {matches}")
                value = {headers.ALLOW_METHODS: listed}
                yield from _headers(value, f"{allowed} && !({matches})")
            private = other.pop(headers.ALLOW_PRIVATE_NETWORK, "")
            yield from _headers(other, allowed)
            if private:
                value = {headers.ALLOW_PRIVATE_NETWORK: private}
                yield from _headers(value, f"{allowed} && {self._has('network')}")
        for status, of_status in (("204", self._has(f"{at}_204")), ("403", self._is(f"{at}_204"))):
            yield f'    <If "{preflight} && {of_status}">'
            yield f'        RedirectMatch {status} "^"'
            yield "    </If>"


def _together(
    rows: Sequence[tuple[str, str, int, str]],
) -> Iterator[tuple[int, dict[str, None], list[str]]]:
    """Number, names and expressions of rows that follow one another and have the same number."""
    for number, alike in itertools.groupby(rows, key=lambda row: row[2]):
        names: dict[str, None] = {}
        expressions: list[str] = []
        for path, method, _, name in alike:
            expression = f"{method or '[^ ]+'} {path}"
            if sum(map(len, expressions)) + len(expression) > _LONGEST_EXPRESSION:
                yield number, names, expressions
                names, expressions = {}, []
            names[name] = None
            expressions.append(expression)
        yield number, names, expressions


def _headers(values: Mapping[str, str], condition: str) -> Iterator[str]:
    for name, value in values.items():
        if value:
            written = _REPEATED.get(value) or value.replace("%", "%%")
            yield f'    Header always set {name} "{written}" "expr={condition}"'
