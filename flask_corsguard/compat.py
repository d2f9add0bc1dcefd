"""``CORS`` and ``cross_origin`` with the signatures of Flask-CORS, on top of the guard. What they
are given is translated when the app starts, or is an error that says what to write."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import unquote

from flask import Blueprint, Request, Response, current_app, make_response, request
from flask.app import Flask
from flask.blueprints import BlueprintSetupState
from werkzeug.local import LocalProxy

from flask_corsguard import signals
from flask_corsguard.decorators import Mark, attach, call_site
from flask_corsguard.extension import CorsGuard
from flask_corsguard.flask_cors_options import (
    DEFAULTS,
    CompatError,
    NotInGuardError,
    compat_fields,
    origin_entry,
    policy_fields,
    resource_paths,
)
from flask_corsguard.protocol import headers
from flask_corsguard.protocol.audiences import resolve
from flask_corsguard.protocol.decision import Decision, Scope, decide
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.runtime.requests import cors_request
from flask_corsguard.runtime.state import DECISION, EXTENSION_KEY, AppState
from flask_corsguard.text import text_of

__all__ = [
    "CORS",
    "CompatError",
    "NotInGuardError",
    "cross_origin",
    "origin_entry",
    "policy_fields",
    "resource_paths",
]

_KEY = "corsguard.compat"
# On a response: a view with @cross_origin has made it.
_EVALUATED = "_corsguard_compat_evaluated"
# Where there is a @cross_origin.
_cross_origins: set[str] = set()
_current_request: Callable[[], Request] = cast("Any", request)._get_current_object

View = TypeVar("View", bound=Callable[..., Any])


class CORS:
    """Flask-CORS's extension: its arguments, as policies of a guard.

    :param app: the app, or a blueprint that is not registered yet.
    :param options: those of Flask-CORS. For an app, its ``CORS_*`` configuration is read too.
    :raises CompatError: for what cannot be translated; the message says what to write.
    """

    def __init__(self, app: Flask | Blueprint | None = None, **options: Any) -> None:
        self._options = options
        if app is not None:
            _add(app, options, call_site())

    def init_app(self, app: Flask | Blueprint, **options: Any) -> None:
        """The same for an app or a blueprint, with further options.

        :raises CompatError: for what cannot be translated; the message says what to write.
        """
        _add(app, {**self._options, **options}, call_site())


def _add(target: Flask | Blueprint, options: Mapping[str, Any], location: str) -> None:
    if isinstance(target, LocalProxy):
        target = cast("Any", target)._get_current_object()
    if not isinstance(target, Blueprint):
        table = _Table({**_configured(target), **options})
        _calls_of(target, location, is_app=True).add("", "", table, location)
        return
    table = _Table(options)

    def register(state: BlueprintSetupState) -> None:
        name = f"{state.name_prefix}.{state.name}".lstrip(".")
        calls = _calls_of(cast("Flask", state.app), location, is_app=False)
        calls.add(name, state.url_prefix or "", table, location)

    target.record(register)


def _configured(app: Flask) -> dict[str, Any]:
    keys = {name: app.config.get(f"CORS_{name.upper()}") for name in DEFAULTS}
    return {name: value for name, value in keys.items() if value is not None}


def _policy(options: Mapping[str, Any]) -> Policy:
    # The app responds to preflights after its before_request functions, which may refuse them.
    return Policy(**compat_fields(options), answer_preflight=False)


class _Row(NamedTuple):
    resource: str | re.Pattern[str]
    prefixes: list[str]
    policy: Policy

    def matches(self, path: str) -> bool:
        return re.match(self.resource, path) is not None


class _Table:
    """What one call of ``CORS`` says about each path, in the order in which Flask-CORS looks."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        resources = options.get("resources", DEFAULTS["resources"])
        others = {name: value for name, value in options.items() if name != "resources"}
        _policy(others)
        if isinstance(resources, Mapping):
            pairs = [*resources.items()]
            pairs.sort(key=lambda pair: _order(pair[0]))
        else:
            is_one = isinstance(resources, (str, re.Pattern))
            listed = [resources] if is_one else cast("Iterable[Any]", resources)
            pairs = [(resource, {}) for resource in listed]
        self.rows = list(self._read(pairs, others))

    @staticmethod
    def _read(pairs: Iterable[tuple[Any, Any]], options: Mapping[str, Any]) -> Iterator[_Row]:
        for resource, own in pairs:
            if not isinstance(own, Mapping):
                raise CompatError(
                    f"resources: {text_of(own)} is not a dictionary of options. Write"
                    f" {{{resource!r}: {{'origins': ...}}}}"
                )
            prefixes = resource_paths(resource)
            pattern = "" if prefixes == ["/"] else resource
            yield _Row(pattern, prefixes, _policy({**options, **cast("Mapping[str, Any]", own)}))

    def under(self, prefix: str) -> list[Policy]:
        """The policy of what lies under a prefix."""
        found = (row for row in self.rows if any(_covers(each, prefix) for each in row.prefixes))
        return [row.policy for row in found][:1]

    def at(self, path: str) -> list[Policy]:
        """The policy that Flask-CORS would come to for a path."""
        return [row.policy for row in self.rows if row.matches(path)][:1]


