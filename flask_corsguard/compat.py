"""``CORS`` and ``cross_origin`` with the signatures of Flask-CORS, on top of the guard. Their
options are translated when the app starts. If one cannot be translated, an error shows what to
write."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from flask import Blueprint, Request, Response, current_app, make_response, request
from flask.app import Flask
from werkzeug.local import LocalProxy
from werkzeug.routing import Rule

from flask_corsguard import signals
from flask_corsguard.decorators import EXTENSION_KEY, Mark, attach, call_site
from flask_corsguard.extension import CorsGuard
from flask_corsguard.flask_cors_options import CompatError as CompatError
from flask_corsguard.flask_cors_options import as_sent, common, compat_policy, configured
from flask_corsguard.flask_cors_resources import Narrowed, PathTable, covers, in_turn
from flask_corsguard.protocol.audiences import resolve
from flask_corsguard.protocol.decision import Decision, Scope, decide
from flask_corsguard.protocol.headers import ALLOW_ORIGIN
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.layers import DEFAULT_SOURCE, PATH_PATTERNS_KEY, Layer, Layers
from flask_corsguard.runtime.requests import cors_request
from flask_corsguard.runtime.state import DECISION, AppState
from flask_corsguard.text import text_of

__all__ = ["CORS", "cross_origin"]

# An attribute of a response that a view with @cross_origin has made.
_EVALUATED = "_corsguard_evaluated"
_current_request: Callable[[], Request] = cast("Any", request)._get_current_object
_cross_origins: set[str] = set()  # file and line of each @cross_origin

_Policies = Policy | tuple[Policy, ...]
View = TypeVar("View", bound=Callable[..., Any])


class CORS:
    """Flask-CORS's extension, with its options as policies of a guard.

    :param app: the app, or a blueprint that is not registered yet.
    :param options: Flask-CORS's options. For an app, its ``CORS_*`` configuration replaces those
        left out.
    :raises CompatError: for options that cannot be translated; the message shows what to write.
    """

    def __init__(self, app: Flask | Blueprint | None = None, **options: Any) -> None:
        self._options = options
        if app is not None:
            _add(app, options, call_site())

    def init_app(self, app: Flask | Blueprint, **options: Any) -> None:
        """Apply the constructor's options to an app or a blueprint.

        :param app: the app, or a blueprint that is not registered yet.
        :param options: further options, which override the constructor's.
        :raises CompatError: for options that cannot be translated; the message shows what to write.
        """
        _add(app, {**self._options, **options}, call_site())


def _add(target: Flask | Blueprint, options: Mapping[str, Any], location: str) -> None:
    if isinstance(target, LocalProxy):
        target = cast("Any", target)._get_current_object()
    if isinstance(target, Blueprint):
        table = PathTable(options)
        target.record(
            lambda state: _calls_of(cast("Flask", state.app)).add(
                f"{state.name_prefix}.{state.name}".lstrip("."), state.url_prefix, table, location
            )
        )
    else:
        calls = _calls_of(target)
        calls.add("", "/", PathTable({**configured(target.config), **options}), location)


class _Calls:
    """The calls of ``CORS`` for one app. Flask-CORS tries those for the innermost blueprint first
    and those for the app last, the latest call first in each case; the first that admits the origin
    counts.
    """

    def __init__(self, app: Flask) -> None:
        is_ours = EXTENSION_KEY not in getattr(app, "extensions", ())
        if is_ours:
            CorsGuard(app)
        self._state: AppState = app.extensions[EXTENSION_KEY]
        self._is_ours = is_ours and not self._state.settings.configured
        self._tables: dict[str, list[PathTable]] = {}
        self._blueprints: dict[str, str] = {}
        self._locations: set[str] = set()
        self._layers: dict[tuple[_Policies, str, str], Layer] = {}
        app.after_request(self._after_request)
        functions = app.after_request_funcs[None]
        functions.insert(0, functions.pop())  # so that it runs after all others

    def add(self, name: str, url_prefix: str | None, table: PathTable, location: str) -> None:
        """Add a call for a blueprint, or for the app, which has no name."""
        if not name and not self._is_ours:
            raise CompatError(
                f"{location}: the app already has a CorsGuard, or configuration keys for one. Take"
                " CORS out, and give the fields to CorsGuard"
            )
        if self._state.in_force is not None:
            raise CompatError(
                f"{location}: the app has already served a request. Call CORS earlier"
            )
        self._tables.setdefault(name, []).insert(0, table)
        self._locations.add(location)
        if name:
            self._blueprints[name] = url_prefix or "/"
        marks, of_app = self._state.marks, self._tables.get("", [])
        paths = {path for each in of_app for row in each.rows for path in row.prefixes} - {"/"}
        for path in paths:
            marks.paths[path] = Mark(self._policies([], path), {}, location)
        if self._is_ours:
            default = resolve(self._policies([], "/"), {}, {})
            self._state.settings = self._state.settings._replace(default=default, source=location)
        for blueprint, prefix in self._blueprints.items():
            own = self._tables[blueprint]
            is_by_path = any(len({row.policy for row in each.rows}) > 1 for each in own)
            if is_by_path or any(covers(prefix, path) for path in paths):
                raise CompatError(
                    f"{location}: there are resources by path as well as options for blueprint"
                    f" {blueprint!r}. Write both as resources of the app: CORS(app,"
                    " resources={'/api/*': {...}})"
                )
            names = _around(blueprint)
            marks.blueprints[blueprint] = Mark(self._policies(names, prefix), {}, location)

    def _policies(self, blueprints: Iterable[str], path: str) -> _Policies:
        own = [each for name in blueprints for each in self._tables.get(name, [])]
        of_app = [p for each in self._tables.get("", []) for p in each.under(path).policies]
        return in_turn([*(row.policy for each in own for row in each.rows[:1]), *of_app])

    def layers_of(self, rule: Rule, prefix: str, around: Layers) -> Layers:
        """See :class:`~flask_corsguard.routing.layers.PathPatterns`."""
        if not self._is_innermost(around):
            return ()
        policies = in_turn(self._narrowed(rule, prefix).policies)
        location, source = self._state.settings.source, DEFAULT_SOURCE
        known = self._state.settings.default
        if around:
            mark, source = around[-1]
            location = mark.location
            known = resolve(mark.policy or (), {}, {})
        if resolve(policies, {}, {}) == known:
            return ()
        # Rules about which the same is known share a layer, and with it the policy.
        layer = Layer(_RuleMark(policies, {}, location), source)
        return (self._layers.setdefault((policies, location, source), layer),)

    def may_differ(self, rule: Rule, prefix: str, layers: Layers) -> bool:
        """See :class:`~flask_corsguard.routing.layers.PathPatterns`."""
        return self._is_innermost(layers) and self._narrowed(rule, prefix).may_differ

    @property
    def default_may_differ(self) -> bool:
        """See :class:`~flask_corsguard.routing.layers.PathPatterns`."""
        return any(each.under("/").may_differ for each in self._tables.get("", []))

    def _is_innermost(self, layers: Layers) -> bool:
        """Whether no mark of the guard's decides instead."""
        location = layers[-1].mark.location if layers else self._state.settings.source
        return location in self._locations

    def _narrowed(self, rule: Rule, prefix: str) -> Narrowed:
        """What is known of a rule's paths under a prefix."""
        text = re.sub("/{2,}", "/", rule.rule) if rule.merge_slashes else rule.rule
        start = re.split("[<%]", text)[0]
        is_path = start == text and bool(rule.strict_slashes or not text.endswith("/"))
        if not is_path and prefix.startswith(start):
            start = f"{prefix}/"
        names = filter(None, _around(rule.endpoint.rpartition(".")[0]))
        own = [each for name in names for each in self._tables.get(name, [])]
        of_app = self._tables.get("", [])
        found = [each.of_blueprint(start, is_path=is_path) for each in own]
        found += [each.under(prefix or "/", start, is_path=is_path) for each in of_app]
        policies = [policy for each in found for policy in each.policies]
        return Narrowed(policies, any(each.may_differ for each in found))

    def _after_request(self, response: Response) -> Response:
        """Replace the guard's decision by that of Flask-CORS, if that tries other calls than the
        route's: for errors, for redirects, and for paths next to a prefix."""
        state, current = self._state, _current_request()
        decision: Decision | None = getattr(current, DECISION, None)
        if decision is None or hasattr(response, _EVALUATED):
            return response
        is_cross_origin = decision.policy is None and decision.policy_location in _cross_origins
        if not (is_cross_origin or self._is_own(decision)):
            return response
        decision = self._by_path(current, decision, is_error=response.status_code >= 300)
        state.replace(current, decision)
        if is_cross_origin:
            _announce(state, current, decision)
        names = {name.lower() for name, _ in response.headers}
        is_partial = any(name.startswith("access-control-") for name in names)
        if is_partial and ALLOW_ORIGIN.lower() not in names:
            # The guard would take these for all the headers that the view wants to send.
            response.headers.extend(decision.headers)
        return response

    def decided(self, request: Request, decision: Decision, *, is_error: bool) -> Decision:
        """See :class:`~flask_corsguard.routing.layers.PathPatterns`."""
        if not self._is_own(decision):
            return decision
        return self._by_path(request, decision, is_error=is_error)

    def _is_own(self, decision: Decision) -> bool:
        return decision.policy_location in self._locations and decision.reason is None

    def _by_path(self, current: Request, decision: Decision, *, is_error: bool) -> Decision:
        if decision.outcome is Outcome.SAME_ORIGIN:
            return decision
        of_app, asks = self._tables.get("", []), functools.partial(self._asked, current, decision)
        tables = [each for name in current.blueprints for each in self._tables.get(name, [])]
        decision = asks([*tables, *of_app])
        if is_error:  # after an exception, CORS(app) is first
            decision = common(decision, asks([*reversed(of_app), *tables]))
        return as_sent(decision)

    @staticmethod
    def _asked(current: Request, decision: Decision, tables: Iterable[PathTable]) -> Decision:
        path = unquote(current.path)
        policies = [policy for table in tables for policy in table.at(path)]
        policy = resolve(in_turn(policies), {}, {})
        if policy == decision.policy:
            return decision
        scope = Scope(decision.endpoint, decision.policy_source, decision.policy_location)
        return decide(policy, cors_request(current), scope)


