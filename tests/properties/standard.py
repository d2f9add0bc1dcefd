"""What the standards say, written out slowly and plainly, to hold the guard against.

Nothing of the guard is imported here. Origins are read as a URL parser would read them and then
written as a browser would: only what comes out as it went in is a serialized origin.
"""

import string
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# https://url.spec.whatwg.org/#special-scheme
DEFAULT_PORTS = {"ftp": 21, "http": 80, "https": 443, "ws": 80, "wss": 443}

# https://url.spec.whatwg.org/#forbidden-domain-code-point
FORBIDDEN_IN_DOMAIN = {*"\0\t\n\r #/:<>?@[\\]^|%\x7f", *map(chr, range(0x20))}

# https://fetch.spec.whatwg.org/#cors-safelisted-method
SAFELISTED_METHODS = ("GET", "HEAD", "POST")
# https://fetch.spec.whatwg.org/#forbidden-method
FORBIDDEN_METHODS = ("CONNECT", "TRACE", "TRACK")
# https://fetch.spec.whatwg.org/#forbidden-request-header
FORBIDDEN_HEADERS = """
accept-charset accept-encoding access-control-request-headers access-control-request-method
connection content-length cookie cookie2 date dnt expect host keep-alive origin referer set-cookie
te trailer transfer-encoding upgrade via split
""".split()
# https://www.rfc-editor.org/rfc/rfc9110.html#section-5.6.2
TOKEN_CHARACTERS = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"

Host = str | int | tuple[int, ...]
Headers = Iterable[tuple[str, str]]


class Parts(NamedTuple):
    """A tuple origin. The host is a domain, an IPv4 address (int) or an IPv6 address (pieces)."""

    scheme: str
    host: Host
    port: int | None


# URLs


def read_origin(text: str) -> Parts | None:
    """The origin that *text* is the ASCII serialization of, or None
    (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin)."""
    if any(ord(character) > 0x7F for character in text):
        return None
    scheme, colon, rest = text.partition(":")
    if not colon or not is_scheme(scheme) or not rest.startswith("//"):
        return None
    authority = rest[2:]
    if any(character in authority for character in "@/\\?#"):
        return None  # user information, a path, a query or a fragment: no part of an origin
    end = authority.find("]") + 1
    host_text, colon, port_text = authority[end:].partition(":")
    host = parse_host(authority[:end] + host_text)
    if host is None:
        return None
    port = None
    if port_text:
        if any(character not in string.digits for character in port_text) or len(port_text) > 99:
            return None
        port = int(port_text)
        if port > 65535:
            return None
        if port == DEFAULT_PORTS.get(scheme.lower()):
            port = None
    parts = Parts(scheme.lower(), host, port)
    return parts if serialize_origin(parts) == text else None


def serialize_origin(parts: Parts) -> str:
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{serialize_host(parts.host)}{port}"


def is_scheme(text: str) -> bool:
    """https://url.spec.whatwg.org/#url-scheme-string, in either case"""
    if not text or text[0] not in string.ascii_letters:
        return False
    return all(c in string.ascii_letters + string.digits + "+-." for c in text)


def parse_host(text: str) -> Host | None:
    """https://url.spec.whatwg.org/#concept-host-parser, for ASCII input and special schemes"""
    if text.startswith("["):
        return parse_ipv6(text[1:-1]) if text.endswith("]") else None
    domain = text.lower()
    if not domain or any(character in FORBIDDEN_IN_DOMAIN for character in domain):
        return None
    return parse_ipv4(domain) if ends_in_a_number(domain) else domain


def serialize_host(host: Host) -> str:
    """https://url.spec.whatwg.org/#concept-host-serializer"""
    if isinstance(host, str):
        return host
    if isinstance(host, int):
        return ".".join(str(host >> shift & 0xFF) for shift in (24, 16, 8, 0))
    return f"[{serialize_ipv6(host)}]"


def ends_in_a_number(domain: str) -> bool:
    """https://url.spec.whatwg.org/#ends-in-a-number-checker"""
    parts = domain.split(".")
    if parts[-1] == "":
        if len(parts) == 1:
            return False
        parts.pop()
    last = parts[-1]
    if last and all(character in string.digits for character in last):
        return True
    return parse_ipv4_number(last) is not None


def parse_ipv4_number(text: str) -> int | None:
    """https://url.spec.whatwg.org/#ipv4-number-parser"""
    if text == "":
        return None
    digits, base = string.digits, 10
    if text[:2] in ("0x", "0X"):
        text, digits, base = text[2:], string.hexdigits, 16
    elif len(text) >= 2 and text[0] == "0":
        text, digits, base = text[1:], string.octdigits, 8
    if any(character not in digits for character in text):
        return None
    number = 0
    for character in text:
        number = number * base + digits.lower().index(character.lower())
    return number