def _order(resource: Any) -> tuple[int, int, int]:
    is_pattern = isinstance(resource, re.Pattern)
    text = resource.pattern if is_pattern else ".*" if resource == "*" else str(resource)
    return (not is_pattern, -text.count("/"), -len(text))


def _covers(prefix: str, path: str) -> bool:
    return prefix == "/" or f"{path}/".startswith(f"{prefix}/")


class _Calls:
    """The calls of ``CORS`` for one app. Flask-CORS runs those for the innermost blueprint first,
    those for the app last, of each the last one first; and the first that admits the origin counts.
    """

    def __init__(self, app: Flask, state: AppState) -> None:
        self._state = state
        self._tables: dict[str, list[_Table]] = {}
        self._url_prefixes = {"": ""}
        self._locations: set[str] = set()
        app.after_request(self._after_request)

    def add(self, name: str, url_prefix: str, table: _Table, location: str) -> None:
        """Add a call for the app, or for a blueprint with a name."""
        if self._state.in_force is not None:
            raise CompatError(f"{location}: the app has served a request; call CORS before it does")
        self._tables.setdefault(name, []).insert(0, table)
        self._url_prefixes[name] = url_prefix
        self._locations.add(location)
        marks = self._state.marks
        of_app = self._tables.get("", [])
        paths = {path for each in of_app for row in each.rows for path in row.prefixes} - {"/"}
        for path in paths:
            marks.paths[path] = Mark(self._written([""], path), {}, location)
        if of_app:
            default = resolve(self._written([""], ""), {}, {})
            self._state.settings = self._state.settings._replace(default=default, source=location)
        for blueprint in self._tables.keys() - {""}:
            at = self._url_prefixes[blueprint]
            inside = [path for path in paths if _covers(at or "/", path)]
            own = [row for each in self._tables[blueprint] for row in each.rows]
            if inside or any(row.policy != own[0].policy for row in own):
                raise CompatError(
                    f"{location}: resources by path, and options for blueprint {blueprint!r}: write"
                    " them as resources of the app: CORS(app, resources={'/api/*': {...}})"
                )
            parts = blueprint.split(".")
            names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
            marks.blueprints[blueprint] = Mark(self._written([*names, ""], at), {}, location)

    def _written(self, names: Iterable[str], prefix: str) -> Policy | tuple[Policy, ...]:
        tables = [(name, table) for name in names for table in self._tables.get(name, [])]
        return _in_turn(
            policy
            for name, table in tables
            for policy in (table.under(prefix) or ([] if not name else [table.rows[0].policy]))
        )

    def _after_request(self, response: Response) -> Response:
        """Narrow what the guard has decided to what Flask-CORS would, where a path or an error is
        governed by other calls than the route."""
        current = _current_request()
        decision: Decision | None = getattr(current, DECISION, None)
        if decision is None or hasattr(response, _EVALUATED):
            return response
        is_cross_origin = decision.policy is None and decision.policy_location in _cross_origins
        if not is_cross_origin and (
            decision.policy_location not in self._locations or decision.reason is not None
        ):
            return response
        path = unquote(current.path)
        names = [*current.blueprints, ""]
        tables = [table for name in names for table in self._tables.get(name, [])]
        policies = [policy for table in tables for policy in table.at(path)]
        if decision.policy not in policies:
            scope = Scope(decision.endpoint, decision.policy_source, decision.policy_location)
            written = resolve(_in_turn(policies), {}, {})
            decision = decide(written, cors_request(current), scope)
            if is_cross_origin:
                _announce(self._state, current, decision)
        setattr(current, DECISION, _as_sent(decision))
        return response


