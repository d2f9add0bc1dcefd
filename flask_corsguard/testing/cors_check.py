"""What a response has to allow before the page may read it."""

from __future__ import annotations

from dataclasses import dataclass

from flask_corsguard.protocol.headers import ALLOW_CREDENTIALS, ALLOW_ORIGIN
from flask_corsguard.protocol.origins import Origin, parse_origin
from flask_corsguard.testing.blocks import Block, BlockedError
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.urls import is_same_site
from flask_corsguard.text import shown


@dataclass(frozen=True, slots=True)
class Requester:
    """Whom a response has to allow.

    :ivar origin: serialized, as it was sent.
    :ivar credentials: whether the request was made with ``credentials: "include"``.
    :ivar tainted: whether redirects have made the origin ``null``.
    :ivar with_credentials: when credentials have to be allowed, in words.
    :ivar without_credentials: how that can be avoided.
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


def check_cors(exchange: Exchange, requester: Requester) -> None:
    """https://fetch.spec.whatwg.org/#concept-cors-check

    :raises BlockedError: if the response does not let the requester read it.
    """
    origin, credentials = exchange.value_of(ALLOW_ORIGIN), exchange.value_of(ALLOW_CREDENTIALS)
    value = shown(origin or "")
    if origin is None:
        block = Block.ALLOW_ORIGIN_MISSING
    elif origin == "*" and requester.credentials:
        block = Block.ALLOW_ORIGIN_WILDCARD
    elif origin not in ("*", requester.origin):
        block = _mismatch(exchange, origin)
    elif requester.credentials and credentials != "true":
        block = Block.ALLOW_CREDENTIALS_MISSING
        value = f"no {ALLOW_CREDENTIALS}"
        if credentials is not None:
            value = f"{ALLOW_CREDENTIALS}: {shown(credentials)} instead of 'true'"
    else:
        return
    error = BlockedError(
        block,
        response="The preflight's response" if exchange.preflight else "The response",
        origin=requester.origin,
        value=value,
        with_credentials=requester.with_credentials,
        without_credentials=requester.without_credentials,
        remedy=requester.remedy,
    )
    if requester.origin == "null":
        # Whoever allows null allows every site: no advice to follow in a hurry.
        error.send = []
    raise error


def _mismatch(exchange: Exchange, origin: str) -> Block:
    if len(exchange.response_headers.getlist(ALLOW_ORIGIN)) > 1 or "," in origin:
        return Block.ALLOW_ORIGIN_MULTIPLE
    if origin == "null" or parse_origin(origin):
        return Block.ALLOW_ORIGIN_MISMATCH
    return Block.ALLOW_ORIGIN_INVALID


def check_resource_policy(exchange: Exchange, page: Origin | None, target: Origin | None) -> None:
    """https://fetch.spec.whatwg.org/#cross-origin-resource-policy-check

    :raises BlockedError: if the response is not meant for pages elsewhere.
    """
    policy = exchange.value_of("Cross-Origin-Resource-Policy")
    if (policy == "same-origin" and page != target) or (
        policy == "same-site" and not is_same_site(page, target)
    ):
        raise BlockedError(Block.RESOURCE_POLICY, value=policy, origin=page or "null")
