"""What a response has to pass: to be read by script, or to let the request go out that waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask_corsguard.protocol.headers import (
    ALLOW_CREDENTIALS,
    ALLOW_HEADERS,
    ALLOW_METHODS,
    ALLOW_ORIGIN,
    SAFELISTED_METHODS,
)
from flask_corsguard.protocol.origins import Origin, parse_origin
from flask_corsguard.testing.blocks import Block, Finding, NetworkError, finding
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.urls import is_same_site
from flask_corsguard.text import shown

# https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name
AUTHORIZATION = "authorization"


_MOST_LISTED = 20
# https://fetch.spec.whatwg.org/#redirect-status
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_STATUS_REMEDY = (
    "let the guard answer OPTIONS: allow what the page asks for in the policy, and keep proxies,"
    " login checks and views of your own from answering first"
)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to read.

    :ivar origin: serialized, as it was sent.
    :ivar credentials: whether the request was made with ``credentials: "include"``.
    :ivar with_credentials: when credentials have to be allowed, in words.
    :ivar without_credentials: how that can be avoided.
    :ivar tainted: whether redirects have made the origin ``null``.
    """

    origin: str
    credentials: bool
    tainted: bool = False
    with_credentials: str = "for a request with credentials: 'include'"
    without_credentials: str = (
        "have the page leave credentials: 'include' out, if it needs no cookies there"
    )

    @property
    def remedy(self) -> str:
        """What makes a server allow the origin."""
        if self.tainted:
            return (
                "have the page ask for the address where the redirects lead, or redirect within one"
                " origin: after the second change of origin, a page's own becomes null"
            )
        if self.origin == "null":
            return (
                "serve the page from an origin of its own (null is a sandboxed frame, a file or a"
                " data: URL; allowing it allows every site)"
            )
        return f"add '{self.origin}' to origins"


def check_cors(exchange: Exchange, asker: Asker) -> None:
    """https://fetch.spec.whatwg.org/#concept-cors-check

    :raises NetworkError: if the response does not let the asker read it.
    """
    response = "The preflight's response" if exchange.preflight else "The response"
    allowed = exchange.value_of(ALLOW_ORIGIN)
    facts = {
        "response": response,
        "origin": asker.origin,
        "value": shown(allowed or ""),
        "with_credentials": asker.with_credentials,
        "without_credentials": asker.without_credentials,
        "remedy": asker.remedy,
    }
    block = _block(exchange, asker, allowed)
    if block is None:
        return
    if block is Block.ALLOW_CREDENTIALS_MISSING:
        credentials = exchange.value_of(ALLOW_CREDENTIALS)
        facts["value"] = f"no {ALLOW_CREDENTIALS}"
        if credentials is not None:
            facts["value"] = f"{ALLOW_CREDENTIALS}: {shown(credentials)} instead of 'true'"
    found = finding(block, **facts)
    # Whoever allows null allows every site: no advice to follow in a hurry.
    raise NetworkError(found._replace(send=()) if asker.origin == "null" else found)


def _block(exchange: Exchange, asker: Asker, allowed: str | None) -> Block | None:
    if allowed is None:
        return Block.ALLOW_ORIGIN_MISSING
    if allowed == "*":
        return Block.ALLOW_ORIGIN_WILDCARD if asker.credentials else None
    if allowed != asker.origin:
        return _mismatch(exchange, allowed)
    if asker.credentials and exchange.value_of(ALLOW_CREDENTIALS) != "true":
        return Block.ALLOW_CREDENTIALS_MISSING
    return None


def _mismatch(exchange: Exchange, allowed: str) -> Block:
    if len(exchange.response_headers.getlist(ALLOW_ORIGIN)) > 1 or "," in allowed:
        return Block.ALLOW_ORIGIN_MULTIPLE
    if allowed == "null" or parse_origin(allowed):
        return Block.ALLOW_ORIGIN_MISMATCH
    return Block.ALLOW_ORIGIN_INVALID