def _around(blueprint: str) -> list[str]:
    """A blueprint and those around it, the innermost first."""
    return [blueprint.rsplit(".", n)[0] for n in range(blueprint.count(".") + 1)]


def _calls_of(app: Flask) -> _Calls:
    calls = getattr(app, "extensions", {}).get(PATH_PATTERNS_KEY) or _Calls(app)
    return cast("_Calls", app.extensions.setdefault(PATH_PATTERNS_KEY, calls))


def _announce(state: AppState, current: Request, decision: Decision) -> None:
    if state.in_force is not None and not state.in_force.is_own(current):
        signals.announce(state.app, decision, state.log)


class _RuleMark(Mark):
    """What the calls say about a rule."""

    is_of_rule = True


class _CrossOriginMark(Mark):
    """Exempts the view from the guard, since the decorator decides."""

    place = "directly below the route"

    @property
    def decorator(self) -> str:
        """The decorator, as it is written."""
        return "@cross_origin"


def cross_origin(*unnamed: Any, **options: Any) -> Callable[[View], View]:
    """Flask-CORS's decorator. Write it below ``@app.route``; it needs no guard.

    As in Flask-CORS, it adds headers to responses that the view returns, not to errors that it
    raises, and responds to OPTIONS itself: a decorator above it may refuse a preflight first.

    :param options: Flask-CORS's options; the ``CORS_*`` configuration replaces those left out.
    :raises CompatError: for options that cannot be translated; the message shows what to write.
    """
    location = call_site()
    if unnamed or "resources" in options:
        ignored = text_of(unnamed[0]) if unnamed else "resources"
        raise CompatError(
            f"{location}: Flask-CORS ignores {ignored} here. Write"
            " @cross_origin(origins=['https://app.example.com'])"
        )
    compat_policy(options)
    _cross_origins.add(location)

    def decorate(view: View) -> View:
        if options.get("automatic_options", True):  # Flask reads these attributes of the view
            vars(view)["required_methods"] = {*getattr(view, "required_methods", ()), "OPTIONS"}
            vars(view)["provide_automatic_options"] = False
        policies: dict[str, Policy] = {}

        @functools.wraps(view)
        def wrapped(*args: Any, **kwargs: Any) -> Response:
            given = {**configured(current_app.config), **options, "resources": "/*"}
            key = repr(given)
            policy = policies.get(key) or policies.setdefault(key, compat_policy(given))
            if request.method == "OPTIONS" and given.get("automatic_options", True):
                response = current_app.make_default_options_response()
            else:
                response = make_response(current_app.ensure_sync(view)(*args, **kwargs))
            return _evaluated(response, policy, location)

        attach(wrapped, _CrossOriginMark(None, {}, location, exempt=True))
        return cast("View", wrapped)

    return decorate


def _evaluated(response: Response, policy: Policy, location: str) -> Response:
    if hasattr(response, _EVALUATED):
        return response
    current = _current_request()
    scope = Scope(current.endpoint, "@cross_origin", location)
    decision = as_sent(decide(policy, cors_request(current), scope))
    response.headers.extend(decision.headers)
    setattr(response, _EVALUATED, True)
    state: AppState | None = current_app.extensions.get(EXTENSION_KEY)
    known: Decision | None = getattr(current, DECISION, None)
    if state is not None and known is not None:  # the guard leaves the response as it is
        exempt = known._replace(outcome=Outcome.EXEMPT, reason=None, policy=None)
        state.replace(current, exempt)
        _announce(state, current, decision)
    return response
