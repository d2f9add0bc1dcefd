"""The extension: what a developer calls."""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, Never, TypeVar, Unpack, cast

from flask import Blueprint, current_app, has_request_context, request, request_started
from flask.app import Flask
from werkzeug.local import LocalProxy
from werkzeug.utils import import_string

from flask_corsguard.config import (
    SETTINGS_FILE,
    Arguments,
    Settings,
    changed_settings,
    read_arguments,
    read_settings,
)
from flask_corsguard.decorators import EXTENSION_KEY, all_marked, call_site, make_mark, refuse_more
from flask_corsguard.errors import (
    CorsGuardError,
    NoFunction,
    PolicyError,
    Problem,
    is_function,
)
from flask_corsguard.logging import logger
from flask_corsguard.path_prefix import read_prefix, why_no_glob
from flask_corsguard.protocol.audiences import PolicyForm
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.fields import is_asynchronous
from flask_corsguard.protocol.policy import FIELDS, Policy, PolicyFields, fields_meant
from flask_corsguard.routing.layers import FileMark, GuardMarks
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.counts import DecisionKind
from flask_corsguard.runtime.hooks import Hooks
from flask_corsguard.runtime.state import AppState, state_of
from flask_corsguard.text import source_of, text_of

# Everything that a request can need is loaded with this module. What only some apps use, such as a
# settings file, is loaded where they ask for it; what only a rejection or a mistake needs, with the
# first one, or by prepare().
if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from flask_corsguard.runtime.asgi import AsgiApp
    from flask_corsguard.runtime.origin_check import OriginCheck
    from flask_corsguard.runtime.wsgi import FrontedApp
    from flask_corsguard.settings_file import SettingsFile

NamedPolicies = Mapping[str, Policy | PolicyFields]
FirstFunction = TypeVar("FirstFunction", bound=Callable[[], Any])
ReportOnly = PolicyForm | PolicyFields | Literal[False] | None


_STARLETTE = "For FastAPI and Starlette, use starlette.middleware.cors.CORSMiddleware"
# Frameworks -> what to write for their apps.
_OTHER_FRAMEWORKS = {
    "connexion": "Only a connexion.FlaskApp has one, as its .app: CorsGuard(app.app, ...)",
    "fastapi": _STARLETTE,
    "quart": "For Quart, use Quart-CORS",
    "starlette": _STARLETTE,
}


# What people look for in the guard.
_DECORATORS = {
    "cors": "@cors(...), which is in flask_corsguard",
    "exempt": "@cors_exempt, which is in flask_corsguard",
    "cors_exempt": "@cors_exempt, which is in flask_corsguard",
}

# What a rejection, a change of the settings file or a source's row may need. prepare() loads it:
# later, the process may have other permissions or another root, or find another release's files.
_LOADED_LATER = (
    "flask_corsguard.protocol.explanation",
    "flask_corsguard.protocol.field_names",
    "flask_corsguard.protocol.name_errors",
    "flask_corsguard.protocol.origin_errors",
)


