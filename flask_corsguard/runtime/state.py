"""The state of one app: its settings, the policies in force, and its log."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from flask import Request, Response, current_app, has_request_context, request
from flask.app import Flask
from flask.sessions import SecureCookieSessionInterface
from werkzeug.local import LocalProxy
from werkzeug.routing import Rule

from flask_corsguard import signals
from flask_corsguard.config import Settings
from flask_corsguard.decorators import EXTENSION_KEY, apps_in_force
from flask_corsguard.errors import CorsGuardError, PolicyError, Problem, is_shutdown
from flask_corsguard.lock import Lock
from flask_corsguard.logging import GuardLog
from flask_corsguard.path_prefix import is_alias
from flask_corsguard.protocol.audiences import policies_of
from flask_corsguard.protocol.decision import (
    UNDECIDED,
    CorsRequest,
    Decision,
    decide,
    decide_unlisted,
)
from flask_corsguard.protocol.lists import is_source
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.layers import GuardMarks, guarded_apps
from flask_corsguard.routing.lookup import Lookup
from flask_corsguard.routing.table import Entry, LateRuleError, PolicyTable
from flask_corsguard.runtime.counts import Counts, kind_of
from flask_corsguard.runtime.decision_cache import (
    LONGEST_PATH,
    MOST_DECISIONS,
    DecisionCache,
    Kept,
)
from flask_corsguard.runtime.enforcement import enforced, is_final, of_own_page, what_happens
from flask_corsguard.runtime.requests import Key, cors_request, key_of
from flask_corsguard.runtime.responses import cors_headers
from flask_corsguard.runtime.same_origin import is_same_origin
from flask_corsguard.text import source_of

if TYPE_CHECKING:
    from flask_corsguard.runtime.front import Front
    from flask_corsguard.settings_file import SettingsFile
    from flask_corsguard.sources.feed import Feed, Listener, View

#: In ``AppState.unusual`` if some policy keeps a view's own headers.
OVERRIDE = "dangerously_let_views_override"
#: The prefix of every app's key for a :class:`RequestRecord`.
RECORD_KEY = "flask_corsguard.record."
#: The same for a :class:`FrontRecord`.
FRONT_KEY = "flask_corsguard.front."
#: The attribute of a request that holds its decision. The WSGI environment would not do: two
#: requests share it if a view passes it on to its own app.
DECISION = "_corsguard_decision"
# These are only changed in place.
_RECEIVERS = [signal.receivers for signal in signals.ABOUT_DECISIONS]


class InForce:
    """The settings in force, ready for requests. Replaced as a whole when they, or the app's
    routes, change.

    :param rules: the rules of the routes.
    :param listener: told when sources are read, or fail.
    :ivar table: the policy of each route.
    :ivar report_only: the same with the report-only policy, or None if there is none.
    :ivar calls_app: whether deciding may call code of the app: a callable, a source, or a URL
        converter.
    :ivar views_override: whether any policy keeps a view's own headers.
    :raises PolicyError: with every problem of every route.
    """

    __slots__ = (
        "_cache",
        "_fingerprint",
        "_live",
        "_lookup",
        "_prefixes",
        "_self_origins",
        "_varying",
        "_views",
        "calls_app",
        "report_only",
        "table",
        "views_override",
    )

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        marks: GuardMarks,
        rules: Iterable[Rule],
        listener: Listener,
    ) -> None:
        self.table = PolicyTable(app, settings, marks, rules)
        policies = self.table.policies()
        self._fingerprint = ""
        self._lookup = Lookup(self.table)
        self._varying = self.table.varying
        # A cache: path -> its longest prefix.
        self._prefixes: dict[str, str] = {}
        self._cache = DecisionCache[Entry | None]()
        self._self_origins = settings.self_origins
        self._views: list[tuple[View, ...]] = []
        if any(policy.compiled.sources for policy in policies):
            # Loaded now rather than by a request: by then, the process may have another root.
            from flask_corsguard.runtime.live_origins import LiveOrigins
            from flask_corsguard.sources.feed import views_of

            self._live = LiveOrigins(listener)
            self._views = [views_of(policy) for policy in policies]
        other = settings.for_report_only()
        self.report_only = InForce(app, other, marks, self.table.rules, listener) if other else None
        self.calls_app: bool = (
            any(policy.compiled.asks for policy in policies)
            or app.url_map.converters != app.url_map.default_converters
            or (self.report_only is not None and self.report_only.calls_app)
        )
        self.views_override: bool = any(policy.compiled.views_override for policy in policies) or (
            self.report_only is not None and self.report_only.views_override
        )

    def decision_for(self, request: Request) -> Decision:
        """The decision about a request.

        :raises LateRuleError: if the rule that the request reaches is not in the table.
        """
        place = self._place_of(request) if self._varying else id(request.url_rule)
        key = None if place is None else key_of(request, place)
        kept, asked = self._cache.get(key), None
        if kept is None:
            asked = cors_request(request)
            kept, key = self._by_policy(request, asked, key)
        decision, entry = kept
        if entry is None:
            return decision
        is_live = decision is UNDECIDED and entry.has_sources
        if is_live and not (asked and entry.live.listed_first):  # not checked yet
            listed = self._live.listed(request, asked, entry, key)
            if listed is not None:
                return listed
        is_own = is_same_origin(request.environ, self._self_origins)
        if is_live and not is_own:
            decision = self._live.decide(request, asked, entry, key)
        elif decision is UNDECIDED and entry.policy is not None:
            asked = asked or cors_request(request)
            decision = decide_unlisted(entry.policy, asked, entry.scope, asks=not is_own)
        if is_own:
            return of_own_page(decision, request, self._self_origins)
        return enforced(decision, request)

    def is_own(self, request: Request) -> bool:
        """Whether one of the app's own pages, or no page, caused a request."""
        return is_same_origin(request.environ, self._self_origins)

    def feeds(self) -> list[Feed]:
        """The feed of each source that a policy has, in the order of the routes."""
        feeds = [view.feed for views in self._views for view in views]
        feeds += self.report_only.feeds() if self.report_only else []
        return [*dict.fromkeys(feeds)]

    def fingerprint(self) -> str:
        """A short text that is the same for the same settings and routes, in every process."""
        if not self._fingerprint:
            words = _Words()
            known: list[object] = [words.of(self._self_origins)]
            for route in self.table.routes():
                rule = route.url_rule
                where = [rule.host, rule.subdomain, route.rule, route.methods, route.prefix]
                policies = [words.of_policy(policy) for policy in route.policies]
                known.append([*where, route.endpoint, policies])
            for place, entry in sorted(self.table.unrouted.items()):
                known.append([*place, *map(words.of_policy, policies_of(entry.policy))])
            known.append(self.report_only.fingerprint() if self.report_only else None)
            self._fingerprint = _digest(json.dumps(known))
        return self._fingerprint

    def _place_of(self, request: Request) -> object:
        """An object for the cache key that identifies the rule, and the path prefix if the rule has
        several; None for an alias, whose decision is not cached."""
        place = id(request.url_rule)
        places = self._varying.get(place)
        if places is None:
            return place
        path = request.path
        if not places:
            return None if is_alias(path) else place
        prefix = self._prefixes.get(path)
        if prefix is None:
            if is_alias(path):
                return None
            prefix = self.table.paths.longest(path)
            if len(self._prefixes) < MOST_DECISIONS and len(path) <= LONGEST_PATH:
                self._prefixes[path] = prefix
        return places.get(prefix)

    def _by_policy(
        self, request: Request, asked: CorsRequest, key: Key | None
    ) -> tuple[Kept, Key | None]:
        """The decision by the policy alone; and its key, with the entry instead of the rule if the
        rule does not determine it."""
        entry = self._lookup.by_rule(request, asked.method, preflight=asked.preflight)
        if entry is None:
            entry = self._lookup.by_url(request, asked.method)
            key = key_of(request, id(entry)) if entry.is_constant else None
            kept = None if entry.has_sources else self._cache.get(key)
            if kept is not None:
                return kept, key
        if entry.has_sources:
            listed = self._live.listed_first(request, asked, entry, key)
            if listed is not None:
                if key is not None:
                    self._cache.keep(key, (UNDECIDED, entry))
                return (listed, None), key
        decision = decide(entry.policy, asked, entry.scope, asks=False)
        final = decision.reason is None and is_final(decision, asked.origin)
        kept = decision, None if final else entry
        if key is not None and entry.is_constant:
            self._cache.keep(key, kept)
        return kept, key


