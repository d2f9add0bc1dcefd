"""What becomes of the modules that belong to one app, or of none of them.

Where one place that governs an app is left alone, all of its places are: the guard owns the CORS
headers of the app that it is on, so that Flask-CORS beside it would count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from pathlib import Path
from typing import cast

import libcst as cst

from flask_corsguard.migrate.findings import Finding
from flask_corsguard.migrate.options import (
    DEFAULTS,
    FIELD_OF,
    RESETS,
    Fields,
    Trouble,
    needs_re,
    source_of,
    translate,
    unreadable,
)
from flask_corsguard.migrate.places import OPTION_OF_KEY, Call, Mark, Places, Setting
from flask_corsguard.migrate.rewriting import Draft
from flask_corsguard.migrate.routes import Pattern, Route, Routes, assign, is_router, patterns_of
from flask_corsguard.migrate.settings import Settings
from flask_corsguard.migrate.sources import Module
from flask_corsguard.migrate.values import UNREAD, Value, is_literal, quoted

_WIDTH = 96
_MOST_COMBINATIONS = 64
_SAFELISTED = ("GET", "POST")
# They leave OPTIONS alone.
_LETS_PREFLIGHTS_PASS = (
    "flask_login.login_required",
    "flask_login.fresh_login_required",
    "flask_jwt_extended.jwt_required",
)
_NOT_VIEWS = ("errorhandler", "before_request", "after_request", "teardown_request", "cli")


class Translation:
    """The places of some modules that belong together, and what becomes of them.

    :ivar findings: what is left alone.
    :ivar notes: what is worth knowing.
    """

    def __init__(self, places: Places) -> None:
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        modules, names = places.modules, places.names
        self._names = names
        self._places = places
        self._drafts = {module: Draft(module, names) for module in modules}
        self._done: set[tuple[Module, range]] = set()
        inits = [init for init, _ in places.inits]
        every = [*places.calls, *inits]
        self._blueprints = [call for call in every if self._is_blueprint(call)]
        self._loops = [call for call in every if self._is_loop(call)]
        self._apps = [c for c in every if c not in self._blueprints and c not in self._loops]
        self._bare_of = {id(init): bare for init, bare in places.inits}
        self._outer_fields: set[str] = set()
        if every or places.bare or places.marks or places.others or self._is_guarded():
            self._routes = Routes(places)
            self._settings = Settings(places, self._apps or places.bare)
            self._translate()

    def _is_guarded(self) -> bool:
        """Whether the migration was done already: settings that it left alone are still there."""
        return any("flask_corsguard" in module.tree.code for module in self._places.modules)

    @property
    def is_blocked(self) -> bool:
        """Whether a finding stands in the way."""
        return not all(finding.local for finding in self.findings)

    def drafts(self) -> list[Draft]:
        """The changes to each file, and which files keep their import of Flask-CORS."""
        return list(self._drafts.values())

    def modules(self) -> set[Module]:
        """The files that have a place."""
        places = self._places
        calls = [*places.calls, *places.bare, *(init for init, _ in places.inits)]
        calls += [mark.call for mark in places.marks]
        return {call.module for call in calls} | {other.module for other in places.others}

    def _translate(self) -> None:
        self._check_others()
        for call in self._apps:
            if self._is_unknown(call):
                code = call.module.code(call.target or call.node)
                message = f"it cannot be told what {code} is, an app or a blueprint"
                today = "the origins that it is given may read the answers of whatever it is."
                choices = ("give CORS an app or a blueprint by its name, and run this again.",)
                self._add(call.module, [Trouble("unusual_use", call.line, message, today, choices)])
        for call in self._loops:
            message = "several are given to Flask-CORS, in a loop"
            today = "the origins that it is given may read the answers of each of them."
            choices = ("call CORS for each by its name, and run this again.",)
            self._add(call.module, [Trouble("unusual_use", call.line, message, today, choices)])
        self._check_several()
        marks = [mark for mark in self._places.marks if not self._is_lost(mark)]
        self._check_conditions(has_marks=bool(marks or self._blueprints))
        used = {bare.node for _, bare in self._places.inits}
        apps = [*self._apps, *(bare for bare in self._places.bare if bare.node not in used)]
        self._check_loaders([*apps, *(mark.call for mark in marks)])
        self._do_settings()
        for call in apps:
            self._do_app(call)
        for call in self._blueprints:
            self._do_blueprint(call)
        for mark in marks:
            self._do_mark(mark)
        if marks or self._blueprints:
            self._add_guards()
        self._finish_imports()

    def done(self) -> list[tuple[Path, int]]:
        """The places that are migrated, or could be."""
        found = {(finding.path, finding.line) for finding in self.findings}
        return sorted(
            (module.path, lines.start)
            for module, lines in self._done
            if not any((module.path, line) in found for line in lines)
        )

    def _did(self, module: Module, node: cst.CSTNode) -> None:
        self._done.add((module, module.lines(node)))

    # what stands in the way

    def _add(self, module: Module, troubles: Iterable[Trouble], *, local: bool = False) -> None:
        for code, line, message, today, choices in troubles:
            finding = Finding(module.path, line, code, message, today, choices, local)
            if finding not in self.findings:
                self.findings.append(finding)

    def _check_others(self) -> None:
        for module, node, _ in self._places.others:
            above = module.parent(node)
            if isinstance(above, cst.Annotation):
                self._drafts[module].replace(node, self._drafts[module].name("CorsGuard"))
                continue
            today = "it depends on what becomes of it, which sites may read the answers."
            if isinstance(above, cst.Decorator):
                today = "every request to it fails: it needs parentheses to be a decorator."
            code = module.code(node)
            if any(isinstance(a, cst.Assign) and _is_decorators(a) for a in module.parents(node)):
                self._add(module, [_class_decorator(module.line(node))])
                continue
            self._add(
                module,
                [Trouble(
                    "unusual_use", module.line(node), f"{code} is used in an unusual way", today,
                    ("call it where it is used: CORS(app), or @cross_origin() on a view.",),
                )],
            )  # fmt: skip
        for module, node, _ in self._places.headers:
            today = "the header goes out whatever Flask-CORS decides, or twice; the guard would"
            self._add(
                module,
                [Trouble(
                    "header_by_hand", module.line(node),
                    f"{module.code(node)} is written by hand beside Flask-CORS",
                    f"{today} replace it.",
                    ("take it out, and say what it allows in a policy.",
                     "mark what it is for with @cors_exempt, after the migration."),
                )],
            )  # fmt: skip
        for module in self._places.modules:
            for name in self._names.passed_on(module):
                self._add(
                    module,
                    [Trouble(
                        "unusual_use", 1, f"{name} of Flask-CORS is imported from another module",
                        "the sites that it is given there may read the answers.",
                        ("import it from flask_cors itself, and run this again.",),
                    )],
                )  # fmt: skip

    def _is_unknown(self, call: Call) -> bool:
        """Whether what is given CORS is a parameter that does not say it is an app."""
        bound = self._names.resolve(call.module, call.target) if call.target else None
        if bound is None or not isinstance(bound.node, cst.Param):
            return False
        annotation = bound.node.annotation
        return "app" not in bound.node.name.value.lower() and not (
            annotation is not None and "Flask" in bound.module.code(annotation)
        )

    def _is_loop(self, call: Call) -> bool:
        """Whether what is given CORS is the variable of a loop."""
        bound = self._names.resolve(call.module, call.target) if call.target else None
        return bound is not None and isinstance(bound.node, (cst.For, cst.CompFor))

    def _check_several(self) -> None:
        seen: list[Call] = []
        for call in self._apps:
            same = [other for other in seen if self._is_same(call, other)]
            too_many = len(seen) >= max(1, len(self._places.apps)) and not self._is_exclusive(
                call, seen
            )
            if same or too_many:
                first = (same or seen)[0]
                message = (
                    f"the app is given to Flask-CORS already, at {first.module.path}:{first.line}"
                )
                today = "an origin that one call rejects may read, if the other allows it."
                choices = ("put both into one call, with one list of origins.",)
                self._add(
                    call.module, [Trouble("several_calls", call.line, message, today, choices)]
                )
            seen.append(call)

    def _is_same(self, call: Call, other: Call) -> bool:
        return (
            call.module is other.module
            and call.target is not None
            and other.target is not None
            and call.module.code(call.target) == other.module.code(other.target)
            and self._names.scope(call.module, call.node)
            is self._names.scope(other.module, other.node)
            and not self._is_exclusive(call, [other])
        )

    def _is_exclusive(self, call: Call, others: list[Call]) -> bool:
        """Whether a call runs only where none of *others* does."""
        return all(
            any(
                isinstance(above, cst.If)
                and _branch(call, above) != _branch(other, above) != "outside"
                for above in call.module.parents(call.node)
            )
            for other in others
        )

    def _check_conditions(self, *, has_marks: bool) -> None:
        for call in self._apps if has_marks else ():
            if _is_conditional(call):
                message = "whether the app is given CORS depends on a condition"
                today = (
                    "other sites may read what has a decorator of its own, whatever the condition."
                )
                choices = (
                    "call CORS(app) in any case, and make its origins depend on the condition.",
                )
                self._add(call.module, [Trouble("conditional", call.line, message, today, choices)])

    def _is_lost(self, mark: Mark) -> bool:
        """Whether a decorator does nothing, because it stands above the route."""
        decorators = list(mark.function.decorators)
        own = decorators.index(mark.decorator)
        routes = [n for n, d in enumerate(decorators) if is_router(d.decorator)]
        module = mark.call.module
        name = mark.function.name.value
        scope = self._names.scope(module, mark.function)
        if isinstance(scope, cst.ClassDef):
            today = "its origins may read the answers to plain requests; no preflight gets through."
            choices = (
                "mark the method with @cors(...), after the migration: that counts for both.",
            )
            message = f"{name} is a method, and preflights do not reach it"
            self._add(
                module, [Trouble("method_decorator", mark.call.line, message, today, choices)]
            )
            return True
        above = [d for d in decorators[:own] if _is_no_view(d)]
        if above:
            message = f"{name} is no view, but what Flask calls beside one"
            today = "what it answers may be read by the origins given."
            choices = ("take the decorator off: the guard's policy covers these answers too.",)
            self._add(module, [Trouble("unusual_use", mark.call.line, message, today, choices)])
            return True
        marks = [m for m in self._places.marks if m.function is mark.function]
        if mark is not marks[0]:
            message = f"{name} has another @cross_origin already, at line {marks[0].call.line}"
            today = "an origin that one rejects may read, if the other allows it."
            choices = ("put both into one, with one list of origins, and run this again.",)
            self._add(module, [Trouble("several_calls", mark.call.line, message, today, choices)])
            return True
        self._check_between(mark, routes, own)
        below = [n for n in routes if n > own]
        if not below:
            return False
        is_local = len(below) == len(routes)
        self._add(
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
        self._drafts[module].keeps_flask_cors = True
        return True

    def _check_between(self, mark: Mark, routes: list[int], own: int) -> None:
        """Decorators above run before Flask-CORS does, and see preflights."""
        module = mark.call.module
        decorators = mark.function.decorators[
            max([n for n in routes if n < own], default=own) : own
        ]
        for decorator in decorators:
            node = decorator.decorator
            node = node.func if isinstance(node, cst.Call) else node
            known = self._names.external(module, node)
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
            self._add(module, [Trouble("between", mark.call.line, message, today, choices)])

    def _check_same_url(self, mark: Mark) -> None:
        """Flask-CORS answers every preflight of a URL with the view that comes first."""
        module = mark.call.module
        own = [route for route in self._routes.routes if route.function is mark.function]
        for route in own:
            for other in self._routes.routes:
                if other.function is not mark.function and other.shape == route.shape:
                    name = other.function.name.value if other.function else "another view"
                    message = f"{route.rule} has another view too, {name}"
                    today = (
                        "one of the two answers the preflights for both: what sites may send to"
                        " the one depends on the other; the guard keeps them apart."
                    )
                    choices = ("write one view for all methods of the URL, and run this again.",)
                    trouble = Trouble("same_url", mark.call.line, message, today, choices)
                    self._add(module, [trouble])
                    return

    # configuration

    def _check_loaders(self, calls: list[Call]) -> None:
        """Configuration from elsewhere can narrow what Flask-CORS allows."""
        is_open = any("origins" not in self._all_options(call) for call in calls)
        for module, app, node in self._places.loaders:
            line = module.line(node or app)
            what = module.code(node or app)
            if is_open and self._settings.lacks_origins():
                message = f"CORS_* keys may come from what cannot be seen: {what}"
                today = (
                    "where no CORS_ORIGINS is in there, any site may read the answers; where one"
                    " is, the sites in it."
                )
                choices = ("give the origins to CORS(app) itself, and run this again.",)
                self._add(module, [Trouble("config_unclear", line, message, today, choices)])
            elif calls:
                self.notes.append(
                    f"{module.path}:{line}: {what} is not read: write CORSGUARD_... for CORS_..."
                    " keys in there, if there are any."
                )

    def _all_options(self, call: Call) -> Mapping[str, Value]:
        bare = self._bare_of.get(id(call))
        options = {**(bare.options if bare else {}), **call.options}
        patterns = patterns_of(options["resources"].value) if "resources" in options else None
        if patterns and all("origins" in pattern.options for pattern in patterns):
            return {**options, "origins": options["resources"]}
        return options

    def _do_settings(self) -> None:
        for setting, trouble, is_local in self._settings.troubles():
            self._add(setting.module, [trouble], local=is_local)
        for setting in self._settings.used():
            module = setting.module
            option = OPTION_OF_KEY[setting.key]
            if option == "resources":
                patterns = patterns_of(setting.value.value)
                if not patterns or len(patterns) > 1 or not patterns[0].is_everything:
                    self._add(module, [unreadable(option, setting.value.code, setting.line)])
                    continue
            fields = translate({option: setting.value}, setting.line)
            self._add(module, fields.troubles)
            field = FIELD_OF[option]
            if setting.key in self._settings.kept:
                self._check_kept(setting, fields)
                continue
            self._note(module, setting.line, fields)
            self._did(module, setting.name)
            if not field or setting.value.value is None:
                self._settings.remove(setting, self._drafts[module])
            else:
                code = fields.code.get(field, RESETS.get(field, setting.value.code))
                self._need_re(module, code)
                self._settings.rename(
                    setting, self._drafts[module], f"CORSGUARD_{field.upper()}", code
                )
                self._outer_fields.add(field)

    def _note(self, module: Module, line: int, fields: Fields) -> None:
        for note in fields.notes:
            self.notes.append(f"{module.path}:{line}: {note}")

    def _need_re(self, module: Module, code: str) -> None:
        if needs_re(code):
            self._drafts[module].need_re()

    def _check_kept(self, setting: Setting, fields: Fields) -> None:
        """A key that keeps its name keeps its value: see that both mean the same to the guard."""
        field = FIELD_OF[OPTION_OF_KEY[setting.key]]
        code = fields.code.get(field, setting.value.code)
        if not fields.troubles and (not field or code != setting.value.code):
            trouble = unreadable(setting.key, "the code reads it too", setting.line)
            self._add(setting.module, [trouble])

    # apps

    def _options_of(self, call: Call) -> dict[str, Value]:
        """What a call was given, its constructor's options included."""
        bare = self._bare_of.get(id(call))
        self._add(call.module, call.troubles)
        if bare is None:
            return dict(call.options)
        self._add(bare.module, bare.troubles)
        if bare.target is not None:
            message = f"the instance is given an app already, at {bare.module.path}:{bare.line}"
            today = "both apps have its options."
            choices = ("write CORS() without an app, and init_app for each.",)
            self._add(call.module, [Trouble("several_calls", call.line, message, today, choices)])
        if (call.options or "resources" in bare.options) and bare.module is not call.module:
            # They move to the other module, where names mean other things.
            for name, value in bare.options.items():
                if not is_literal(value.code):
                    self._add(bare.module, [unreadable(name, value.code, value.line)])
        return {**bare.options, **call.options}

    def _do_app(self, call: Call) -> None:
        options = self._settings.with_texts(self._options_of(call))
        resources = options.pop("resources", None)
        patterns = patterns_of(resources.value) if resources else []
        if resources and (patterns is None or resources.value is UNREAD):
            self._add(call.module, [unreadable("resources", resources.code, call.line)])
            return
        if patterns and not (len(patterns) == 1 and patterns[0].is_everything):
            self._do_resources(call, options, patterns)
            return
        if patterns:
            options |= cast("Mapping[str, Value]", patterns[0].options)
        fields = self._app_fields(call, options)
        self._check_methods(call.module, call.line, fields, self._routes.routes)
        self._outer_fields |= set(fields.code)
        self._write_app(call, fields.code)

    def _app_fields(self, call: Call, options: dict[str, Value]) -> Fields:
        """The fields of the default policy, but for those that the configuration has."""
        for key in self._settings.kept:
            option = OPTION_OF_KEY[key]
            if option not in options and call.target is not None:
                app = call.module.code(call.target)
                value = self._settings.value_of(key, f'{app}.config["{key}"]')
                options[option] = value
        configured = self._settings.options()
        defaults = {name: value for name, value in DEFAULTS.items() if name not in configured}
        fields = translate({**defaults, **options}, call.line)
        self._add(call.module, fields.troubles)
        self._note(call.module, call.line, fields)
        if not fields.troubles:
            for merged in self._combinations({**defaults, **options}):
                self._add(call.module, translate(merged, call.line).troubles)
        return fields

    def _combinations(self, options: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
        """The options, with each set of values that the configuration can add."""
        configured = {
            name: values for name, values in self._settings.options().items() if name not in options
        }
        for values in islice(product(*configured.values()), _MOST_COMBINATIONS):
            yield {**dict(zip(configured, values, strict=True)), **options}

    def _check_methods(
        self, module: Module, line: int, fields: Fields, routes: Iterable[Route]
    ) -> None:
        listed = fields.values.get("methods")
        if listed is None:
            return
        routes = list(routes)
        for method in _SAFELISTED:
            rules = [route.rule for route in routes if method in route.methods]
            if method in listed or not (rules or self._routes.opaque):
                continue
            where = rules[0] if rules else "a route that cannot be seen"
            self._add(
                module,
                [Trouble(
                    "methods_safelisted", line, f"methods lacks {method}, which {where} accepts",
                    f"script may send a plain {method} nevertheless, but none that needs a"
                    f" preflight; the guard, as the standard says, lets {method} pass any.",
                    (f"add {method!r} to methods.", f"do not accept {method} in the route."),
                )],
            )  # fmt: skip

    def _write_app(self, call: Call, code: Mapping[str, str], extra: str = "") -> None:
        bare = self._bare_of.get(id(call))
        arguments = ", ".join(part for part in (source_of(code), extra) if part)
        guard = self._drafts[call.module].name
        if bare is not None and not call.options and not extra:
            # cors = CORS(...) and cors.init_app(app): the fields stand in the first
            name = self._drafts[bare.module].name("CorsGuard")
            self._write(bare, f"{name}({arguments})")
            return
        if bare is not None:
            name = self._drafts[bare.module].name("CorsGuard")
            self._write(bare, f"{name}()")
        target = call.module.code(call.target) if call.target is not None else ""
        inside = ", ".join(part for part in (target, arguments) if part)
        self._write(call, f"{guard('CorsGuard')}({inside})")

    def _write(self, call: Call, code: str) -> None:
        self._did(call.module, call.node)
        self._need_re(call.module, code)
        draft = self._drafts[call.module]
        draft.replace(call.node, draft.wrapped(call.node, code, _WIDTH))

    # paths

    def _do_resources(self, call: Call, options: dict[str, Value], patterns: list[Pattern]) -> None:
        """A named policy for each pattern, and marks with these names."""
        assigned = assign(patterns, self._routes, call.line)
        several = len(self._apps) > 1 or len(self._places.apps) > 1
        if self._settings.used() or several or self._blueprints or call.target is None:
            assigned = assign(patterns, self._routes, call.line)
            reason = "patterns of paths beside configuration, blueprints or a second app"
            choices = ("put the options that belong to some routes on these, as marks.",)
            today = "which sites may read a path is decided by the first pattern that matches it."
            assigned = Trouble("resources", call.line, reason, today, choices)
        if isinstance(assigned, Trouble):
            self._add(call.module, [assigned])
            return
        default: dict[str, str] = {}
        policies: list[str] = []
        for index, pattern in enumerate(patterns):
            given = {**options, **cast("Mapping[str, Value]", pattern.options)}
            fields = translate({**DEFAULTS, **given}, call.line)
            self._add(call.module, fields.troubles)
            self._note(call.module, call.line, fields)
            routes = assigned.get(index, [])
            self._check_methods(call.module, call.line, fields, routes)
            self._outer_fields |= set(fields.code)
            name = _policy_name(pattern, index)
            if pattern.is_everything:
                default = fields.code
            elif self._mark_routes(name, routes):
                policy = self._drafts[call.module].name("Policy")
                policies.append(f"{quoted(name)}: {policy}({source_of(fields.code)})")
        self._write_app(call, default, f"policies={{{', '.join(policies)}}}" if policies else "")

    def _mark_routes(self, name: str, routes: list[Route]) -> int:
        """Mark routes with a named policy.

        :returns: how many marks there are.
        """
        before = len(self._done)
        ours = {id(route.function) for route in routes}
        for blueprint in {id(r.blueprint): r.blueprint for r in routes if r.blueprint}.values():
            whole = [r for r in self._routes.routes if r.blueprint is blueprint]
            module = next(m for m in self._places.modules if blueprint in m.nodes)
            assignment = _assigned_name(module, blueprint)
            if assignment is None or not all(id(route.function) in ours for route in whole):
                continue
            draft = self._drafts[module]
            draft.insert_after(
                module.statement(blueprint), f'{draft.name("cors")}("{name}")({assignment})'
            )
            self._did(module, blueprint)
            ours -= {id(route.function) for route in whole}
        for route in routes:
            function = route.function
            if function is None or id(function) not in ours:
                continue
            ours.discard(id(function))
            if any(mark.function is function for mark in self._places.marks):
                continue  # the decorator on it replaces what the pattern says
            everywhere = [r for r in self._routes.routes if r.function is function]
            if not all(other in routes for other in everywhere):
                trouble = unreadable("resources", f"one of the routes of {function.name.value}", 0)
                line = route.module.line(function)
                self._add(route.module, [trouble._replace(code="resources", line=line)])
            draft = self._drafts[route.module]
            draft.insert_before(function.decorators[0], f'@{draft.name("cors")}("{name}")')
            self._did(route.module, function.decorators[0])
        return len(self._done) - before

    # blueprints and views

    def _is_blueprint(self, call: Call) -> bool:
        return call.target is not None and self._places.is_blueprint(call.module, call.target)

    def _do_blueprint(self, call: Call) -> None:
        options = self._options_of(call)
        resources = options.pop("resources", None)
        if resources is not None:
            patterns = patterns_of(resources.value)
            if not patterns or len(patterns) > 1 or not patterns[0].is_everything:
                self._add(call.module, [_blueprint_resources(call.line, resources.code)])
                return
            options |= cast("Mapping[str, Value]", patterns[0].options)
        fields = translate({**DEFAULTS, **self._settings.with_texts(options)}, call.line)
        self._add(call.module, fields.troubles)
        self._note(call.module, call.line, fields)
        self._check_outer_blueprint(call)
        if self._apps:
            first = self._apps[0]
            message = f"the app is given to Flask-CORS too, at {first.module.path}:{first.line}"
            today = (
                "an origin that the blueprint rejects may read it, if the app allows that origin."
            )
            choices = (
                "take this call out, if the app's options are right for the blueprint.",
                "take the app's call out, or make it narrower, and mark what is to be open.",
            )
            self._add(call.module, [Trouble("overlap", call.line, message, today, choices)])
        if id(call) in self._bare_of or call.target is None:
            text = call.module.code(call.node)
            self._add(call.module, [unreadable("init_app with a blueprint", text, call.line)])
            return
        bound = self._names.resolve(call.module, call.target)
        own = [r for r in self._routes.routes if bound and r.blueprint is bound.node]
        self._check_methods(call.module, call.line, fields, own)
        arguments = source_of({**fields.code, **self._resets(fields.code)})
        self._outer_fields |= set(fields.code)
        name = self._drafts[call.module].name("cors")
        self._write(call, f"{name}({arguments})({call.module.code(call.target)})")

    def _check_outer_blueprint(self, call: Call) -> None:
        """Where the blueprint around has CORS too, both lists hold for the inner one."""
        bound = self._names.resolve(call.module, call.target) if call.target else None
        outer = bound.node if bound is not None else None
        others = {
            found.node: other
            for other in self._blueprints
            if other.target is not None
            and (found := self._names.resolve(other.module, other.target)) is not None
        }
        while outer is not None:
            outer = self._routes.parents.get(outer)
            if outer in others:
                first = others[outer]
                where = f"{first.module.path}:{first.line}"
                message = f"the blueprint around it is given to Flask-CORS too, at {where}"
                today = "an origin that this one rejects may read it, if that one allows it."
                choices = ("give both the same options, or only one of them any.",)
                self._add(call.module, [Trouble("overlap", call.line, message, today, choices)])
                return

    def _resets(self, code: Mapping[str, str], *, but: Iterable[str] = ()) -> dict[str, str]:
        """The fields that apply further out, and that Flask-CORS would not take over."""
        left_out = {*code, *but}
        return {f: c for f, c in RESETS.items() if f in self._outer_fields and f not in left_out}

    def _do_mark(self, mark: Mark) -> None:
        call = mark.call
        self._add(call.module, call.troubles)
        options = self._settings.with_texts(dict(call.options))
        configured = self._settings.options()
        inherited: set[str] = set()
        for option, values in configured.items():
            field = FIELD_OF[option]
            if option in options or not field:
                continue
            if field in self._app_given:
                if len(values) > 1 or not is_literal(values[0].code):
                    where = f"@cross_origin with CORS_{option.upper()}"
                    self._add(call.module, [unreadable(option, where, call.line)])
                options[option] = values[0]._replace(line=call.line)
            else:
                inherited.add(field)
        defaults = {n: v for n, v in DEFAULTS.items() if FIELD_OF[n] not in inherited}
        fields = translate({**defaults, **options}, call.line)
        self._add(call.module, fields.troubles)
        self._note(call.module, call.line, fields)
        if not fields.troubles:
            for merged in self._combinations({**defaults, **options}):
                self._add(call.module, translate(merged, call.line).troubles)
        self._check_same_url(mark)
        own = [r for r in self._routes.routes if r.function is mark.function]
        self._check_methods(call.module, call.line, fields, own)
        code = {**fields.code, **self._resets(fields.code, but=inherited)}
        name = self._drafts[call.module].name("cors")
        if code:
            self._write(call, f"{name}({source_of(code)})")
        else:
            self._did(call.module, call.node)
            self._drafts[call.module].remove_line(mark.decorator)

    @property
    def _app_given(self) -> set[str]:
        """The fields that a call for the app sets itself."""
        return {
            FIELD_OF[name]
            for call in (*self._apps, *self._places.bare)
            for name in call.options
            if FIELD_OF.get(name)
        }

    # the guard itself

    def _add_guards(self) -> None:
        """See that there is a guard: without one, marks mean nothing."""
        if self._apps or self._places.bare:
            return
        if not self._places.apps:
            first = self._places.marks[0].call if self._places.marks else self._blueprints[0]
            message = "no app is created in what was read, and marks need a guard on it"
            today = "the decorators work; with marks in their place, nothing would be allowed."
            choices: tuple[str, ...] = ("give the directory of the whole app, not a part of it.",)
            self._add(first.module, [Trouble("no_app", first.line, message, today, choices)])
        for module, app in self._places.apps:
            target = _assigned_name(module, app)
            draft = self._drafts[module]
            if target is None:
                line = module.line(app)
                message = "the app that is created here has no name to put a guard on"
                today = "the decorators work; with marks in their place, nothing would be allowed."
                choices = ("write app = Flask(...), and run this again.",)
                self._add(module, [Trouble("no_app", line, message, today, choices)])
            else:
                draft.insert_after(module.statement(app), f"{draft.name('CorsGuard')}({target})")

    def _finish_imports(self) -> None:
        for module, node in self._places.loggers:
            text = str(node.evaluated_value).partition(".")
            self._drafts[module].replace(
                node, quoted(text[0].replace("flask_cors", "flask_corsguard"))
            )


def _branch(call: Call, statement: cst.If) -> str:
    """Which branch of a statement a call stands in."""
    inside = [call.node, *call.module.parents(call.node)]
    if statement.body in inside:
        return "body"
    return "else" if statement.orelse in inside else "outside"


def _is_conditional(call: Call) -> bool:
    for above in call.module.parents(call.node):
        if isinstance(above, (cst.FunctionDef, cst.ClassDef)):
            return False
        if isinstance(above, (cst.If, cst.For, cst.While, cst.IfExp, cst.Match)):
            return True
    return False


def _is_no_view(decorator: cst.Decorator) -> bool:
    node = decorator.decorator
    node = node.func if isinstance(node, cst.Call) else node
    return isinstance(node, cst.Attribute) and node.attr.value in _NOT_VIEWS


def _assigned_name(module: Module, node: cst.CSTNode) -> str | None:
    """The name that a value is given where it is made."""
    above = module.parent(node)
    if isinstance(above, cst.Assign) and len(above.targets) == 1:
        return module.code(above.targets[0].target)
    return module.code(above.target) if isinstance(above, cst.AnnAssign) else None


def _is_decorators(node: cst.Assign) -> bool:
    target = node.targets[0].target
    return isinstance(target, cst.Name) and target.value == "decorators"


def _class_decorator(line: int) -> Trouble:
    return Trouble(
        "method_decorator", line, "decorators = [...] of a view class: preflights do not reach it",
        "the origins that it is given may read the answers to plain requests; a preflight is"
        " answered without CORS headers, so that no site can send what needs one.",
        ("take it out, and mark the class with @cors(...), after the migration: that counts for"
         " preflights too, and for sub-classes.",),
    )  # fmt: skip


def _policy_name(pattern: Pattern, index: int) -> str:
    words = "".join(c if c.isalnum() else " " for c in pattern.stem).split()
    return "_".join(words) or f"resource_{index + 1}"


def _blueprint_resources(line: int, code: str) -> Trouble:
    return Trouble(
        "resources", line, f"resources of a blueprint: {code}",
        "the pattern is held against the whole path, prefix included; views beside it are closed.",
        ("mark the views that are meant: @cors(...).",
         "leave resources out, if all of the blueprint is meant."),
    )  # fmt: skip
