"""What becomes of ``CORS_*`` configuration and of ``CORS(app, ...)``: the default policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask_corsguard.migrate.configuration import OPTION_OF_KEY, Setting
from flask_corsguard.migrate.given import check_methods, options_of, translated, write_app
from flask_corsguard.migrate.options import (
    DEFAULTS,
    FIELD_OF,
    RESETS,
    Fields,
    Trouble,
    translate,
    unreadable,
)
from flask_corsguard.migrate.places import Call
from flask_corsguard.migrate.resources import do_resources
from flask_corsguard.migrate.routes import patterns_of
from flask_corsguard.migrate.values import UNREAD, Value
from flask_corsguard.migrate.work import Work


def do_settings(work: Work) -> None:
    """Rename the keys that Flask-CORS reads, and take those out that the guard does not need."""
    # After the migration, a key that the code reads itself is still there.
    is_over = not work.modules()
    for setting, trouble, is_local in work.settings.troubles():
        if not (is_over and trouble.code == "config_unclear"):
            told = _without_effect(setting) if is_local else trouble
            work.add(setting.module, [told], local=is_local)
    if is_over:
        return
    for setting in work.settings.used():
        module = setting.module
        option = OPTION_OF_KEY[setting.key]
        if option == "resources":
            patterns = patterns_of(setting.value.value)
            if not patterns or len(patterns) > 1 or not patterns[0].is_everything:
                work.add(module, [unreadable(option, setting.value.code, setting.line)])
                continue
        fields = translate({option: setting.value}, setting.line)
        work.add(module, fields.troubles)
        field = FIELD_OF[option]
        if setting.key in work.settings.kept:
            _check_kept(work, setting, fields)
            continue
        work.note(module, setting.line, fields)
        work.did(module, setting.name)
        if not field or setting.value.value is None:
            work.settings.remove(setting, work.drafts[module])
        else:
            code = fields.code.get(field, RESETS.get(field, setting.value.code))
            work.need_re(module, code)
            work.settings.rename(setting, work.drafts[module], f"CORSGUARD_{field.upper()}", code)
            work.outer_fields.add(field)


def _without_effect(setting: Setting) -> Trouble:
    """What is wrong with a key that only says which headers may be sent."""
    return Trouble(
        "misspelt_option", setting.line,
        f"{setting.key} has no effect, and all else goes on without it",
        "the sites that may read may send any request header, where allow_headers is not given.",
        ("take it out, if they may.",
         "give allow_headers, with Authorization if script sends that, if they may not."),
    )  # fmt: skip


def _check_kept(work: Work, setting: Setting, fields: Fields) -> None:
    """A key that keeps its name keeps its value: see that both mean the same to the guard."""
    field = FIELD_OF[OPTION_OF_KEY[setting.key]]
    code = fields.code.get(field, setting.value.code)
    if not fields.troubles and (not field or code != setting.value.code):
        trouble = unreadable(setting.key, "the code reads it too", setting.line)
        work.add(setting.module, [trouble])


def do_app(work: Work, call: Call) -> None:
    """Make a call for an app the app's default policy."""
    options = work.settings.with_texts(options_of(work, call))
    resources = options.pop("resources", None)
    patterns = patterns_of(resources.value) if resources else []
    if resources and (patterns is None or resources.value is UNREAD):
        work.add(call.module, [unreadable("resources", resources.code, call.line)])
        return
    if resources and not patterns:
        work.add(call.module, [_no_paths(call.line, resources.code)])
        return
    if patterns and not (len(patterns) == 1 and patterns[0].is_everything):
        do_resources(work, call, options, patterns)
        return
    if patterns:
        options |= cast("Mapping[str, Value]", patterns[0].options)
    fields = _app_fields(work, call, options)
    check_methods(work, call.module, call.line, fields, work.routes.routes)
    work.outer_fields |= set(fields.code)
    write_app(work, call, fields.code)


def _no_paths(line: int, code: str) -> Trouble:
    return Trouble(
        "resources", line, f"resources={code} matches no path",
        "no site may read anything.",
        ("leave resources out, if every route may have these options.",
         "take the call out, if it works as it should."),
    )  # fmt: skip


def _app_fields(work: Work, call: Call, options: dict[str, Value]) -> Fields:
    """The fields of the default policy, but for those that the configuration has."""
    for key in work.settings.kept:
        option = OPTION_OF_KEY[key]
        if option not in options and call.target is not None:
            app = call.module.code(call.target)
            value = work.settings.value_of(key, f'{app}.config["{key}"]')
            options[option] = value
    configured = work.settings.options()
    defaults = {name: value for name, value in DEFAULTS.items() if name not in configured}
    fields = translated(work, call, {**defaults, **options})
    fields.code.update(work.read_through(call, options))
    return fields