class _Words:
    """The values of fields as short texts that are the same in every process. Callables count by
    name, and sources not at all."""

    def __init__(self) -> None:
        # A cache, because many policies may share a long list. The policies keep it alive.
        self._known: dict[int, str] = {}

    def of_policy(self, policy: Policy) -> dict[str, str]:
        return {name: self.of(value) for name, value in policy.values.items()}

    def of(self, value: object) -> str:
        if not isinstance(value, tuple):
            return source_of(value)
        known = self._known.get(id(cast("object", value)))
        if known is None:
            entries = cast("tuple[object, ...]", value)
            text = source_of(tuple(entry for entry in entries if not is_source(entry)))
            known = self._known[id(entries)] = _digest(text)
        return known


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class RequestRecord:
    """The guard's record of one request. The middleware puts it into the WSGI environment, where
    the hooks find it, even in a copy of the environment.

    :ivar decision: the decision, once there is one.
    :ivar ended_early: the status of a response that other code made before the guard saw the
        request.
    :ivar ended_first: the name of the function of ``run_first`` that ended the request, or "".
    :ivar finished: the response to a preflight or a refused request, once the guard's
        ``after_request`` function has seen it.
    :ivar has_failed: whether something has failed on the guard's own response.
    :ivar is_watched: whether the middleware sees the response.
    :ivar has_own_headers: whether the response had ``Access-Control-*`` headers before the guard
        wrote its own; None until then.
    :ivar tell: announces the decision, if that has been delayed until the response.
    """

    decision: Decision | None = None
    is_watched: bool = False
    has_own_headers: bool | None = None
    tell: Callable[[], None] | None = None
    ended_early: int | None = None
    ended_first: str = ""
    finished: Response | None = None
    has_failed: bool = False

    def announce(self, headers: list[tuple[str, str]]) -> None:
        """Announce the decision now, if that has been delayed.

        :param headers: the response's headers; they count if the guard's ``after_request`` function
            has not seen them.
        """
        tell, self.tell = self.tell, None
        if self.has_own_headers is None:
            self.has_own_headers = bool(cors_headers(headers))
        if tell is not None:
            tell()


