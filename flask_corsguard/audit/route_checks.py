"""What is wrong with routes and their marks, found without running the app."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, cast

from flask.app import Flask

from flask_corsguard.audit.findings import Findings, Level, in_list, layer_that_sets
from flask_corsguard.audit.source_code import mentions, opens_websockets
from flask_corsguard.config import Settings
from flask_corsguard.known_fronts import is_ours
from flask_corsguard.protocol.audiences import policies_of
from flask_corsguard.protocol.headers import SAFE_METHODS
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.closures import location_of
from flask_corsguard.routing.layers import PATH_PATTERNS_KEY, Layer, PathPatterns
from flask_corsguard.routing.mark_checks import (
    functions_of,
    hidden_marks,
    shared_marks,
    unaccepted_methods,
    unrouted_marks,
)
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState, state_of
from flask_corsguard.text import name_of, source_of

_LOGIN = re.compile(r"(log|sign)[-_]?(in|on|out)|authenticate")
_FORM_METHOD = "POST"
# How many files of a static folder are compared with globs.
_MOST_FILES = 20_000


def check_routes(app: Flask, settings: Settings, routes: list[Route], found: Findings) -> None:
    """Look for lost marks, and at exempt routes, credentials, WebSockets, methods and logins."""
    _check_marks(app, routes, found)
    _check_globs(state_of(app), found)
    for route in routes:
        if route.policy is None:
            _check_exempt(app, route, found)
        for policy in route.policies:
            _check_credentials(app, route, policy, found)
            _check_override(app, route, policy, found)
        _check_websockets(app, route, found)
    _check_answered(routes, found)
    _check_usable(routes, found)
    _check_logins(app, settings, routes, found)


def _check_marks(app: Flask, routes: list[Route], found: Findings) -> None:
    """Find marks that do not reach a view, that several have, or that allow too many methods."""
    for hidden in hidden_marks(app):
        reached = [route for route in routes if route.endpoint == hidden.endpoint]
        found.add("lost_mark", hidden.message, reached, location=hidden.found.mark.location)
    for unrouted in unrouted_marks(app):
        if not found.has("lost_mark", unrouted.location):
            code = "mark_without_route" if unrouted.has_target else "mark_without_target"
            found.add(code, unrouted.message, location=unrouted.location)
    for location, message in shared_marks(app):
        found.add("shared_mark", message, location=location)
    for route, location, message in unaccepted_methods(app, routes):
        found.add("methods_without_route", message, [route], location=location)


def _check_globs(state: AppState, found: Findings) -> None:
    """Find globs of ``for_files`` that match no file of the static folder."""
    for endpoint, marks in state.marks.files.items():
        blueprint, _, name = endpoint.rpartition(".")
        owner = state.app.blueprints.get(blueprint) if blueprint else state.app
        folder = owner.static_folder if owner and name == "static" else None
        files = [*islice(Path(folder).rglob("*"), _MOST_FILES)] if folder else []
        if not files or len(files) == _MOST_FILES:
            continue  # they may be built later; or it is not known
        names = [file.relative_to(folder or "").as_posix() for file in files]
        for globs, mark in marks:
            for glob in globs:
                if not any(fnmatchcase(name, glob) for name in names):
                    message = f"{glob!r} matches no file in {folder}."
                    found.add("glob_without_file", message, location=mark.location)


def _check_exempt(app: Flask, route: Route, found: Findings) -> None:
    for function in _writers(app, route):
        if mentions(function, "access-control-allow-origin"):
            where = location_of(function)
            message = f"{name_of(function)} ({where}) sends Access-Control-Allow-Origin itself."
            found.add("exempt_sends_own_headers", message, [route], location=route.location)
            return


def _check_override(app: Flask, route: Route, policy: Policy, found: Findings) -> None:
    """Find a route whose view may write headers of its own instead of its policy's. Whether it
    allows credentials, or sends any, can only be read from its code."""
    if not policy.dangerously_let_views_override:
        return
    message = "Any Access-Control-* headers that the view sends are kept. The audit has seen none."
    level = Level.WARNING
    functions = list(_writers(app, route))
    for header in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
        sender = next((each for each in functions if mentions(each, header.lower())), None)
        if sender is not None:
            where = f"{name_of(sender)} ({location_of(sender)})"
            message = f"{where} sends {header} itself, and nothing checks it."
            level = Level.ERROR if header.endswith("Credentials") else level
    fields = ("dangerously_let_views_override",)
    message = f"{in_list(policy)}{message}"
    found.add("views_may_override", message, [route], fields=fields, level=level)


def _writers(app: Flask, route: Route) -> Iterator[object]:
    """The functions that can write a header on the responses of a route."""
    after = cast("dict[str | None, list[Callable[..., Any]]]", app.after_request_funcs)
    parts = route.endpoint.split(".")
    yield from functions_of(app.view_functions.get(route.endpoint))
    for name in (None, *(".".join(parts[:end]) for end in range(1, len(parts)))):
        yield from (function for function in after.get(name, ()) if not is_ours(function))


def _check_credentials(app: Flask, route: Route, policy: Policy, found: Findings) -> None:
    """Find credentials on a route where other sites can cause a change of state."""
    changing = [method for method in route.methods if method not in SAFE_METHODS]
    if not policy.allow_credentials or _refuses(route):
        return
    if not changing or _is_protected(app, route.endpoint):
        return
    level, also = Level.NOTE, ""
    if policy.enforce == "report":
        also = " enforce='report' refuses nobody yet."
    elif _FORM_METHOD not in changing:
        also = (
            " Browsers send a preflight before these methods; X-HTTP-Method-Override gets around"
            " that."
        )
    elif _config(app).get("SESSION_COOKIE_SAMESITE") in ("Lax", "Strict"):
        also = (
            " SESSION_COOKIE_SAMESITE does not help against sub-domains, or protect other cookies."
        )
    else:
        level = Level.WARNING
    message = f"{in_list(policy)}allow_credentials=True without enforce.{also}"
    fields = ("allow_credentials", "enforce")
    found.add("credentials_without_enforce", message, [route], fields=fields, level=level)


def _is_protected(app: Flask, endpoint: str) -> bool:
    """Whether Flask-WTF's CSRFProtect checks the requests to an endpoint."""
    protection = app.extensions.get("csrf")
    if protection is None or not _config(app).get("WTF_CSRF_CHECK_DEFAULT", True):
        return False
    view = app.view_functions.get(endpoint)
    name = f"{getattr(view, '__module__', '')}.{getattr(view, '__name__', '')}"
    exempt: Iterable[str] = getattr(protection, "_exempt_views", ())
    blueprints: Iterable[str] = getattr(protection, "_exempt_blueprints", ())
    return name not in exempt and endpoint.rpartition(".")[0] not in blueprints


