"""What stands in the way of a migration, before any option is looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping

import libcst as cst

from flask_corsguard.migrate.configuration import OPTION_OF_KEY
from flask_corsguard.migrate.options import Trouble
from flask_corsguard.migrate.places import Call
from flask_corsguard.migrate.routes import patterns_of
from flask_corsguard.migrate.sources import Module
from flask_corsguard.migrate.values import Value
from flask_corsguard.migrate.work import Work

_DEEPEST = 4


def check_others(work: Work) -> None:
    """Find what has no translation: other uses, and headers written by hand."""
    for module, node, _ in work.places.others:
        above = module.parent(node)
        if isinstance(above, cst.Annotation):
            work.drafts[module].replace(node, work.drafts[module].name("CorsGuard"))
            continue
        today = "where it is called without origins, any site on the web may read the answers."
        if isinstance(above, cst.Decorator):
            today = "every request to it fails: it needs parentheses to be a decorator."
        code = module.code(node)
        if any(isinstance(a, cst.Assign) and _is_decorators(a) for a in module.parents(node)):
            work.add(module, [_class_decorator(module.line(node))])
            continue
        work.add(
            module,
            [Trouble(
                "unusual_use", module.line(node), f"{code} is used in an unusual way", today,
                ("call it where it is used: CORS(app), or @cross_origin() on a view.",),
            )],
        )  # fmt: skip
    _check_headers(work)
    for module in work.places.modules:
        for name in work.names.passed_on(module):
            work.add(
                module,
                [Trouble(
                    "unusual_use", 1, f"{name} of Flask-CORS is imported from another module",
                    "the sites that it is given there may read the answers.",
                    ("import it from flask_cors itself, and run this again.",),
                )],
            )  # fmt: skip


def _check_headers(work: Work) -> None:
    """Find CORS headers that are written by hand, function by function."""
    found: dict[tuple[Module, cst.CSTNode], list[cst.CSTNode]] = {}
    for module, node, _ in work.places.headers:
        functions = (a for a in module.parents(node) if isinstance(a, cst.FunctionDef))
        found.setdefault((module, next(functions, node)), []).append(node)
    for (module, around), nodes in found.items():
        listed = ", ".join(dict.fromkeys(module.code(node) for node in nodes))
        today = (
            "browsers grant the sites that may read what such a header says, beside what Flask-CORS"
            " says."
        )
        if "alloworigin" in re.sub(r"\W|_", "", listed).lower():
            today = (
                "a site that such an Access-Control-Allow-Origin names may read the answers, any"
                " site on the web where it is '*'; no site may where Flask-CORS sends one too."
            )
        choices: tuple[str, ...] = (
            "take it out, and say what it allows in a policy.",
            "mark what it is for with @cors_exempt, after the migration.",
        )
        if isinstance(around, cst.FunctionDef) and any(map(_is_after, around.decorators)):
            choices = (
                f"take it out of {around.name.value}: the policy counts for every answer.",
                "where it allows more than CORS(app), give that to CORS(app), and run this again.",
            )
        message = f"written by hand beside Flask-CORS, where the guard would replace it: {listed}"
        line = min(map(module.line, nodes))
        work.add(module, [Trouble("header_by_hand", line, message, today, choices)])


def _is_after(decorator: cst.Decorator) -> bool:
    node = decorator.decorator
    return isinstance(node, cst.Attribute) and node.attr.value.startswith("after_")


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


def check_targets(work: Work) -> None:
    """Find calls for something that may be an app and may be a blueprint."""
    for call in work.apps:
        if _is_unknown(work, call):
            code = call.module.code(call.target or call.node)
            message = f"it cannot be told what {code} is, an app or a blueprint"
            today = "the origins that it is given may read the answers of whatever it is."
            choices = ("give CORS an app or a blueprint by its name, and run this again.",)
            work.add(call.module, [Trouble("unusual_use", call.line, message, today, choices)])
    for call in work.loops:
        message = "several are given to Flask-CORS, in a loop"
        today = "the origins that it is given may read the answers of each of them."
        choices = ("call CORS for each by its name, and run this again.",)
        work.add(call.module, [Trouble("unusual_use", call.line, message, today, choices)])


def _is_unknown(work: Work, call: Call) -> bool:
    """Whether what is given CORS is a parameter that does not say it is an app."""
    bound = work.names.resolve(call.module, call.target) if call.target else None
    if bound is None or not isinstance(bound.node, cst.Param):
        return False
    annotation = bound.node.annotation
    return "app" not in bound.node.name.value.lower() and not (
        annotation is not None and "Flask" in bound.module.code(annotation)
    )


def check_several(work: Work) -> None:
    """Find what is given CORS more than once, or cannot be told from another."""
    seen: list[Call] = []
    for call in work.apps:
        same = [other for other in seen if _is_same(work, call, other)]
        too_many = len(seen) >= max(1, len(work.places.apps)) and not _is_exclusive(call, seen)
        if same or too_many:
            first = (same or seen)[0]
            message = f"the app is given to Flask-CORS already, at {first.module.path}:{first.line}"
            today = "an origin that one call rejects may read, if the other allows it."
            choices = ("put both into one call, with one list of origins.",)
            work.add(call.module, [Trouble("several_calls", call.line, message, today, choices)])
        seen.append(call)


def _is_same(work: Work, call: Call, other: Call) -> bool:
    return (
        call.module is other.module
        and call.target is not None
        and other.target is not None
        and call.module.code(call.target) == other.module.code(other.target)
        and work.names.scope(call.module, call.node) is work.names.scope(other.module, other.node)
        and not _is_exclusive(call, [other])
    )


def _is_exclusive(call: Call, others: list[Call]) -> bool:
    """Whether a call runs only where none of *others* does."""
    return all(
        any(
            isinstance(above, cst.If) and _branch(call, above) != _branch(other, above) != "outside"
            for above in call.module.parents(call.node)
        )
        for other in others
    )


def _branch(call: Call, statement: cst.If) -> str:
    """Which branch of a statement a call stands in."""
    inside = [call.node, *call.module.parents(call.node)]
    if statement.body in inside:
        return "body"
    return "else" if statement.orelse in inside else "outside"


def check_conditions(work: Work, *, has_marks: bool) -> None:
    """Find apps that have a guard only sometimes, though marks need one."""
    for call in work.apps if has_marks else ():
        if _is_conditional(work, call.module, call.node):
            message = "whether the app is given CORS depends on a condition"
            today = "other sites may read what has a decorator of its own, whatever the condition."
            choices = ("call CORS(app) in any case, and make its origins depend on the condition.",)
            work.add(call.module, [Trouble("conditional", call.line, message, today, choices)])


def _is_conditional(work: Work, module: Module, node: cst.CSTNode, depth: int = 0) -> bool:
    for above in module.parents(node):
        if isinstance(above, cst.FunctionDef):
            returns = (n for n in module.nodes if isinstance(n, cst.Return))
            is_late = any(
                module.line(n) < module.line(node) and above in module.parents(n) for n in returns
            )
            return is_late or (depth < _DEEPEST and _is_sometimes_called(work, above, depth))
        if isinstance(above, cst.ClassDef):
            return False
        if isinstance(above, (cst.If, cst.For, cst.While, cst.IfExp, cst.Match)):
            return True
    return False


def _is_sometimes_called(work: Work, function: cst.FunctionDef, depth: int) -> bool:
    """Whether a function that does not make the app itself is called on conditions, or never."""
    if any(function in module.parents(app) for module, app in work.places.apps):
        return False
    calls = [
        (module, node)
        for module in work.places.modules
        for node in module.nodes
        if isinstance(node, cst.Call)
        and module.code(node.func).rpartition(".")[2] == function.name.value
    ]
    return all(_is_conditional(work, module, node, depth + 1) for module, node in calls)


def check_loaders(work: Work, calls: list[Call]) -> None:
    """Configuration from elsewhere can narrow what Flask-CORS allows."""
    _check_strays(work, calls)
    for loader in work.places.loaders:
        module, app, node = loader
        in_time = [call for call in calls if not work.is_late(loader, call)]
        is_open = any(_may_be_open(work, call) for call in in_time)
        line = module.line(node or app)
        what = module.code(node or app)
        if is_open and work.settings.lacks_origins():
            message = f"CORS_* keys may come from what cannot be seen: {what}"
            today = (
                "where the origins are not given, any site may read, or the sites of CORS_ORIGINS"
                " if that is in there; CORS_ALLOW_HEADERS says which headers those may send."
            )
            choices = (
                "give origins and allow_headers to every call that lacks them, and run this again.",
            )
            work.add(module, [Trouble("config_unclear", line, message, today, choices)])
        elif in_time:
            work.notes.append(
                f"{module.path}:{line}: {what} is not read: write CORSGUARD_... for CORS_..."
                " keys in there, if there are any, but for those that the guard is given."
            )


def _check_strays(work: Work, calls: list[Call]) -> None:
    """A key that is set in a way that is not followed may be in force."""
    for module, node, key in work.places.strays:
        if any(OPTION_OF_KEY[key] not in _all_options(work, call) for call in calls):
            message = f"it cannot be told whether this sets {key} of the app, and to what"
            today = "where it is in force, it says who may read, or what they may send."
            if key == "CORS_ORIGINS":
                today = "where it is in force, the sites in it may read; elsewhere, any site may."
            choices: tuple[str, ...] = (
                f"write app.config[{key!r}] = ..., before CORS(app), and run this again.",
                "give the option to CORS(app) itself, and run this again.",
            )
            work.add(
                module, [Trouble("config_unclear", module.line(node), message, today, choices)]
            )


def _may_be_open(work: Work, call: Call) -> bool:
    """Whether configuration says which sites, or which headers, a call allows."""
    given = {*_all_options(work, call), *work.read_through(call, _all_options(work, call))}
    return not {"origins", "allow_headers"} <= given


def _all_options(work: Work, call: Call) -> Mapping[str, Value]:
    bare = work.bare_of.get(id(call))
    options = {**(bare.options if bare else {}), **call.options}
    patterns = patterns_of(options["resources"].value) if "resources" in options else None
    if patterns and all("origins" in pattern.options for pattern in patterns):
        return {**options, "origins": options["resources"]}
    return options
