"""Verdicts as configuration for Apache httpd 2.4.

``SetEnvIf`` records which origins, methods and headers each policy allows, whatever the path; of
its lines, the last that matches wins. ``<If>`` looks at the path as Apache normalises it. No
expression reads a request header with ``%{HTTP:...}``, which would add the header to ``Vary``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from flask_corsguard.export.expressions import ALIAS, ANY_METHOD
from flask_corsguard.export.regions import Inexpressible
from flask_corsguard.export.verdicts import (
    METHOD,
    NAMES,
    ORIGIN,
    Grant,
    Place,
    Readers,
    Verdict,
    Verdicts,
)
from flask_corsguard.protocol import headers

FILES = ("corsguard.conf",)
INTRODUCTION = (
    f"{FILES[0]}: include it in the <VirtualHost> that serves these paths.",
    "It needs mod_headers, mod_setenvif and mod_alias, and Apache 2.4.26 or newer.",
    "Header lines elsewhere (Strict-Transport-Security and the like) stay in force.",
    "Where Apache continues with another path (ErrorDocument, mod_rewrite), that path's policy"
    " applies.",
    "Where a login is required, add Require method OPTIONS: preflights are never logged in.",
)
WARNING = ""

# Apache reads no longer expressions: MAX_STRING_LEN is 8192.
_LONGEST_EXPRESSION = 8000
_METHOD = "Access-Control-Request-Method"
_NAMES = "Access-Control-Request-Headers"
_REPEATED = {
    ORIGIN: "expr=%{req_novary:Origin}",
    METHOD: f"expr=%{{req_novary:{_METHOD}}}",
    NAMES: f"expr=%{{req_novary:{_NAMES}}}",
}
_IS_ALIAS = f"%{{THE_REQUEST}} =~ m#^[^ ]+ {ALIAS}#"
_OF_METHODS, _OF_NAMES = (headers.ALLOW_METHODS,), (headers.ALLOW_HEADERS,)
_OF_NETWORK = (headers.ALLOW_PRIVATE_NETWORK,)
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


def problems(verdicts: Verdicts) -> Iterator[Inexpressible]:
    """What Apache, unlike nginx, cannot express."""
    for path, method, _, name in verdicts.rows:
        longest = len(path) + len(method)
        if longest > _LONGEST_EXPRESSION:
            message = (
                f"it would need {longest:,} characters, and Apache reads {_LONGEST_EXPRESSION:,}."
            )
            yield Inexpressible(name, "path", message)


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
        yield from self._request()
        for readers, number in self._verdicts.readers().items():
            for verdict in self._verdicts.all:
                if verdict.readers == readers:
                    yield f"# {verdict.where}: {verdict.summary}"
            yield from self._who(readers, f"readers{number}")
        yield "# No origin, if the path as sent differs from the path that is served."
        for number in self._verdicts.readers().values():
            yield f'SetEnvIfExpr "{_IS_ALIAS}" !{self._prefix}_readers{number}'
        yield "# What they may do."
        for text, number in self._verdicts.methods().items():
            yield self._set(_METHOD, rf"^{text}\z", f"methods{number}")
        for text, number in self._verdicts.names().items():
            yield self._set(_NAMES, rf"^{text}\z", f"names{number}")
        for number in range(1, len(self._verdicts.all) + 1):
            yield from self._allowed(number)
        yield from self._paths()

    def _request(self) -> Iterator[str]:
        yield "# The method; for a preflight, the requested one."
        yield self._set("Request_Method", "(.*)", "method", "$1")
        yield self._set("Origin", "(?s).", "origin")
        yield self._set(_NAMES, "(?s).", "listed")
        yield self._set(_METHOD, "(?s).", "requested", "?")
        yield self._set(_METHOD, rf"^({ANY_METHOD})\z", "requested", "$1")
        yield self._set("Access-Control-Request-Private-Network", r"^true\z", "network")
        conditions = ("%{REQUEST_METHOD} == 'OPTIONS'", self._has("origin"), self._has("requested"))
        yield self._if(conditions, "preflight", 1)
        repeated = f"reqenv('{self._prefix}_requested') =~ m#(.*)#"
        yield self._if((self._has("preflight"), repeated), "method", "$1")

    def _who(self, readers: Readers, name: str) -> Iterator[str]:
        if readers.always:
            yield self._set("Origin", "^", name)
        for text, policy in reversed(readers.rows):
            expression = rf"(?s)^{text}\z"
            if policy:
                yield self._set("Origin", expression, name, policy)
            else:
                yield f'SetEnvIf Origin "{expression}" !{self._prefix}_{name}'

    def _allowed(self, number: int) -> Iterator[str]:
        """Records which policy of a verdict allows the preflight."""
        verdict = self._verdicts.all[number - 1]
        methods, names = self._verdicts.methods(), self._verdicts.names()
        for at, grant in enumerate(verdict.grants, 1):
            conditions = [self._has("preflight"), self._admits(verdict, at)]
            conditions.append(self._has(f"methods{methods[grant.methods]}"))
            conditions.append(self._has(f"names{names[grant.names]}"))
            conditions += [] if grant.private else [self._is("network")]
            yield self._if(conditions, f"allowed{number}", at)

    def _admits(self, verdict: Verdict, at: int) -> str:
        return self._is(f"readers{self._verdicts.readers()[verdict.readers]}", at)

    def _if(self, conditions: Iterable[str], name: str, value: object) -> str:
        return f'SetEnvIfExpr "{" && ".join(conditions)}" {self._prefix}_{name}={value}'

    def _paths(self) -> Iterator[str]:
        """One section for consecutive rows with the same verdict. The first that matches counts."""
        section, tested = "If", f"'%{{reqenv:{self._prefix}_method}} %{{REQUEST_URI}}'"
        for number, names, expressions in _together(self._verdicts.rows):
            yield f"# {'; '.join(names)}"
            yield f'<{section} "{tested} =~ m#(?s)^(?:{"|".join(expressions)})#">'
            if number:
                yield from self._responses(number)
            yield f"</{section}>"
            section = "ElseIf"

    def _responses(self, number: int) -> Iterator[str]:
        verdict, allowed = self._verdicts.all[number - 1], f"allowed{number}"
        for name in _OWN:
            yield f"    Header onsuccess unset {name}"
            yield f"    Header always unset {name}"
        plain, preflight = self._is("preflight"), self._has("preflight")
        if verdict.vary:
            yield f'    Header always merge Vary "{verdict.vary}" "expr={plain}"'
        yield f'    Header always merge Vary "{verdict.preflight_vary}" "expr={preflight}"'
        for at, grant in enumerate(verdict.grants, 1):
            yield from _headers(grant.headers, f"{plain} && {self._admits(verdict, at)}")
            yield from self._of_preflight(grant, self._is(allowed, at))
        for status, condition in (("204", self._has(allowed)), ("403", self._is(allowed))):
            yield f'    <If "{preflight} && {condition}">'
            yield f'        RedirectMatch {status} "^"'
            yield "    </If>"

    def _of_preflight(self, grant: Grant, allowed: str) -> Iterator[str]:
        other = {**grant.preflight}
        private = {name: other.pop(name) for name in _OF_NETWORK if name in other}
        listed = {name: other.pop(name, "") for name in _OF_METHODS if grant.repeated}
        names = {name: other.pop(name) for name, value in grant.preflight.items() if value == NAMES}
        yield from _headers(other, allowed)
        yield from _headers(names, f"{allowed} && {self._has('listed')}")
        yield from _headers(private, f"{allowed} && {self._has('network')}")
        matches = rf"reqenv('{self._prefix}_requested') =~ m#^{grant.repeated}\z#"
        yield from _headers(listed, f"{allowed} && !({matches})")
        yield from _headers(dict.fromkeys(listed, METHOD), f"{allowed} && {matches}")


def _together(
    rows: Iterable[Place],
) -> Iterator[tuple[int, dict[str, None], list[str]]]:
    """The number, names and expressions of consecutive rows with the same number."""
    for number, alike in itertools.groupby(rows, key=lambda row: row.number):
        names: dict[str, None] = {}
        expressions: list[str] = []
        for path, method, _, name in alike:
            expression = f"{method} {path}"
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