def _check_websockets(app: Flask, route: Route, found: Findings) -> None:
    """Find a route that accepts WebSocket handshakes from anybody. Every page can send one, with
    cookies and whatever the policy says, because CORS does not apply."""
    view = app.view_functions.get(route.endpoint)
    if "GET" not in route.methods or _refuses(route):
        return
    if not (route.url_rule.websocket or opens_websockets(view)) or mentions(view, "origin"):
        return
    if not route.policies:
        message = (
            "The route accepts WebSocket handshakes, and cors_exempt leaves checking them to its"
            " code."
        )
        found.add("websocket_not_enforced", message, [route], location=route.location)
        return
    enforce = route.policies[0].enforce  # the same in each
    message = f"The route accepts WebSocket handshakes, with enforce={enforce!r}."
    found.add("websocket_not_enforced", message, [route], fields=("enforce",))


def _check_answered(routes: list[Route], found: Findings) -> None:
    """Find preflights that nobody responds to."""

    def url_of(route: Route) -> tuple[object, ...]:
        return route.rule, route.url_rule.host, route.url_rule.subdomain

    accepting = {url_of(route) for route in routes if "OPTIONS" in (route.url_rule.methods or ())}
    for route in routes:
        is_answered = url_of(route) in accepting or route.url_rule.methods is None
        if not is_answered and any(p.origins and not p.answer_preflight for p in route.policies):
            message = "answer_preflight=False, and no view accepts OPTIONS here."
            found.add("preflight_unanswered", message, [route], fields=("answer_preflight",))


