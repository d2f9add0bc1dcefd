"""The checks that the response to a preflight must pass before the request may be sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flask_corsguard.protocol.headers import (
    ALLOW_CREDENTIALS,
    ALLOW_HEADERS,
    ALLOW_METHODS,
    ALLOW_ORIGIN,
    REDIRECT_STATUSES,
    SAFELISTED_METHODS,
)
from flask_corsguard.protocol.remedies import take_out_of_page
from flask_corsguard.testing.blocks import Block, BlockedError
from flask_corsguard.testing.cors_check import Requester, check_cors
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.text import shown

# https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name
AUTHORIZATION = "authorization"
_MOST_LISTED = 20
_WILDCARD = "browsers ignore its '*' for a request with credentials: 'include'"


class Allowed(NamedTuple):
    """What the response to a preflight allows."""

    methods: list[str]
    headers: list[str]


def read_preflight(exchange: Exchange, requester: Requester) -> Allowed:
    """https://fetch.spec.whatwg.org/#cors-preflight-fetch, from step 7

    :raises BlockedError: if the status is not 2xx, the CORS check fails, or a list is malformed.
    """
    if exchange.status in REDIRECT_STATUSES:
        target = exchange.value_of("Location")
        location = f", to {shown(target)}" if target else ""
        error = BlockedError(
            Block.PREFLIGHT_REDIRECTED, status=exchange.status, location=location, url=exchange.url
        )
    elif not 200 <= exchange.status <= 299:
        error = BlockedError(
            Block.PREFLIGHT_STATUS,
            status=exchange.status,
            url=exchange.url,
            credentials=requester.credentials,
        )
    else:
        check_cors(exchange, requester)
        methods, headers = exchange.list_of(ALLOW_METHODS), exchange.list_of(ALLOW_HEADERS)
        if methods is None:
            value = shown(exchange.value_of(ALLOW_METHODS) or "")
            raise BlockedError(Block.ALLOW_METHODS_INVALID, value=value, method=requester.method)
        if headers is None:
            value = shown(exchange.value_of(ALLOW_HEADERS) or "")
            facts = {"headers": ", ".join(requester.unsafe), "quoted": _quoted(requester.unsafe)}
            raise BlockedError(Block.ALLOW_HEADERS_INVALID, value=value, **facts)
        return Allowed(methods, headers)
    if requester.origin != "null":
        error.send += _needed_headers(requester)
    raise error


def check_preflight(allowed: Allowed, requester: Requester, engine: Engine) -> None:
    """Compare the request with what is allowed: the rest of the same algorithm.

    :raises BlockedError: if the request may not be sent.
    """
    method, unsafe = requester.method, requester.unsafe
    any_method = "*" in allowed.methods and not requester.credentials
    if method not in SAFELISTED_METHODS and method not in allowed.methods and not any_method:
        raise _method_error(method, allowed.methods)
    names = {name.lower() for name in allowed.headers}
    if "*" in names and not requester.credentials:
        names |= set(unsafe) - (set() if engine.wildcard_covers_authorization else {AUTHORIZATION})
    refused = [name for name in unsafe if name not in names]
    if refused:
        raise _header_error(refused, requester, allowed.headers)


def _header_error(refused: list[str], requester: Requester, listed: list[str]) -> BlockedError:
    sent = _without_response_headers(requester.unsafe)
    to_list = _without_response_headers(refused)
    mixed_up = [name for name in refused if name not in to_list]
    remedies = [f"add {_quoted(to_list)} to allow_headers"] if to_list else []
    if mixed_up:
        remedies.append(take_out_of_page(mixed_up))
    error = BlockedError(
        Block.HEADER_NOT_ALLOWED,
        header=refused[0],
        value=_header_words(refused[0], listed),
        unsafe=requester.unsafe[refused[0]],
        headers=", ".join(sent),
        remedy="; ".join(remedies),
    )
    if not sent:
        error.send = []
    return error


def _without_response_headers(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith("access-control-")]


def _needed_headers(requester: Requester) -> list[str]:
    lines = [f"{ALLOW_ORIGIN}: {requester.origin}"]
    if requester.credentials:
        lines.append(f"{ALLOW_CREDENTIALS}: true")
    if requester.method not in SAFELISTED_METHODS:
        lines.append(f"{ALLOW_METHODS}: {requester.method}")
    if sent := _without_response_headers(requester.unsafe):
        lines.append(f"{ALLOW_HEADERS}: {', '.join(sent)}")
    return lines


def _method_error(method: str, methods: list[str]) -> BlockedError:
    value = f"it allows {_listed(methods)}"
    remedy = f"add '{method}' to methods, or add a route at this URL that accepts it"
    if "*" in methods:
        value = _WILDCARD
        remedy = f"name the methods instead of '*': methods=['{method}']"
    elif method.upper() in methods:
        remedy = f"have the page use method: '{method.upper()}'; names are case-sensitive"
    return BlockedError(Block.METHOD_NOT_ALLOWED, method=method, value=value, remedy=remedy)


def _header_words(name: str, headers: list[str]) -> str:
    if "*" not in headers:
        return f"it allows {_listed(headers)}"
    if name == AUTHORIZATION:
        return "its '*' does not cover Authorization, which must be named"
    return _WILDCARD


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return (", ".join(name[:100] for name in names[:_MOST_LISTED]) or "none") + more


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