class CorsGuard(NoFunction):
    """Applies CORS policies to one Flask app, or to several.

    :param app: the app. To guard it later, leave it out and call :meth:`init_app`.
    :param policy: the default policy, for every route without a mark: a :class:`Policy`, the name
        of one, or a list of these, tried in order: the first that admits the origin decides. It
        replaces the policy in the ``CORSGUARD_*`` configuration. *fields* change single fields of
        it, or of each policy in a list. If nothing sets a policy, no other origin is allowed.
    :param policies: named policies, for ``@cors("name")``: name -> Policy or mapping of fields.
    :param report_only: a policy, the name of one, a list of these, or a mapping of fields, that
        runs beside the default policy. It changes no response; requests that it would reject are
        signalled and logged. False turns off ``CORSGUARD_REPORT_ONLY``.
    :param self_origins: more origins that count as the app's own, if a proxy hides that they are.
    :param inspector: whether to serve the inspector at ``/_corsguard/``, in debug mode. With None,
        ``CORSGUARD_INSPECTOR`` decides; it is off by default.
    :param fields: fields of the default policy.
    :raises PolicyError: with every problem of every policy.
    :raises CorsGuardError: if the app cannot be guarded.
    """

    def __init__(
        self,
        app: Flask | None = None,
        policy: PolicyForm | None = None,
        *more: Never,
        policies: NamedPolicies | None = None,
        report_only: ReportOnly = None,
        self_origins: str | Iterable[str] = (),
        inspector: bool | None = None,
        **fields: Unpack[PolicyFields],
    ) -> None:
        location = call_site()
        refuse_more((policy, *more), location, "CorsGuard", "app")
        self._arguments = read_arguments(
            policy, fields, policies, report_only, self_origins, inspector, location
        )
        self._marks = GuardMarks()
        self._first: list[Callable[[], Any]] = []
        # Weak, so that the app can be forgotten.
        self._app: Callable[[], Flask | None] = lambda: None
        request_started.disconnect(_look_for_any_guard)
        if app is None:
            request_started.connect(self._look_for_guard)
        else:
            self.init_app(app)
            self._app = weakref.ref(app)

    def init_app(self, app: Flask, *unnamed: Never, **fields: Never) -> None:
        """Guard *app*. Reads its configuration now, and its marks before its first request.

        :param app: the app, and nothing else: fields and policies go to the constructor.
        :raises PolicyError: with every problem of the settings.
        :raises CorsGuardError: if the app is guarded already, or has served a request.
        """
        location = call_site()
        if unnamed or fields:
            given = _written(unnamed, fields)
            keys = " and ".join(f"CORSGUARD_{name.upper()}" for name in fields if name in FIELDS)
            raise CorsGuardError(
                f"{location}: init_app() takes only the app. Write CorsGuard({given}) where the"
                f" guard is made, or set {keys or 'CORSGUARD_ORIGINS'} in app.config."
            )
        if isinstance(app, LocalProxy):
            raise CorsGuardError(
                f"{location}: CorsGuard takes the app itself, not a proxy: where you have only"
                " current_app, pass current_app._get_current_object()"
            )
        if not isinstance(app, Flask):
            hint = _instead_of(app, self._arguments)
            raise CorsGuardError(
                f"{location}: CorsGuard takes a Flask app, not {text_of(app)}. {hint}"
            )
        state = app.extensions.get(EXTENSION_KEY)
        if isinstance(state, AppState) and state.marks is self._marks:
            raise CorsGuardError(
                f"{location}: {app!r} already has a guard, this one: CorsGuard(app) calls"
                " init_app() itself. Leave this call out."
            )
        if EXTENSION_KEY in app.extensions:
            raise CorsGuardError(
                f"{location}: {app!r} already has a guard. Call init_app() once, and set other"
                " policies with @cors(...) marks; guard.reconfigure() changes the default policy at"
                " run time."
            )
        request_started.disconnect(self._look_for_guard)
        settings, file = self._read_settings(app.config)
        state = AppState(app, settings, self._marks, self._first, file)
        state.in_debug = _warn_of_marks
        Hooks(state)  # registers itself; its hooks keep it alive
        app.extensions[EXTENSION_KEY] = state
        if settings.inspector is not None:
            # Imported by name: an app without the inspector loads none of its code.
            import_string("flask_corsguard.inspector.site.install")(state, settings.inspector)

    def _read_settings(self, config: Mapping[str, Any]) -> tuple[Settings, SettingsFile | None]:
        if config.get(SETTINGS_FILE) is None:
            return read_settings(config, self._arguments), None
        from flask_corsguard.settings_file import read_settings_file

        file = read_settings_file(config, self._arguments)
        return file.start, file

    def _look_for_guard(self, app: Flask, **_: object) -> None:
        """Log at the first request if this guard was never given an app."""
        request_started.disconnect(self._look_for_guard)
        if EXTENSION_KEY not in app.extensions:
            logger.error(
                "%r has no guard: the CorsGuard made at %s was given no app, so no page of another"
                " origin may read a response. Call guard.init_app(app) directly below app ="
                " Flask(...), in the app factory if there is one, and not below if __name__ =="
                " '__main__', which 'flask run' does not run.",
                app,
                self._arguments.location,
            )

    def for_endpoint(
        self,
        endpoint: str,
        policy: PolicyForm | None = None,
        /,
        *more: Never,
        **fields: Unpack[PolicyFields],
    ) -> None:
        """Mark a view that you cannot decorate. A mark on the view itself overrides this one.

        :param endpoint: the full endpoint name, such as ``"static"`` or ``"admin.index"``.
        :param policy: what replaces the policy that applies without this mark: a policy, the name
            of one, or a list of these.
        :param fields: the fields of the policy to change.
        :raises PolicyError: if a field is unknown or its value cannot be used.
        :raises CorsGuardError: if the endpoint is marked already, or an app has served a request.
        """
        location = call_site()
        _check_strings(location, "for_endpoint", endpoint)
        refuse_more((policy, *more), location, "for_endpoint", repr(endpoint))
        mark = make_mark(policy, fields, "for_endpoint", location, endpoint)
        self._marks.add("endpoint", endpoint, mark)

    def for_blueprint(
        self,
        name: str,
        policy: PolicyForm | None = None,
        /,
        *more: Never,
        **fields: Unpack[PolicyFields],
    ) -> None:
        """Mark a blueprint that you cannot decorate, such as an extension's, before or after it is
        registered. A mark on the blueprint itself overrides this one.

        :param name: the full name, such as ``"security"``, or ``"outer.inner"`` for a blueprint
            inside another. If a name was given at registration, use that one.
        :param policy: what replaces the policy that applies without this mark: a policy, the name
            of one, or a list of these.
        :param fields: the fields of the policy to change.
        :raises PolicyError: if a field is unknown or its value cannot be used.
        :raises CorsGuardError: if the blueprint is marked already, or an app has served a request.
        """
        location = call_site()
        _check_strings(location, "for_blueprint", name)
        refuse_more((policy, *more), location, "for_blueprint", repr(name))
        mark = make_mark(policy, fields, "for_blueprint", location, name)
        self._marks.add("blueprint", name, mark)

    def for_path(
        self,
        prefix: str,
        policy: PolicyForm | None = None,
        /,
        *more: Never,
        **fields: Unpack[PolicyFields],
    ) -> None:
        """Mark everything under a path, 404s included. Whole segments are compared: ``"/api"``
        covers ``/api``, ``/api/`` and ``/api/x``, but not ``/apix``.

        Longer prefixes override shorter ones; marks on blueprints, views and methods override all
        of them. Use it to open paths. To restrict a view, mark the view itself: that holds whatever
        its path.

        :param prefix: the path, decoded and relative to the app's root. Host and subdomain do not
            matter.
        :param policy: what replaces the policy that applies without this mark: a policy, the name
            of one, or a list of these.
        :param fields: the fields of the policy to change.
        :raises PolicyError: if the prefix, or a field, cannot be used.
        :raises CorsGuardError: if the path is marked already, or an app has served a request.
        """
        location = call_site()
        problems: list[Problem] = []
        prefix = read_prefix("for_path", prefix, problems)
        if problems:
            raise PolicyError(problem._replace(where=location) for problem in problems)
        if isinstance(policy, str) and policy.startswith("/"):
            raise CorsGuardError(f"{location}: for_path takes one path: call it for each of them")
        refuse_more((policy, *more), location, "for_path", repr(prefix))
        mark = make_mark(policy, fields, "for_path", location, prefix)
        self._marks.add("path", prefix, mark)

    def for_files(self, endpoint: str, *globs: str, **fields: Unpack[PolicyFields]) -> None:
        """Mark some files of an endpoint that serves files.

        The globs are case-sensitive and matched against the file name that the route captured;
        ``*`` also matches ``/``. If several marks match a file, the first one counts.

        :param endpoint: the full endpoint name, such as ``"static"``.
        :param globs: patterns such as ``"*.woff2"``.
        :param fields: the fields that change what applies to the endpoint.
        :raises PolicyError: if a field is unknown or its value cannot be used.
        :raises CorsGuardError: if there is no glob, or an app has served a request.
        """
        location = call_site()
        _check_strings(location, "for_files", endpoint, *globs)
        if "*" in endpoint:
            raise CorsGuardError(
                f"{location}: the endpoint comes first: for_files('static', {endpoint!r}, ...)"
            )
        if not globs:
            raise CorsGuardError(
                f"{location}: name the files, such as for_files({endpoint!r}, '*.woff2')"
            )
        origins = [glob for glob in globs if "://" in glob]
        if origins:
            raise CorsGuardError(
                f"{location}: {origins!r} are origins, not files. Write for_files({endpoint!r},"
                f" '*.woff2', origins={origins!r})"
            )
        for glob in globs:
            wrong = why_no_glob(endpoint, glob)
            if wrong:
                raise CorsGuardError(f"{location}: {wrong}")
        mark = make_mark(None, fields, "for_files", location, endpoint, *globs)
        self._marks.add_files(endpoint, FileMark(globs, mark))

    def run_first(self, function: FirstFunction) -> FirstFunction:
        """Register a function that runs before the guard, even for preflights and refused requests,
        to which the guard responds before any ``before_request`` function runs. Use it as a
        decorator, or call it.

        If it returns a response, or aborts, that is the response, as with ``app.before_request``;
        the guard adds the decision's headers. A preflight to which it responds with a status
        other than 2xx, such as 401, fails. :data:`current_decision` is not known yet.

        :param function: takes no arguments. It runs once per request, even if it is also a
            ``before_request`` function of the app or a blueprint. Several run in the order in which
            they were registered.
        :returns: *function* itself.
        :raises CorsGuardError: if it is not a function, or policies are in force already.
        """
        location = call_site()
        if not is_function(function) or isinstance(function, type):
            raise CorsGuardError(f"{location}: run_first takes a function, not {text_of(function)}")
        if function in self._first:  # by the factory of another app, say
            return function
        if self._marks.frozen:
            raise CorsGuardError(
                f"{location}: {self._marks.why_late}, but not into a factory that runs again"
            )
        self._first.append(function)
        return function

    def prepare(self, app: Flask | None = None) -> None:
        """Resolve every route's policy now rather than at the first request, and raise every
        problem. Call it at the end of an app factory: then an app with a mistake does not start,
        and in one that is loaded before its server forks, the table is already built.

        A mark that does not do what was meant is logged: one that no route has, that is not applied
        to anything, that allows a method which no route accepts, or whose path covers no route. It
        is not an error, since another app may use it. In debug mode, the first request logs the
        same without this call. Sources with ``at_start="fail"`` are read, and their connections
        closed again.

        :param app: the app; if left out, the current one, or the constructor's.
        :raises PolicyError: with every problem of every route; or if a source with
            ``at_start="fail"`` cannot be read.
        """
        state = self._state(app)
        state.put_in_force(f"guard.prepare() at {call_site()}")
        state.load_required_sources()
        state.log.say_if_disabled()
        for name in _LOADED_LATER:
            import_string(name)
        _warn_of_marks(state)

    def explain(
        self,
        url: str,
        *,
        origin: str | None,
        method: str = "GET",
        headers: Iterable[str] | Mapping[str, str] = (),
        app: Flask | None = None,
    ) -> Decision:
        """Decide about a request that a page would send with ``fetch(url, {method, headers})``.

        Runs no view or hook, sends no signal and logs nothing about the request. Sources are read
        if they are due, as in a request. If the browser would send a preflight first and the guard
        would reject it, this is the decision about the preflight. If something that is known to
        respond in front of the app, such as WhiteNoise, would respond without the guard, the
        outcome is ``EXEMPT``, and ``in_front`` names it.

        :param url: a path, or a whole URL if the host matters, as the server receives it: browsers
            resolve ``..`` and backslashes before they send anything.
        :param origin: the page's origin, as the browser would send it; None for a request without
            ``Origin``.
        :param method: the method that the page requests. ``"OPTIONS"``, with
            ``Access-Control-Request-Method`` among *headers*, asks about that preflight itself.
        :param headers: the request headers that the page sets: names, or names with values.
            ``Upgrade: websocket``, or a *url* that begins with ``ws:``, makes it a WebSocket
            handshake.
        :param app: the app; if left out, the current one, or the constructor's.
        :raises PolicyError: if the policy of any route cannot be used.
        :raises CorsGuardError: if *url* and *origin* are swapped, or *url* is a host without a
            scheme, or a rule.
        """
        # Imported only here, because it brings the simulated browser along.
        from flask_corsguard.simulate import explain

        return explain(self._state(app), url, origin, method, headers)

    def routes(self, app: Flask | None = None) -> list[Route]:
        """List every route's policy, in the order of the rules.

        :param app: the app; if left out, the current one, or the constructor's.
        :returns: (``rule``, ``methods``, ``policy``, ``source``) for each, with these attributes.
            *policy* is None for an exempt route, and a tuple for a list of policies; *source* is
            what set it, such as ``view users.list``.
        :raises PolicyError: if the policy of any route cannot be used.
        """
        return self._state(app).current().table.routes()

    def reconfigure(
        self,
        policy: PolicyForm | None = None,
        *,
        policies: NamedPolicies | None = None,
        report_only: ReportOnly = None,
        app: Flask | None = None,
        **fields: Unpack[PolicyFields],
    ) -> None:
        """Change the default policy, named policies or the report-only policy while the app runs,
        in this process.

        Atomic: each request is decided either by the old settings or by the new ones. Marks stay.

        :param policy: the new default policy: a :class:`Policy`, the name of one, or a list of
            these. *fields* change single fields of it.
        :param policies: new or changed named policies; the others stay.
        :param report_only: the report-only policy from now on; False for none.
        :param app: the app; if left out, the current one, or the constructor's.
        :param fields: fields of the default policy to change.
        :raises PolicyError: with every problem; then nothing has changed.
        """
        state = self._state(app)
        new = read_arguments(policy, fields, policies, report_only, (), None, call_site())
        state.change_settings(lambda old: changed_settings(old, new))

    def status(self, app: Flask | None = None) -> dict[str, Any]:
        """Return the state of this process, for a readiness probe. In a request, a source that
        admits no origin is read if it is due; others are not. No code of the app runs.

        :param app: the app; if left out, the current one, or the constructor's.
        :returns: a dictionary with ``fingerprint``, a short text that is the same in every process
            with the same settings and routes (callables count by name, sources do not count);
            ``pid``; ``settings``, with the ``file`` that is followed, ``when_read`` (seconds since
            1970) and ``last_mistake``, each None if there is none; and ``sources``, for each its
            ``name``, ``rows`` (number), ``version``, ``age`` in seconds, ``stale`` (whether it
            admits no origin), ``bad_rows`` (number left out), ``problems`` (some bad rows, with
            reasons), ``failures`` (number in this process) and ``last_failure``.
        :raises PolicyError: if the policy of any route cannot be used.
        """
        return self._state(app).status()

    def counts(self, app: Flask | None = None) -> dict[DecisionKind, int]:
        """Count the decisions of each kind in this process, one for each request.

        ``enforce="report"`` counts like ``"off"``, and decisions by a report-only policy do not
        count, because neither changes a response.

        :param app: the app; if left out, the current one, or the constructor's.
        :returns: the number of decisions for each
            :class:`~flask_corsguard.runtime.counts.DecisionKind`: (``outcome``, ``reason``,
            ``endpoint``, ``policy``, ``preflight``, ``blocked``). The number of kinds is limited,
            whatever requests are sent.
        """
        return self._state(app).counts.copy()

    def origin_check(self, app: Flask | None = None, *, credentials: bool = True) -> OriginCheck:
        """Return the policies as a function, for a library with its own setting for origins:
        ``SocketIO(app, cors_allowed_origins=guard.origin_check(app))``.

        :param app: the app; if left out, the current one, or the constructor's.
        :param credentials: whether the library sends ``Access-Control-Allow-Credentials``, as
            Socket.IO does by default, or opens WebSockets, which always carry cookies. Then the
            policy must allow credentials too.
        :returns: a function of (origin, WSGI environment). It returns True for the app's own pages,
            and for an origin that the policy of the environment's path admits. It never raises an
            exception, and logs and signals each rejection.
        :raises CorsGuardError: if the app has no guard.
        """
        from flask_corsguard.runtime.origin_check import OriginCheck

        if isinstance(cast("object", app), str):
            raise CorsGuardError(
                "guard.origin_check takes the app, and returns the function that takes the origin:"
                " cors_allowed_origins=guard.origin_check(app)"
            )
        return OriginCheck(self._state(app), credentials=credentials)

    def wsgi(
        self, inner: WSGIApplication, *, paths: str | Iterable[str], app: Flask | None = None
    ) -> FrontedApp:
        """Put the guard in front of a WSGI app that responds without Flask, or before it:
        ``app.wsgi_app = guard.wsgi(WhiteNoise(app.wsgi_app, ...), paths=["/static"])``.

        Under these paths, the guard decides before *inner* runs: by the policy of the app's route,
        if one matches, otherwise by ``for_path`` and the default policy. It responds to preflights,
        refuses requests as the policy requires, refuses every path with an empty segment, a dot
        segment or a backslash, and replaces the ``Access-Control-*`` headers of *inner*. This comes
        before functions of ``run_first``. Requests for other paths pass unchanged.

        :param inner: the WSGI app.
        :param paths: prefixes as for :meth:`for_path`, below the root of *inner*; or ``"/"`` for
            everything.
        :param app: the app; if left out, the current one, or the constructor's.
        :returns: a WSGI app.
        :raises PolicyError: if a path cannot be used.
        :raises CorsGuardError: if *inner* is not a WSGI app, or the app has no guard.
        """
        location = call_site()
        if not is_function(inner) or is_asynchronous(inner):
            raise CorsGuardError(
                f"{location}: guard.wsgi takes a WSGI app, not {text_of(inner)}. For an ASGI app"
                " there is guard.asgi"
            )
        from flask_corsguard.runtime.front import Front
        from flask_corsguard.runtime.wsgi import wsgi_front

        return wsgi_front(Front(self._state(app), inner, paths, location), inner)

    def asgi(
        self, inner: AsgiApp, *, paths: str | Iterable[str], app: Flask | None = None
    ) -> AsgiApp:
        """Put the guard in front of an ASGI app, like :meth:`wsgi`: ``asgi_app =
        guard.asgi(WsgiToAsgi(app), paths=["/"])``.

        A refused WebSocket is closed before it is accepted. Callables and sources run in a thread,
        in the app's context.

        :param inner: the ASGI app.
        :param paths: prefixes as for :meth:`for_path`, below the root of *inner*; or ``"/"`` for
            everything.
        :param app: the app; if left out, the current one, or the constructor's.
        :returns: an ASGI app.
        :raises PolicyError: if a path cannot be used.
        :raises CorsGuardError: if *inner* is not an ASGI app, or the app has no guard.
        """
        location = call_site()
        if not is_function(inner) or isinstance(inner, Flask):
            raise CorsGuardError(
                f"{location}: guard.asgi takes an ASGI app, not {text_of(inner)}. A Flask app is a"
                " WSGI app: asgiref.wsgi.WsgiToAsgi(app) makes it an ASGI app"
            )
        from flask_corsguard.runtime.asgi import asgi_front
        from flask_corsguard.runtime.front import Front

        return asgi_front(Front(self._state(app), inner, paths, location), inner)

    if not TYPE_CHECKING:  # type checkers report these themselves

        def __getattr__(self, name: str) -> Never:
            hint = f" Write {_DECORATORS[name]}" if name in _DECORATORS else ""
            if not hint and hasattr(Flask, name):
                hint = " That is the app's. Write guard = CorsGuard(app, ...), and keep app"
            message = f"'CorsGuard' object has no attribute {name!r}.{hint}"
            raise AttributeError(message.removesuffix("."), name=name, obj=self)

        def __call__(self, *_: object, **__: object) -> Never:
            """:raises CorsGuardError: always."""
            raise CorsGuardError(
                f"{call_site()}: this is the guard, which is not a decorator. Call it guard, and"
                " import the decorator: from flask_corsguard import cors"
            )

    def _state(self, app: Flask | None) -> AppState:
        if app is not None:
            return state_of(app)
        current: Flask | None = None
        if current_app:
            current = cast("Any", current_app)._get_current_object()
        known = current and current.extensions.get(EXTENSION_KEY)
        if isinstance(known, AppState) and known.marks is self._marks:
            return known
        app = self._app() or current
        if app is None:
            raise CorsGuardError("which app? Pass app=..., or call this in app.app_context()")
        return state_of(app)