class AppState:
    """The guard of one app, kept in ``app.extensions["corsguard"]``.

    :ivar environ_key: the key of a request's :class:`RequestRecord` in the WSGI environment. It
        identifies the app: a view can pass its environment on to another app with its own guard.
    :ivar front_key: the key of a request's :class:`FrontRecord`.
    :ivar fronts: each :class:`Front` of the guard.
    :ivar unusual: reasons for the hooks to check more than the policies: the fronts, and
        ``"override"`` if some policy keeps a view's own headers.
    :ivar in_force: the settings that decide; None until the first request.
    :ivar in_debug: what to do in debug mode when the first request has put them in force, or None.
    :ivar first: the functions of ``run_first``, in their order.
    :ivar settings_file: the settings file that is followed, or None.
    :ivar later_writers: code that can respond without the guard's ``after_request`` function, or
        change a response after it. Until the table is built, it is not known, so it is not empty.
    :ivar response_class: the class of responses that has been checked for that.
    """

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        marks: GuardMarks,
        first: Sequence[Callable[[], Any]] = (),
        settings_file: SettingsFile | None = None,
    ) -> None:
        self.app = app
        self.settings = settings
        self.settings_file = settings_file
        self.marks = marks
        self.first = first
        self.log = GuardLog(app, settings.log_rejections)
        self.counts = Counts()
        self.environ_key = f"{RECORD_KEY}{id(app)}"
        self.front_key = f"{FRONT_KEY}{id(app)}"
        self.fronts: list[Front] = []
        self.unusual: list[Front | str] = []
        self.in_force: InForce | None = None
        self.in_debug: Callable[[AppState], None] | None = None
        self.later_writers = ["unknown"]
        self.response_class: type[Response] = app.response_class
        self._problems: tuple[Problem, ...] = ()
        self._lock = Lock()
        # The process in which a thread holds the lock and builds a table. Settings do not change
        # meanwhile: a signal handler in that thread leaves its change here for later.
        self._at_work_in: int | None = None
        # The mistake in the settings file that the explanations of decisions mention.
        self._noted_mistake: str | None = None
        self._changes: deque[Callable[[Settings], Settings]] = deque()
        guarded_apps[id(app)] = app

    def current(self) -> InForce:
        """The settings in force or, before the first request, those that will be in force.

        :raises PolicyError: with every problem of every route.
        """
        return self.in_force or self._prepared(self.settings)

    def put_in_force(self, since: str = "") -> InForce:
        """The settings in force. If there are none yet, they are prepared now.

        :param since: what puts them in force, in words; the first request if left out.
        :raises PolicyError: with every problem of every route. Until they are fixed, the app serves
            nothing.
        """
        unread: list[str] = []
        in_debug = None
        with self._work():
            if self.in_force is None and not self._problems:
                in_debug = self.in_debug if self.app.debug and not since else None
                since = since or f"the first request to {self.app!r}"
                self.marks.frozen = self.marks.frozen or since
                apps_in_force[id(self.app)] = self.app
                try:
                    prepared = self._prepared(self.settings)
                except PolicyError as error:
                    self._problems = error.problems
                else:
                    self.later_writers[:] = later_writers(self.app)
                    self.response_class = self.app.response_class
                    self._put(prepared)
                    reading, config = self.settings.reading, self.app.config
                    unread = [
                        *reading.of_flask_cors(config, self.settings, prepared.table.policies),
                        *reading.in_env_file(config),
                    ]
        if unread:
            self.log.unread_keys(unread)
        if self.in_force is None:
            raise PolicyError(self._problems)
        if in_debug is not None:
            try:
                in_debug(self)
            except BaseException as error:
                if is_shutdown(error):
                    raise
                self.log.failure("looking for marks without effect", error)
        return self.in_force

    def up_to_date(self) -> InForce:
        """The settings in force, after a check of the settings file if one is due.

        :raises PolicyError: as :meth:`put_in_force`.
        """
        file = self.settings_file
        if file is not None and time.monotonic() >= file.next_look:
            self.follow()
        return self.in_force or self.put_in_force()

    def late_decision(self, request: Request, in_force: InForce) -> tuple[Decision, InForce]:
        """The decision about a request, and the :class:`InForce` behind it: a new one if the
        request reaches a rule that was added after *in_force* was prepared.

        :raises PolicyError: if there is a problem with that rule.
        """
        while True:
            try:
                return in_force.decision_for(request), in_force
            except LateRuleError as error:
                try:
                    in_force = self._with_rule(in_force, error.rule)
                except PolicyError as wrong:
                    raise wrong from None  # the trace of a late rule would hide it

    @property
    def has_receivers(self) -> bool:
        """Whether a signal of the guard has receivers."""
        return any(_RECEIVERS)

    def tell(self, request: Request, decision: Decision, in_force: InForce) -> None:
        """Count and announce a decision, and announce a rejection by the report-only policy."""
        happens = what_happens(decision, request) if decision.report_only else decision
        self.counts.add(kind_of(happens))
        signals.announce(self.app, decision, self.log)
        if in_force.report_only is not None:
            self.report(in_force.report_only, request)

    def tell_late(
        self, request: Request, decision: Decision, in_force: InForce, record: RequestRecord
    ) -> None:
        """The same, once the response is known."""
        has_own = bool(record.has_own_headers)
        final = record.decision = decision.settled(has_own)
        setattr(request, DECISION, final)
        self.counts.add(kind_of(what_happens(final, request)))
        # A refusal by enforce does not depend on the response.
        signals.announce(self.app, decision if decision.report_only else final, self.log)
        if in_force.report_only is not None:
            self.report(in_force.report_only, request, has_own)

    def replace(self, request: Request, decision: Decision) -> None:
        """Replace the decision about a request."""
        setattr(request, DECISION, decision)
        record: RequestRecord | None = request.environ.get(self.environ_key)
        if record is None:
            return
        record.decision = decision
        if record.tell is not None and self.in_force is not None:
            tell = functools.partial(self.tell_late, request, decision, self.in_force, record)
            record.tell = functools.partial(contextvars.copy_context().run, tell)

    def report(self, report_only: InForce, request: Request, has_own: bool = False) -> None:
        """Signal and log the request if the report-only policy would reject it. A failure here
        never affects the request.

        :param has_own: whether the response has its own ``Access-Control-*`` headers.
        """
        try:
            decision = report_only.decision_for(request)
        except BaseException as error:
            if is_shutdown(error):
                raise
            self.log.failure("the policy in report_only", error)
            return
        if not decision.report_only:
            decision = decision.settled(has_own)
        if decision.reason is not None:
            for front in self.fronts:
                decision = front.named_in(decision, request.path)
            decision = decision._replace(blocked=False, report_only=True)
            signals.announce(self.app, decision, self.log)

    def _with_rule(self, outdated: InForce, rule: Rule) -> InForce:
        with self._work():
            if self.in_force not in (None, outdated):
                return self.in_force
            known = outdated.table.rules
            try:
                # With all rules that the map has now: late rules, such as Connexion's, are added
                # together, and the methods of a URL depend on all of its rules.
                ids = set(map(id, known))
                late = [each for each in self.app.url_map.iter_rules() if id(each) not in ids]
                renewed = self._prepared(self.settings, (*known, *late))
            except (PolicyError, RuntimeError):
                # Other late rules may have problems, or be added at this moment.
                renewed = self._prepared(self.settings, (*known, rule))
            if self.in_force is outdated:
                self._put(renewed)
            return renewed

    def change_settings(self, change: Callable[[Settings], Settings]) -> None:
        """Put new settings in force, for all requests that begin from now on.

        If this is called by a signal handler that has interrupted a thread while it was building a
        table, the change is made once the table is done. A failure is then logged.

        :param change: makes the new settings from the old ones.
        :raises PolicyError: if they do not fit the routes; then nothing has changed.
        """
        with self._lock:
            if self._at_work_in == os.getpid():
                self._changes.append(change)
                return
            with self._work():
                if self._changes:  # this thread was interrupted just before it made them
                    self._make_changes()
                self._change(change)

    def follow(self) -> None:
        """Put a change of the settings file in force, if a check is due. If it has a mistake,
        nothing changes, and the mistake is logged and signalled once."""
        file = self.settings_file
        if file is None:
            return
        problems = file.follow(self._put_in_force)
        if file.last_mistake != self._noted_mistake:
            with contextlib.suppress(PolicyError):
                self.change_settings(lambda settings: settings)
        if problems:
            self.log.settings_rejected(file.path, problems)
            signals.send(
                signals.settings_rejected,
                self.app,
                self.log,
                file=file.path,
                problems=problems,
            )

    def _put_in_force(self, settings: Settings) -> None:
        with contextlib.suppress(PolicyError):  # the first settings stay if the new have mistakes
            self.put_in_force()
        self.change_settings(lambda _: settings)

    def check(self, settings: Settings) -> None:
        """Build a table for settings that are not put in force.

        :raises PolicyError: with every problem of every route.
        """
        self._prepared(settings)

    def _change(self, change: Callable[[Settings], Settings]) -> None:
        settings = change(self.settings)
        if self.in_force is not None or self._problems:
            self._put(self._prepared(settings))
        self.settings = settings
        self._problems = ()

    @contextlib.contextmanager
    def _work(self) -> Generator[None]:
        """Hold the lock to build a table. Afterwards, make the changes that arrived in the
        meantime."""
        with self._lock:
            if self._at_work_in == os.getpid():
                yield
                return
            self._at_work_in = os.getpid()
            try:
                yield
            finally:
                self._at_work_in = None
                while self._changes:
                    self._at_work_in = os.getpid()
                    try:
                        self._make_changes()
                    finally:
                        self._at_work_in = None

    def _make_changes(self) -> None:
        """Make the changes that arrived in the meantime: all at once or, if that fails, one by
        one."""
        changes = [self._changes.popleft() for _ in range(len(self._changes))]
        with contextlib.suppress(Exception):
            self._change(
                lambda old: functools.reduce(lambda new, change: change(new), changes, old)
            )
            return
        for change in changes:
            try:
                self._change(change)
            except Exception as error:
                self.log.failure("a change of the settings in a signal handler", error)

    def _put(self, in_force: InForce) -> None:
        if in_force.views_override:
            for known in (self.unusual, self.later_writers):
                if OVERRIDE not in known:
                    known.append(OVERRIDE)
        self.in_force = in_force

    def _prepared(self, settings: Settings, rules: Iterable[Rule] | None = None) -> InForce:
        """Settings with the rules of the app's URL map, or with those given."""
        if rules is None:
            rules = self.app.url_map.iter_rules()
        settings = settings.compared(self.app.config, in_time=self.in_force is None)
        if self.settings_file is not None:
            self._noted_mistake = self.settings_file.last_mistake
            settings = settings.noting(self._noted_mistake)
        try:
            return InForce(self.app, settings, self.marks, rules, self)
        except PolicyError as error:
            if self.settings_file is None:
                raise
            problems = map(self.settings_file.as_written, error.problems)
            raise PolicyError(problems) from error

    def refreshed(self, feed: Feed) -> None:
        """Announce that the rows of a source have changed, and log those left out."""
        for row, why in feed.take_unnamed():
            self.log.bad_row(feed.name, row, why)
        signals.send(signals.source_refreshed, self.app, self.log, source=feed.status())

    def failed(self, feed: Feed) -> None:
        """Announce that a source could not be read."""
        self.log.source_failed(feed.name, f"{feed.unknown()}. {feed.effect}")
        signals.send(signals.source_failed, self.app, self.log, source=feed.status())

    def status(self) -> dict[str, Any]:
        """See :meth:`flask_corsguard.CorsGuard.status`."""
        in_force = self.current()
        feeds = in_force.feeds()
        for feed in feeds if has_request_context() else ():
            # There may be no other requests until the probe reports that the app is ready.
            if feed.is_stale and time.monotonic() >= feed.due:
                feed.ask(self)
        return {
            "fingerprint": in_force.fingerprint(),
            "pid": os.getpid(),
            "settings": self.settings_status(),
            "sources": [feed.status() for feed in feeds],
        }

    def settings_status(self) -> dict[str, Any]:
        """The settings file that is followed; when its content in force was read, in Unix seconds;
        and what is wrong with it now."""
        file = self.settings_file
        return {
            "file": file.path if file else None,
            "when_read": file.when_read if file else None,
            "last_mistake": file.last_mistake if file else None,
        }

    def load_sources(self) -> None:
        """Read every source, without a request's deadline. Failures are in the sources' status.

        :raises PolicyError: if the policy of any route cannot be used.
        """
        for feed in self.put_in_force().feeds():
            feed.load_now(self)

    def load_required_sources(self) -> None:
        """Read the sources with ``at_start="fail"``.

        :raises PolicyError: if one of them cannot be read.
        """
        problems: list[Problem] = []
        for feed in self.current().feeds():
            if feed.at_start == "fail" and (feed.is_stale or not feed.is_known):
                failures = feed.failures
                feed.load_now(self)
                if feed.failures != failures:
                    message = (
                        f"{feed.unknown()}. Make it readable, or set at_start='closed' to start"
                        " without it."
                    )
                    problems.append(Problem("source_unread", "origins", feed.source, message))
        if problems:
            raise PolicyError(problems)


