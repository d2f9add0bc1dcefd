"""Reads the page's arguments as ``fetch()`` reads them."""

from __future__ import annotations

import json as json_module
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import quote_plus

from flask_corsguard.errors import FetchTypeError
from flask_corsguard.protocol.headers import (
    FORBIDDEN_METHODS,
    NORMALIZED_METHODS,
    SAFELISTED_METHODS,
    is_forbidden_request_header,
    is_token,
)
from flask_corsguard.protocol.safelist import HTTP_WHITESPACE, why_unsafe
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.fetch_request import HeaderList, Mode
from flask_corsguard.testing.urls import scalar_values
from flask_corsguard.text import shown, text_of

EncType = Literal["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]
Pairs = Mapping[str, str] | Iterable[tuple[str, str] | list[str]]

_LINE_END = re.compile("\r\n|\r|\n")
_QUOTED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_OVERRIDES = frozenset({"x-http-method", "x-http-method-override", "x-method-override"})
# https://fetch.spec.whatwg.org/#no-cors-safelisted-request-header-name
_NO_CORS_NAMES = frozenset({"accept", "accept-language", "content-language", "content-type"})


@dataclass(frozen=True, slots=True)
class Blob:
    """A body with its own media type (https://w3c.github.io/FileAPI/#blob-section).

    :param data: the contents.
    :param type: the media type, such as ``"image/png"``; "" for none.
    """

    data: str | bytes
    type: str = ""


@dataclass(frozen=True, slots=True)
class FormData:
    """A body that is sent as ``multipart/form-data`` (https://xhr.spec.whatwg.org/#formdata).

    :param fields: a mapping, or pairs of names and values.
    """

    fields: Pairs


Body = str | bytes | Blob | FormData | Pairs


def fetch_error(message: str) -> FetchTypeError:
    """The error of ``fetch()`` before it sends anything."""
    return FetchTypeError(f"Failed to execute 'fetch': {message}")


def read_choice(name: str, value: str, kind: object) -> None:
    """Raise an error for a value that is not among the choices of *kind*."""
    choices: tuple[str, ...] = get_args(kind)
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise fetch_error(f"{name} cannot be {value!r}. Known: {known}.")


def read_method(method: object, mode: Mode) -> str:
    """https://fetch.spec.whatwg.org/#dom-request, steps 25 and 32"""
    if not isinstance(method, str) or not is_token(method):
        given = shown(method) if isinstance(method, str) else text_of(method)
        raise fetch_error(f"{given} is not a valid method.")
    upper = method.upper()
    if upper in FORBIDDEN_METHODS:
        raise fetch_error(f"{method!r} is unsupported.")
    method = upper if upper in NORMALIZED_METHODS else method
    if mode == "no-cors" and method not in SAFELISTED_METHODS:
        raise fetch_error(
            f"{method!r} is unsupported in no-cors mode; only GET, HEAD and POST are possible."
        )
    return method


def read_headers(headers: Pairs, mode: Mode, engine: Engine) -> HeaderList:
    """The given headers that a page may set
    (https://fetch.spec.whatwg.org/#concept-headers-append). The others are dropped silently, as in
    a browser.

    :raises FetchTypeError: if something is not a header at all.
    """
    kept: HeaderList = []
    for given, raw in pairs_of(headers):
        name, value = given.lower(), raw.strip(HTTP_WHITESPACE)
        if not is_token(given):
            raise FetchTypeError(f"Failed to construct 'Headers': {shown(given)} is not a name.")
        if any(character in "\0\r\n" or character > "\xff" for character in value):
            raise FetchTypeError(
                f"Failed to construct 'Headers': {given}: {shown(value)} is not a value: headers"
                " are single lines of bytes (Latin-1)."
            )
        if not _is_forbidden(name, value) and name not in engine.forbidden_names:
            append_header(kept, name, value, mode, engine)
    return list(joined(kept).items()) if engine.joins_repeated_headers else kept


def append_header(headers: HeaderList, name: str, value: str, mode: str, engine: Engine) -> None:
    """Add one header, unless the mode is ``no-cors`` and the header is not safelisted."""
    if mode == "no-cors":
        whole = ", ".join([*(v for n, v in headers if n == name), value])
        if name not in _NO_CORS_NAMES or why_unsafe(name, whole, engine.safelist):
            return
    headers.append((name, value))


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One value for each name: repeated ones are joined by commas."""
    whole: dict[str, str] = {}
    for name, value in headers:
        whole[name] = f"{whole[name]}, {value}" if name in whole else value
    return whole


def read_body(body: Body) -> tuple[bytes, str | None]:
    """Extract a body and its type (https://fetch.spec.whatwg.org/#concept-bodyinit-extract)."""
    if isinstance(body, str):
        return _utf8(body), "text/plain;charset=UTF-8"
    if isinstance(body, bytes):
        return body, None
    if isinstance(body, Blob):
        # https://w3c.github.io/FileAPI/#constructorBlob
        kind = body.type.lower() if body.type.isascii() and body.type.isprintable() else ""
        return read_body(body.data)[0], kind or None
    if isinstance(body, FormData):
        return encode_form(form_entries(body.fields), "multipart/form-data")
    data, kind = encode_form(pairs_of(body), "application/x-www-form-urlencoded")
    return data, f"{kind};charset=UTF-8"


def read_json(value: object) -> tuple[bytes, str]:
    """The result of ``JSON.stringify(value)``, with the media type that servers expect."""
    text = json_module.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _utf8(text), "application/json"


def form_entries(fields: Pairs) -> list[tuple[str, str]]:
    """A form's fields as they are sent: with the line ends of the network
    (https://html.spec.whatwg.org/#converting-an-entry-list-to-a-list-of-name-value-pairs)."""
    return [(_LINE_END.sub("\r\n", name), _LINE_END.sub("\r\n", v)) for name, v in pairs_of(fields)]


def encode_form(pairs: Iterable[tuple[str, str]], enctype: EncType) -> tuple[bytes, str]:
    """A form's entries as they are sent, and their media type
    (https://html.spec.whatwg.org/#form-submission-algorithm)."""
    if enctype == "multipart/form-data":
        # https://html.spec.whatwg.org/#multipart/form-data-encoding-algorithm
        boundary = f"----boundary{secrets.token_hex(16)}"
        fields = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name.translate(_QUOTED)}"\r\n'
            f"\r\n{value}\r\n"
            for name, value in pairs
        )
        return _utf8(f"{''.join(fields)}--{boundary}--\r\n"), f"{enctype}; boundary={boundary}"
    if enctype == "text/plain":
        return _utf8("".join(f"{name}={value}\r\n" for name, value in pairs)), enctype
    encoded = (f"{_form_quote(name)}={_form_quote(value)}" for name, value in pairs)
    return "&".join(encoded).encode(), enctype


def pairs_of(pairs: object) -> list[tuple[str, str]]:
    """The pairs of a mapping, or of a sequence of pairs.

    :raises FetchTypeError: if it is neither.
    """
    items: Iterable[object] = [pairs]
    if isinstance(pairs, Mapping):
        items = cast("Mapping[object, object]", pairs).items()
    elif isinstance(pairs, Iterable) and not isinstance(pairs, str):
        items = cast("Iterable[object]", pairs)
    found: list[tuple[str, str]] = []
    for item in items:
        match item:
            case [str(name), str(value)]:
                found.append((name, value))
            case _:
                raise fetch_error(
                    f"a mapping of str to str is needed, or pairs of them, not {text_of(item)}."
                )
    return found


def _utf8(text: str) -> bytes:
    return scalar_values(text).encode()


def _form_quote(text: str) -> str:
    # https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set
    return quote_plus(_utf8(text), safe="*").replace("~", "%7E")


def _is_forbidden(name: str, value: str) -> bool:
    if name in _OVERRIDES:
        return any(part.strip(" \t").upper() in FORBIDDEN_METHODS for part in value.split(","))
    return is_forbidden_request_header(name)
