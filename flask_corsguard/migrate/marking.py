"""What becomes of blueprints and decorated views: marks, and a guard that knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from flask_corsguard.migrate.decorators import check_same_url
from flask_corsguard.migrate.given import assigned_name, check_methods, options_of, translated
from flask_corsguard.migrate.options import (
    DEFAULTS,
    FIELD_OF,
    RESETS,
    Trouble,
    source_of,
    translate,
    unreadable,
)
from flask_corsguard.migrate.places import Call, Mark
from flask_corsguard.migrate.routes import patterns_of
from flask_corsguard.migrate.values import Value, is_literal
from flask_corsguard.migrate.work import Work


def do_blueprint(work: Work, call: Call) -> None:
    """Make a call for a blueprint a mark on it."""
    options = options_of(work, call)
    resources = options.pop("resources", None)
    if resources is not None:
        patterns = patterns_of(resources.value)
        if not patterns or len(patterns) > 1 or not patterns[0].is_everything:
            work.add(call.module, [_blueprint_resources(call.line, resources.code)])
            return
        options |= cast("Mapping[str, Value]", patterns[0].options)
    fields = translate({**DEFAULTS, **work.settings.with_texts(options)}, call.line)
    work.add(call.module, fields.troubles)
    work.note(call.module, call.line, fields)
    _check_outer_blueprint(work, call)
    if work.apps:
        first = work.apps[0]
        message = f"the app is given to Flask-CORS too, at {first.module.path}:{first.line}"
        today = "an origin that the blueprint rejects may read it, if the app allows that origin."
        choices = (
            "take this call out, if the app's options are right for the blueprint.",
            "take the app's call out, or make it narrower, and mark what is to be open.",
        )
        work.add(call.module, [Trouble("overlap", call.line, message, today, choices)])
    if id(call) in work.bare_of or call.target is None:
        text = call.module.code(call.node)
        work.add(call.module, [unreadable("init_app with a blueprint", text, call.line)])
        return
    bound = work.names.resolve(call.module, call.target)
    own = [r for r in work.routes.routes if bound and r.blueprint is bound.node]
    check_methods(work, call.module, call.line, fields, own)
    arguments = source_of({**fields.code, **_resets(work, fields.code)})
    work.outer_fields |= set(fields.code)
    name = work.drafts[call.module].name("cors")
    work.write(call, f"{name}({arguments})({call.module.code(call.target)})")


def _blueprint_resources(line: int, code: str) -> Trouble:
    return Trouble(
        "resources", line, f"resources of a blueprint: {code}",
        "the origins given may read what it matches, held against the whole path, prefix included;"
        " no site may read the views beside it.",
        ("mark the views that are meant: @cors(...).",
         "leave resources out, if all of the blueprint is meant."),
    )  # fmt: skip


def _check_outer_blueprint(work: Work, call: Call) -> None:
    """Where the blueprint around has CORS too, both lists hold for the inner one."""
    bound = work.names.resolve(call.module, call.target) if call.target else None
    outer = bound.node if bound is not None else None
    others = {
        found.node: other
        for other in work.blueprints
        if other.target is not None
        and (found := work.names.resolve(other.module, other.target)) is not None
    }
    while outer is not None:
        outer = work.routes.parents.get(outer)
        if outer in others:
            first = others[outer]
            where = f"{first.module.path}:{first.line}"
            message = f"the blueprint around it is given to Flask-CORS too, at {where}"
            today = "an origin that this one rejects may read it, if that one allows it."
            choices = ("give both the same options, or only one of them any.",)
            work.add(call.module, [Trouble("overlap", call.line, message, today, choices)])
            return


def _resets(work: Work, code: Mapping[str, str], *, but: Iterable[str] = ()) -> dict[str, str]:
    """The fields that apply further out, and that Flask-CORS would not take over."""
    left_out = {*code, *but}
    return {f: c for f, c in RESETS.items() if f in work.outer_fields and f not in left_out}


def do_mark(work: Work, mark: Mark) -> None:
    """Make a decorator a mark that means the same, whatever applies further out."""
    call = mark.call
    work.add(call.module, call.troubles)
    options = work.settings.with_texts(dict(call.options))
    configured = work.settings.options()
    inherited: set[str] = set()
    for option, values in configured.items():
        field = FIELD_OF[option]
        if option in options or not field:
            continue
        if field in _app_given(work):
            if len(values) > 1 or not is_literal(values[0].code):
                where = f"@cross_origin with CORS_{option.upper()}"
                work.add(call.module, [unreadable(option, where, call.line)])
            options[option] = values[0]._replace(line=call.line)
        else:
            inherited.add(field)
    defaults = {n: v for n, v in DEFAULTS.items() if FIELD_OF[n] not in inherited}
    fields = translated(work, call, {**defaults, **options})
    check_same_url(work, mark)
    own = [r for r in work.routes.routes if r.function is mark.function]
    check_methods(work, call.module, call.line, fields, own)
    code = {**fields.code, **_resets(work, fields.code, but=inherited)}
    name = work.drafts[call.module].name("cors")
    if code:
        work.write(call, f"{name}({source_of(code)})")
    else:
        work.did(call.module, call.node)
        work.drafts[call.module].remove_line(mark.decorator)


def _app_given(work: Work) -> set[str]:
    """The fields that a call for the app sets itself."""
    return {
        FIELD_OF[name]
        for call in (*work.apps, *work.places.bare)
        for name in call.options
        if FIELD_OF.get(name)
    }


def add_guards(work: Work) -> None:
    """See that there is a guard: without one, marks mean nothing."""
    if work.apps or work.places.bare:
        return
    if not work.places.apps:
        first = work.places.marks[0].call if work.places.marks else work.blueprints[0]
        message = "no app is created in what was read, and marks need a guard on it"
        today = "the origins of the decorators may read; with marks and no guard, no site might."
        choices: tuple[str, ...] = (
            "give the directory of the whole app, not a part of it: other findings may go then.",
        )
        work.add(first.module, [Trouble("no_app", first.line, message, today, choices)])
    for module, app in work.places.apps:
        target = assigned_name(module, app)
        draft = work.drafts[module]
        if target is None:
            line = module.line(app)
            message = "the app that is created here has no name to put a guard on"
            today = (
                "the origins of the decorators may read; with marks and no guard, no site might."
            )
            choices = ("write app = Flask(...), and run this again.",)
            work.add(module, [Trouble("no_app", line, message, today, choices)])
        else:
            draft.insert_after(module.statement(app), f"{draft.name('CorsGuard')}({target})")
