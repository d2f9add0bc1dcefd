"""What a page of another origin does not get of a response, although the guard allows it to read
that. Looked for in debug mode only."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import urljoin, urlsplit

from flask import Request, Response
from flask.app import Flask
from flask.globals import request_ctx
from flask.sessions import SessionMixin

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.explanation import without_cookies
from flask_corsguard.protocol.headers import ALLOW_ORIGIN, REDIRECT_STATUSES
from flask_corsguard.protocol.origins import DEFAULT_PORTS, Origin, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import site_of
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.protocol.remedies import plain, to_expose, to_send_credentials
from flask_corsguard.protocol.safelist import SAFELISTED_RESPONSE_HEADERS
from flask_corsguard.text import shown

_WEB = ("http", "https")
# Values of Sec-Fetch-Site.
_OTHER_ORIGINS = ("cross-site", "same-site")
# Headers that pages read, beside most of those that begin with X-.
_FOR_PAGES = frozenset({"content-disposition", "content-range", "link", "retry-after"})
_NOT_FOR_PAGES = frozenset({
    "x-content-type-options", "x-dns-prefetch-control", "x-download-options", "x-frame-options",
    "x-permitted-cross-domain-policies", "x-powered-by", "x-robots-tag", "x-ua-compatible",
    "x-xss-protection",
})  # fmt: skip
# The settings with the names of Flask-JWT-Extended's cookies.
_JWT_COOKIES = (
    "JWT_ACCESS_COOKIE_NAME",
    "JWT_REFRESH_COOKIE_NAME",
    "JWT_ACCESS_CSRF_COOKIE_NAME",
    "JWT_REFRESH_CSRF_COOKIE_NAME",
)
_WITH_FLASK_LOGIN = (
    'With Flask-Login: write a function that returns {"error": "sign in"}, 401, and put'
    " @login_manager.unauthorized_handler above it"
)


class Note(NamedTuple):
    """A warning.

    :ivar kind: what kind of warning it is, in words.
    :ivar about: what it is about: one is enough for each.
    """

    kind: str
    about: Hashable
    text: str


def notes(decision: Decision, app: Flask, request: Request, response: Response) -> Iterator[Note]:
    """What to say about a finished response, to which Flask may still add the session's cookie."""
    if decision.outcome is Outcome.REJECTED:
        yield from _of_the_app_itself(decision, request)
    if decision.outcome is not Outcome.ALLOWED:
        yield from _without_permission(decision, request, response)
        return
    policy = decision.policy
    # Browsers without Sec-Fetch-Mode send Origin only with fetch() and with forms.
    is_fetch = request.headers.get("Sec-Fetch-Mode", "cors") == "cors"
    if policy is None or decision.preflight or not is_fetch:
        return
    yield from _not_exposed(decision, policy, response)
    if not policy.allow_credentials:
        yield from _without_credentials(decision, policy, app, request, response)
    page = parse_origin(decision.origin or "")
    server = parse_origin(f"{request.scheme}://{request.host}")
    if server is not None:
        yield from _redirected(decision, app, request, response, server)
    if server is not None and page is not None and policy.allow_credentials:
        yield from _not_sent_back(policy, app, request, response, page, server)


def _of_the_app_itself(decision: Decision, request: Request) -> Iterator[Note]:
    """That a policy lists the app's own address, as if origins were those of servers."""
    server = parse_origin(f"{request.scheme}://{request.host}")
    policy = decision.policy
    if policy is not None and policy.origins != "*" and str(server) in policy.origins:
        text = (
            f"'{server}' in origins is the app's own address, which needs no entry: list the"
            " origins of the pages"
        )
        yield Note("the app's own origin", decision.policy_source, text)


def _without_permission(decision: Decision, request: Request, response: Response) -> Iterator[Note]:
    """What to say where the guard has nothing to decide about a page's request."""
    sent = request.headers
    is_fetch = (
        sent.get("Sec-Fetch-Dest") == "empty" and sent.get("Sec-Fetch-Site") in _OTHER_ORIGINS
    )
    if not is_fetch:
        return
    if decision.outcome is Outcome.EXEMPT and decision.in_front == "" and not decision.overridden:
        if sent.get("Sec-Fetch-Mode") == "cors" and ALLOW_ORIGIN not in response.headers:
            text = (
                f"{_asked(request)} is marked cors_exempt, so it has no CORS headers, and the page"
                ' cannot read it. To let every site read it, write @cors(origins="*",'
                " allow_credentials=False) instead"
            )
            yield Note("exempt views that a page asks", decision.endpoint, text)
    elif sent.get("Sec-Fetch-Mode") == "no-cors" and request.method == "GET":
        text = (
            f'the page that asks for {_asked(request)} uses mode: "no-cors", so it can never read'
            " the response. Take mode out of its fetch()"
        )
        yield Note("requests without CORS", decision.endpoint, text)


