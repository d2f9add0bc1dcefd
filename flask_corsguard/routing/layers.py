"""The policy that a route's marks add up to."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, cast
from weakref import WeakValueDictionary

from flask.app import Flask
from flask.views import View

from flask_corsguard.config import Settings, check_enforced_self_origins
from flask_corsguard.decorators import (
    Mark,
    is_bare,
    is_written_above,
    mark_left_by,
    mark_of,
    outer_marks_of,
    wrapped_chain,
)
from flask_corsguard.errors import CorsGuardError, PolicyError, Problem, unknown_name
from flask_corsguard.protocol.audiences import OF_ONE, Audiences, resolve
from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import KNOWN_METHODS
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.closures import location_of

if TYPE_CHECKING:
    from flask import Request
    from werkzeug.routing import Rule

    from flask_corsguard.protocol.decision import Decision

DEFAULT_SOURCE = "default"
_REPORT_ONLY_SOURCE = "report_only"
#: The apps of this process that have a guard, by their id.
guarded_apps: WeakValueDictionary[int, Flask] = WeakValueDictionary()


class FileMark(NamedTuple):
    """A mark on the files of an endpoint whose names match one of *globs*."""

    globs: tuple[str, ...]
    mark: Mark


class GuardMarks:
    """The marks by name or path, from ``for_endpoint`` and the like.

    :ivar views: endpoint -> its mark.
    :ivar blueprints: full name of a blueprint -> its mark.
    :ivar files: endpoint -> the marks on its files, in the order they are tried.
    :ivar paths: path prefix -> its mark.
    :ivar frozen: what has put them in force, in words; "" before that.
    """

    def __init__(self) -> None:
        self.views: dict[str, Mark] = {}
        self.blueprints: dict[str, Mark] = {}
        self.files: dict[str, list[FileMark]] = {}
        self.paths: dict[str, Mark] = {}
        self.frozen = ""

    @property
    def why_late(self) -> str:
        """Why something comes too late, and where to move it."""
        return (
            f"this guard's policies are already in force, since {self.frozen}; move this before it,"
            " to where the app is set up"
        )

    def add(self, kind: Literal["endpoint", "blueprint", "path"], name: str, mark: Mark) -> None:
        """:raises CorsGuardError: if it is marked already, or an app has served a request."""
        marks = {"endpoint": self.views, "blueprint": self.blueprints, "path": self.paths}[kind]
        previous = marks.get(name)
        if previous and not previous.says_the_same(mark):
            raise CorsGuardError(
                f"{mark.location}: {kind} {name!r} is already marked, at {previous.location}."
                " Combine the two marks"
            )
        if previous is None:
            self._check_in_time(mark)
        marks[name] = mark

    def add_files(self, endpoint: str, files: FileMark) -> None:
        """:raises CorsGuardError: if a glob is marked already, or an app has served a request."""
        marks = self.files.setdefault(endpoint, [])
        for globs, mark in marks:
            if globs == files.globs and mark.says_the_same(files.mark):
                return
            for glob in globs:
                if glob in files.globs:
                    raise CorsGuardError(
                        f"{files.mark.location}: {glob!r} of endpoint {endpoint!r} is already"
                        f" marked, at {mark.location}. Combine the two marks"
                    )
        self._check_in_time(files.mark)
        marks.append(files)

    def by_endpoint(self) -> Iterator[tuple[str, Mark]]:
        """Every mark with its endpoint."""
        yield from self.views.items()
        for endpoint, marks in self.files.items():
            for _, mark in marks:
                yield endpoint, mark

    def _check_in_time(self, mark: Mark) -> None:
        if self.frozen:
            raise CorsGuardError(f"{mark.location}: {self.why_late}")


class Layer(NamedTuple):
    """A mark, and in words what it is on."""

    mark: Mark
    source: str


Layers = tuple[Layer, ...]


class PathPatterns(Protocol):
    """Decides by the path of each request, within the policies of the table: :mod:`compat
    <flask_corsguard.compat>`."""

    def layers_of(self, rule: Rule, prefix: str, around: Layers) -> Layers:
        """The layer that says what is known of a rule under a prefix, if that is less than what
        those *around* it say."""
        ...

    def may_differ(self, rule: Rule, prefix: str, layers: Layers) -> bool:
        """Whether some paths of a rule have fewer policies than its layers say."""
        ...

    @property
    def default_may_differ(self) -> bool:
        """Whether some URLs with the default policy have a narrower one, or none."""
        ...

    def decided(self, request: Request, decision: Decision, *, is_error: bool) -> Decision:
        """The decision about a request.

        :param decision: the one by the table.
        :param is_error: whether the response is a redirect or an error.
        """
        ...


#: Where an app keeps its :class:`PathPatterns`, if it has some: in ``app.extensions``.
PATH_PATTERNS_KEY = "corsguard.compat"


class RoutePolicy(NamedTuple):
    """The policy that a route's marks add up to, or None for an exempt route.

    :ivar source: in words, what the innermost mark is on.
    :ivar location: file and line of that mark.
    :ivar layers: all of the marks, the outermost first.
    """

    policy: Policy | Audiences | None
    source: str
    location: str
    layers: Layers = ()


class _Sum(NamedTuple):
    """The sum of some marks.

    :ivar replaced: whether one of them replaces the policy further out.
    :ivar is_usable: whether it has no problem. If it has, the policy is a placeholder.
    """

    policy: Policy | Audiences
    exempt: bool = False
    replaced: bool = False
    is_usable: bool = True


class Resolver:
    """Adds marks up, from the default policy inwards.

    A report-only policy does not apply to a route if the default policy does not.

    :ivar problems: every problem found so far.
    """

    def __init__(self, app: Flask, settings: Settings, marks: GuardMarks) -> None:
        self.problems: list[Problem] = [*settings.unread]
        self._app = app
        self._settings = settings
        self._marks = marks
        self._sums: dict[tuple[Mark, ...], _Sum] = {}
        self._shared: dict[tuple[object, ...], Policy | Audiences] = {}
        self._found: dict[Layers, RoutePolicy] = {}
        self._checked_classes: set[type[View]] = set()
        for name, mark in marks.by_endpoint():
            if name not in app.view_functions:
                known = app.view_functions
                problem = unknown_name("unknown_endpoint", "endpoint", name, "endpoint", known)
                if name in app.blueprints:
                    message = f"{name!r} is a blueprint. Write guard.for_blueprint({name!r}, ...)."
                    problem = problem._replace(message=message, suggestion=None)
                self.problems.append(problem._replace(where=mark.location))
        for name, mark in marks.blueprints.items():
            if name not in app.blueprints:
                names = app.blueprints
                problem = unknown_name("unknown_blueprint", "blueprint", name, "blueprint", names)
                if name in app.view_functions:
                    message = f"{name!r} is an endpoint. Write guard.for_endpoint({name!r}, ...)."
                    problem = problem._replace(message=message, suggestion=None)
                self.problems.append(problem._replace(where=mark.location))

    def policy_of(self, layers: Layers) -> RoutePolicy:
        """Add up *layers*, the outermost first. *Fields override, a policy replaces.*

        :returns: the same object for the same layers, so that many routes share one, unless
            something is wrong with it.
        """
        known = self._found.get(layers)
        if known is not None:
            return known
        total = self._add_up(layers)
        left_alone = total.exempt or (self._settings.is_report_only and total.replaced)
        last = layers[-1] if layers else None
        location = last.mark.location if last else self._settings.source
        policy = None if left_alone else total.policy
        found = RoutePolicy(policy, self._source(last), location, layers)
        if total.is_usable:  # so that its problems are found each time
            self._found[layers] = found
        return found

    def without_effect(self, layers: Layers) -> Mapping[str, str]:
        """The settings without effect for the fields that no mark in *layers* sets."""
        found = self._settings.without_effect
        if not found:
            return found
        if any(isinstance(layer.mark.policy, Policy) for layer in layers):
            return {}
        if any(layer.mark.policy is not None for layer in layers):
            return {name: found[name] for name in found if name == "settings_file"}
        marked = {name for layer in layers for name in layer.mark.fields}
        if marked.intersection(OF_ONE):
            marked.add("policy")
        return {name: words for name, words in found.items() if name not in marked}

    def _source(self, layer: Layer | None) -> str:
        """In words, what sets a policy."""
        if not self._settings.is_report_only:
            return layer.source if layer else DEFAULT_SOURCE
        return f"{layer.source} over {_REPORT_ONLY_SOURCE}" if layer else _REPORT_ONLY_SOURCE

    def _add_up(self, layers: Layers) -> _Sum:
        if not layers:
            return _Sum(self._settings.default)
        key = tuple(layer.mark for layer in layers)
        total = self._sums.get(key)
        if total is None:
            total = self._apply(self._add_up(layers[:-1]), layers[-1])
            if total.is_usable:
                self._sums[key] = total
        return total

    def _apply(self, outer: _Sum, layer: Layer) -> _Sum:
        mark = layer.mark
        if mark.exempt:
            return outer._replace(exempt=True)
        where = f"{self._source(layer)} ({mark.location})"
        if (
            self._settings.is_report_only
            and isinstance(outer.policy, Audiences)
            and any(name in mark.fields for name in OF_ONE)
        ):
            # The mark has origins, which cannot be added to a list of policies.
            return outer._replace(replaced=True)
        try:
            if mark.policy is None:
                derived = self._derived(outer, mark)
            else:
                derived = resolve(mark.policy, self._settings.policies, mark.fields)
            if not self._settings.is_report_only:
                check_enforced_self_origins(self._settings.self_origins, derived)
        except PolicyError as error:
            self.add(problem._replace(where=where) for problem in error.problems)
            return _Sum(Policy(), is_usable=False)
        replaced = outer.replaced or mark.policy is not None
        return _Sum(derived, replaced=replaced, is_usable=outer.is_usable)

    def _derived(self, outer: _Sum, mark: Mark) -> Policy | Audiences:
        """The policy that results from a mark's fields. Equal marks, such as those on all views of
        one partner, share it."""
        key = id(outer.policy), *((name, _same(value)) for name, value in mark.fields.items())
        # A policy that can be used lives as long as the resolver, so that its id stays its own.
        found = self._shared.get(key) if outer.is_usable else None
        if found is None:
            found = outer.policy.derive(**mark.fields)
            if outer.is_usable:
                self._shared[key] = found
        return found

    def without_problems(self) -> Resolver:
        """A copy for combinations that only an alias can have, whose problems are not reported."""
        resolver = copy.copy(self)
        resolver.problems = []
        return resolver

    def add(self, problems: Iterable[Problem]) -> None:
        """Record problems, each once: several routes can share one."""
        self.problems += [problem for problem in problems if problem not in self.problems]

    def view_layers(self, endpoint: str, outer: Layers) -> tuple[Layers, type[View] | None]:
        """The marks that apply to every method of a view, the outermost first; and its class, if it
        has one.

        :param outer: the marks further out.
        """
        view = self._app.view_functions.get(endpoint)
        is_marked = endpoint in self._marks.views
        if not is_marked and is_bare(view):
            return outer, None
        layers = list(outer)
        if is_marked:
            layers.append(Layer(self._marks.views[endpoint], f"endpoint {endpoint}"))
        view_class = view_class_of(view)
        targets: list[object] = [*reversed(view_class.__mro__)] if view_class else []
        if view_class:
            targets.append(view_class.dispatch_request)
            self._check_decorator_lists(endpoint, view_class)
        own = mark_of(view)
        if own is None and endpoint not in self._marks.views:
            self._check_lost_marks(endpoint, view)
        marks = (*map(mark_of, targets), own)
        layers += [Layer(mark, f"view {endpoint}") for mark in marks if mark]
        return tuple(layers), view_class

    @functools.cached_property
    def _view_marks(self) -> set[Mark]:
        return {mark for mark in map(mark_of, self._app.view_functions.values()) if mark}

    def _check_lost_marks(self, endpoint: str, view: object) -> None:
        """Report marks on wrappers of a view that no view of the app carries.

        They may have been meant for this view. Either applying or ignoring them could open it.
        """
        for mark in outer_marks_of(view):
            if not any(mark.says_the_same(known) for known in self._view_marks):
                what = f"{mark.decorator} at {mark.location}"
                *_, inner = wrapped_chain(view)
                if isinstance(inner, FunctionType) and is_written_above(mark, inner):
                    message = (
                        f"{what} does not reach the view {endpoint!r}: the app calls the view"
                        " without the decorators above its route, so these do not protect it"
                        f" either. Move the route to the top, then {mark.decorator}, then the"
                        " other decorators."
                    )
                else:
                    message = (
                        f"{what} marks a function around the view {endpoint!r}, but the route calls"
                        f" the view itself. Put {mark.decorator} {mark.place}, or mark this view"
                        " separately."
                    )
                problem = Problem("lost_mark", "cors", endpoint, message, None, f"view {endpoint}")
                self.add([problem])

    def _check_decorator_lists(self, endpoint: str, view_class: type[View]) -> None:
        """Report marks in ``method_decorators``, which Flask-RESTful and Flask-RESTX apply to the
        handler on each request. Lists with similar names are checked too."""
        if view_class in self._checked_classes:
            return
        self._checked_classes.add(view_class)
        for name in dir(view_class):
            if not name.endswith("_decorators"):
                continue
            for mark in filter(None, map(mark_left_by, flat(getattr(view_class, name, None)))):
                carried = filter(None, map(mark_of, targets_in(view_class, KNOWN_METHODS)))
                if any(mark is each or (mark.exempt and each.exempt) for each in carried):
                    continue  # the class itself has applied them
                message = (
                    f"{mark.decorator} is among the {name} of {view_class.__qualname__}, which run"
                    " on each request, too late for a mark. Put it above the class, or above a"
                    " handler method."
                )
                location = mark.location or location_of(view_class)
                where = f"view {endpoint}" + (f" ({location})" if location else "")
                self.add([Problem("method_decorators", "cors", endpoint, message, where=where)])

    def handler_layers(self, endpoint: str, view_class: type[View], method: str) -> Layers:
        """The mark on the handler of *method* in the view class of an endpoint, if any."""
        # Flask gives HEAD to get() if a class has no head().
        for name in ("HEAD", "GET") if method == "HEAD" else (method,):
            mark = mark_of(getattr(view_class, name.lower(), None))
            if mark:
                return (Layer(mark, f"method {name} of view {endpoint}"),)
        return ()

    def blueprint_layers(self, name: str) -> Iterator[Layer]:
        """The marks of a blueprint and of those around it, the outermost first."""
        parts = name.split(".") if name else []
        for end in range(1, len(parts) + 1):
            full_name = ".".join(parts[:end])
            own = mark_of(self._app.blueprints.get(full_name))
            for mark in filter(None, (self._marks.blueprints.get(full_name), own)):
                yield Layer(mark, f"blueprint {full_name}")


def view_class_of(view: object) -> type[View] | None:
    """The class that a view is made from, or None."""
    for function in wrapped_chain(view):
        found = getattr(function, "view_class", None)
        if isinstance(found, type) and issubclass(found, View):
            return found
    return None


def flat(listed: object) -> Iterator[object]:
    """The members of a list, or of the lists in a mapping."""
    if isinstance(listed, Mapping):
        for value in cast("Mapping[object, object]", listed).values():
            yield from flat(value)
    elif isinstance(listed, (list, tuple, set, frozenset)):
        yield from cast("Iterable[object]", listed)
    else:
        yield listed


def _same(value: object) -> object:
    """What to compare of a field's value. Functions and sources equal only themselves."""
    if isinstance(value, OriginList):
        return tuple(entry if isinstance(entry, str) else id(entry) for entry in value)
    return value


def targets_in(view_class: type[View], methods: Iterable[str]) -> Iterator[object]:
    """The targets whose marks a view class can have."""
    yield from view_class.__mro__
    yield view_class.dispatch_request
    for method in methods:
        for name in ("head", "get") if method == "HEAD" else (method.lower(),):
            yield getattr(view_class, name, None)
