"""What is wrong with routes and their marks: read off the app, without running it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from flask import Flask

from flask_corsguard.audit.findings import RULES, Level
from flask_corsguard.audit.remarks import Remark, setter
from flask_corsguard.audit.source_code import location_of, made_with
from flask_corsguard.config import Settings
from flask_corsguard.decorators import Mark, mark_of, wrapped_chain
from flask_corsguard.protocol.headers import SAFE_METHODS
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.table import Route
from flask_corsguard.text import name_of

_LOGIN = re.compile(r"(log|sign)[-_]?(in|on|out)|authenticate")
_FORM_METHOD = "POST"


def about_routes(app: Flask, settings: Settings, routes: list[Route]) -> Iterator[Remark]:
    """Everything that is noticed about the routes of an app."""
    yield from _lost_marks(app, routes)
    yield from _unprotected(app, routes)
    yield from _enforced_for_nobody(routes)
    yield from _any_origin_next_to_login(app, settings, routes)


def _lost_marks(app: Flask, routes: list[Route]) -> Iterator[Remark]:
    """Marks on functions inside of a view, where whatever is around them has hidden them."""
    views: Mapping[str, Any] = app.view_functions
    registered = {id(function) for view in views.values() for function in wrapped_chain(view)}
    by_endpoint: dict[str, list[Route]] = {}
    for route in routes:
        by_endpoint.setdefault(route.endpoint, []).append(route)
    for endpoint, reached in by_endpoint.items():
        counted = [layer.mark for route in reached for layer in route.layers]
        for inner in _inside(views.get(endpoint)):
            if id(inner) in registered:
                continue
            for mark in _marks_on(inner):
                if not any(mark.says_the_same(known) for known in counted):
                    message = (
                        f"The mark on {name_of(inner)} does not reach the view of {endpoint},"
                        f" which is made by {name_of(views[endpoint])}"
                        f" ({location_of(views[endpoint])})."
                    )
                    level = RULES["lost_mark"].level
                    yield Remark("lost_mark", level, message, tuple(reached), mark.location)


def _inside(view: object) -> Iterator[object]:
    """The functions that a view, or a handler method of its class, is made with."""
    for function in made_with(view):
        yield function
        view_class = getattr(function, "view_class", None)
        for value in vars(view_class).values() if isinstance(view_class, type) else ():
            yield from made_with(value)


def _marks_on(function: object) -> list[Mark]:
    view_class = getattr(function, "view_class", None)
    classes = view_class.__mro__ if isinstance(view_class, type) else ()
    return [mark for target in (function, *classes) if (mark := mark_of(target))]


def _unprotected(app: Flask, routes: list[Route]) -> Iterator[Remark]:
    """Routes with credentials that change state, where other sites can cause that."""
    code = "credentials_without_enforce"
    for route in routes:
        policy = route.policy
        if policy is None or not policy.allow_credentials or policy.enforce in ("unsafe", "all"):
            continue
        changing = [method for method in route.methods if method not in SAFE_METHODS]
        if not changing or _is_protected(app, route.endpoint):
            continue
        level, also = RULES[code].level, ""
        if policy.enforce == "report":
            level, also = Level.NOTE, " enforce='report' refuses nobody yet."
        elif _FORM_METHOD not in changing:
            level = Level.NOTE
            also = (
                " Browsers ask before they send these, and the guard says no; what a server or"
                " middleware takes for one of them (X-HTTP-Method-Override) goes past that."
            )
        elif _config(app).get("SESSION_COOKIE_SAMESITE") in ("Lax", "Strict"):
            level = Level.NOTE
            also = (
                " SESSION_COOKIE_SAMESITE keeps the session's cookie from other sites; sub-domains,"
                " and other cookies, it does not cover."
            )
        message = f"allow_credentials=True without enforce.{also}"
        yield Remark(code, level, message, (route,), fields=("allow_credentials", "enforce"))


def _enforced_for_nobody(routes: list[Route]) -> Iterator[Remark]:
    """Routes that ``enforce`` was meant for, with ``origins="*"``. A public route to read from,
    below a default policy that enforces, is fine."""
    code = "enforce_without_effect"
    for route in routes:
        policy = route.policy
        if policy is None or policy.enforce == "off" or not policy.compiled.sends_star:
            continue
        changes_state = any(method not in SAFE_METHODS for method in route.methods)
        if changes_state or setter(route, ("enforce",)) == setter(route, ("origins",)):
            message = f"origins='*' with enforce={policy.enforce!r}."
            fields = ("origins", "enforce")
            yield Remark(code, RULES[code].level, message, (route,), fields=fields)


def _is_protected(app: Flask, endpoint: str) -> bool:
    """Whether Flask-WTF's CSRFProtect looks at the requests of an endpoint."""
    protection = app.extensions.get("csrf")
    if protection is None or not _config(app).get("WTF_CSRF_CHECK_DEFAULT", True):
        return False
    view = app.view_functions.get(endpoint)
    name = f"{getattr(view, '__module__', '')}.{getattr(view, '__name__', '')}"
    exempt: Iterable[str] = getattr(protection, "_exempt_views", ())
    blueprints: Iterable[str] = getattr(protection, "_exempt_blueprints", ())
    return name not in exempt and endpoint.rpartition(".")[0] not in blueprints


def _any_origin_next_to_login(
    app: Flask, settings: Settings, routes: list[Route]
) -> Iterator[Remark]:
    code = "any_origin_next_to_login"
    level = RULES[code].level
    logins = [route for route in routes if _is_login(route)]
    open_logins = [route for route in logins if _is_for_everybody(route.policy)]
    for route in open_logins:
        yield Remark(code, level, "origins='*' covers a login.", (route,), fields=("origins",))
    if not _is_for_everybody(settings.default):
        return
    with_credentials = [r for r in routes if r.policy and r.policy.allow_credentials]
    if hasattr(app, "login_manager"):
        why = "the app uses a login manager"
    elif logins and not open_logins:
        why = f"the app has a login, {logins[0].rule}"
    elif with_credentials:
        why = f"routes such as {with_credentials[0].rule} allow credentials"
    else:
        return
    open_by_default = tuple(
        route
        for route in routes
        if route.policy is settings.default and not route.layers and route not in open_logins
    )
    message = f"The default policy has origins='*', and {why}."
    yield Remark(code, level, message, open_by_default, settings.source, ("origins",))


def _is_login(route: Route) -> bool:
    names = (*route.rule.lower().split("/"), route.endpoint.lower().rpartition(".")[2])
    return any(map(_LOGIN.fullmatch, names))


def _is_for_everybody(policy: Policy | None) -> bool:
    return policy is not None and policy.origins == "*"


def _config(app: Flask) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", app.config)