def _warn_of_marks(state: AppState) -> None:
    """Log the marks that do not do what was meant."""
    # Imported only here, because requests need none of it.
    from flask_corsguard.known_fronts import is_served_in_front
    from flask_corsguard.routing.mark_checks import (
        paths_without_routes,
        shared_marks,
        unaccepted_methods,
        unrouted_marks,
    )

    def warn(key: str, where: str, message: str) -> None:
        state.log.notice((key, where), "%s", message.removesuffix("."))

    app, table = state.app, state.current().table
    for mark in unrouted_marks(app):
        warn("marks that no route has", mark.location, mark.message)
    for location, message in shared_marks(app):
        warn("shared marks", location, message)
    marks = chain((found.mark for found in all_marked()), state.marks.views.values())
    if any("methods" in mark.fields for mark in marks):  # listing the routes takes time
        for _, location, message in unaccepted_methods(app, table.routes()):
            warn("methods that no route accepts", location, message)
    for prefix, _, message in paths_without_routes(table):
        if not is_served_in_front(state, prefix):
            warn("paths that cover no route", prefix, message)


def _written(unnamed: Iterable[object], fields: Mapping[str, object]) -> str:
    """Arguments of the constructor, as they are written."""
    named = [f"{name}={text_of(value)}" for name, value in fields.items()]
    policies = [
        fields_meant(value) or f"policy={text_of(value)}" for value in unnamed if value is not None
    ]
    return ", ".join([*policies, *named]) or "origins=[...]"


