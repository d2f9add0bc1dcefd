"""The decorators ``cors`` and ``cors_exempt``, and the marks that they leave on their targets.
Nothing is wrapped."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any, NamedTuple, Never, TypeVar, Unpack, cast

from flask import Blueprint, request_started
from flask.app import Flask
from flask.blueprints import BlueprintSetupState
from flask.views import View

from flask_corsguard.errors import CorsGuardError, PolicyError, is_function
from flask_corsguard.protocol.audiences import PolicyForm, Written, read_policy
from flask_corsguard.protocol.policy import (
    Policy,
    PolicyFields,
    check_combination,
    fields_meant,
    read_fields,
)
from flask_corsguard.text import name_of, source_of, text_of

_ATTRIBUTE = "__corsguard_mark__"
_OUTER_ATTRIBUTE = "__corsguard_outer_marks__"
_DECORATOR_ATTRIBUTE = "__corsguard_decorator__"
_ATTRIBUTES_OF_OTHERS = (_ATTRIBUTE, _OUTER_ATTRIBUTE, "__wrapped__", "view_class")
_BLUEPRINTS_KEY = "corsguard.blueprints"
#: Where an app keeps the state of its guard: in ``app.extensions``.
EXTENSION_KEY = "corsguard"
# How many decorators around one function are searched.
_MOST_WRAPPERS = 50
# How many marks of an app without a guard are named.
_MOST_SHOWN = 5
_NOTHING: Any = object()
_EXAMPLE = "origins=['https://app.example.com']"
# For how many calls it is remembered whether their marks were applied.
_MOST_PLACES = 10_000

#: The apps whose policies are in force, by their id.
apps_in_force: weakref.WeakValueDictionary[int, Flask] = weakref.WeakValueDictionary()
# Everything that was marked and still exists, by its id; some of it has no hash.
_targets: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
# Where cors(...) was called -> what it returned there last; None once any of these was applied.
_returned: dict[str, weakref.ref[Callable[..., Any]] | None] = {}

Target = TypeVar("Target", bound=Callable[..., Any] | Blueprint)


class Mark:
    """The contents of one mark.

    :ivar policy: the policy, the name of one, or several, that replaces what applies further out.
    :ivar fields: the fields that change what applies further out.
    :ivar exempt: whether the guard leaves the target alone.
    :ivar location: file and line of the decorator.
    """

    __slots__ = ("exempt", "fields", "location", "policy")
    #: Where to write the decorator, in words.
    place = "directly above or below the route"
    #: Whether it says for one rule what those further out say for more.
    is_of_rule = False

    def __init__(
        self,
        policy: Written | None,
        fields: Mapping[str, Any],
        location: str,
        *,
        exempt: bool = False,
    ) -> None:
        self.policy = policy
        self.fields = dict(fields)
        self.exempt = exempt
        self.location = location

    def says_the_same(self, other: Mark) -> bool:
        """Whether *other* is the same mark, made again when an app factory runs twice."""
        return (self.policy, self.fields, self.exempt, self.location) == (
            other.policy,
            other.fields,
            other.exempt,
            other.location,
        )

    @property
    def decorator(self) -> str:
        """The decorator, as it is written."""
        return "@cors_exempt" if self.exempt else "@cors"


class OuterMark(NamedTuple):
    """A mark on a wrapper, recorded on the function that it wraps, the *owner*."""

    owner: object
    mark: Mark


def _why_no_policy(policy: object, fields: PolicyFields, caller: str, before: str) -> str:
    """Why a decorator's arguments are no policy and what to write, or "".

    :param before: its arguments before the policy, as they are written.
    """
    example = f"{caller}({before}{_written(fields) or _EXAMPLE})"
    meant = fields_meant(policy)
    if meant:
        return (
            f"{text_of(policy)} is neither a policy nor the name of one; fields are given by name."
            f" Write {caller}({before}{meant})"
        )
    if policy is None:
        changes_nothing = (
            f"{caller}({before.removesuffix(', ')}) changes nothing. Give it a policy or a field,"
            f" such as {example}"
        )
        return "" if fields else changes_nothing
    if isinstance(policy, (Policy, str, list, tuple)):
        return ""
    if caller == "cors" and (is_function(policy) or isinstance(policy, Blueprint)):
        return _without_parentheses(policy, example, has_fields=bool(fields))
    mark, hint = mark_left_by(policy), f"Give fields by name, such as {example}"
    if mark is not None and mark.exempt:
        hint = f"{caller} cannot exempt: mark the view or blueprint with cors_exempt"
    elif mark is not None:
        named = [text_of(mark.policy)] if mark.policy is not None else []
        arguments = ", ".join(filter(None, [*named, _written(mark.fields)])) or "..."
        hint = f"Leave cors out: {caller}({before}{arguments})"
    return (
        f"{caller} takes a Policy, the name of one or a list of these, not {text_of(policy)}."
        f" {hint}"
    )


def _written(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={source_of(value)}" for name, value in fields.items())


def _without_parentheses(target: object, example: str, *, has_fields: bool) -> str:
    """What to say to ``@cors``, and to ``cors(target, ...)``."""
    if isinstance(target, Flask):
        return (
            "cors marks a view or a blueprint. For a whole app, import CorsGuard from"
            f" flask_corsguard and write CorsGuard(app, {example.removeprefix('cors(')}."
        )
    if isinstance(target, Blueprint):
        example = f"{example}(blueprint)"
    elif getattr(target, "__qualname__", "").startswith(View.as_view.__qualname__):
        example = f"decorators = [{example}]"
    else:
        example = "@cors(Policy(...))" if target is Policy else f"@{example}"
    if has_fields:
        return f"cors takes only the policy in its parentheses. Write {example}"
    return f"cors needs parentheses and something to change, such as {example}"


def refuse_more(policies: tuple[object, ...], location: str, caller: str, *before: object) -> None:
    """Refuse several policies or origins that are not in one list.

    :param before: the arguments before the policy, as they are written.
    :raises CorsGuardError: with that list.
    """
    if len(policies) > 1:
        meant = fields_meant([*policies]) or text_of([*policies])
        written = ", ".join([*map(str, before), meant])
        raise CorsGuardError(f"{location}: give several as one list: {caller}({written})")


def make_mark(
    policy: object, fields: PolicyFields, caller: str, location: str, *names: str
) -> Mark:
    """Check a decorator's arguments, except for what depends on marks further out.

    :param caller: what to call the decorator in messages.
    :param names: the arguments before the policy.
    :raises PolicyError: for fields that are wrong whatever the policy further out.
    :raises CorsGuardError: for anything that is not a policy.
    """
    before = "".join(f"{name!r}, " for name in names)
    wrong = _why_no_policy(policy, fields, caller, before)
    if wrong:
        raise CorsGuardError(f"{location}: {wrong}")
    values, problems = read_fields(fields)
    problems += check_combination(values)
    written: Written | None = None
    if policy is not None:
        try:
            written = read_policy("policy", policy, values)
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problem._replace(where=location) for problem in problems)
    return Mark(written, values, location)


def cors(
    policy: PolicyForm | None = None, /, *more: Never, **fields: Unpack[PolicyFields]
) -> Callable[[Target], Target]:
    """Mark a view function, a view class, one handler method of it, or a blueprint.

    The mark changes the policy that applies without it: *fields* change single fields, a *policy*
    replaces it. The target is returned unchanged, so the mark may be above or below ``@app.get``.

    :param policy: a :class:`Policy`, the name of one in ``policies``, or a list of these, tried in
        order: the first that admits the origin decides.
    :param fields: any of the policy fields.
    :raises PolicyError: if a field is unknown or its value cannot be used.
    :raises CorsGuardError: if there is nothing to mark, or the target is marked already.
    """
    location = call_site()
    refuse_more((policy, *more), location, "cors")
    mark = make_mark(policy, fields, "cors", location)

    def decorate(target: Target) -> Target:
        if mark.location in _returned:
            _returned[mark.location] = None
        attach(target, mark)
        return target

    vars(decorate)[_DECORATOR_ATTRIBUTE] = mark
    room = decorate if len(_returned) < _MOST_PLACES else None
    if _returned.get(mark.location, room) is not None:
        _returned[mark.location] = weakref.ref(decorate)
    return decorate


def never_applied() -> list[str]:
    """Where ``cors(...)`` was called but its result was dropped, as happens without the ``@``. A
    result that still exists may yet be applied."""
    return sorted(
        location
        for location, reference in list(_returned.items())
        if reference is not None and reference() is None
    )


def mark_left_by(decorator: object) -> Mark | None:
    """The mark that *decorator* leaves, if it is ``cors(...)`` or ``cors_exempt``. For ``cors``
    without parentheses, a stand-in."""
    for each in wrapped_chain(decorator):
        if each is cors or each is cors_exempt:
            return Mark(None, {}, "", exempt=each is cors_exempt)
        mark = getattr(each, _DECORATOR_ATTRIBUTE, None)
        if isinstance(mark, Mark):
            return mark
    return None


def cors_exempt(target: Target = _NOTHING) -> Target:
    """Exempt a view function, a view class, a handler method or a blueprint from the guard: no
    check, no header, no refusal. Responses stay as the app made them.

    :raises CorsGuardError: if the target is marked already.
    """
    location = call_site()
    if target is _NOTHING:
        raise CorsGuardError(f"{location}: cors_exempt takes no parentheses: write @cors_exempt")
    attach(target, Mark(None, {}, location, exempt=True))
    return target


def attach(target: Any, mark: Mark) -> None:
    """Leave *mark* on *target*.

    :raises CorsGuardError: if *target* cannot be marked, or is marked already.
    """
    if isinstance(target, (staticmethod, classmethod)):
        target = cast("Any", target).__func__
    _check_target(target, mark)
    attributes: Mapping[str, object] = getattr(target, "__dict__", {})
    previous = attributes.get(_ATTRIBUTE)
    if isinstance(previous, Mark) and not previous.says_the_same(mark):
        message = f"{_name(target)} is already marked, at {previous.location}. "
        message += _combined(previous, mark, target) or "Combine the two marks"
        if isinstance(target, FunctionType) and not is_written_above(mark, target):
            message += "; or, for another route, use guard.for_endpoint('its endpoint', ...)"
        raise CorsGuardError(f"{mark.location}: {message}")
    if previous is None:
        _check_in_time(target, mark)
    if isinstance(target, Blueprint) and previous is None:
        _follow_registrations(target, mark)
    try:
        setattr(target, _ATTRIBUTE, mark)
    except (AttributeError, TypeError):
        instead = "use guard.for_endpoint('its endpoint', ...) instead"
        if inspect.ismethod(target):  # as in the method_decorators of a resource
            instead = "put the mark above the class, or above the method where it is defined"
        raise CorsGuardError(f"{mark.location}: {target!r} cannot be marked: {instead}") from None

    with contextlib.suppress(TypeError):  # it cannot be referred to weakly
        _targets[id(target)] = target
    if not isinstance(target, (type, Blueprint)):
        _tell_wrapped(target, mark)
    request_started.connect(_look_for_guard)


def _combined(one: Mark, other: Mark, target: object) -> str:
    """One mark that says what two say, or "" if they conflict."""
    policies = [mark.policy for mark in (one, other) if mark.policy is not None]
    fields = {**one.fields, **other.fields}
    is_same = all(fields[name] == value for name, value in one.fields.items())
    are_plain = type(one) is type(other) is Mark and not (one.exempt or other.exempt)
    if not (are_plain and is_same) or len(policies) > 1 or check_combination(fields):
        return ""
    arguments = ", ".join(filter(None, [*map(text_of, policies), _written(fields)]))
    if isinstance(target, Blueprint):
        return f"Write one: cors({arguments})(blueprint)"
    return f"Write one: @cors({arguments})"


def _check_target(target: object, mark: Mark) -> None:
    if isinstance(target, Flask):
        raise CorsGuardError(
            f"{mark.location}: {target!r} is an app. Its policy is the default policy:"
            " CorsGuard(app, ...)"
        )
    if isinstance(target, type) and not issubclass(target, View):
        raise CorsGuardError(
            f"{mark.location}: {target!r} is not a flask.views.View. Mark the view function, or a"
            " class based on View or MethodView"
        )
    if not (is_function(target) or isinstance(target, Blueprint)):
        raise CorsGuardError(
            f"{mark.location}: {target!r} cannot be marked. Mark a view function, a view class, a"
            " handler method or a blueprint"
        )


def _check_in_time(target: object, mark: Mark) -> None:
    """:raises CorsGuardError: if an app whose policies are in force has *target* as a view, its
    class or a handler method: the mark would count from the next ``reconfigure()`` on."""
    name = getattr(target, "__name__", "")
    for app in list(apps_in_force.values()):
        for view in app.view_functions.values():
            view_class = getattr(view, "view_class", None)
            if target is view or (
                view_class is not None
                and (target is view_class or target is getattr(view_class, name, None))
            ):
                raise CorsGuardError(
                    f"{mark.location}: {_name(target)} is a view of {app!r}, whose policies are"
                    " already in force; move this to where the app is set up"
                )


def is_written_above(mark: Mark, function: FunctionType) -> bool:
    """Whether a mark is one of the decorators above a function."""
    file, _, line = mark.location.rpartition(":")
    code = function.__code__
    last = max(number for _, _, number in code.co_lines() if number is not None)
    return code.co_filename.endswith(file) and code.co_firstlineno <= int(line or 0) <= last


def _look_for_guard(app: Flask, **_: object) -> None:
    """Log at the first request if marks have no effect, because the app has no guard."""
    request_started.disconnect(_look_for_guard)
    if EXTENSION_KEY in app.extensions:
        return
    targets = (*app.view_functions.values(), *app.blueprints.values())
    marks = [mark for mark in map(mark_of, targets) if mark is not None and not mark.exempt]
    if marks:
        logging.getLogger("flask_corsguard").error(
            "%r has no guard, so @cors at %s has no effect: no page of another origin may read a"
            " response. Add CorsGuard(app), or guard.init_app(app) in the app factory.",
            app,
            ", ".join(sorted({mark.location for mark in marks})[:_MOST_SHOWN]),
        )


def _tell_wrapped(target: object, mark: Mark) -> None:
    """Record *mark* on the functions that *target* wraps, so that a misplaced mark is noticed.

    With ``@cors`` above another decorator, and that above ``@app.get``, Flask knows only the inner
    function, which carries no mark.
    """
    for inner in wrapped_chain(target):
        if inner is not target and hasattr(inner, "__dict__"):
            known = outer_marks_of(inner)
            others = [OuterMark(inner, other) for other in known if not other.says_the_same(mark)]
            vars(inner)[_OUTER_ATTRIBUTE] = [*others, OuterMark(inner, mark)]


def _follow_registrations(blueprint: Blueprint, mark: Mark) -> None:
    def remember(state: BlueprintSetupState) -> None:
        name = f"{state.name_prefix}.{state.name}".lstrip(".")
        prefixes = state.app.extensions.setdefault(_BLUEPRINTS_KEY, {})
        prefixes[name] = (state.url_prefix, state.subdomain)

    try:
        blueprint.record(remember)
    except AssertionError:
        raise CorsGuardError(
            f"{mark.location}: blueprint {blueprint.name!r} is already registered. Mark it before"
            f" app.register_blueprint(...), or use guard.for_blueprint({blueprint.name!r}, ...)"
        ) from None


def marked_blueprints(app: Flask) -> Mapping[str, tuple[str | None, str | None]]:
    """Full name -> (URL prefix, subdomain) of every marked blueprint that *app* has registered."""
    marked: Mapping[str, tuple[str | None, str | None]] = app.extensions.get(_BLUEPRINTS_KEY, {})
    return marked


def mark_of(target: object) -> Mark | None:
    """The mark on *target*, or else on what it wraps; None if there is none."""
    found = marked(target)
    return found.mark if found else None


class Marked(NamedTuple):
    """What carries a mark: a view, a view class, a handler method or a blueprint."""

    mark: Mark
    target: object

    @property
    def name(self) -> str:
        """The target's name. A wrapper made with ``functools.wraps`` has the same name."""
        if isinstance(self.target, Blueprint):
            return _name(self.target)
        named = self.target if hasattr(self.target, "__qualname__") else type(self.target)
        return f"{named.__module__}.{name_of(named)}"