def read_preflight(
    exchange: Exchange, asker: Asker, method: str, unsafe: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """What the response to a preflight allows
    (https://fetch.spec.whatwg.org/#cors-preflight-fetch, from step 7).

    :param method: of the request that waits.
    :param unsafe: its headers that need permission, in lower case, each with why.
    :returns: the methods and the headers.
    :raises NetworkError: if it allows nothing, being no answer to a preflight.
    """
    status = exchange.status
    facts: dict[str, object] = {
        "status": status,
        "url": exchange.url,
        "method": method,
        "asked": ", ".join(unsafe),
    }
    if status in REDIRECT_STATUSES:
        target = exchange.value_of("Location")
        facts["location"] = f", to {shown(target)}" if target else ""
        raise NetworkError(_lacking_all(Block.PREFLIGHT_REDIRECTED, asker, method, unsafe, facts))
    if not 200 <= status <= 299:
        facts["remedy"] = _STATUS_REMEDY
        raise NetworkError(_lacking_all(Block.PREFLIGHT_STATUS, asker, method, unsafe, facts))
    check_cors(exchange, asker)
    methods, headers = exchange.list_of(ALLOW_METHODS), exchange.list_of(ALLOW_HEADERS)
    if methods is None:
        facts["value"] = shown(exchange.value_of(ALLOW_METHODS) or "")
        raise NetworkError(finding(Block.ALLOW_METHODS_INVALID, **facts))
    if headers is None:
        facts["value"] = shown(exchange.value_of(ALLOW_HEADERS) or "")
        facts["asked_list"] = ", ".join(f"'{name}'" for name in unsafe)
        raise NetworkError(finding(Block.ALLOW_HEADERS_INVALID, **facts))
    return methods, headers


def check_preflight(
    methods: list[str],
    headers: list[str],
    asker: Asker,
    method: str,
    unsafe: Mapping[str, str],
    engine: Engine,
) -> None:
    """The same, from where the request that waits is held against what is allowed.

    :raises NetworkError: if it may not be sent.
    """
    facts: dict[str, object] = {"method": method, "asked": ", ".join(unsafe)}
    wild = "*" in methods and not asker.credentials
    if method not in SAFELISTED_METHODS and method not in methods and not wild:
        facts |= _method_facts(method, methods)
        raise NetworkError(finding(Block.METHOD_NOT_ALLOWED, **facts))
    allowed = {name.lower() for name in headers}
    wild = "*" in allowed and not asker.credentials
    refused = [
        name
        for name in unsafe
        if name not in allowed
        and not (wild and (name != AUTHORIZATION or engine.wildcard_covers_authorization))
    ]
    if refused:
        first = refused[0]
        facts |= {"header": first, "unsafe": unsafe[first], "value": _header_words(first, headers)}
        facts["refused"] = ", ".join(f"'{name}'" for name in refused)
        raise NetworkError(finding(Block.HEADER_NOT_ALLOWED, **facts))


def _lacking_all(
    block: Block,
    asker: Asker,
    method: str,
    unsafe: Mapping[str, str],
    facts: Mapping[str, object],
) -> Finding:
    """A finding that names every header which the request waits for, none being there to mend."""
    found = finding(block, **facts)
    if asker.origin == "null":
        return found
    lines = [f"{ALLOW_ORIGIN}: {asker.origin}"]
    if asker.credentials:
        lines.append(f"{ALLOW_CREDENTIALS}: true")
    if method not in SAFELISTED_METHODS:
        lines.append(f"{ALLOW_METHODS}: {method}")
    if unsafe:
        lines.append(f"{ALLOW_HEADERS}: {', '.join(unsafe)}")
    return found._replace(send=(*found.send, *lines))


def _method_facts(method: str, methods: list[str]) -> dict[str, str]:
    remedy = f"add '{method}' to methods, or have a route at this URL accept it"
    if "*" in methods:
        return {
            "value": "its '*' does not count for a request with credentials: 'include'",
            "remedy": f"name the methods instead of '*': methods=['{method}']",
        }
    if method.upper() in methods:
        remedy = f"have the page say method: '{method.upper()}'; names are case-sensitive"
    return {"value": f"it allows {_listed(methods)}", "remedy": remedy}


def _header_words(name: str, headers: list[str]) -> str:
    if "*" not in headers:
        return f"it allows {_listed(headers)}"
    if name == AUTHORIZATION:
        return "its '*' does not cover Authorization, which has to be named"
    return "its '*' does not count for a request with credentials: 'include'"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return (", ".join(name[:100] for name in names[:_MOST_LISTED]) or "none") + more


def check_resource_policy(exchange: Exchange, page: Origin | None, target: Origin | None) -> None:
    """https://fetch.spec.whatwg.org/#cross-origin-resource-policy-check

    :raises NetworkError: if the response is not meant for pages elsewhere.
    """
    policy = exchange.value_of("Cross-Origin-Resource-Policy")
    if (policy == "same-origin" and page != target) or (
        policy == "same-site" and not is_same_site(page, target)
    ):
        facts = {"value": policy, "origin": str(page or "null"), "response": "The response"}
        raise NetworkError(finding(Block.RESOURCE_POLICY, **facts))
