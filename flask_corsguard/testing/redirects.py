"""Changes of a request by a redirect: https://fetch.spec.whatwg.org/#http-redirect-fetch"""

from __future__ import annotations

from flask_corsguard.protocol.headers import REDIRECT_STATUSES
from flask_corsguard.testing.blocks import Block, BlockedError
from flask_corsguard.testing.cors_check import check_cors
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.fetch_request import FetchRequest
from flask_corsguard.testing.preflight_check import AUTHORIZATION
from flask_corsguard.testing.urls import Url, parse_url
from flask_corsguard.text import shown

_MAX_REDIRECTS = 20
# https://fetch.spec.whatwg.org/#request-body-header-name
_BODY_HEADERS = frozenset(
    {"content-encoding", "content-language", "content-location", "content-type"}
)


def follow_redirect(request: FetchRequest, exchange: Exchange) -> bool:
    """Prepare *request* for the URL that a response redirects it to.

    :returns: whether there is a redirect to follow; if not, the response is the last one.
    :raises BlockedError: if the redirect may not be followed.
    """
    engine, url = request.engine, request.url
    if exchange.status not in REDIRECT_STATUSES or request.redirect == "manual":
        return False
    locations = exchange.response_headers.getlist("Location")
    if not locations and (request.redirect == "follow" or engine.redirects_have_locations):
        return False
    if request.redirect == "error":
        raise BlockedError(Block.REDIRECT_UNWANTED, status=exchange.status)
    if request.tainting == "cors" and request.needs_credentials and request.first_unsafe is None:
        # WebKit. If a preflight goes first, WebKit asks the next server for that instead.
        requester = request.requester._replace(credentials=True, redirected_in_webkit=True)
        check_cors(exchange, requester)
    if engine.equal_locations_are_one:
        locations = list(dict.fromkeys(locations))
    target = _read_target(request, locations)
    leaves = target.origin != url.origin
    becomes_get = (
        (exchange.status in (301, 302) and request.method == "POST")
        or (exchange.status == 303 and request.method not in ("GET", "HEAD"))
        or (engine.delete_becomes_get and request.method == "DELETE" and leaves)
    )
    if becomes_get:
        request.method, request.body = "GET", None
    held_back, request.held_back = request.held_back, []
    request.headers += held_back
    if becomes_get or (held_back and exchange.status == 303):
        if engine.body_headers_come_back:
            request.held_back = [h for h in request.headers if h[0] in _BODY_HEADERS]
        request.headers = [h for h in request.headers if h[0] not in _BODY_HEADERS]
    if leaves:
        request.headers = [h for h in request.headers if h[0] != AUTHORIZATION]
        request.has_tainted_origin |= not request.is_same_origin(url)
    request.urls.append(target)
    return True


def _read_target(request: FetchRequest, locations: list[str]) -> Url:
    value = ", ".join(map(shown, locations))
    if len(locations) > 1:
        raise BlockedError(Block.REDIRECT_MULTIPLE, value=value)
    target = parse_url(locations[0], request.url)
    if target is None:
        raise BlockedError(Block.REDIRECT_INVALID, value=value)
    if target.origin is None:
        raise BlockedError(Block.NOT_HTTP, url=f"The redirect's Location, {value},")
    if len(request.urls) > _MAX_REDIRECTS:
        raise BlockedError(Block.REDIRECT_LIMIT, url=shown(str(request.url)))
    crosses = request.tainting == "cors" or (
        request.mode == "cors" and not request.is_same_origin(target)
    )
    if target.userinfo and (crosses or request.engine.refuses_userinfo):
        raise BlockedError(Block.REDIRECT_USERINFO, value=value)
    return target