def marked(target: object) -> Marked | None:
    """*target*, or else what it wraps, with its mark; None if none of these has one."""
    if isinstance(target, type):
        mark = vars(target).get(_ATTRIBUTE)
        return Marked(mark, target) if isinstance(mark, Mark) else None
    for function in wrapped_chain(target):
        # the view may be an instance whose class has marked its __call__()
        for carrier in (function, getattr(type(function), "__call__", None)):  # noqa: B004
            mark = getattr(carrier, _ATTRIBUTE, None)
            if isinstance(mark, Mark):
                return Marked(mark, carrier)
    return None


def all_marked() -> Iterator[Marked]:
    """Everything marked so far that still exists."""
    for reference in _targets.valuerefs():
        found = marked(reference())
        if found is not None:
            yield found


def is_bare(view: object) -> bool:
    """Whether a view is a plain function: it wraps nothing, is not made from a view class, and has
    no mark on or around it. Most are, and then there is nothing more to look for."""
    if not isinstance(view, FunctionType):
        return False
    for name in _ATTRIBUTES_OF_OTHERS:  # noqa: SIM110  (any() takes twice as long)
        if hasattr(view, name):
            return False
    return True


def outer_marks_of(target: object) -> list[Mark]:
    """The marks on functions around *target*."""
    found: list[OuterMark] = getattr(target, _OUTER_ATTRIBUTE, [])
    # functools.wraps copies the list to other functions
    return [outer.mark for outer in found if outer.owner is target]


def wrapped_chain(target: object) -> Iterator[object]:
    """*target*, what it wraps (by ``__wrapped__``, or as a partial), and so on."""
    for _ in range(_MOST_WRAPPERS):
        if target is None:
            return
        yield target
        if isinstance(target, functools.partial):
            target = cast("object", target.func)
        else:
            target = getattr(target, "__wrapped__", None)


def call_site() -> str:
    """File and line of the code outside this package that has called into it. For the *decorators*
    of a view class, which Flask applies, that is where ``as_view()`` is called."""
    skipped = (f"{__package__}.", View.__module__)
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(skipped):
        frame = frame.f_back
    if frame is None:
        return ""
    return from_here(f"{frame.f_code.co_filename}:{frame.f_lineno}")


def from_here(location: str) -> str:
    """A file's name and line, relative to the current directory if the file is below that."""
    with contextlib.suppress(OSError):  # the working directory may be gone
        return location.removeprefix(os.getcwd() + os.sep)
    return location


def _name(target: object) -> str:
    if isinstance(target, Blueprint):
        return f"blueprint {target.name!r}"
    return repr(getattr(target, "__qualname__", target))