def _not_exposed(decision: Decision, policy: Policy, response: Response) -> Iterator[Note]:
    exposed = {name.lower() for name in policy.expose_headers}
    if "*" in exposed:
        return
    readable = exposed | SAFELISTED_RESPONSE_HEADERS
    misplaced = {name.lower() for name in policy.allow_headers}
    names = [
        name
        for name in dict.fromkeys(response.headers.keys())
        if name.lower() not in readable
        and (name.lower() in misplaced or _is_for_pages(name, response))
    ]
    if names:
        them = "it" if len(names) == 1 else "them"
        place = f"endpoint {decision.endpoint}" if decision.endpoint else "a URL without a route"
        lists = ""
        if misplaced.issuperset(name.lower() for name in names):
            lists = f" allow_headers lists {them}, but that is for request headers."
        text = (
            f"{place} sends {' and '.join(names)}, which JavaScript at another origin cannot read."
            f"{lists} To let pages read {them}: {to_expose(decision, names)}"
        )
        yield Note("headers that are not exposed", (decision.policy_source, *names), text)


def _is_for_pages(name: str, response: Response) -> bool:
    """Whether an app probably sends a header for the page to read."""
    lower = name.lower()
    if lower == "location":
        return response.status_code not in REDIRECT_STATUSES
    return lower in _FOR_PAGES or (lower.startswith("x-") and lower not in _NOT_FOR_PAGES)


def _without_credentials(
    decision: Decision, policy: Policy, app: Flask, request: Request, response: Response
) -> Iterator[Note]:
    """What a page loses that uses cookies, under a policy without credentials."""
    is_sent = request.cookies and request.headers.get("Sec-Fetch-Mode") == "cors"
    if is_sent:  # to another origin, browsers send cookies only with credentials: "include"
        text = (
            f"{_asked(request)} from {shown(decision.origin or '')} has a cookie, so the page uses"
            ' credentials: "include", and the browser does not let it read the response. To allow'
            f" it: {to_send_credentials(decision)}"
        )
        yield Note("requests with credentials", decision.endpoint, text)
    elif policy.origins != "*":  # a public route may set cookies for the app's own pages
        names = [*dict.fromkeys(shown(name) for name, *_ in _cookies(app, response))]
        text = (
            f"{_asked(request)} sets the cookie{'s' * bool(names[1:])} {' and '.join(names)}, which"
            " the browser does not keep for a page of another origin without credentials. If the"
            ' page should stay signed in: credentials: "include" in its fetch(), and'
            f" {to_send_credentials(decision)}"
        )
        if names:
            yield Note("cookies without credentials", (decision.policy_source, *names), text)


def _redirected(
    decision: Decision, app: Flask, request: Request, response: Response, server: Origin
) -> Iterator[Note]:
    location = response.headers.get("Location", "")
    url = urljoin(request.url, location)
    target = _origin_of(url)
    if response.status_code not in REDIRECT_STATUSES or target is None:
        return
    from_page = f"{_asked(request)} from {shown(decision.origin or '')}"
    # Behind a proxy, what the browser called. Anybody can send this: it changes one sentence.
    forwarded = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip()
    # Without the header, trusting it would let everybody choose the host.
    x_host = ", x_host=1" if "X-Forwarded-Host" in request.headers else ""
    is_same_host = target._replace(scheme=server.scheme) == server
    if is_same_host and "://" in location and (server.scheme, forwarded) == ("http", "https"):
        text = (
            f"{from_page} is redirected to {target}, although X-Forwarded-Proto says that the page"
            f" called https. Write app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1{x_host}), from"
            " werkzeug.middleware.proxy_fix"
        )
    elif target == server:
        if not _is_to_sign_in(app, request, url):
            return
        text = (
            f"{from_page} is redirected to the sign-in page, and fetch() gets its HTML instead of"
            f" an error. {_WITH_FLASK_LOGIN}"
        )
    elif (target.host, server.scheme, target.scheme) == (server.host, "http", "https"):
        text = (
            f"{from_page} is redirected to {target}, where the browser sends Origin: null. Have the"
            f" page call {target} itself"
        )
    else:
        text = (
            f"{from_page} is redirected to {target}, where the browser sends Origin: null, so a"
            f" page can read the response only if {target} allows null. If it is a sign-in page,"
            " respond with 401 instead, because fetch() cannot show it; otherwise respond with the"
            " URL in JSON, for the page to fetch"
        )
        if hasattr(app, "login_manager"):
            text += f". {_WITH_FLASK_LOGIN}"
    yield Note("redirects", decision.endpoint, text)


