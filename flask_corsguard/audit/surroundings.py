"""What around the guard can undo what it does: read off the app, without running it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, cast

from flask import Flask

from flask_corsguard.audit.code import location_of, made_with, mentions, name_of
from flask_corsguard.audit.findings import RULES, Level
from flask_corsguard.config import Settings
from flask_corsguard.marks import Mark, mark_of, wrapped_chain
from flask_corsguard.places import Route
from flask_corsguard.protocol.headers import SAFE_METHODS
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.resolution import Layer

_LOGIN = re.compile(r"(log|sign)[-_]?(in|on|out)|authenticate")
_FORM_METHOD = "POST"
_MOST_MIDDLEWARE = 20


class Remark(NamedTuple):
    """What was noticed about the app, and the routes that it is about.

    :ivar code: the rule's.
    :ivar routes: the routes concerned; none where it is about the whole app.
    :ivar location: file and line, where that is not the policy's.
    :ivar fields: the fields of the policy that are at fault, where some are.
    """

    code: str
    level: Level
    message: str
    routes: tuple[Route, ...] = ()
    location: str = ""
    fields: tuple[str, ...] = ()


def remarks(app: Flask, settings: Settings, routes: list[Route]) -> Iterator[Remark]:
    """Everything that is noticed about an app and its routes."""
    yield from _lost_marks(app, routes)
    yield from _unprotected(app, routes)
    yield from _enforced_for_nobody(routes)
    yield from _any_origin_next_to_login(app, settings, routes)
    yield from _own_headers(app, routes)
    yield from _changing_middleware(app)
    yield from _proxy(app, settings, routes)


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
        if policy is None or policy.enforce == "off" or not policy.compiled.constant:
            continue
        changes_state = any(method not in SAFE_METHODS for method in route.methods)
        if changes_state or setter(route, ("enforce",)) == setter(route, ("origins",)):
            message = f"origins='*' with enforce={policy.enforce!r}."
            fields = ("origins", "enforce")
            yield Remark(code, RULES[code].level, message, (route,), fields=fields)


def setter(route: Route, fields: tuple[str, ...]) -> Layer | None:
    """The innermost mark that sets one of some fields of a route's policy; None for the default
    policy."""
    for layer in reversed(route.layers):
        mark = layer.mark
        if mark.policy is not None or not fields or not mark.fields.keys().isdisjoint(fields):
            return layer
    return None


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


def _own_headers(app: Flask, routes: list[Route]) -> Iterator[Remark]:
    """Exempt routes whose code, or that of an after_request function, names CORS headers."""
    code = "exempt_sends_own_headers"
    for route in routes:
        if route.policy is not None:
            continue
        for function in _answering(app, route.endpoint):
            if mentions(function, "access-control-allow-origin"):
                message = (
                    f"{name_of(function)} ({location_of(function)}) sends"
                    " Access-Control-Allow-Origin itself."
                )
                yield Remark(code, RULES[code].level, message, (route,), route.location)
                break


def _answering(app: Flask, endpoint: str) -> Iterator[Callable[..., Any]]:
    """The functions that a response of an endpoint comes from, or goes through."""
    view = app.view_functions.get(endpoint)
    yield from made_with(view)
    view_class = getattr(view, "view_class", None)
    for value in vars(view_class).values() if isinstance(view_class, type) else ():
        if callable(value):
            yield value
    functions = cast("dict[str | None, list[Callable[..., Any]]]", app.after_request_funcs)
    parts = endpoint.split(".")
    for name in (None, *(".".join(parts[:end]) for end in range(1, len(parts)))):
        yield from (f for f in functions.get(name, ()) if not is_ours(f))


def is_ours(function: object) -> bool:
    """Whether a hook is one of the guard's."""
    return str(getattr(function, "__module__", "")).startswith("flask_corsguard.")


def _proxy(app: Flask, settings: Settings, routes: list[Route]) -> Iterator[Remark]:
    code = "proxy_hides_origin"
    if settings.self_origins or _knows_of_proxy(app):
        return
    enforced = any(route.policy and route.policy.compiled.enforces for route in routes)
    level = RULES[code].level if enforced else Level.NOTE
    hooks = cast("Iterable[list[Callable[..., Any]]]", app.before_request_funcs.values())
    for function in (*chain.from_iterable(hooks), *app.view_functions.values()):
        if not is_ours(function) and mentions(function, "x-forwarded-", prefix=True):
            location = location_of(function)
            message = f"{name_of(function)} reads X-Forwarded-* by itself."
            yield Remark(code, level, message, (), location)
            return
    if enforced:
        config = _config(app)
        for key, usual in (("PREFERRED_URL_SCHEME", "http"), ("APPLICATION_ROOT", "/")):
            if config.get(key) not in (usual, None):
                message = f"{key} is {config[key]!r}, and a policy enforces."
                yield Remark(code, level, message, (), f"app.config ({key})")
                return


def _knows_of_proxy(app: Flask) -> bool:
    """Whether some middleware around the app reads what a proxy says."""
    return any(
        type(layer).__name__ == "ProxyFix" or mentions(layer, "x-forwarded-", prefix=True)
        for layer in _middleware(app)
    )


def _changing_middleware(app: Flask) -> Iterator[Remark]:
    """Middleware that names a CORS header. Only what it does to preflights is tried."""
    for layer in _middleware(app):
        if mentions(layer, "access-control-allow-origin"):
            message = f"{name_of(layer)}, around the app, sends Access-Control-Allow-Origin itself."
            code = "answer_changed"
            yield Remark(code, RULES[code].level, message, (), location_of(layer))


def _middleware(app: Flask) -> Iterator[Callable[..., Any]]:
    """What is around the app, from the outermost to the app itself."""
    around: object = app.wsgi_app
    for _ in range(_MOST_MIDDLEWARE):
        if not callable(around) or getattr(around, "__self__", None) is app:
            return
        yield around
        inner = (*getattr(around, "__dict__", {}).values(), *made_with(around))
        around = next((value for value in inner if callable(value) and value is not around), None)


def _config(app: Flask) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", app.config)