def later_writers(app: Flask) -> Iterator[str]:
    """Code that can respond without the app's ``after_request`` functions, or change a response
    after them: methods that an extension has replaced, as Flask-RESTX replaces
    ``handle_exception``; and the app's own response class and session interface."""
    # Without vars(app), which makes Python 3.11 create a dict that slows down every attribute.
    replaceable = (
        "full_dispatch_request",
        "handle_user_exception",
        "handle_exception",
        "finalize_request",
        "process_response",
    )
    yield from (name for name in replaceable if _is_replaced(app, Flask, name))
    if type(app).wsgi_app is not Flask.wsgi_app:  # on the instance, it is the guard's middleware
        yield "wsgi_app"
    if _is_replaced(app.session_interface, SecureCookieSessionInterface, "save_session"):
        yield "session_interface"
    if is_later_writer(app.response_class):
        yield "response_class"


def is_later_writer(response_class: type[Response]) -> bool:
    """Whether a response class can change headers when the response is sent."""
    names = ("__call__", "get_wsgi_response", "get_wsgi_headers", "get_app_iter")
    return any(getattr(response_class, name) is not getattr(Response, name) for name in names)


def _is_replaced(instance: object, base: type[object], name: str) -> bool:
    """Whether a method is not that of *base*, but of a subclass or of the instance itself."""
    method = getattr(instance, name)
    return getattr(method, "__func__", None) is not getattr(base, name)


