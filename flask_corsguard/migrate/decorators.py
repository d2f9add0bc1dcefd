"""Which decorators are marks, and which do something else than they say."""

from __future__ import annotations

import libcst as cst

from flask_corsguard.migrate.options import Trouble
from flask_corsguard.migrate.places import Mark
from flask_corsguard.migrate.routes import Route, is_router
from flask_corsguard.migrate.work import Work

_NOT_VIEWS = ("errorhandler", "before_request", "after_request", "teardown_request", "cli")
# They leave OPTIONS alone.
_LETS_PREFLIGHTS_PASS = (
    "flask_login.login_required",
    "flask_login.fresh_login_required",
    "flask_jwt_extended.jwt_required",
)


def is_lost(work: Work, mark: Mark) -> bool:
    """Whether a decorator does nothing, because it stands above the route."""
    decorators = list(mark.function.decorators)
    own = decorators.index(mark.decorator)
    routes = [n for n, d in enumerate(decorators) if is_router(d.decorator)]
    module = mark.call.module
    name = mark.function.name.value
    scope = work.names.scope(module, mark.function)
    if isinstance(scope, cst.ClassDef):
        today = "its origins may read the answers to plain requests; no preflight gets through."
        choices = ("mark the method with @cors(...), after the migration: that counts for both.",)
        message = f"{name} is a method, and preflights do not reach it"
        work.add(module, [Trouble("method_decorator", mark.call.line, message, today, choices)])
        return True
    above = [d for d in decorators[:own] if _is_no_view(d)]
    if above:
        message = f"{name} is no view, but what Flask calls beside one"
        today = "what it answers may be read by the origins given."
        choices = ("take the decorator off: the guard's policy covers these answers too.",)
        work.add(module, [Trouble("unusual_use", mark.call.line, message, today, choices)])
        return True
    marks = [m for m in work.places.marks if m.function is mark.function]
    if mark is not marks[0]:
        message = f"{name} has another @cross_origin already, at line {marks[0].call.line}"
        today = "an origin that one rejects may read, if the other allows it."
        choices = ("put both into one, with one list of origins, and run this again.",)
        work.add(module, [Trouble("several_calls", mark.call.line, message, today, choices)])
        return True
    _check_between(work, mark, routes, own)
    if not routes and not _is_handed_on(work, name):
        message = f"{name} is no view that can be seen: it has no route"
        today = "its origins may read the answers that it makes, wherever it is called."
        choices = ("put @cross_origin on the views that call it, and run this again.",)
        work.add(module, [Trouble("unusual_use", mark.call.line, message, today, choices)])
        return True
    below = _routes_below(mark)
    if not below:
        return False
    is_local = len(below) == len(routes)
    work.add(
        module,
        [Trouble(
            "above_route", mark.call.line,
            f"@cross_origin stands above the route of {name}, and does nothing",
            "the sites that CORS(app) allows may read it; without that, no site may.",
            ("move it below the route, and run this again, if it is meant to count.",
             "take it out, if it works as it should."),
        )],
        local=is_local,
    )  # fmt: skip
    work.drafts[module].keeps_flask_cors = True
    return True


def _is_handed_on(work: Work, name: str) -> bool:
    """Whether a function is given to something, such as ``add_url_rule``."""
    return any(
        isinstance(node, cst.Arg)
        and isinstance(node.value, (cst.Name, cst.Attribute))
        and module.code(node.value).rpartition(".")[2] == name
        for module in work.places.modules
        for node in module.nodes
    )


def _is_no_view(decorator: cst.Decorator) -> bool:
    node = decorator.decorator
    node = node.func if isinstance(node, cst.Call) else node
    return isinstance(node, cst.Attribute) and node.attr.value in _NOT_VIEWS


def _check_between(work: Work, mark: Mark, routes: list[int], own: int) -> None:
    """Decorators above run before Flask-CORS does, and see preflights."""
    module = mark.call.module
    decorators = mark.function.decorators[max([n for n in routes if n < own], default=own) : own]
    for decorator in decorators:
        node = decorator.decorator
        node = node.func if isinstance(node, cst.Call) else node
        known = work.names.external(module, node)
        if is_router(decorator.decorator) or known in _LETS_PREFLIGHTS_PASS:
            continue
        name = module.code(node)
        message = f"@{name} stands between the route and @cross_origin"
        today = (
            f"if {name} refuses or answers a preflight, no site can send what needs one; the"
            " guard answers preflights before it."
        )
        choices = (
            f"move @cross_origin above @{name}, directly below the route, and run this again.",
        )
        work.add(module, [Trouble("between", mark.call.line, message, today, choices)])


def _arguments(work: Work, function: cst.FunctionDef | None) -> list[str]:
    """What Flask-CORS is given for a view: where two are given the same, either can answer."""
    return [
        mark.call.module.code(mark.call.node)
        for mark in work.places.marks
        if mark.function is function and not _routes_below(mark)
    ]


def _routes_below(mark: Mark) -> list[cst.Decorator]:
    """The routes of a function that a decorator stands above: for them, it does nothing."""
    decorators = list(mark.function.decorators)
    return [d for d in decorators[decorators.index(mark.decorator) :] if is_router(d.decorator)]


def check_same_url(work: Work, mark: Mark) -> None:
    """Flask-CORS answers every preflight of a URL with the view that comes first."""
    module = mark.call.module
    own = [route for route in work.routes.routes if route.function is mark.function]
    for route in own:
        for other in work.routes.routes:
            if other.function is mark.function or not other.shares_url(route):
                continue
            if _arguments(work, other.function) == _arguments(work, mark.function):
                continue
            if _is_told_of(work, other):
                return  # one finding for both
            name = other.function.name.value if other.function else "another view"
            message = f"{route.rule} has another view too, {name}"
            today = (
                "the view that is registered first answers the preflights for both: a site may send"
                f" to either what that one allows{_first_allows(work, mark, other)}. The guard"
                " keeps them apart."
            )
            choices = ("write one view for all methods of the URL, and run this again.",)
            trouble = Trouble("same_url", mark.call.line, message, today, choices)
            work.add(module, [trouble])
            return


def _is_told_of(work: Work, route: Route) -> bool:
    lines = [mark.call.line for mark in work.places.marks if mark.function is route.function]
    return any(
        finding.code == "same_url" and finding.path == route.module.path and finding.line in lines
        for finding in work.findings
    )


def _first_allows(work: Work, mark: Mark, other: Route) -> str:
    """Which of two views comes first, and that it allows nothing, if it does not."""
    module = mark.call.module
    if other.function is None or other.module is not module:
        return ""
    if module.line(mark.function) < module.line(other.function):
        return f" ({mark.function.name.value})"
    name = other.function.name.value
    if _arguments(work, other.function) or work.apps:
        return f" ({name})"
    return f" ({name}, which has no CORS: no site can send what needs a preflight)"
