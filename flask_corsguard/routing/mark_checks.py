"""Marks that do not do what was meant."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import NamedTuple, cast

from flask import Blueprint
from flask.app import Flask
from flask.views import MethodView, View
from werkzeug.routing import Rule

from flask_corsguard.decorators import (
    Mark,
    Marked,
    all_marked,
    is_written_above,
    mark_of,
    marked,
    never_applied,
    wrapped_chain,
)
from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import KNOWN_METHODS, SAFELISTED_METHODS
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import HIDDEN_MARK, Outcome, Reason
from flask_corsguard.routing.closures import location_of, made_with, named_cells
from flask_corsguard.routing.layers import flat, guarded_apps, targets_in, view_class_of
from flask_corsguard.routing.overlap import shape_of
from flask_corsguard.routing.table import PolicyTable, Route
from flask_corsguard.text import name_of, shown

# Methods that Flask adds to routes.
_ADDED_BY_FLASK = ("HEAD", "OPTIONS")
# Methods that pages may use whatever a policy says, and preflights themselves.
_NOT_FOR_POLICIES = (*SAFELISTED_METHODS, "OPTIONS")
# What sets a policy for one view only.
_OF_ONE_VIEW = ("view ", "endpoint ")
_IGNORE = "If it belongs to another app, ignore this."
# The file, line and name of marks that a route has had. In a test suite, views can outlive their
# app.
_routed_before: set[tuple[str, str]] = set()


class HiddenMark(NamedTuple):
    """A mark on a function inside a view, which the code around that function hides.

    :ivar endpoint: the endpoint of the view.
    :ivar found: the mark, with the function.
    :ivar message: that it does not reach the view, and what to do, in words.
    """

    endpoint: str
    found: Marked
    message: str


def hidden_marks(app: Flask, of: str | None = None) -> Iterator[HiddenMark]:
    """The marks that a decorator without ``functools.wraps`` hides, each once for each endpoint.

    :param of: the only endpoint to look at; every one if left out.
    """
    rules: dict[str, list[Rule]] = {}
    for rule in app.url_map.iter_rules(of):
        rules.setdefault(rule.endpoint, []).append(rule)
    for endpoint, reached in rules.items():
        view = app.view_functions.get(endpoint)
        targets = (target for rule in reached for target in _targets_of(view, rule))
        known = [mark for target in targets if (found := marked(target)) and (mark := found.mark)]
        for inner in functions_of(view):
            for found in _marked_at(inner):
                is_known = any(found.mark.says_the_same(mark) for mark in known)
                if not (is_known or _is_registered(inner, app)):
                    known.append(found.mark)
                    message = _why_hidden(app, reached[0], inner, found)
                    yield HiddenMark(endpoint, found, message)


def _is_registered(function: object, app: Flask) -> bool:
    views = app.view_functions.values()
    return any(function is each for view in views for each in wrapped_chain(view))


def functions_of(view: object) -> Iterator[object]:
    """The functions that a view, or a handler method of its class, is made with."""
    for function in made_with(view):
        yield function
        view_class = getattr(function, "view_class", None)
        for value in vars(view_class).values() if isinstance(view_class, type) else ():
            yield from made_with(value)


def _marked_at(function: object) -> Iterator[Marked]:
    view_class = getattr(function, "view_class", None)
    classes = view_class.__mro__ if isinstance(view_class, type) else ()
    yield from filter(None, map(marked, (function, *classes)))


def _why_hidden(app: Flask, rule: Rule, inner: object, found: Marked) -> str:
    """What hides a mark, and what to do."""
    view = app.view_functions.get(rule.endpoint)
    hiding, parameter = _hiding(view, inner)
    if isinstance(hiding, FunctionType) and not parameter:  # a method that handles no request
        return _why_unrouted(app, found)
    change = "Call functools.update_wrapper(self, f) in its __init__()"
    if name_of(hiding).endswith("<lambda>"):
        change = f"Write functools.wraps({parameter})(...) around it"
    elif parameter:
        change = f"Write @functools.wraps({parameter}) above it"
    place = f" ({where})" if (where := location_of(hiding)) else ""
    is_of_class = view_class_of(view) is not None or hasattr(inner, "view_class")
    below = "" if is_of_class else f", or put {found.mark.decorator} directly below the route"
    return (
        f"{found.mark.decorator} at {found.mark.location} does not reach the view of {rule.rule}:"
        f" {name_of(hiding)}{place} hides it. {change}{below}."
    )


def _hiding(view: object, inner: object) -> tuple[object, str]:
    """The function that holds *inner*, with the name of the variable that does; or the view."""
    for each in functions_of(view):
        if isinstance(each, FunctionType) and each is not inner:
            for name, value in named_cells(each):
                if value is inner:
                    return each, name
    return view, ""


def noting_hidden_mark(app: Flask, decision: Decision) -> Decision:
    """A decision with what to do first if it is a rejection at an endpoint whose view hides a mark,
    or has one on another method only: any other advice would open more than that view."""
    if decision.outcome is not Outcome.REJECTED or decision.endpoint is None:
        return decision
    try:
        hidden = next(hidden_marks(app, decision.endpoint), None)
        words = hidden.message if hidden else _on_other_method(app, decision.endpoint, decision)
    except BaseException as error:  # a view can be anything
        if is_shutdown(error):
            raise
        return decision
    if not words:
        return decision
    noted = {**decision.without_effect, HIDDEN_MARK: words}
    return decision._replace(without_effect=noted)


def _on_other_method(app: Flask, endpoint: str, decision: Decision) -> str:
    """That another method of the view class has a mark that lists the origin, and what to do; or
    "". Not if the class itself, or the requested method, has a mark that says otherwise."""
    view_class = view_class_of(app.view_functions.get(endpoint))
    methods = view_class.methods if view_class else None
    is_marked = decision.policy_source.startswith((*_OF_ONE_VIEW, "method "))
    is_about_listing = decision.reason is Reason.ORIGIN_NOT_ALLOWED
    if decision.method not in (methods or ()) or is_marked or not is_about_listing:
        return ""
    for method in sorted(methods or ()):
        mark = mark_of(getattr(view_class, method.lower(), None))
        if mark is not None and _lists(mark, decision.origin or ""):
            name = name_of(view_class)
            return (
                f"{mark.decorator} at {mark.location} applies to {name}.{method.lower()} alone. Put"
                f" it above {name}.{decision.method.lower()} too, or above the class instead."
            )
    return ""


def _lists(mark: Mark, text: str) -> bool:
    """Whether a mark lists an origin in its fields or its policies. Named policies are not known
    here."""
    policies = mark.policy if isinstance(mark.policy, tuple) else (mark.policy,)
    lists: list[object] = [policy.origins for policy in policies if isinstance(policy, Policy)]
    lists.append(mark.fields.get("origins"))
    origin = parse_origin(text)
    return origin is not None and any(
        each == "*" or (isinstance(each, OriginList) and each.compiled.lists(text, origin))
        for each in lists
    )


def shared_marks(app: Flask) -> Iterator[tuple[str, str]]:
    """The marks on functions that are the view of several endpoints, each with a sentence about it.

    Not those among the decorators above the function: they are meant for whatever it serves. Nor
    where the endpoints differ only in their blueprint, which is then registered twice.
    """
    endpoints: dict[int, list[str]] = {}
    for endpoint, view in app.view_functions.items():
        endpoints.setdefault(id(view), []).append(endpoint)
    for names in endpoints.values():
        view = app.view_functions[names[0]]
        found = marked(view) if len({name.rpartition(".")[2] for name in names}) > 1 else None
        if found is None or not isinstance(found.target, FunctionType):
            continue
        if not is_written_above(found.mark, found.target):
            location = found.mark.location
            message = (
                f"{found.mark.decorator} at {location} applies to the endpoints"
                f" {', '.join(names)}, which have the same function. For one of them, write"
                f" guard.for_endpoint({names[0]!r}, ...) instead; for all, write it as a decorator"
                " above the function."
            )
            yield location, message


class UnroutedMark(NamedTuple):
    """A mark without effect: it has no target, no route of any app has its target, or a decorator
    hides it.

    :ivar location: file and line of the mark.
    :ivar message: that it has no effect, and what to do, in words.
    :ivar has_target: whether it has a target.
    """

    location: str
    message: str
    has_target: bool = True


def unrouted_marks(app: Flask) -> list[UnroutedMark]:
    """The marks without a target, and those that no route has: neither of *app*, nor of another app
    with a guard, even one that no longer exists.

    Marks that an app factory makes at the same place each time it runs count as one.
    """
    left = {
        _key(each): each
        for each in all_marked()
        if _key(each) not in _routed_before and not _is_base_only(each.target)
    }
    others = [other for other in (ref() for ref in guarded_apps.valuerefs()) if other is not app]
    for each_app in (app, *filter(None, others)):
        if not left:
            break
        for target in _routed_targets(each_app):
            found = marked(target)
            if found is not None and _key(found) in left:
                del left[_key(found)]
                _routed_before.add(_key(found))
    on_nothing = [
        UnroutedMark(
            location,
            f"cors(...) at {location} has no effect: it is not applied to anything. Write"
            " @cors(...) directly above the view, or cors(...)(blueprint).",
            has_target=False,
        )
        for location in never_applied()
    ]
    hidden = {_key(each.found): each for each in hidden_marks(app)} if left else {}
    on_nothing += [
        UnroutedMark(key[0], hidden[key].message if key in hidden else _why_unrouted(app, found))
        for key, found in sorted(left.items(), key=lambda item: item[0])
    ]
    return on_nothing


def _why_unrouted(app: Flask, found: Marked) -> str:
    """Why a mark has no effect, and what to do."""
    target, name = found.target, found.name
    has_no_effect = f"{found.mark.decorator} at {found.mark.location} has no effect"
    if isinstance(target, Blueprint):
        return (
            f"{has_no_effect}: {name} is not registered. Write app.register_blueprint(...)."
            f" {_IGNORE}"
        )
    return f"{has_no_effect}: no route has the view {name}. {_instead(app, found)}"


def _instead(app: Flask, found: Marked) -> str:
    """What to do about a target that no route has."""
    target = found.target
    name = getattr(target, "__name__", "")
    classes = filter(None, map(view_class_of, app.view_functions.values()))
    for view_class in classes if isinstance(target, FunctionType) else ():
        if any(vars(base).get(name) is target for base in view_class.__mro__):
            method = getattr(view_class, name)
            if method is target:
                where = view_class.__qualname__
                return f"It handles no method of a route: mark {where}, or a handler method of it."
            if mark_of(method) is None:
                return f"{name_of(method)} overrides it, and has no mark: mark that."
    spec, before, after = app.error_handler_spec, app.before_request_funcs, app.after_request_funcs
    if any(target is each for hooks in (spec, before, after) for each in flat(hooks)):
        return "It is not a view: what it returns has the policy of the requested route. Mark that."
    if isinstance(target, type):
        return f"Register it: app.add_url_rule(..., view_func={name}.as_view(...)). {_IGNORE}"
    return (
        "Use functools.wraps in the decorators around it, or put"
        f" {found.mark.decorator} directly below the route. If it has no route, add one. {_IGNORE}"
    )


def _key(found: Marked) -> tuple[str, str]:
    return found.mark.location, found.name


def _routed_targets(app: Flask) -> Iterator[object]:
    """The targets whose marks a route of *app* can have."""
    yield from app.blueprints.values()
    for rule in app.url_map.iter_rules():
        yield from _targets_of(app.view_functions.get(rule.endpoint), rule)


def _targets_of(view: object, rule: Rule) -> Iterator[object]:
    """The targets whose marks a rule with this view can have."""
    yield view
    view_class = view_class_of(view)
    if view_class is not None:
        yield from targets_in(view_class, rule.methods or KNOWN_METHODS)


def _is_base_only(target: object) -> bool:
    """Whether only subclasses of a class can serve requests."""
    if not (isinstance(target, type) and issubclass(target, View)):
        return False
    if inspect.isabstract(target):
        return True
    if issubclass(target, MethodView):
        return not target.methods
    return target.dispatch_request is View.dispatch_request


def unaccepted_methods(app: Flask, routes: Iterable[Route]) -> Iterator[tuple[Route, str, str]]:
    """The marks on single views that allow methods which no route at the view's URLs accepts. Each
    with one of its routes, its location, and a sentence about it.

    :param routes: all routes of the app.
    """
    routes = [route for route in routes if route.policy is not None]
    covered: dict[int, tuple[Mark, list[Route]]] = {}
    for route in routes:
        setters = (each for each in reversed(route.layers) if _sets_methods(each.mark))
        layer = next(setters, None)
        if layer and "methods" in layer.mark.fields and layer.source.startswith(_OF_ONE_VIEW):
            covered.setdefault(id(layer.mark), (layer.mark, []))[1].append(route)
    for mark, concerned in covered.values():
        shapes = {shape_of(route.url_rule) for route in concerned}
        rules = [route.url_rule for route in routes if shape_of(route.url_rule) in shapes]
        if any(rule.methods is None for rule in rules):
            continue
        accepted = {method for rule in rules for method in rule.methods or ()}
        named = mark.fields["methods"]  # or None, or "*"
        missing = [
            method
            for method in (cast("tuple[str, ...]", named) if isinstance(named, tuple) else ())
            if method not in accepted and method not in _NOT_FOR_POLICIES
        ]
        if missing:
            yield concerned[0], mark.location, _why_unaccepted(app, mark, missing, concerned)


def _sets_methods(mark: Mark) -> bool:
    return mark.policy is not None or "methods" in mark.fields


def _why_unaccepted(app: Flask, mark: Mark, missing: list[str], routes: list[Route]) -> str:
    rule = routes[0].url_rule
    own = sorted((rule.methods or set()).difference(_ADDED_BY_FLASK))
    methods = f"methods={json.dumps([*own, *missing])}"
    view_class = view_class_of(app.view_functions.get(rule.endpoint))
    several, named = len(missing) > 1, " or ".join(missing)
    change = f"Write {methods} in its route"
    if view_class is not None and issubclass(view_class, MethodView):
        handlers = ", ".join(f"{method.lower()}()" for method in missing)
        change = f"Add {handlers} to {view_class.__qualname__}"
    elif view_class is None and "." not in rule.endpoint and len({r.rule for r in routes}) == 1:
        change = f"Write @app.route({json.dumps(rule.rule)}, {methods})"
    return (
        f"methods at {mark.location} allows {' and '.join(missing)}, but no route at {rule.rule}"
        f" accepts {named}, which get{'' if several else 's'} a 405. {change}, or leave {named} out"
        " of the mark."
    )


def paths_without_routes(table: PolicyTable) -> Iterator[tuple[str, str, str]]:
    """The path prefixes that cover no route: each with the location of its mark, and a sentence
    about it. Something in front of the app may respond there."""
    for prefix, location in table.paths_without_rules():
        heads: dict[str, None] = {}
        for rule in table.rules:
            parts = rule.rule.partition("<")[0].rstrip("/").split("/")
            heads |= dict.fromkeys("/".join(parts[:end]) for end in range(2, len(parts) + 1))
        close = difflib.get_close_matches(prefix, heads, n=1)
        hint = f" Did you mean {shown(close[0])}?" if close else ""
        is_configured = " in " in location
        what = shown(prefix) if is_configured else f"for_path({shown(prefix)})"
        yield (
            prefix,
            location,
            (
                f"{what} {'of' if is_configured else 'at'} {location} covers no route of the app."
                f"{hint} If only a mounted app or a proxy responds there, ignore this."
            ),
        )