def parse_ipv4(domain: str) -> int | None:
    """https://url.spec.whatwg.org/#concept-ipv4-parser"""
    parts = domain.split(".")
    if parts[-1] == "" and len(parts) > 1:
        parts.pop()
    numbers = [number for number in map(parse_ipv4_number, parts) if number is not None]
    if len(parts) > 4 or len(numbers) < len(parts):
        return None
    *high, address = numbers
    if any(number > 255 for number in high) or address >= 256 ** (5 - len(numbers)):
        return None
    for index, number in enumerate(high):
        address += number * 256 ** (3 - index)
    return address


def parse_ipv6(text: str) -> tuple[int, ...] | None:
    """https://url.spec.whatwg.org/#concept-ipv6-parser, but for the form that ends in an IPv4
    address, which is never serialized."""
    before_text, gap, after_text = text.partition("::")
    before, after = _parse_pieces(before_text), _parse_pieces(after_text)
    if before is None or after is None:
        return None
    missing = 8 - len(before) - len(after)
    if missing < 1 if gap else missing != 0:
        return None
    return (*before, *[0] * missing, *after)


def _parse_pieces(text: str) -> list[int] | None:
    pieces = text.split(":") if text else []
    if any(not 1 <= len(piece) <= 4 or piece.strip(string.hexdigits) for piece in pieces):
        return None
    return [int(piece, 16) for piece in pieces]


def serialize_ipv6(pieces: Sequence[int]) -> str:
    """https://url.spec.whatwg.org/#concept-ipv6-serializer"""
    compress, longest = None, 1
    for start in range(8):
        end = start
        while end < 8 and pieces[end] == 0:
            end += 1
        if end - start > longest:
            compress, longest = start, end - start
    written = [f"{piece:x}" for piece in pieces]
    if compress is None:
        return ":".join(written)
    return ":".join(written[:compress]) + "::" + ":".join(written[compress + longest :])


# Headers


def is_token(text: str) -> bool:
    """https://www.rfc-editor.org/rfc/rfc9110.html#section-5.6.2"""
    return text != "" and all(character in TOKEN_CHARACTERS for character in text)


def read_tokens(value: str) -> list[str] | None:
    """A list of tokens as a recipient reads it, or None if the grammar is broken
    (https://www.rfc-editor.org/rfc/rfc9110.html#section-5.6.1.2)."""
    tokens = [""]
    has_ended = False
    for character in value:
        if character == ",":
            tokens.append("")
            has_ended = False
        elif character in " \t":
            has_ended = tokens[-1] != ""
        elif character in TOKEN_CHARACTERS and not has_ended:
            tokens[-1] += character
        else:
            return None
    return [token for token in tokens if token]


def is_forbidden_header(name: str) -> bool:
    """https://fetch.spec.whatwg.org/#forbidden-request-header"""
    lower = name.lower()
    return lower in FORBIDDEN_HEADERS or lower[:6] == "proxy-" or lower[:4] == "sec-"


def get(headers: Headers, name: str) -> str | None:
    """https://fetch.spec.whatwg.org/#concept-header-list-get"""
    values = [value for known, value in headers if known.lower() == name.lower()]
    return ", ".join(values) if values else None


def cors_check(origin: str, credentials: bool, headers: Headers) -> bool:
    """https://fetch.spec.whatwg.org/#concept-cors-check"""
    headers = list(headers)
    allowed = get(headers, "Access-Control-Allow-Origin")
    if allowed is None:
        return False
    if not credentials and allowed == "*":
        return True
    if allowed != origin:
        return False
    return not credentials or get(headers, "Access-Control-Allow-Credentials") == "true"


def preflight_check(
    origin: str, method: str, names: Iterable[str], credentials: bool, status: int, headers: Headers
) -> bool:
    """Whether the request follows: https://fetch.spec.whatwg.org/#cors-preflight-fetch step 7."""
    headers = list(headers)
    if not 200 <= status <= 299 or not cors_check(origin, credentials, headers):
        return False
    methods = read_tokens(get(headers, "Access-Control-Allow-Methods") or "")
    listed = read_tokens(get(headers, "Access-Control-Allow-Headers") or "")
    if methods is None or listed is None:
        return False
    if get(headers, "Access-Control-Allow-Methods") is None:
        methods = [method]
    any_method = "*" in methods and not credentials
    if method not in methods and method not in SAFELISTED_METHODS and not any_method:
        return False
    allowed = [name.lower() for name in listed]
    any_header = "*" in allowed and not credentials
    return all(
        name.lower() in allowed or (any_header and name.lower() != "authorization")
        for name in names
    )
