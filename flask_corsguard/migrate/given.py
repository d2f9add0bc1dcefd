"""What a call was given, as fields; and writing the call that says the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product

import libcst as cst

from flask_corsguard.migrate.options import Fields, Trouble, source_of, translate, unreadable
from flask_corsguard.migrate.places import Call
from flask_corsguard.migrate.routes import Route
from flask_corsguard.migrate.sources import Module
from flask_corsguard.migrate.values import Value, is_literal
from flask_corsguard.migrate.work import Work
from flask_corsguard.protocol.policy import FIELDS

_SAFELISTED = ("GET", "POST")
_MOST_COMBINATIONS = 64


def options_of(work: Work, call: Call) -> dict[str, Value]:
    """What a call was given, its constructor's options included."""
    bare = work.bare_of.get(id(call))
    work.add(call.module, call.troubles)
    if bare is None:
        return dict(call.options)
    work.add(bare.module, bare.troubles)
    if bare.target is not None:
        message = f"the instance is given an app already, at {bare.module.path}:{bare.line}"
        today = "the origins that it is given may read both apps."
        choices = ("write CORS() without an app, and init_app for each.",)
        work.add(call.module, [Trouble("several_calls", call.line, message, today, choices)])
    if (call.options or "resources" in bare.options) and bare.module is not call.module:
        # They move to the other module, where names mean other things.
        for name, value in bare.options.items():
            if not is_literal(value.code):
                work.add(bare.module, [unreadable(name, value.code, value.line)])
    return {**bare.options, **call.options}


def _combinations(work: Work, options: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
    """The options, with each set of values that the configuration can add."""
    configured = {
        name: values for name, values in work.settings.options().items() if name not in options
    }
    for values in islice(product(*configured.values()), _MOST_COMBINATIONS):
        yield {**dict(zip(configured, values, strict=True)), **options}


def translated(work: Work, call: Call, options: Mapping[str, Value]) -> Fields:
    """The fields that a call comes to, with what is wrong about them, also where the configuration
    adds to them, noted down."""
    fields = translate(options, call.line)
    work.add(call.module, fields.troubles)
    work.note(call.module, call.line, fields)
    if not fields.troubles:
        for merged in _combinations(work, options):
            work.add(call.module, translate(merged, call.line).troubles)
    return fields


def check_methods(
    work: Work, module: Module, line: int, fields: Fields, routes: Iterable[Route]
) -> None:
    """See that no preflight gets through that Flask-CORS refuses.

    The guard lets GET and POST pass any.
    """
    listed = fields.values.get("methods")
    if listed is None:
        return
    routes = list(routes)
    for method in _SAFELISTED:
        rules = [route.rule for route in routes if method in route.methods]
        if method in listed or not (rules or work.routes.opaque):
            continue
        where = rules[0] if rules else "a route that cannot be seen"
        work.add(
            module,
            [Trouble(
                "methods_safelisted", line, f"methods lacks {method}, which {where} accepts",
                f"script may send a plain {method} nevertheless, but none that needs a"
                f" preflight; the guard, as the standard says, lets {method} pass any.",
                (f"add {method!r} to methods.", f"do not accept {method} in the route."),
            )],
        )  # fmt: skip


def write_app(work: Work, call: Call, code: Mapping[str, str], policies: str = "") -> None:
    """Write a guard in the place of a call for an app.

    :param policies: Python source of the named policies, or "".
    """
    bare = work.bare_of.get(id(call))
    named = f"policies={policies}" if policies else ""
    arguments = ", ".join(part for part in (source_of(code), named) if part)
    guard = work.drafts[call.module].name
    if bare is not None and not call.options and not policies:
        # cors = CORS(...) and cors.init_app(app): the fields stand in the first
        name = work.drafts[bare.module].name("CorsGuard")
        work.write(bare, f"{name}({arguments})")
        return
    # CORS(...).init_app(app, ...) is one place
    if bare is not None and call.node not in bare.module.parents(bare.node):
        name = work.drafts[bare.module].name("CorsGuard")
        work.write(bare, f"{name}()")
        if _write_init(work, call, code, policies):
            return
    target = call.module.code(call.target) if call.target is not None else ""
    inside = ", ".join(part for part in (target, arguments) if part)
    work.write(call, f"{guard('CorsGuard')}({inside})")


def _write_init(work: Work, call: Call, code: Mapping[str, str], policies: str) -> bool:
    """Keep ``cors.init_app(app)``, and give the app its policy as configuration before it.

    :returns: whether that can be done where the call stands.
    """
    module, func, target = call.module, call.node.func, call.target
    statement = module.statement(call.node)
    is_alone = (
        isinstance(statement, cst.SimpleStatementLine)
        and len(statement.body) == 1
        and module.parent(call.node) is statement.body[0]
        and isinstance(statement.body[0], cst.Expr)
    )
    if not (is_alone and isinstance(func, cst.Attribute) and isinstance(target, cst.Name)):
        return False
    keys = [
        f"CORSGUARD_{part}" for part in (*_keys(code), policies and f"POLICIES={policies}") if part
    ]
    work.write(call, f"{target.value}.config.from_mapping({', '.join(keys)})")
    init = f"{module.code(func)}({target.value})"
    work.drafts[module].insert_after(statement, init)
    return True


def _keys(code: Mapping[str, str]) -> Iterator[str]:
    return (f"{name.upper()}={code[name]}" for name in FIELDS if name in code)


def assigned_name(module: Module, node: cst.CSTNode) -> str | None:
    """The name that a value is given where it is made."""
    above = module.parent(node)
    if isinstance(above, cst.Assign) and len(above.targets) == 1:
        return module.code(above.targets[0].target)
    return module.code(above.target) if isinstance(above, cst.AnnAssign) else None
