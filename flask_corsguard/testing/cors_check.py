"""The checks that a response must pass before the page may read it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from flask_corsguard.protocol.headers import ALLOW_CREDENTIALS, ALLOW_ORIGIN
from flask_corsguard.protocol.origins import Origin, parse_origin
from flask_corsguard.testing.blocks import Block, BlockedError
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.urls import is_same_site
from flask_corsguard.text import shown

# The requests that need credentials to be allowed, and how to avoid that.
_WITH_CREDENTIALS = (
    "for a request with credentials: 'include'",
    "have the page leave out credentials: 'include', if it needs no cookies there",
)
_IN_WEBKIT = (
    "by WebKit, because the request began at the page's own origin and was redirected from another"
    " one",
    "redirect straight to the last address",
)


class Requester(NamedTuple):
    """The page and its request.

    :ivar origin: the page's origin as sent, serialized.
    :ivar tainted: whether redirects have made the origin ``null``.
    :ivar credentials: whether the response must allow credentials.
    :ivar redirected_in_webkit: whether it must do so only because of redirects in WebKit.
    :ivar method: the request's method.
    :ivar unsafe: the request's headers that need permission, in lower case, each with the reason.
    """

    origin: str
    tainted: bool
    credentials: bool
    method: str
    unsafe: Mapping[str, str] = MappingProxyType({})
    redirected_in_webkit: bool = False

    @property
    def remedy(self) -> str:
        """How to make a server allow the origin."""
        if self.tainted:
            return (
                "have the page request the address that the redirects lead to, or redirect within"
                " one origin: after the second change of origin, the Origin header becomes null"
            )
        if self.origin == "null":
            return (
                "serve the page from an origin of its own (null is the origin of sandboxed frames,"
                " files and data: URLs; allowing it allows every site)"
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
        is_origin = origin == "null" or parse_origin(origin) is not None
        block = Block.ALLOW_ORIGIN_MISMATCH if is_origin else Block.ALLOW_ORIGIN_INVALID
        block = Block.ALLOW_ORIGIN_MULTIPLE if "," in origin else block
    elif requester.credentials and credentials != "true":
        block = Block.ALLOW_CREDENTIALS_MISSING
        value = f"no {ALLOW_CREDENTIALS}"
        if credentials is not None:
            value = f"{ALLOW_CREDENTIALS}: {shown(credentials)} instead of 'true'"
    else:
        return
    needed, avoided = _IN_WEBKIT if requester.redirected_in_webkit else _WITH_CREDENTIALS
    error = BlockedError(
        block,
        response="The preflight's response" if exchange.preflight else "The response",
        origin=requester.origin,
        page="the origin null" if requester.origin == "null" else requester.origin,
        value=value,
        credentials=requester.credentials,
        with_credentials=needed,
        without_credentials=avoided,
        remedy=requester.remedy,
    )
    if requester.origin == "null":
        # Allowing null allows every site, which is not advice to give somebody in a hurry.
        error.send = []
    raise error


def check_resource_policy(exchange: Exchange, page: Origin | None, target: Origin | None) -> None:
    """https://fetch.spec.whatwg.org/#cross-origin-resource-policy-check

    :raises BlockedError: if the response is not meant for pages elsewhere.
    """
    policy = exchange.value_of("Cross-Origin-Resource-Policy")
    if (policy == "same-origin" and page != target) or (
        policy == "same-site" and not is_same_site(page, target)
    ):
        raise BlockedError(Block.RESOURCE_POLICY, value=policy, origin=page or "null")
