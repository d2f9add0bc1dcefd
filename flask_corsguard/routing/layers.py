"""Which policy the marks on a route add up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flask.app import Flask
from flask.views import View

from flask_corsguard.config import Settings
from flask_corsguard.decorators import Mark, mark_of, outer_marks_of, wrapped_chain
from flask_corsguard.errors import CorsGuardError, PolicyError, Problem, unknown_name
from flask_corsguard.protocol.policy import Policy

DEFAULT_SOURCE = "default"
_REPORT_ONLY_SOURCE = "report_only"
#: Why something comes too late.
POLICIES_IN_FORCE = (
    "the policies of an app of this guard are in force already, since prepare() or its first"
    " request"
)


class FileMark(NamedTuple):
    """A mark on those files of an endpoint whose name matches one of *globs*."""

    globs: tuple[str, ...]
    mark: Mark


class EndpointMarks:
    """The marks that a guard puts on endpoints by name.

    :ivar views: endpoint -> its mark.
    :ivar files: endpoint -> the marks on its files, in the order they are tried.
    :ivar frozen: whether a policy table was built from them for good.
    """

    def __init__(self) -> None:
        self.views: dict[str, Mark] = {}
        self.files: dict[str, list[FileMark]] = {}
        self.frozen = False

    def add_view(self, endpoint: str, mark: Mark) -> None:
        """:raises CorsGuardError: if it is marked already, or an app has served a request."""
        previous = self.views.get(endpoint)
        if previous and not previous.says_the_same(mark):
            raise CorsGuardError(
                f"{mark.location}: endpoint {endpoint!r} is marked already, at"
                f" {previous.location}; put both into one mark"
            )
        if previous is None:
            self._check_in_time(mark)
        self.views[endpoint] = mark

    def add_files(self, endpoint: str, files: FileMark) -> None:
        """:raises CorsGuardError: if a glob is marked already, or an app has served a request."""
        marks = self.files.setdefault(endpoint, [])
        for globs, mark in marks:
            if globs == files.globs and mark.says_the_same(files.mark):
                return
            for glob in globs:
                if glob in files.globs:
                    raise CorsGuardError(
                        f"{files.mark.location}: {glob!r} of endpoint {endpoint!r} is marked"
                        f" already, at {mark.location}; put both into one mark"
                    )
        self._check_in_time(files.mark)
        marks.append(files)

    def by_endpoint(self) -> Iterator[tuple[str, Mark]]:
        """Every mark with the endpoint that it is for."""
        yield from self.views.items()
        for endpoint, marks in self.files.items():
            for _, mark in marks:
                yield endpoint, mark

    def _check_in_time(self, mark: Mark) -> None:
        if self.frozen:
            raise CorsGuardError(
                f"{mark.location}: {POLICIES_IN_FORCE}; mark endpoints while the apps are set up"
            )


class Layer(NamedTuple):
    """A mark, and in words what carries it."""

    mark: Mark
    source: str


Layers = tuple[Layer, ...]


class RoutePolicy(NamedTuple):
    """The policy that a route's marks add up to, or None if the guard leaves the route alone.

    :ivar source: in words, what the innermost mark is on.
    :ivar location: file and line of that mark.
    :ivar layers: all of the marks, the outermost first.
    """

    policy: Policy | None
    source: str
    location: str
    layers: Layers = ()


class _Sum(NamedTuple):
    """What some marks add up to.

    :ivar replaced: whether one of them replaces whatever is further out.
    """

    policy: Policy
    exempt: bool = False
    replaced: bool = False


class Resolver:
    """Adds marks up, from the default policy inwards.

    A report-only policy leaves a route alone if the default policy has no part in it.

    :ivar problems: everything found wrong so far.
    """

    def __init__(self, app: Flask, settings: Settings, marks: EndpointMarks) -> None:
        self.problems: list[Problem] = []
        self._app = app
        self._settings = settings
        self._marks = marks
        self._view_marks = {mark for mark in map(mark_of, app.view_functions.values()) if mark}
        self._sums: dict[tuple[Mark, ...], _Sum] = {}
        for endpoint, mark in marks.by_endpoint():
            if endpoint not in app.view_functions:
                known = app.view_functions
                problem = unknown_name("unknown_endpoint", "endpoint", endpoint, "endpoint", known)
                self.problems.append(problem._replace(where=mark.location))

    def policy_of(self, layers: Layers) -> RoutePolicy:
        """Add up *layers*, the outermost first. *Fields override, a policy replaces.*"""
        total = self._add_up(layers)
        left_alone = total.exempt or (self._settings.is_report_only and total.replaced)
        last = layers[-1] if layers else None
        location = last.mark.location if last else self._settings.source
        policy = None if left_alone else total.policy
        return RoutePolicy(policy, self._source(last), location, layers)

    def _source(self, layer: Layer | None) -> str:
        """In words, what sets a policy."""
        if not self._settings.is_report_only:
            return layer.source if layer else DEFAULT_SOURCE
        return f"{layer.source} over {_REPORT_ONLY_SOURCE}" if layer else _REPORT_ONLY_SOURCE

    def _add_up(self, layers: Layers) -> _Sum:
        if not layers:
            return _Sum(self._settings.default)
        key = tuple(layer.mark for layer in layers)
        known = self._sums.get(key)
        if known is None:
            known = self._apply(self._add_up(layers[:-1]), layers[-1])
            if known is None:
                # a stand-in: because of the problem, there will be no table
                return _Sum(Policy())
            self._sums[key] = known
        return known

    def _apply(self, outer: _Sum, layer: Layer) -> _Sum | None:
        mark = layer.mark
        if mark.exempt:
            return outer._replace(exempt=True)
        where = f"{self._source(layer)} ({mark.location})"
        policy = mark.policy
        if isinstance(policy, str):
            named = self._settings.policies
            if policy not in named:
                problem = unknown_name("unknown_policy", "policy", policy, "policy", named)
                self._add([problem._replace(where=where)])
                return None
            policy = named[policy]
        try:
            derived = (policy or outer.policy).derive(**mark.fields)
        except PolicyError as error:
            self._add(problem._replace(where=where) for problem in error.problems)
            return None
        return _Sum(derived, replaced=outer.replaced or policy is not None)

    def _add(self, problems: Iterable[Problem]) -> None:
        """Note problems down, each once: several routes can share one."""
        self.problems += [problem for problem in problems if problem not in self.problems]

    def view_layers(self, endpoint: str) -> Layers:
        """The marks that hold for every method of a view, the outermost first."""
        layers = list(self.blueprint_layers(endpoint.rpartition(".")[0]))
        if endpoint in self._marks.views:
            layers.append(Layer(self._marks.views[endpoint], f"endpoint {endpoint}"))
        view = self._app.view_functions.get(endpoint)
        view_class = _view_class(view)
        targets: list[object] = [*reversed(view_class.__mro__)] if view_class else []
        if view_class:
            targets.append(view_class.dispatch_request)
        own = mark_of(view)
        if own is None and endpoint not in self._marks.views:
            self._check_lost_marks(endpoint, view)
        marks = (*map(mark_of, targets), own)
        layers += [Layer(mark, f"view {endpoint}") for mark in marks if mark]
        return tuple(layers)

    def _check_lost_marks(self, endpoint: str, view: object) -> None:
        """Refuse marks on functions around a view that no view of the app carries.

        They may have been meant for this view. To apply them or to ignore them could open it.
        """
        for mark in outer_marks_of(view):
            if not any(mark.says_the_same(known) for known in self._view_marks):
                message = (
                    f"@cors at {mark.location} marks a function around the view {endpoint!r} that"
                    " is not a view itself. Put it directly above or below the route; or mark this"
                    " view on its own."
                )
                problem = Problem("lost_mark", "cors", endpoint, message, None, f"view {endpoint}")
                self._add([problem])

    def handler_layers(self, endpoint: str, method: str) -> Layers:
        """The mark on the handler of *method* in a view class, if any."""
        view_class = _view_class(self._app.view_functions.get(endpoint))
        if view_class is None:
            return ()
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
            mark = mark_of(self._app.blueprints.get(full_name))
            if mark:
                yield Layer(mark, f"blueprint {full_name}")


def _view_class(view: object) -> type[View] | None:
    for function in wrapped_chain(view):
        found = getattr(function, "view_class", None)
        if isinstance(found, type) and issubclass(found, View):
            return found
    return None