def _is_to_sign_in(app: Flask, request: Request, url: str) -> bool:
    """Whether Flask-Login redirects to its sign-in page. A sign-out that leads there names no next
    page."""
    manager: Any = getattr(app, "login_manager", None)
    views = getattr(manager, "blueprint_login_views", {})
    view = views.get(request.blueprint) or getattr(manager, "login_view", None)
    path, query = urlsplit(url)[2:4]
    config = cast("Mapping[str, object]", app.config)
    has_next = "next=" in query or bool(config.get("USE_SESSION_FOR_NEXT"))
    if not isinstance(view, str) or not has_next:
        return False
    is_url = view.startswith(("http://", "https://", "/"))
    sign_in = urlsplit(view if is_url else app.url_for(view)).path
    return path == sign_in != urlsplit(request.url).path


def _origin_of(url: str) -> Origin | None:
    parts = urlsplit(url)
    port = None if parts.port == DEFAULT_PORTS.get(parts.scheme) else parts.port
    host = parts.hostname or ""
    origin = Origin(parts.scheme, f"[{host}]" if ":" in host else host, port)
    return parse_origin(str(origin)) if parts.scheme in _WEB else None


def _not_sent_back(
    policy: Policy, app: Flask, request: Request, response: Response, page: Origin, server: Origin
) -> Iterator[Note]:
    """Cookies that the browser does not store, or not send, because page and server are different
    sites (https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-samesite-cookies)."""
    # A proxy can hide the app's own address, but not what the browser says.
    is_other_site = request.headers.get("Sec-Fetch-Site", "cross-site") == "cross-site"
    if (
        not is_other_site
        or page.scheme not in _WEB  # some extensions get every cookie
        or site_of(page) == site_of(server)
        or without_cookies(str(page), str(server), policy)  # which has been said
    ):
        return
    config = cast("Mapping[str, object]", app.config)
    owners: dict[object, str] = {config.get(key): "JWT" for key in _JWT_COOKIES}
    owners[config.get("REMEMBER_COOKIE_NAME", "remember_token")] = "REMEMBER"  # Flask-Login's
    owners[app.session_interface.get_cookie_name(app)] = "SESSION"
    enforce = ', with enforce="unsafe" against forged requests' * (not policy.compiled.enforces)
    for name, is_none, is_secure in _cookies(app, response):
        if is_none and is_secure:
            continue
        missing = ["SameSite=None"] * (not is_none) + ["Secure"] * (not is_secure)
        if owner := owners.get(name):
            settings = [f'{owner}_COOKIE_SAMESITE="None"'] * (not is_none)
            settings += [f"{owner}_COOKIE_SECURE=True"] * (not is_secure)
            advice = f"Set {' and '.join(settings)}"
        else:
            advice = 'Set it with samesite="None" and secure=True'
        is_plain = server.scheme == "http" and not server.is_loopback
        https = " Browsers accept that only over https." if is_plain else ""
        text = (
            f"{_asked(request)} sets the cookie {shown(name)} without {' and '.join(missing)}, so"
            f" browsers do not send it from {page}, which is another site than {server}."
            f" {advice}{enforce}.{https} Many browsers block third-party cookies, so one domain for"
            " both is better"
        )
        yield Note("cookies for other sites", (page, name), text)


def _cookies(app: Flask, response: Response) -> Iterator[tuple[str, bool, bool]]:
    """The cookies that a response sets, the session's included: name, whether SameSite=None, and
    whether Secure."""
    for line in response.headers.getlist("Set-Cookie"):
        pair, *rest = line.split(";")
        name, _, value = pair.partition("=")
        attributes = {attribute.strip().lower() for attribute in rest}
        if value:  # otherwise the cookie is deleted
            yield name.strip(), "samesite=none" in attributes, "secure" in attributes
    # The public attribute would count as an access to the session, which adds Vary: Cookie.
    attribute = "_session" if hasattr(request_ctx, "_session") else "session"  # before Flask 3.1.3
    session: SessionMixin | None = getattr(request_ctx, attribute)
    if session and session.modified:
        interface = app.session_interface
        same_site = (interface.get_cookie_samesite(app) or "").lower()
        yield (
            interface.get_cookie_name(app),
            same_site == "none",
            bool(interface.get_cookie_secure(app)),
        )


def _asked(request: Request) -> str:
    return f"{plain(request.method)} {plain(request.path)}"
