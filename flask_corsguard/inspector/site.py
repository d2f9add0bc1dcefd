"""The addresses under ``/_corsguard/``, and the headers of their responses."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Response, request

from flask_corsguard.config import InspectorSettings
from flask_corsguard.decorators import Mark, attach
from flask_corsguard.inspector.access import POLICY, objection
from flask_corsguard.inspector.pages import Pages
from flask_corsguard.inspector.rejections import RecentRejections
from flask_corsguard.inspector.route_filter import PREFIX
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.runtime.state import AppState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    _WsgiResponse = tuple[Iterable[bytes], str, list[tuple[str, str]]]

#: Where the inspector is.
ROOT = "/_corsguard/"
EXTENSION_KEY = "corsguard.inspector"

_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_ASSETS = {
    "style": ("inspector.css", "text/css; charset=utf-8"),
    "script": ("inspector.js", "text/javascript; charset=utf-8"),
    "icon": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src"
        " 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_OPENER_POLICY = {"Cross-Origin-Opener-Policy": "same-origin"}
# A policy, not fields, so that nothing of any default or blueprint remains; on the views, where no
# other mark is nearer.
_MARK = Mark(POLICY, {}, "flask_corsguard.inspector")
# What the app may add to a response: the guard's own header, and its session.
_ADDED = ("Vary", "Set-Cookie")


def install(state: AppState, settings: InspectorSettings) -> None:
    """Serve the inspector of one app."""
    app = state.app
    recent = app.extensions[EXTENSION_KEY] = RecentRejections(app)
    pages = Pages(state, recent)

    def add(rule: str, name: str, view: Callable[..., Response]) -> None:
        def respond(**_: str) -> Response:
            why_not = objection(state, settings, request)
            if why_not is not None:
                return _response(f"{why_not}\n", "text/plain; charset=utf-8", 403)
            return view()

        attach(respond, _MARK)
        # With host matching, a rule without a host matches no host.
        host = "<corsguard_host>" if app.url_map.host_matching else None
        # With one slash more or fewer, the relative addresses in the pages would lead elsewhere.
        app.add_url_rule(
            ROOT + rule, PREFIX + name, respond, methods=["GET"], host=host, strict_slashes=True
        )

    add("", "routes", lambda: _response(pages.routes(request.args), _HTML))
    add("rejections", "rejections", lambda: _response(pages.rejections(), _HTML))
    add("rejections.json", "poll", lambda: _response(json.dumps(pages.poll()), _JSON))
    add("check", "check", lambda: _response(pages.check(request.args, request.url_root), _HTML))
    # One rule each, so that no file is ever looked up by a name from the network.
    for name, (file, mimetype) in _ASSETS.items():
        content = files("flask_corsguard.inspector").joinpath("static", file).read_text("utf-8")
        add(file, name, functools.partial(_response, content, mimetype))


def _response(content: str, mimetype: str, status: int = 200) -> Response:
    headers = {**_HEADERS, **_OPENER_POLICY} if _heeds_opener_policy() else _HEADERS
    response = Response(content, status, headers, content_type=mimetype)

    # Called after all of the app's functions. What they do to the app's own pages, such as adding
    # another Content-Security-Policy or a toolbar, must not change these pages.
    def get_wsgi_response(environ: WSGIEnvironment) -> _WsgiResponse:
        kept = Response(content, status, headers, content_type=mimetype)
        for name in _ADDED:
            kept.headers.setlist(name, response.headers.getlist(name))
        kept.call_on_close(response.close)
        return kept.get_wsgi_response(environ)

    response.get_wsgi_response = get_wsgi_response  # type: ignore[method-assign]
    return response


def _heeds_opener_policy() -> bool:
    """Whether the browser considers the app's origin trustworthy. If not, it would ignore the
    header, and complain about it."""
    # A browser sends Sec-Fetch-Site only to trustworthy origins.
    if request.is_secure or "Sec-Fetch-Site" in request.headers:
        return True
    host: str = request.environ.get("HTTP_HOST") or ""
    parsed = parse_origin(f"host://{host.lower()}")
    return parsed is not None and parsed.is_loopback
