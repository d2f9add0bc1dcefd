"""URLs as a browser parses them, and what it concludes from them.

The parser follows https://url.spec.whatwg.org/ for ``http:`` and ``https:``. For any other URL, it
reads only the scheme.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from flask_corsguard.protocol.origins import DEFAULT_PORTS, Origin, is_host, serialize_ipv6
from flask_corsguard.protocol.publicsuffix import site_of

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
# https://url.spec.whatwg.org/#special-scheme, without file:, whose URLs have no host
_SPECIAL = frozenset(DEFAULT_PORTS)
_HTTP = frozenset({"http", "https"})
_C0_AND_SPACE = "".join(map(chr, range(0x21)))
# The characters outside https://url.spec.whatwg.org/#path-percent-encode-set and the special-query
# one; "%" is among them, since what is encoded stays encoded
_PATH_SAFE = "%!$&'()*+,-./:;=@[\\]_|~"
_QUERY_SAFE = "%!$&()*+,-./:;=?@[\\]^_`{|}~"
#: What :func:`urllib.parse.quote` leaves in a path as Werkzeug decodes it.
DECODED_PATH_SAFE = "/:@!$&'()*+,;=~"


class Url(NamedTuple):
    """An absolute URL, without its fragment.

    :ivar origin: its origin, or None if the scheme is not ``http:`` or ``https:``.
    :ivar path: the path, percent-encoded; for other schemes, everything after the scheme.
    :ivar query: the query with its ``?``, or "".
    :ivar userinfo: whether the URL has a user name or a password.
    """

    scheme: str
    origin: Origin | None
    path: str
    query: str = ""
    userinfo: bool = False

    def __str__(self) -> str:
        if self.origin is None:
            return f"{self.scheme}:{self.path}"
        return f"{self.origin}{self.path}{self.query}"


def parse_url(text: str, base: Url | None = None) -> Url | None:
    """Read a URL, relative to *base* if it is relative.

    :returns: None if *text* is not a URL to a browser.
    """
    text = scalar_values(text).strip(_C0_AND_SPACE).translate({9: None, 10: None, 13: None})
    text = text.partition("#")[0]
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else base.scheme if base else ""
    rest = text[match.end() :] if match else text
    if not scheme:
        return None
    if scheme not in _SPECIAL:
        return Url(scheme, None, rest) if match else None
    rest, mark, query = rest.partition("?")
    rest = rest.replace("\\", "/")
    query = mark + quote(query, safe=_QUERY_SAFE)
    if base is not None and base.scheme == scheme and not rest.startswith("//"):
        return _relative(rest, query, base)
    authority, slash, path = rest.lstrip("/").partition("/")
    userinfo, at, host_and_port = authority.rpartition("@")
    origin = _read_origin(scheme, host_and_port)
    if origin is None:
        return None
    path = _without_dots(slash + quote(path, safe=_PATH_SAFE)) or "/"
    known = origin if scheme in _HTTP else None
    return Url(scheme, known, path if known else rest, query, bool(at and userinfo.strip(":")))


def scalar_values(text: str) -> str:
    """A string as pages have it, without single surrogates
    (https://infra.spec.whatwg.org/#javascript-string-convert)."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _relative(path: str, query: str, base: Url) -> Url:
    encoded = quote(path, safe=_PATH_SAFE)
    if not path:
        return base._replace(query=query or base.query)
    if not path.startswith("/"):
        encoded = base.path[: base.path.rindex("/") + 1] + encoded
    return base._replace(path=_without_dots(encoded), query=query)


def _without_dots(path: str) -> str:
    """Resolve the segments ``.`` and ``..``."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(segment)
            continue
        if index == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)


def _read_origin(scheme: str, authority: str) -> Origin | None:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    digits = (match[2] or "").lstrip("0")
    if len(digits) > 5 or int(digits or 0) > 65535:
        return None
    host, port = match[1], int(digits or 0) if match[2] else None
    parsed = _read_ipv6(host) if host.startswith("[") else _read_host(host)
    if not parsed:
        return None
    return Origin(scheme, parsed, None if port == DEFAULT_PORTS[scheme] else port)


def _read_ipv6(host: str) -> str | None:
    if "%" in host:  # a zone, which URLs do not have
        return None
    try:
        return serialize_ipv6(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return None


def _read_host(host: str) -> str | None:
    name = unquote(host)
    try:
        name = (name if name.isascii() else name.encode("idna").decode("ascii")).lower()
    except UnicodeError:
        return None
    return _read_ipv4(name) or (name if is_host(name.removesuffix(".")) else None)


def _read_ipv4(name: str) -> str | None:
    """An IPv4 address in any of the forms that browsers accept, as they write it
    (https://url.spec.whatwg.org/#concept-ipv4-parser)."""
    numbers: list[int] = []
    for part in name.removesuffix(".").split("."):
        base = 16 if part.startswith("0x") else 8 if part.startswith("0") and part != "0" else 10
        if not part.isalnum():
            return None
        try:
            numbers.append(int(part[2:] or "0" if base == 16 else part, base))
        except ValueError:
            return None
    last = numbers.pop()
    if len(numbers) > 3 or max(numbers, default=0) > 255 or last >= 256 ** (4 - len(numbers)):
        return None
    value = last + sum(number << 8 * (3 - index) for index, number in enumerate(numbers))
    return str(ipaddress.IPv4Address(value))


def is_same_site(a: Origin | None, b: Origin | None, *, schemeful: bool = True) -> bool:
    """Whether both belong to one site (https://html.spec.whatwg.org/#same-site).

    An opaque origin (None here) is on no site.

    :param schemeful: whether their schemes must be the same too, as in the standard.
    """
    if a is None or b is None:
        return False
    return site_of(a) == site_of(b if schemeful else b._replace(scheme=a.scheme))


def is_trustworthy(origin: Origin | None) -> bool:
    """https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy"""
    return origin is not None and (origin.scheme in ("https", "wss") or origin.is_loopback)


def is_https(origin: Origin | None) -> bool:
    """Whether nobody on the network can read or change what is sent to and from this origin."""
    return origin is not None and origin.scheme == "https"
