"""What the guard compares, as regular expressions for PCRE, which both servers use on bytes.

None of them can end the quotes around it or be taken for a variable: they hold letters, digits,
spaces and backslashes before a letter or a dot, but none of the signs ``" ' $ % # ; { }``, except
braces around a count.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import (
    FORBIDDEN_METHODS,
    MAX_LIST_LENGTH,
    MAX_LIST_NAMES,
    MAX_METHOD_LENGTH,
    SAFELISTED_METHODS,
)
from flask_corsguard.protocol.origins import DEFAULT_PORTS, MAX_ORIGIN_LENGTH, OriginPattern
from flask_corsguard.protocol.policy import Policy

_PLAIN = re.compile(rb"[A-Za-z0-9 :_/-]")
# RFC 9110 section 5.6.2: a character of a token; !#$%&'*+-.^_`|~ by their numbers.
_TCHAR = r"[A-Za-z0-9\x21\x23-\x27\x2a\x2b\x2d\x2e\x5e-\x60\x7c\x7e]"
#: Any text that has the form of a method.
ANY_METHOD = f"{_TCHAR}{{1,{MAX_METHOD_LENGTH}}}"

# As flask_corsguard.protocol.origins reads hosts and ports.
_LABEL = "(?!-)[a-z0-9_-]{1,63}(?<!-)"
_LONGEST_HOST = "(?![^:]{254})"
_LONGEST = f"(?!.{{{MAX_ORIGIN_LENGTH + 1}}})"
_NAME = rf"(?:{_LABEL}\.)*+(?!(?:[0-9]+|0x[0-9a-f]*)(?::|\z)){_LABEL}"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
# Of the many forms of an IPv6 address, an origin has only one, which an expression cannot pick out.
# So an address can be listed, but "any host" does not cover it. To deny, any form will do.
_HOST = rf"{_LONGEST_HOST}(?:{_NAME}|{_BYTE}(?:\.{_BYTE}){{3}})"
_PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_NO_DEFAULT = "".join(rf"(?!{name}://[^:]*:{port}\z)" for name, port in DEFAULT_PORTS.items())
_DENIED_HOST = rf"(?:{_HOST}|\x5b[0-9a-f:]+\x5d)"

# One character of UTF-8 that is not ASCII.
_FURTHER = r"[\xc2-\xf4][\x80-\xbf]{1,3}"

#: Matches the beginning of a path that is not UTF-8, in which Python reads other characters.
NOT_UTF_8 = (
    r"(?!(?:[\x00-\x7f]++|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]"
    r"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    r"|\xf4[\x80-\x8f][\x80-\xbf]{2})*+\z)"
)

# What makes a path an alias for the guard: an empty or dot segment, or a backslash. In a URL as it
# was sent, up to its query.
_SLASH, _DOT = r"(?:/|\x252f)", r"(?:\.|\x252e)"
#: Matches the beginning of a URL, as it was sent, that a server takes for another path.
ALIAS = (
    rf"(?i:(?:[a-z]+://[^/]*)?+[^?\x20]*(?:{_SLASH}{_SLASH}|\x5c|\x255c"
    rf"|{_SLASH}{_DOT}{_DOT}?(?:{_SLASH}|[?\x20]|\z)))"
)


class BeyondSubsetError(ValueError):
    """A server could read part of an expression differently from Python. The message names it."""


def literal(text: str) -> str:
    """Matches this text alone."""
    return "".join(map(_character, text.encode("utf-8", "surrogatepass")))


def _character(byte: int) -> str:
    plain = bytes([byte])
    return plain.decode() if _PLAIN.match(plain) else r"\." if plain == b"." else rf"\x{byte:02x}"


def path_literal(text: str) -> str:
    """Matches this path alone, even where a server leaves repeated slashes as they are."""
    return literal(text).replace("/", "/+")


def below(prefix: str) -> str:
    """Matches the beginning of a path that lies under a prefix, by whole segments."""
    return rf"{path_literal(prefix)}(?:/|\z)" if prefix else "/"


def _well_formed(host: str) -> str:
    return rf"{_LONGEST}{_NO_DEFAULT}[a-z][a-z0-9+\x2e-]*+://{host}(?::{_PORT})?"


def of_origin(pattern: OriginPattern, host: str = _HOST) -> str:
    """Matches the origins that an entry of a list stands for.

    :param host: matches any host.
    """
    origin, label = pattern.origin, pattern.label
    scheme = f"{literal(origin.scheme)}://"
    if pattern.any_host:
        return f"{_LONGEST}{scheme}{host}"
    name, port = literal(origin.host), f":{origin.port}" if origin.port else ""
    if pattern.any_port:
        # The default port of a scheme is never written.
        port = rf"(?::(?!{DEFAULT_PORTS.get(origin.scheme, 0)}\z){_PORT})?"
    if not label:
        return f"{scheme}{name}{port}"
    if pattern.in_label:
        before, _, after = map(literal, label.partition("*"))
        start, end = "" if before else "(?!-)", "" if after else "(?<!-)"
        labels = rf"(?![^\.]{{64}}){start}{before}[a-z0-9-]+{after}{end}\."
    else:
        labels = rf"(?:{_LABEL}\.)+"
    return f"{_LONGEST}{scheme}{_LONGEST_HOST}{labels}{name}{port}"


def of_pattern(pattern: re.Pattern[str], host: str = _HOST) -> str:
    """Matches the origins that a compiled pattern matches, if they can be parsed.

    :param host: matches any host.
    :raises BeyondSubsetError: if something in it may mean another thing to PCRE.
    """
    if pattern.flags & re.LOCALE:
        raise BeyondSubsetError("re.LOCALE")
    ignoring = "i" if pattern.flags & re.IGNORECASE else ""
    inner = from_python(pattern.pattern, pattern.flags & re.VERBOSE)
    return rf"(?={_well_formed(host)}\z)(?{ignoring}:{inner})"


def from_python(text: str, flags: int = 0, *, in_path: bool = False) -> str:
    """A regular expression of Python, matched as a whole, rewritten for PCRE.

    :param in_path: whether it is for a path, whose characters may have several bytes, rather than
        for an origin.
    :raises BeyondSubsetError: as :func:`of_pattern`.
    """
    parser: Any = importlib.import_module("re._parser")
    return _Writer(in_path).sequence(parser.parse(text, flags))


class _Writer:
    def __init__(self, in_path: bool) -> None:
        self._in_path = in_path

    def sequence(self, nodes: Any) -> str:
        return "".join(self._node(str(kind), value) for kind, value in nodes)

    def _node(self, kind: str, value: Any) -> str:  # noqa: C901  (one branch for each kind)
        match kind:
            case "LITERAL":
                return path_literal(chr(value)) if self._in_path else _ascii(value)
            case "NOT_LITERAL":
                return self._set(f"^{_ascii(value)}")
            case "ANY":
                return self._set(r"^\x0a")
            case "IN":
                return self._set("".join(_member(str(name), given) for name, given in value))
            case "BRANCH":
                return f"(?:{'|'.join(map(self.sequence, value[1]))})"
            case "SUBPATTERN" if not value[1] and not value[2]:
                inner = self.sequence(value[3])
                return f"(?:{inner})" if "|" in inner else inner
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, inner = value
                upper = "" if str(most) == "MAXREPEAT" else int(most)
                if max(least, upper or 0) > MAX_ORIGIN_LENGTH:
                    raise BeyondSubsetError(f"a repetition of more than {MAX_ORIGIN_LENGTH} times")
                if upper == "" and least < 2 and len(inner) == 1 and str(inner[0][0]) == "IN":
                    # It takes all the bytes that there are, wherever a character ends.
                    return f"{_Writer(False).sequence(inner)}{'*+'[least]}"
                return f"(?:{self.sequence(inner)}){{{least},{upper}}}"
            case "AT" if str(value) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
                return r"\A"
            case "AT" if str(value) in ("AT_END", "AT_END_STRING"):
                return r"\z"  # an origin has no line end
            case _:
                raise BeyondSubsetError(_BEYOND.get(kind, kind.lower().replace("_", " ")))

    def _set(self, members: str) -> str:
        if self._in_path and members.startswith("^"):
            return rf"(?:[{members}\x80-\xff]|{_FURTHER})"
        return f"[{members}]"


def _ascii(number: int) -> str:
    if number > 126:
        raise BeyondSubsetError(f"the character {chr(number)!a}")
    return _character(number)


def _member(kind: str, value: Any) -> str:
    """A member of a set. The hyphen and the bracket are always written by their numbers."""
    match kind:
        case "NEGATE":
            return "^"
        case "LITERAL":
            return _ascii(value).replace("-", r"\x2d")
        case "RANGE":
            return "-".join(_ascii(end).replace("-", r"\x2d") for end in value)
        case _ if (name := str(value)) in _CATEGORIES:
            return _CATEGORIES[name]
        case _:
            raise BeyondSubsetError(_BEYOND.get(name, name.lower().replace("_", " ")))


# Names for messages.
_BEYOND = {
    **dict.fromkeys(("ASSERT", "ASSERT_NOT"), "a lookahead or a lookbehind"),
    "AT": r"\b or \B",
    "ATOMIC_GROUP": "an atomic group",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_NOT_WORD": r"\W",
    "CATEGORY_SPACE": r"\s",
    "GROUPREF": "a reference to a group",
    "GROUPREF_EXISTS": "a condition",
    "POSSESSIVE_REPEAT": "a possessive repetition",
    "SUBPATTERN": "a group with flags",
}
_CATEGORIES = {"CATEGORY_DIGIT": "0-9", "CATEGORY_WORD": "A-Za-z0-9_"}


def of_glob(glob: str) -> str:
    """Matches the names of files that fit a glob, as :mod:`fnmatch` does.

    :raises BeyondSubsetError: for a set that is not of ASCII letters and digits alone.
    """
    one = rf"(?:[\x00-\x7f]|{_FURTHER})"
    # Several stars in a row match the same as one; two of them take quadratic time.
    parts = re.findall(r"\*+|\?|\[[^\]]+\]|.", glob, re.DOTALL)
    return "".join(
        ".*" if part[0] == "*" else one if part == "?" else _glob_part(part) for part in parts
    )


def _glob_part(part: str) -> str:
    if len(part) == 1:
        if part == "[":
            raise BeyondSubsetError("a [ that no ] follows")
        return path_literal(part)
    if not re.fullmatch(r"\[(?:[A-Za-z0-9](?:-[A-Za-z0-9])?)+\]", part):
        raise BeyondSubsetError(f"the set {part!a}")
    if any(start > end for start, end in re.findall("(.)-(.)", part)):
        raise BeyondSubsetError(f"the set {part!a}")
    return part


def of_method(policy: Policy, accepted: frozenset[str] | None) -> str:
    """Matches the methods that a preflight may request."""
    methods = accepted if policy.methods is None else policy.methods
    if methods is None or methods == "*":
        return rf"(?!(?i:{'|'.join(sorted(FORBIDDEN_METHODS))})\z){ANY_METHOD}"
    return of_names({*methods, *SAFELISTED_METHODS})


def of_names(names: Iterable[str]) -> str:
    """Matches any of these names."""
    return f"(?:{'|'.join(literal(name) for name in sorted(names))})"


def of_requested_headers(policy: Policy) -> str:
    """Matches an ``Access-Control-Request-Headers`` value that names only headers that the policy
    allows, in any case."""
    names = {name.lower() for name in policy.allow_headers} - {"*"}
    name = of_names(names) if names else "(?!)"
    if "*" in policy.allow_headers:
        other = "" if "authorization" in names else rf"(?!authorization(?!{_TCHAR}))"
        name = f"{other}{_TCHAR}+"
    space = r"[\x09\x20]*+"
    element = f"{space}(?:{name}(?!{_TCHAR}){space})?+"
    limits = f"(?!.{{{MAX_LIST_LENGTH + 1}}})(?!(?:[^,]*+,){{{MAX_LIST_NAMES}}})"
    return f"(?i:{limits}{element}(?:,{element})*+)"


def readers(policy: Policy) -> Iterator[tuple[str, bool]]:
    """Expressions for origins, each with whether they may read; the first that matches counts.

    :raises BeyondSubsetError: as :func:`of_pattern`.
    """
    yield from ((literal(text), True) for text in policy.raw_origins)
    deny, origins = policy.deny_origins, policy.origins
    yield from ((expression, False) for expression in listed(deny, _DENIED_HOST))
    if policy.compiled.null:
        yield "null", True
    if origins == "*":
        yield _well_formed(_HOST), True
    yield from ((expression, True) for expression in listed(origins))


def listed(forms: OriginList | str, host: str = _HOST) -> Iterator[str]:
    """Expressions for the strings and patterns in a list.

    :param host: matches any host.
    :raises BeyondSubsetError: as :func:`of_pattern`.
    """
    if isinstance(forms, str):
        return
    if "null" in forms:
        yield "null"
    yield from (of_origin(pattern, host) for pattern in forms.patterns())
    yield from (of_pattern(form, host) for form in forms if isinstance(form, re.Pattern))