def state_of(app: Flask) -> AppState:
    """The guard's state for *app*.

    :raises CorsGuardError: if the app has no guard.
    """
    state = app.extensions.get(EXTENSION_KEY) if isinstance(app, Flask) else None
    if not isinstance(state, AppState):
        raise CorsGuardError(f"{app!r} has no guard; call CorsGuard(app) or guard.init_app(app)")
    return state


@contextlib.contextmanager
def app_context(app: Flask) -> Generator[None]:
    """The app's context, to call the app's code without a request. A teardown function that fails,
    because it needs a request, say, does no harm."""
    context = app.app_context()
    context.push()
    try:
        yield
    finally:
        try:
            context.pop()
        except BaseException as error:
            if is_shutdown(error):
                raise


def _current_decision() -> Decision:
    # Outside a request, this raises a RuntimeError, which makes the LocalProxy unbound.
    decision: Decision | None = getattr(request, DECISION, None)
    state_of(current_app)
    if decision is None:
        raise CorsGuardError(
            "the guard has not decided about this request yet: read current_decision in a view, or"
            " in a before_request function"
        )
    return decision


current_decision: Decision = cast("Any", LocalProxy(_current_decision))
"""The :class:`Decision` about the current request, for views and other code that runs after the
guard.

:raises CorsGuardError: if the app has no guard, or the guard has not decided yet.
"""
