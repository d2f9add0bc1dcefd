"""Which request headers need no permission: https://fetch.spec.whatwg.org/#cors-safelisted-request-header"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.mime import essence_of

MAX_VALUE_LENGTH = 128
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})

# https://fetch.spec.whatwg.org/#cors-unsafe-request-header-byte
_UNSAFE = re.compile(r'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')
_NOT_A_LANGUAGE = re.compile(r"[^0-9A-Za-z *,\-.;=]")


def why_unsafe(name: str, value: str, engine: Engine) -> str | None:
    """What makes a header need permission, in words; None if it needs none.

    :param name: in lower case.
    :param value: what script gave, latin-1.
    """
    judge, pattern = _JUDGES.get(name), engine.safelisted_values.get(name)
    if judge is None and pattern is None:
        return "it is not one of the safelisted request headers"
    if len(value) > MAX_VALUE_LENGTH:
        return f"its value has {len(value)} bytes, and only up to {MAX_VALUE_LENGTH} are safelisted"
    if pattern is not None and not pattern.fullmatch(value):
        return "its value is none of those that are safelisted"
    return judge(value, engine) if judge else None


def unsafe_headers(headers: Iterable[tuple[str, str]], engine: Engine) -> dict[str, str]:
    """The headers that a preflight has to ask for
    (https://fetch.spec.whatwg.org/#cors-unsafe-request-header-names).

    :param headers: names in lower case, and values.
    :returns: each name, sorted, with the reason in words.
    """
    unsafe: dict[str, str] = {}
    safelisted: dict[str, int] = {}
    for name, value in headers:
        why = why_unsafe(name, value, engine)
        if why is None:
            safelisted[name] = safelisted.get(name, 0) + len(value)
        else:
            unsafe[name] = why
    total = sum(safelisted.values())
    if engine.safelist_total is not None and total > engine.safelist_total:
        why = f"the safelisted headers have {total} bytes together, more than the 1024 allowed"
        unsafe |= {name: why for name in safelisted if name not in unsafe}
    return dict(sorted(unsafe.items()))


def _accept(value: str, engine: Engine) -> str | None:
    if _UNSAFE.search(value) or (engine.non_ascii_is_unsafe and not value.isascii()):
        return "its value has a byte that is not safelisted"
    return None


def _language(value: str, _engine: Engine) -> str | None:
    return (
        "its value has a byte that no language tag has" if _NOT_A_LANGUAGE.search(value) else None
    )


def _content_type(value: str, engine: Engine) -> str | None:
    essence = essence_of(value)
    if essence not in FORM_TYPES:
        return f"{essence or 'a value that is no MIME type'} is none of the types that a form sends"
    return _accept(value, engine)


def _range(value: str, engine: Engine) -> str | None:
    match = engine.range_pattern.fullmatch(value)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last or (engine.range_limit is not None and last >= engine.range_limit):
        return "its value is not a single range such as bytes=0-99"
    return None


_JUDGES: dict[str, Callable[[str, Engine], str | None]] = {
    "accept": _accept,
    "accept-language": _language,
    "content-language": _language,
    "content-type": _content_type,
    "range": _range,
}
