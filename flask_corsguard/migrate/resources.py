"""``resources``: a named policy for each pattern of paths, and marks with these names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask_corsguard.migrate.given import assigned_name, check_methods, write_app
from flask_corsguard.migrate.options import DEFAULTS, Trouble, source_of, translate, unreadable
from flask_corsguard.migrate.places import Call
from flask_corsguard.migrate.routes import Pattern, Route, assign, is_router
from flask_corsguard.migrate.values import Value, quoted
from flask_corsguard.migrate.work import Work


def do_resources(
    work: Work, call: Call, options: dict[str, Value], patterns: list[Pattern]
) -> None:
    """A named policy for each pattern, and marks with these names."""
    assigned = assign(patterns, work.routes, options, call.line)
    several = len(work.apps) > 1 or len(work.places.apps) > 1
    if work.settings.used() or several or work.blueprints or call.target is None:
        reason = "patterns of paths beside configuration, blueprints or a second app"
        choices = ("put the options that belong to some routes on these, as marks.",)
        today = "which sites may read a path is decided by the first pattern that matches it."
        assigned = Trouble("resources", call.line, reason, today, choices)
    if isinstance(assigned, Trouble):
        work.add(call.module, [assigned])
        return
    default: dict[str, str] = {}
    policies: list[str] = []
    for index, pattern in enumerate(patterns):
        given = {**options, **cast("Mapping[str, Value]", pattern.options)}
        fields = translate({**DEFAULTS, **given}, call.line)
        work.add(call.module, fields.troubles)
        fields.code.update(work.read_through(call, given))
        work.note(call.module, call.line, fields)
        routes = assigned.routes.get(index, [])
        check_methods(work, call.module, call.line, fields, routes)
        work.outer_fields |= set(fields.code)
        name = _policy_name(pattern, index)
        if pattern.is_everything:
            default = fields.code
        elif _mark_routes(work, name, routes):
            policy = work.drafts[call.module].name("Policy")
            policies.append(f"{quoted(name)}: {policy}({source_of(fields.code)})")
    marked = [mark.function for mark in work.places.marks]
    work.notes += [
        f"{call.module.path}:{call.line}: what reaches {route.rule} has no CORS, whatever its path:"
        " before, a pattern of resources opened a part of it."
        for route in assigned.partly
        if route.function not in marked
    ]
    block = work.drafts[call.module].block(call.node, policies)
    write_app(work, call, default, block if policies else "")


def _mark_routes(work: Work, name: str, routes: list[Route]) -> int:
    """Mark routes with a named policy.

    :returns: how many marks there are.
    """
    before = len(work.done)
    ours = {id(route.function) for route in routes}
    for blueprint in {id(r.blueprint): r.blueprint for r in routes if r.blueprint}.values():
        whole = [r for r in work.routes.routes if r.blueprint is blueprint]
        module = next(m for m in work.places.modules if blueprint in m.nodes)
        assignment = assigned_name(module, blueprint)
        if assignment is None or not all(id(route.function) in ours for route in whole):
            continue
        draft = work.drafts[module]
        draft.insert_after(
            module.statement(blueprint), f'{draft.name("cors")}("{name}")({assignment})'
        )
        work.did(module, blueprint)
        ours -= {id(route.function) for route in whole}
    for route in routes:
        function = route.function
        if function is None or id(function) not in ours:
            continue
        ours.discard(id(function))
        if any(mark.function is function for mark in work.places.marks):
            continue  # the decorator on it replaces what the pattern says
        everywhere = [r for r in work.routes.routes if r.function is function]
        if not all(other in routes for other in everywhere):
            trouble = unreadable("resources", f"one of the routes of {function.name.value}", 0)
            line = route.module.line(function)
            work.add(route.module, [trouble._replace(code="resources", line=line)])
        draft = work.drafts[route.module]
        routers = [one for one in function.decorators if is_router(one.decorator)]
        draft.insert_after(routers[-1], f'@{draft.name("cors")}("{name}")')
        work.did(route.module, function.decorators[0])
    return len(work.done) - before


def _policy_name(pattern: Pattern, index: int) -> str:
    words = "".join(c if c.isalnum() else " " for c in pattern.stem).split()
    return "_".join(words) or f"resource_{index + 1}"
