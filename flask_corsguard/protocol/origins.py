"""Origins: parsing one from a request, and matching it in constant time.

Everything here works on the structure of the serialized form, ``scheme://host[:port]``. A general
URL parser would strip, lower-case and decode, and each of these can hide an attack.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from flask_corsguard.errors import is_shutdown
from flask_corsguard.text import described, on_one_line, text_of

#: In characters. The longest host name has 253, which leaves room for a scheme and a port.
MAX_ORIGIN_LENGTH = 320
#: Cuts an ``Origin`` from the network before it is used. It leaves one character too many, so that
#: a longer origin stays malformed: only :func:`parse_origin` checks the length.
ORIGIN_CUT = slice(MAX_ORIGIN_LENGTH + 1)

# https://url.spec.whatwg.org/#default-port: never part of a serialized origin.
DEFAULT_PORTS = {"ftp": 21, "http": 80, "https": 443, "ws": 80, "wss": 443}

# In browsers, pages loaded from these have an opaque origin, which is sent as "null".
OPAQUE_SCHEMES = frozenset({"about", "blob", "data", "file", "javascript"})

#: Typing errors, which would be valid schemes that no page has -> what was meant.
MISSPELT_SCHEMES = {
    **dict.fromkeys(("hhtp", "htp", "htpp", "htttp", "htt", "ttp"), "http"),
    **dict.fromkeys(("hhtps", "htps", "htpps", "htttps", "httsp", "httpss", "ttps"), "https"),
}

#: Schemes of databases, which no page has -> how a source reads one.
STORES = {
    **dict.fromkeys(("redis", "rediss"), "RedisOrigins({}, key='cors:origins')"),
    **dict.fromkeys(
        ("mariadb", "mysql", "postgres", "postgresql", "sqlite"),
        "SQLOrigins({}, 'SELECT origin FROM cors_origins')",
    ),
}

#: Names for a server on the same machine. In browsers, 0.0.0.0 is one too.
LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "0.0.0.0")  # noqa: S104

#: The host in the made-up origins of the audit and of ``flask cors verify``. Nobody has it: the
#: top-level domain is reserved (RFC 2606 section 2).
PROBE_HOST = "corsguard-audit.invalid"

# No entry can match all hosts of these schemes: on the web, that would be everybody.
_NEVER_ANY_HOST = OPAQUE_SCHEMES | {"http", "https", "ws", "wss"}
_ANY_HOST = "*"

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_LAST_OF_ADDRESSES = _DIGITS + "]"
_SCHEME_CHARACTERS = _LETTERS + _DIGITS + "+-."
# The underscore is not a host name character, but browsers send it and such names exist.
_HOST_CHARACTERS = _LETTERS + _DIGITS + "-_."
# The characters that a wildcard inside a label matches.
_STAR_CHARACTERS = _LETTERS + _DIGITS + "-"


class Origin(NamedTuple):
    """A tuple origin (https://html.spec.whatwg.org/#concept-origin-tuple).

    :ivar scheme: lower case, without ``:``.
    :ivar host: a name, a canonical IPv4 address, or an IPv6 address in brackets.
    :ivar port: 1 to 65535, or None for the scheme's default.
    """

    scheme: str
    host: str
    port: int | None

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address rather than a name."""
        # The last character distinguishes nearly all names from addresses, without parsing.
        return self.host[-1] in _LAST_OF_ADDRESSES and (
            self.host[0] == "[" or self.host.rpartition(".")[2].isdigit()
        )

    @property
    def is_loopback(self) -> bool:
        """Whether the host never leaves the machine
        (https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy)."""
        host = self.host
        return (
            host == "localhost"
            or host.endswith(".localhost")
            or host == "[::1]"
            or (host.startswith("127.") and self.is_address)
        )


class OriginPattern(NamedTuple):
    """One entry of an allow-list: an origin, perhaps with a wildcard in its host or port.

    :ivar origin: the origin without that label. Its host is ``*`` for any host of a scheme.
    :ivar label: the label with a wildcard: ``*`` for one or more labels, ``pr-*`` for one that
        begins with ``pr-``; "" if there is none.
    :ivar any_port: whether every port matches.
    """

    origin: Origin
    label: str
    any_port: bool

    def __str__(self) -> str:
        label = f"{self.label}." if self.label else ""
        port = ":*" if self.any_port else "" if self.origin.port is None else f":{self.origin.port}"
        return f"{self.origin.scheme}://{label}{self.origin.host}{port}"

    @property
    def any_host(self) -> bool:
        """Whether this matches every host of its scheme."""
        return self.origin.host == _ANY_HOST

    @property
    def in_label(self) -> bool:
        """Whether a wildcard matches part of a label."""
        return len(self.label) > 1

    def example(self, name: str) -> Origin:
        """An origin that the entry covers, with *name* for its wildcard."""
        host = f"{self.label}.{self.origin.host}" if self.label else self.origin.host
        return self.origin._replace(host=host.replace("*", name))


def parse_origin(text: str) -> Origin | None:
    """Read a serialized origin (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin).

    :param text: an ``Origin`` value as received; any string.
    :returns: None unless *text* is exactly what a browser would have written.
    """
    if len(text) > MAX_ORIGIN_LENGTH or not text.isascii():
        return None
    scheme, separator, authority = text.partition("://")
    if not separator or not (scheme in DEFAULT_PORTS or is_scheme(scheme)):
        return None
    if authority.startswith("["):
        host, bracket, port_part = authority.partition("]")
        host += bracket
        if not _is_ipv6(host) or (port_part and not port_part.startswith(":")):
            return None
        colon, port_text = port_part[:1], port_part[1:]
    else:
        host, colon, port_text = authority.partition(":")
        if not is_host(host):
            return None
    port: int | None = None
    if colon:
        port = parse_port(port_text)
        if port is None or port == DEFAULT_PORTS.get(scheme):
            return None
    # Not Origin(...), which takes twice as long; a list can have a million.
    return tuple.__new__(Origin, (scheme, host, port))  # pyright: ignore[reportUnknownMemberType]


def parse_pattern(text: str) -> OriginPattern | None:
    """Read one string of an allow-list. None if it does not have a documented form."""
    any_port = text.endswith(":*")
    plain = text.removesuffix(":*") if any_port else text
    label = ""
    if "://*." in text:
        label, plain = "*", plain.replace("://*.", "://", 1)
    elif text.endswith("://*"):
        scheme = plain[:-4]
        if scheme in _NEVER_ANY_HOST or not is_scheme(scheme) or len(text) > MAX_ORIGIN_LENGTH:
            return None
        return OriginPattern(Origin(scheme, _ANY_HOST, None), "", any_port=False)
    elif "*" in plain:
        label, plain = _cut_label(plain)
    origin = parse_origin(plain)
    if origin is None or origin.scheme in OPAQUE_SCHEMES:
        return None
    if any_port and origin.port is not None:
        return None
    if label and origin.is_address:
        return None
    values = (origin, label, any_port)
    return tuple.__new__(OriginPattern, values)  # pyright: ignore[reportUnknownMemberType]


def _cut_label(text: str) -> tuple[str, str]:
    """The first label of a host and the origin without it, if that label has a wildcard; otherwise
    "" and ""."""
    scheme, _, authority = text.partition("://")
    label, _, rest = authority.partition(".")
    # The star matches at least one letter, so with a letter instead it must be an origin.
    is_origin = parse_origin(text.replace("*", "a")) is not None
    if not is_origin or label.count("*") != 1 or "*" in rest or not rest:
        return "", ""
    return label, f"{scheme}://{rest}"


def is_scheme(text: str) -> bool:
    """Whether *text* is a lower-case URL scheme (RFC 3986 section 3.1)."""
    return text[:1] in _LETTERS and bool(text) and not text.strip(_SCHEME_CHARACTERS)


def is_host(host: str) -> bool:
    """Whether *host* is a lower-case host name or a canonical IPv4 address."""
    if not host or len(host) > 253 or host.strip(_HOST_CHARACTERS):
        return False
    # No label is empty, or begins or ends with a hyphen.
    between_dots = f".{host}."
    if ".." in between_dots or ".-" in between_dots or "-." in between_dots:
        return False
    if len(host) > 63 and max(map(len, host.split("."))) > 63:
        return False
    last = host.rpartition(".")[2]
    # https://url.spec.whatwg.org/#ends-in-a-number-checker: such a host is an IPv4 address
    if last[0] in _DIGITS and (last.isdigit() or _is_hexadecimal_number(last)):
        return _is_ipv4(host.split("."))
    return True


def parse_port(text: str) -> int | None:
    """Read a port as it is serialized: 1 to 65535, digits only, no leading zero."""
    if not text or len(text) > 5 or text.strip(_DIGITS) or text[0] == "0":
        return None
    port = int(text)
    return port if port <= 65535 else None


def serialize_ipv6(address: ipaddress.IPv6Address) -> str:
    """The address as browsers write it (https://url.spec.whatwg.org/#concept-ipv6-serializer).

    Not ``str(address)``: some Python versions write mapped IPv4 addresses with dots.
    """
    if address.ipv4_mapped is None:
        return f"[{address.compressed}]"
    packed = address.packed
    return f"[::ffff:{packed[12] << 8 | packed[13]:x}:{packed[14] << 8 | packed[15]:x}]"


def _is_hexadecimal_number(label: str) -> bool:
    return label.startswith("0x") and not label[2:].strip(_DIGITS + "abcdef")


def _is_ipv4(labels: list[str]) -> bool:
    return len(labels) == 4 and all(
        label.isdigit()
        and len(label) <= 3
        and int(label) <= 255
        and (label == "0" or label[0] != "0")
        for label in labels
    )


def _is_ipv6(host: str) -> bool:
    if len(host) > 41 or host[1:-1].strip(_DIGITS + "abcdef:"):
        return False
    try:
        return serialize_ipv6(ipaddress.IPv6Address(host[1:-1])) == host
    except ValueError:
        return False


class CheckFailedError(Exception):
    """A callable or a source in ``origins`` failed; or the callable did not return a bool."""


_T = TypeVar("_T")


class _SmallSets(dict[str, frozenset[_T]]):
    """A set for each key. Equal sets, as nearly all are in a long list, are one object."""

    def __init__(self) -> None:
        self._shared: dict[frozenset[_T], frozenset[_T]] = {}

    def add(self, key: str, member: _T) -> None:
        known = self.get(key)
        members = frozenset({member}) if known is None else known | {member}
        self[key] = self._shared.setdefault(members, members)


class OriginSet:
    """A compiled allow-list or deny-list.

    Looking up an origin takes as long for one entry as for a million: entries without a wildcard in
    the host are found by hash; those with one, by hashing the end of the host, label by label, and
    the beginning of its first label. Only the user's own patterns are tried one by one.

    :param patterns: entries that are strings, parsed.
    :param regexes: compiled patterns, which must match the whole origin.
    :param check: a callable for origins that nothing else matches.
    :param check_takes_request: whether it takes a second parameter.
    :param exact: further entries: serialized origins, kept as they are, and ``null``.
    :param sources: objects with more origins, which change. The set never asks them itself.
    :ivar exact: serialized origins, compared as they are.
    :ivar sources: the same as the parameter.
    """

    def __init__(
        self,
        patterns: Iterable[OriginPattern] = (),
        regexes: Iterable[re.Pattern[str]] = (),
        check: Callable[..., object] | None = None,
        check_takes_request: bool = False,
        exact: Iterable[str] = (),
        sources: Iterable[object] = (),
    ) -> None:
        self.sources = tuple(sources)
        further: list[str] = []
        any_port: set[str] = set()
        schemes: set[str] = set()
        # "scheme://.parent-host" or "scheme://pr-*.parent-host" -> the ports it allows, "*" for any
        self._wildcards = _SmallSets[int | str | None]()
        #: ".parent-host" -> how many characters of the label precede its wildcard
        self.cuts = _SmallSets[int]()
        # "scheme://pr-*.parent-host" -> how many characters of the label follow its wildcard
        self._ends = _SmallSets[int]()
        for pattern in patterns:
            origin = pattern.origin
            prefix, rest = f"{origin.scheme}://", f".{origin.host}"
            if pattern.label:
                label = pattern.label if pattern.in_label else ""
                port = "*" if pattern.any_port else origin.port
                self._wildcards.add(f"{prefix}{label}{rest}", port)
                if label:
                    before, _, after = label.partition("*")
                    self.cuts.add(rest, len(before))
                    self._ends.add(f"{prefix}{before}*{rest}", len(after))
            elif pattern.any_host:
                schemes.add(origin.scheme)
            elif pattern.any_port:
                any_port.add(f"{origin.scheme}://{origin.host}")
            else:
                further.append(str(origin))
        self.exact = frozenset(exact).union(further) if further else frozenset(exact)
        self._any_port = frozenset(any_port)  # "scheme://host"
        #: the schemes whose hosts all match
        self.schemes = frozenset(schemes)
        self._regexes = tuple(dict.fromkeys(regexes))
        self._check = check
        self.check_takes_request = check_takes_request
        self._first_wildcard = min(self._wildcards, default="")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OriginSet):
            return NotImplemented
        return self is other or (
            self.exact == other.exact
            and self._any_port == other._any_port
            and self._wildcards == other._wildcards
            and self.schemes == other.schemes
            and set(self._regexes) == set(other._regexes)
            and self._check == other._check
            and {*map(id, self.sources)} == {*map(id, other.sources)}
        )

    def __hash__(self) -> int:
        # There can be too many wildcards to hash them all. A frozenset caches its hash.
        wildcards = (len(self._wildcards), self._first_wildcard)
        return hash((self.exact, self._any_port, self.schemes, wildcards, self._check))

    @property
    def is_constant(self) -> bool:
        """Whether an origin always gets the same verdict: there is no callable and no source."""
        return self._check is None and not self.sources

    @property
    def is_exact(self) -> bool:
        """Whether no entry matches several origins."""
        return not (self._any_port or self._wildcards or self.schemes or self._regexes)

    @property
    def check(self) -> Callable[..., object] | None:
        """The callable for origins that nothing else matches, if any."""
        return self._check

    def __bool__(self) -> bool:
        strings = self.exact or self._any_port or self._wildcards or self.schemes
        return bool(strings or self._regexes or self._check or self.sources)

    def matches(self, text: str, origin: Origin, context: object) -> bool:
        """Whether an entry matches an origin, or the callable admits it.

        :param text: the serialized origin.
        :param origin: the same, as :func:`parse_origin` read it.
        :param context: passed to a callable that takes a second parameter.
        :raises CheckFailedError: if the callable raised an exception or did not return a bool.
        """
        return self.admits(text, origin) or self.check_admits(text, context)

    def admits(self, text: str, origin: Origin) -> bool:
        """The part of :meth:`matches` that calls no callable."""
        if self.lists(text, origin):
            return True
        return bool(self._regexes) and any(regex.fullmatch(text) for regex in self._regexes)

    def lists(self, text: str, origin: Origin) -> bool:
        """The part of :meth:`matches` that runs none of the user's code or patterns."""
        if text in self.exact:
            return True
        if self._any_port and f"{origin.scheme}://{origin.host}" in self._any_port:
            return True
        if self.schemes and origin.port is None and origin.scheme in self.schemes:
            return True
        return bool(self._wildcards) and self._matches_wildcard(origin)

    def _matches_wildcard(self, origin: Origin) -> bool:
        host = origin.host
        prefix = f"{origin.scheme}://"
        dot = host.find(".")
        if self.cuts and self._matches_label(prefix, host[:dot], host[dot:], origin.port):
            return True
        while dot != -1:
            ports = self._wildcards.get(prefix + host[dot:])
            if ports is not None and ("*" in ports or origin.port in ports):
                return True
            dot = host.find(".", dot + 1)
        return False

    def _matches_label(self, prefix: str, label: str, rest: str, port: int | None) -> bool:
        for before in self.cuts.get(rest, ()):
            start = prefix + label[:before] + "*"
            key = start + rest
            for after in self._ends.get(key, ()):
                end = len(label) - after
                if end > before and not label[before:end].strip(_STAR_CHARACTERS):
                    ports = self._wildcards.get(start + label[end:] + rest if after else key)
                    if ports is not None and ("*" in ports or port in ports):
                        return True
        return False

    def check_admits(self, text: str, context: object) -> bool:
        """The part of :meth:`matches` that calls the callable, if there is one.

        :raises CheckFailedError: as :meth:`matches`.
        """
        if self._check is None:
            return False
        arguments = (text, context) if self.check_takes_request else (text,)
        try:
            allowed = self._check(*arguments)
        except BaseException as error:
            if is_shutdown(error):
                raise
            raise CheckFailedError(described(error)) from error
        # A truthy object is not consent: a coroutine, a mock or a match object would let everybody
        # in. Not isinstance(), which an object can deceive.
        if type(allowed) is not bool:
            given = on_one_line(text_of(allowed, 60))
            message = f"it returned {given} where True or False was expected"
            raise CheckFailedError(message)
        return allowed