def _look_for_any_guard(app: Flask, **_: object) -> None:
    """In debug mode, log at the first request of a page that no guard was made for any app."""
    # Not request.host, which raises an exception for a host that is not trusted.
    sent = request.environ if has_request_context() else {}
    origin: str = sent.get("HTTP_ORIGIN", "")
    is_foreign = origin and origin.rpartition("//")[2] != sent.get("HTTP_HOST")
    if is_foreign or not app.debug:
        with contextlib.suppress(RuntimeError):  # from Blinker, if another thread connects
            request_started.disconnect(_look_for_any_guard)
    # Marks without a guard have a line of their own.
    if is_foreign and app.debug and not any(all_marked()):
        logger.error(
            "%r has no guard: CorsGuard is imported, but no CorsGuard(app, ...) has run. Write it"
            " directly below app = Flask(...), not below if __name__ == '__main__', which 'flask"
            " run' does not run.",
            app,
        )


request_started.connect(_look_for_any_guard)


def _instead_of(thing: object, given: Arguments) -> str:
    """What to write for something that is not a Flask app.

    :param given: the guard's own arguments.
    """
    meant = fields_meant(thing)
    framework = type(thing).__module__.partition(".")[0]
    if meant:
        return f"Fields are given by name: CorsGuard(app, {meant})"
    if isinstance(thing, Policy):
        return "The app comes first: CorsGuard(app, policy)"
    if isinstance(thing, Blueprint):
        policy = [] if given.policy is None else [source_of(given.policy)]
        fields = [f"{name}={source_of(value)}" for name, value in given.fields.items()]
        mark = ", ".join([*policy, *fields]) or "origins=['https://app.example.com']"
        name = thing.name if thing.name.isidentifier() else "blueprint"
        return (
            "Write CorsGuard(app) once. For the blueprint, write, before it is registered,"
            f" cors({mark})({name}), and import cors from flask_corsguard"
        )
    if isinstance(getattr(thing, "app", None), Flask):
        return f"A {type(thing).__name__} keeps the Flask app in .app: CorsGuard(app.app, ...)"
    if framework in _OTHER_FRAMEWORKS:
        return _OTHER_FRAMEWORKS[framework]
    if inspect.isfunction(thing):
        return "Call the factory first, and give the app that it returns: CorsGuard(create_app())"
    return "Give the app itself: CorsGuard(app, ...), where app = Flask(__name__)"


def _check_strings(location: str, caller: str, *names: object) -> None:
    for name in names:
        if isinstance(name, str):
            continue
        known = name.name if isinstance(name, Blueprint) else getattr(name, "__name__", None)
        hint = f". Write {caller}({known!r}, ...)" if isinstance(known, str) else ""
        is_list = isinstance(name, (list, tuple, set))
        several = [*cast("Iterable[object]", name)] if is_list else []
        if several and all(isinstance(each, str) for each in several):
            hint = f". Call {caller} for each of them"
            if caller == "for_files" and isinstance(names[0], str):
                hint = f". Write {caller}({', '.join(map(repr, [names[0], *several]))}, ...)"
        raise CorsGuardError(f"{location}: {caller} takes strings, not {text_of(name)}{hint}")