def _check_usable(routes: list[Route], found: Findings) -> None:
    """Find a mark, or a default policy, that allows origins but makes none of its routes usable. If
    only some routes are unusable, it is meant for the others."""
    fields = ("methods", "origins")
    by_setter: dict[tuple[str, Layer | None, str], list[tuple[Route, str]]] = {}
    for route in routes:
        is_for_files = route.endpoint.rpartition(".")[2] == "static"
        for policy in () if is_for_files else route.policies:
            if (policy.origins or policy.raw_origins) and policy.answer_preflight:
                for field, why in zip(fields, _why_unusable(route, policy), strict=True):
                    key = field, layer_that_sets(route, (field,)), in_list(policy)
                    by_setter.setdefault(key, []).append((route, why))
    for (field, _, words), concerned in by_setter.items():
        if all(why for _, why in concerned):
            for route, why in concerned:
                found.add("route_never_usable", f"{words}{why}", [route], fields=(field,))


def _why_unusable(route: Route, policy: Policy) -> tuple[str, str]:
    """Why no page of another origin can use a route: because of ``methods``, because of
    ``origins``; each "" if it can."""
    methods = frozenset(route.methods) - {"OPTIONS"}
    by_methods = by_origins = ""
    if not any(policy.compiled.allows_method(method, methods) for method in methods):
        by_methods = f"methods={source_of(policy.methods)} leaves out every method of the route."
    if policy.origins == "*" and policy.enforce == "unsafe" and methods.isdisjoint(SAFE_METHODS):
        by_origins = "origins='*' lets everybody read, and enforce='unsafe' refuses every method."
    return (by_methods, by_origins) if methods else ("", "")


def _check_logins(app: Flask, settings: Settings, routes: list[Route], found: Findings) -> None:
    code, fields = "any_origin_next_to_login", ("origins",)
    logins = [route for route in routes if _is_login(route)]
    open_logins = [
        route for route in logins if _is_for_everybody(route.policies) and not _refuses(route)
    ]
    for route in open_logins:
        found.add(code, "origins='*' covers a login.", [route], fields=fields)
    patterns: PathPatterns | None = app.extensions.get(PATH_PATTERNS_KEY)
    is_narrowed = patterns is not None and patterns.default_may_differ
    if is_narrowed or not _is_for_everybody(policies_of(settings.default)):
        return
    # If the default policy is a list, the policies before '*' may well allow them.
    with_credentials = [
        route
        for route in routes
        if route.policy is not settings.default
        and any(policy.allow_credentials for policy in route.policies)
    ]
    if hasattr(app, "login_manager"):
        why = "the app uses a login manager"
    elif logins and not open_logins:
        why = f"the app has a login, {logins[0].rule}"
    elif with_credentials:
        why = f"routes such as {with_credentials[0].rule} allow credentials"
    else:
        return
    open_by_default = [
        route
        for route in routes
        if route.policy is settings.default and not route.layers and route not in open_logins
    ]
    message = f"The default policy has origins='*', and {why}."
    found.add(code, message, open_by_default, fields=fields)


def _is_login(route: Route) -> bool:
    names = (*route.rule.lower().split("/"), route.endpoint.lower().rpartition(".")[2])
    return any(map(_LOGIN.fullmatch, names))


def _refuses(route: Route) -> bool:
    """Whether other sites' WebSocket handshakes, and requests that change state, are refused."""
    return any(policy.enforce in ("unsafe", "all") for policy in route.policies)


def _is_for_everybody(policies: Iterable[Policy]) -> bool:
    return any(policy.origins == "*" for policy in policies)


def _config(app: Flask) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", app.config)
