"""The CORS safelists of the Fetch standard: the request headers that need no permission, and the
response headers that a page can always read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from flask_corsguard.protocol.headers import is_token

# https://fetch.spec.whatwg.org/#http-whitespace
HTTP_WHITESPACE = " \t\n\r"
MAX_VALUE_LENGTH = 128
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
# https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
SAFELISTED_RESPONSE_HEADERS = frozenset(
    [
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    ]
)

# https://fetch.spec.whatwg.org/#cors-unsafe-request-header-byte
_UNSAFE = re.compile(r'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')
_NOT_A_LANGUAGE = re.compile(r"[^0-9A-Za-z *,\-.;=]")


class Safelist(NamedTuple):
    """The rules by which values are safelisted. The defaults are the standard's; some browsers
    depart from them.

    :ivar further_values: headers that are safelisted beyond the standard's -> a pattern for their
        values.
    :ivar total: how many bytes all safelisted values may have together, or None for any number.
    :ivar non_ascii_is_unsafe: whether bytes from 0x80 up are unsafe in Accept and Content-Type.
    :ivar range_pattern: a pattern for a safelisted ``Range``.
    :ivar range_limit: the numbers of a ``Range`` must be below this; None for no limit.
    """

    further_values: Mapping[str, re.Pattern[str]] = MappingProxyType({})
    total: int | None = 1024
    non_ascii_is_unsafe: bool = False
    range_pattern: re.Pattern[str] = re.compile(r"bytes=([0-9]+)-([0-9]*)")
    range_limit: int | None = None


STANDARD = Safelist()


def why_unsafe(name: str, value: str, safelist: Safelist = STANDARD) -> str | None:
    """Why a request header needs permission, in words; None if it needs none
    (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).

    :param name: the header's name in lower case.
    :param value: its value as the page set it: one character for each byte.
    """
    check, pattern = _CHECKS.get(name), safelist.further_values.get(name)
    if check is None and pattern is None:
        return "it is not one of the safelisted request headers"
    if len(value) > MAX_VALUE_LENGTH:
        return f"its value has {len(value)} bytes, and only up to {MAX_VALUE_LENGTH} are safelisted"
    if pattern is not None and not pattern.fullmatch(value):
        return "its value is not safelisted"
    return check(value, safelist) if check else None


def unsafe_headers(
    headers: Iterable[tuple[str, str]], safelist: Safelist = STANDARD
) -> dict[str, str]:
    """The headers that a preflight must request
    (https://fetch.spec.whatwg.org/#cors-unsafe-request-header-names).

    :param headers: names in lower case, and values.
    :returns: each name, sorted, with the reason in words.
    """
    unsafe: dict[str, str] = {}
    safelisted: dict[str, int] = {}
    for name, value in headers:
        why = why_unsafe(name, value, safelist)
        if why is None:
            safelisted[name] = safelisted.get(name, 0) + len(value)
        else:
            unsafe[name] = why
    total = sum(safelisted.values())
    if safelist.total is not None and total > safelist.total:
        why = (
            f"the safelisted headers have {total} bytes together, more than the {safelist.total}"
            " allowed"
        )
        unsafe = dict.fromkeys(safelisted, why) | unsafe
    return dict(sorted(unsafe.items()))


def _accept(value: str, safelist: Safelist) -> str | None:
    if _UNSAFE.search(value) or (safelist.non_ascii_is_unsafe and not value.isascii()):
        return "its value has a byte that is not safelisted"
    return None


def _language(value: str, _safelist: Safelist) -> str | None:
    found = _NOT_A_LANGUAGE.search(value)
    return "its value has a byte that no language tag has" if found else None


def _content_type(value: str, safelist: Safelist) -> str | None:
    essence = essence_of(value)
    if essence not in FORM_TYPES:
        return f"{essence or 'an invalid MIME type'} is not a type that a form sends"
    return _accept(value, safelist)


def _range(value: str, safelist: Safelist) -> str | None:
    match = safelist.range_pattern.fullmatch(value)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last or (safelist.range_limit is not None and last >= safelist.range_limit):
        return "its value is not a single range such as bytes=0-99"
    return None


_CHECKS: dict[str, Callable[[str, Safelist], str | None]] = {
    "accept": _accept,
    "accept-language": _language,
    "content-language": _language,
    "content-type": _content_type,
    "range": _range,
}


def essence_of(value: str) -> str | None:
    """A MIME type without its parameters (https://mimesniff.spec.whatwg.org/#parse-a-mime-type).

    :returns: ``type/subtype`` in lower case, or None if *value* is not a MIME type.
    """
    kind, slash, rest = value.strip(HTTP_WHITESPACE).partition("/")
    subtype = rest.partition(";")[0].rstrip(HTTP_WHITESPACE)
    if slash and is_token(kind) and is_token(subtype):
        return f"{kind}/{subtype}".lower()
    return None