def _in_turn(policies: Iterable[Policy]) -> Policy | tuple[Policy, ...]:
    """The policies that are asked in turn: none after one that admits everybody."""
    found: list[Policy] = []
    for policy in policies:
        if policy not in found:
            found.append(policy)
        if policy.origins == "*":
            break
    return tuple(found) if len(found) > 1 else found[0] if found else Policy()


def _calls_of(app: Flask, location: str, *, is_app: bool) -> _Calls:
    calls = app.extensions.get(_KEY)
    if isinstance(calls, _Calls):
        return calls
    if EXTENSION_KEY not in getattr(app, "extensions", ()):
        CorsGuard(app)
    elif is_app:
        raise CompatError(
            f"{location}: {app!r} has a CorsGuard already. Take CORS out, and give that the fields"
        )
    calls = app.extensions[_KEY] = _Calls(app, app.extensions[EXTENSION_KEY])
    return calls


def _as_sent(decision: Decision) -> Decision:
    """Without the headers that Flask-CORS leaves out where ``methods`` has not the requested one: a
    page can then send it without further headers, if it is GET, HEAD or POST."""
    policy = decision.policy
    if not decision.preflight or decision.reason or policy is None:
        return decision
    if decision.method in (policy.methods or ()):
        return decision
    left_out = (headers.ALLOW_METHODS, headers.ALLOW_HEADERS, headers.MAX_AGE)
    kept = {name: value for name, value in decision.headers.items() if name not in left_out}
    return decision._replace(headers=kept)


def _announce(state: AppState | None, current: Request, decision: Decision) -> None:
    if state is not None and state.in_force and not state.in_force.is_own(current):
        signals.announce(state.app, decision, state.log)


class _CrossOriginMark(Mark):
    """The guard leaves the view alone, since the decorator decides."""

    decorator = "@cross_origin"


def cross_origin(*unnamed: Any, **options: Any) -> Callable[[View], View]:
    """Flask-CORS's decorator. It stands below ``@app.route``, and needs no guard.

    It decides about what the view itself returns, and responds to OPTIONS where it stands: a
    decorator above it may refuse a preflight, and an error that the view raises is not its.

    :param options: those of Flask-CORS; the ``CORS_*`` configuration counts for those left out.
    :raises CompatError: for what cannot be translated; the message says what to write.
    """
    location = call_site()
    if unnamed:
        raise CompatError(
            f"{location}: Flask-CORS ignores what has no name: {text_of(unnamed[0])}. Write"
            " @cross_origin(origins=[...])"
        )
    if "resources" in options:
        raise CompatError(f"{location}: a view has no resources. Take them out")
    _policy(options)
    _cross_origins.add(location)
    mark = _CrossOriginMark(None, {}, location, exempt=True)

    def decorate(view: View) -> View:
        if isinstance(view, type):
            raise CompatError(
                f"{location}: @cross_origin is for functions. Write decorators = [cross_origin()]"
                f" in class {view.__name__}"
            )
        if options.get("automatic_options", True):
            # Flask reads these off the view.
            given: Any = view
            given.required_methods = {*getattr(view, "required_methods", ()), "OPTIONS"}
            given.provide_automatic_options = False
        policies: dict[str, Policy] = {}

        @functools.wraps(view)
        def wrapped(*args: Any, **kwargs: Any) -> Response:
            configured = _configured(current_app)
            key = repr(configured)
            merged = {**configured, **options}
            merged.pop("resources", None)
            policy = policies.get(key) or policies.setdefault(key, _policy(merged))
            current = _current_request()
            if current.method == "OPTIONS" and merged.get("automatic_options", True):
                response = current_app.make_default_options_response()
            else:
                response = make_response(current_app.ensure_sync(view)(*args, **kwargs))
            if not hasattr(response, _EVALUATED):
                _evaluate(policy, current, response, location)
            return response

        attach(wrapped, mark)
        return cast("View", wrapped)

    return decorate


def _evaluate(policy: Policy, current: Request, response: Response, location: str) -> None:
    scope = Scope(current.endpoint, "@cross_origin", location)
    decision = _as_sent(decide(policy, cors_request(current), scope))
    for name, value in decision.headers.items():
        response.headers.add(name, value)
    setattr(response, _EVALUATED, True)
    known: Decision | None = getattr(current, DECISION, None)
    if known is not None:  # of a guard, which leaves the response as it is from now on
        exempt = known._replace(outcome=Outcome.EXEMPT, reason=None, policy=None)
        setattr(current, DECISION, exempt)
    _announce(current_app.extensions.get(EXTENSION_KEY), current, decision)
