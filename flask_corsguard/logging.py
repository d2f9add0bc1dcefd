"""The log ``flask_corsguard``: one line for each rejection, but no more lines than a person can
read."""

from __future__ import annotations

import atexit
import json
import logging
import math
import os
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast
from weakref import WeakSet

from flask.app import Flask

from flask_corsguard.errors import CorsGuardError, Problem, in_words, is_shutdown
from flask_corsguard.lock import Lock
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import is_forbidden_request_header, is_token
from flask_corsguard.protocol.lists import source_name
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.text import called_by, described, name_of, on_one_line, shown

logger = logging.getLogger("flask_corsguard")

# Bound once: on Python 3.11 each look-up of an Enum's member takes as long as ten others.
_CHECK_FAILED = Reason.ORIGIN_CHECK_FAILED

#: For how many seconds after a line others like it are left out.
QUIET_SECONDS = 60.0
#: How many different lines are written about one subject in that time: whoever sends requests can
#: make up any number of origins.
MOST_LINES = 60
#: How many different lines are remembered.
MOST_REMEMBERED = 1024
# How many characters of a list of header names are read for advice.
_LONGEST_LIST = 200


class LeftOut(NamedTuple):
    """How many lines were left out since the last one: of the same kind, and of other kinds about
    the same subject; and whether the next ones will be left out too."""

    alike: int = 0
    others: int = 0
    is_last: bool = False

    def __str__(self) -> str:
        alike = f"; {self.alike} more like it {_was(self.alike)} left out" if self.alike else ""
        of_kind = f"; {self.others} more of this kind {_was(self.others)} left out"
        others = of_kind if self.others else ""
        more = "; for up to a minute, more of this kind are counted but not logged"
        last = more if self.is_last else ""
        return alike + others + last


class _Subject:
    """The counts of one subject.

    :ivar until: the end of the minute in which *lines* were written.
    :ivar left_out: how many lines were left out, except those that a :class:`_Kind` counts.
    """

    __slots__ = ("left_out", "lines", "until")

    def __init__(self) -> None:
        self.until = -math.inf
        self.lines = self.left_out = 0


class _Kind:
    """Lines of one kind, one of which was written.

    :ivar until: until when the others are left out.
    """

    __slots__ = ("left_out", "subject", "until")

    def __init__(self, until: float, subject: _Subject) -> None:
        self.until = until
        self.subject = subject
        self.left_out = 0


class RateLimit:
    """In :data:`QUIET_SECONDS`, at most one line of each kind, :data:`MOST_LINES` about each
    subject, and :data:`MOST_REMEMBERED` in all.

    Each process counts for itself. Memory is bounded if the number of subjects is.

    :param clock: seconds on a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._pid = 0  # the process that has counted
        self._total = 0  # of lines left out in it
        self._subjects: dict[Hashable, _Subject] = {}
        self._quiet: OrderedDict[Hashable, _Kind] = OrderedDict()  # the oldest first

    def leaves_out(self, kind: Hashable, subject: Hashable) -> bool:
        """Leave a line out if one of its kind, or as many as there may be about its subject, were
        written within a minute. The lock is not taken: it takes longer than all of this."""
        now = self._clock()
        counter: _Kind | _Subject | None = self._quiet.get(kind)
        if counter is None or now >= counter.until:
            counter = about = self._subjects.get(subject)
            if about is None or now >= about.until or about.lines < MOST_LINES:
                return False
        if counter is None or self._pid != os.getpid():
            return False
        counter.left_out += 1
        self._total += 1
        return True

    def admit(self, kind: Hashable, subject: Hashable) -> LeftOut | None:
        """Ask whether a line may be written.

        :param subject: all lines of a kind have the same.
        :returns: what was left out since the last one, or None to leave this one out too.
        """
        now = self._clock()
        # A signal handler can interrupt this anywhere and call it again. Nothing raises then, but a
        # count may be one too low.
        with self._lock:
            if self._pid != os.getpid():
                self._start_over()
                _at_exit.register()
            about = self._subjects.get(subject)
            if about is None:
                about = self._subjects[subject] = _Subject()
            known = self._quiet.get(kind)
            if known is not None and now < known.until:
                known.left_out += 1
                self._total += 1
                return None
            if now >= about.until:
                about.until, about.lines = now + QUIET_SECONDS, 0
            if about.lines >= MOST_LINES or (known is None and not self._has_room(now)):
                about.left_out += 1
                self._total += 1
                return None
            about.lines += 1
            self._quiet.pop(kind, None)  # the new one goes to the end
            self._quiet[kind] = _Kind(now + QUIET_SECONDS, about)
            alike = known.left_out if known is not None else 0
            others, about.left_out = about.left_out, 0
            return LeftOut(alike, others, about.lines == MOST_LINES)

    def _has_room(self, now: float) -> bool:
        """Whether another kind can be remembered, after forgetting those whose time is over."""
        quiet = self._quiet
        while len(quiet) >= MOST_REMEMBERED:
            kind, oldest = quiet.popitem(last=False)
            if now < oldest.until:
                quiet[kind] = oldest
                quiet.move_to_end(kind, last=False)
                return False
            oldest.subject.left_out += oldest.left_out
        return True

    def take_counts(self) -> Counter[Hashable]:
        """How many lines about each subject have been left out in this process and not reported
        yet. From now on, they count as reported."""
        with self._lock:
            pid, subjects, quiet = self._pid, self._subjects, self._quiet
            self._start_over()
        if pid != os.getpid():
            return Counter()
        for kind in quiet.values():
            kind.subject.left_out += kind.left_out
        return Counter({s: about.left_out for s, about in subjects.items() if about.left_out})

    @property
    def left_out(self) -> int:
        """How many lines have been left out in this process, reported or not."""
        return self._total if self._pid == os.getpid() else 0

    def _start_over(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._total = os.getpid(), 0
        self._subjects, self._quiet = {}, OrderedDict()


class _AtExit:
    """When a process ends, has each log write how many lines it left out."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._logs: WeakSet[GuardLog] = WeakSet()
        self._pid = 0  # the process that it is registered for

    def add(self, log: GuardLog) -> None:
        """Remember a log for as long as it lives."""
        with self._lock:
            self._logs.add(log)

    def register(self) -> None:
        """Have the counts written at the end of this process too.

        Done late, in a request: what is registered last runs first, while the app's own functions
        have not stopped the listener of its log's queue, say.
        """
        with self._lock:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                atexit.register(self._write)

    def _write(self) -> None:
        with self._lock:
            logs = list(self._logs)
        for log in logs:
            log.write_counts()


_at_exit = _AtExit()


class GuardLog:
    """The log of one app. A failure in it never affects the request.

    :param log_rejections: whether rejections are logged; failures and warnings always are.
    """

    def __init__(self, app: Flask, log_rejections: bool) -> None:
        self._app = app
        self._log_rejections = log_rejections
        self.rate_limit = RateLimit()
        # Failures have a limit of their own, so that a flood of rejections cannot hide them.
        self._failures = RateLimit()
        self._warned: set[str | None] = set()
        self._said: dict[str, set[Hashable]] = {}
        self._was_debug = app.debug
        _at_exit.add(self)

    @property
    def left_out(self) -> int:
        """How many lines have been left out in this process."""
        return self.rate_limit.left_out + self._failures.left_out

    def rejection(self, decision: Decision) -> None:
        """Write who was rejected, and why. In debug mode, also what to change."""
        reason, is_debug = decision.reason, self._app.debug
        has_failed = reason is _CHECK_FAILED
        if not (self._log_rejections or has_failed):
            return
        subject = decision.endpoint, reason
        kind = (
            decision.endpoint,
            decision.origin,
            decision.policy_source,
            decision.outcome,
            reason,
            decision.blocked,
            decision.report_only,
        )
        if not is_debug and self.rate_limit.leaves_out(kind, subject):
            return
        if not logger.isEnabledFor(logging.WARNING):
            return
        if is_debug:
            left_out: LeftOut | None = LeftOut()
        elif has_failed:
            left_out = self._admit_failure(decision)
        else:
            left_out = self.rate_limit.admit(kind, subject)
        if left_out is not None:
            try:
                self._write_rejection(decision, left_out)
            except ImportError as error:
                # Another release has been installed meanwhile, or a chroot has hidden the files.
                self.failure("saying why a request is rejected", error)

    def _admit_failure(self, decision: Decision) -> LeftOut | None:
        """One line for the callable or the sources, whatever the origin and the endpoint."""
        assert decision.policy is not None
        assert decision.policy.compiled.allow is not None
        allow = decision.policy.compiled.allow
        if allow.sources:
            name = source_name(allow.sources[0])
            return self._failures.admit(("source", name), f"source {name}")
        return self._failures.admit(("callable", allow.check), f"callable {name_of(allow.check)}")

    def _write_rejection(self, decision: Decision, left_out: LeftOut) -> None:
        # Only rejections need the words; prepare() loads them before any.
        from flask_corsguard.protocol.explanation import advice, rejection, without_effect

        line = f"{rejection(decision)}{left_out}"
        if self._app.debug:
            from flask_corsguard.routing.mark_checks import noting_hidden_mark

            decision = noting_hidden_mark(self._app, decision)
            if unused := without_effect(decision):
                line += f". Ignored: {unused}"
            line = ". ".join([line, *advice(decision)])
        # One template for each reason, for tools that group lines by it.
        assert decision.reason is not None
        before, name, after = line.partition(decision.reason.name)
        self._write(logging.WARNING, f"%s{name}%s.", before, after)
        origin = parse_origin(decision.origin or "")
        is_late = self._app.debug and not self._was_debug
        if is_late and origin is not None and origin.is_loopback:
            self.once(
                "late debug mode",
                None,
                "app.debug was still False when CorsGuard(app) was called: app.run(debug=True)"
                " sets it later. If your origins depend on it, start with 'flask run --debug'",
            )

    def failure(self, what: str, error: BaseException, change: str = "") -> None:
        """Write that some of the app's code failed when the guard called it.

        :param change: a sentence that says what to write.
        """
        if logger.isEnabledFor(logging.ERROR):
            left_out = self._failures.admit(("failure", what), what)
            if left_out is not None:
                why = f"{described(error)}{left_out}{change and f'. {change}'}"
                self._write(logging.ERROR, "%s failed: %s.", what, why)

    def source_failed(self, name: str, words: str) -> None:
        """Write that a source could not be read. With the rejections that follow from it, this is
        one line a minute.

        :param words: what is wrong, with the name.
        """
        if logger.isEnabledFor(logging.ERROR):
            left_out = self._failures.admit(("source", name), f"source {name}")
            if left_out is not None:
                self._write(logging.ERROR, "%s%s.", words, left_out)

    def bad_row(self, name: str, row: str, why: str) -> None:
        """Write that a row of a source was left out."""
        self.notice(
            ("rows that were left out", name, row),
            "%s: the row %s was left out: %s",
            name,
            row,
            why,
        )

    def own_headers(
        self, decision: Decision, replaced: Mapping[str, str], who: str = "the app"
    ) -> None:
        """Write, once for each endpoint, that other code sets headers that the guard writes; once
        for an ``after_request`` function that does.

        :param replaced: the headers.
        :param who: the code that sets them.
        """
        endpoint = decision.endpoint
        if endpoint in self._warned:
            return
        self._warned.add(endpoint)
        code, other = "the code", ", or leave the path out of paths"
        if who == "the app":
            from flask_corsguard.routing.header_setters import setter_of

            setter = setter_of(self._app, endpoint)
            if setter and setter.is_for_all and setter.name in self._warned:
                return
            code = setter.name if setter else code
            self._warned.add(code)
            other = "".join(_instead_of(decision, replaced, setter is None or setter.is_for_all))
        them = "it" if len(replaced) == 1 else "them"
        self._write(
            logging.WARNING,
            f"%s: %s sets %s itself; the guard has replaced or removed {them}. Take {them} out of"
            " %s%s.",
            _place(endpoint),
            who,
            ", ".join(sorted(map(shown, replaced))),
            code,
            other,
        )

    def once(self, kind: str, about: Hashable, text: str) -> None:
        """Write a warning once for each thing that it is about, and about :data:`MOST_LINES`
        things of a kind."""
        said = self._said.setdefault(kind, set())
        if about not in said and len(said) < MOST_LINES:
            said.add(about)
            self._write(logging.WARNING, "%s.", text)

    def say_if_disabled(self) -> None:
        """Say once that this log writes nothing. The root logger says it: dictConfig() disables
        every other logger that exists, the app's too."""
        if logger.disabled and "disabled" not in self._said:
            self._said["disabled"] = set()
            self._write(
                logging.WARNING,
                "the logger flask_corsguard is disabled, so rejections are not logged. Add"
                " 'disable_existing_loggers': False to the dict given to dictConfig().",
                to=logging.getLogger(),
            )

    def own_response_failed(self, error: BaseException | None) -> None:
        """Write which of the app's functions failed on the guard's own response."""
        phases = ("process_response", "do_teardown_request", "do_teardown_appcontext")
        function = (error and called_by(error, *phases)) or "a function of the app"
        self.notice(
            ("functions that fail on the guard's own response", function),
            "%s failed on the guard's own response%s. The response was sent anyway. For preflights"
            " and refused requests, the app's before_request functions do not run: if this"
            " function relies on one of them, register that one with guard.run_first.",
            function,
            f": {described(error)}" if error else "",
        )

    def exception_left(self, path: str, error: BaseException) -> None:
        """Write that no hook could write headers, because an exception has left the app."""
        if isinstance(error, CorsGuardError):
            return  # its traceback says everything
        self.notice(
            ("exceptions that leave the app", path),
            "the request for %s raised %s. Fix the exception; CORS is not the cause. What"
            " responds instead of the app, such as Werkzeug's debugger, sends no CORS headers, so"
            " the browser reports a CORS error.",
            shown(path),
            described(error),
        )

    def preflight_ended(self, decision: Decision, function: str, status: int) -> None:
        """Write that a function of ``run_first`` responded to a preflight with an error."""
        from flask_corsguard.protocol import explanation

        self.notice(
            ("preflights that run_first ends", decision.endpoint, function, status),
            "%s, but %s, which runs before the guard, responded with %s: browsers treat that as a"
            " refusal.",
            explanation.summary(decision),
            function,
            status,
        )

    def middleware_missed(self) -> None:
        """Write that a request has bypassed the guard's middleware."""
        if not self._app.testing:
            self.notice(
                "requests past the guard's middleware",
                "a request has reached the app without passing through the guard's middleware:"
                " something has put an older app.wsgi_app back after CorsGuard(app), or calls the"
                " app's methods directly. Extensions that respond without running after_request"
                " functions now send no CORS headers.",
            )

    def unread_keys(self, keys: Iterable[str]) -> None:
        """Write which keys of Flask-CORS, and of a .env file, nothing here reads.

        :param keys: each with what to do instead.
        """
        self.notice(
            "settings that are not read",
            "the guard does not read %s. If other code does, ignore this.",
            " or ".join(keys),
        )

    def front_differs(self, who: str, in_front: str, path: str) -> None:
        """Write that the app has a route where the guard in front of it knew none.

        :param who: what the guard is in front of.
        :param in_front: the path that was decided about there.
        :param path: the path that the app has a route for.
        """
        if in_front == path:
            why = "the app added the route later, with its first request"
        else:
            why = f"the app is mounted further down, and sees the path {shown(path)}"
        self.notice(
            ("routes that were not known in front of the app", who),
            "the guard in front of %s decided about %s without knowing the app's route: %s. For"
            " other requests, the app's own guard then decided; preflights never reach it. Put"
            " the guard where it sees the same paths and routes as the app, or leave these paths"
            " out",
            who,
            shown(in_front),
            why,
        )

    def settings_rejected(self, file: str, problems: Sequence[Problem]) -> None:
        """Write what is wrong with a settings file that has changed."""
        self._write(
            logging.ERROR,
            "The settings file %s cannot be used as it is now; the last good settings stay in"
            " force. %s",
            shown(file),
            on_one_line(in_words(problems, file)),
        )

    def notice(self, key: str | tuple[object, ...], text: str, *values: object) -> None:
        """Write a warning, at most one a minute for each key.

        :param key: a few words that say what it is about; or a tuple of these words and of what
            distinguishes one such warning from another.
        :param text: the warning, with ``%s`` for each of the *values*.
        """
        if logger.isEnabledFor(logging.WARNING):
            about = key if isinstance(key, str) else str(key[0])
            left_out = self._failures.admit(("notice", key), about)
            if left_out is not None:
                self._write(logging.WARNING, f"{text.removesuffix('.')}%s.", *values, left_out)

    def write_counts(self) -> None:
        """Write how many lines were left out and not reported yet: a line for each subject, up to
        :data:`MOST_LINES`."""
        counts = (self.rate_limit.take_counts() + self._failures.take_counts()).most_common()
        listed, rest = counts[:MOST_LINES], counts[MOST_LINES:]
        if rest:
            listed.append(("elsewhere", sum(count for _, count in rest)))
        for subject, count in listed:
            lines = "line was" if count == 1 else "lines were"
            self._write(logging.WARNING, "%s: %d more %s left out.", _named(subject), count, lines)

    @staticmethod
    def _write(level: int, text: str, *values: object, to: logging.Logger = logger) -> None:
        # A log handler that fails must not make the request fail.
        try:
            to.log(level, text, *values)
        except BaseException as error:
            if is_shutdown(error):
                raise


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _place(endpoint: str | None) -> str:
    return f"endpoint {endpoint}" if endpoint else "a URL without a route"


def _instead_of(decision: Decision, headers: Mapping[str, str], is_for_all: bool) -> Iterator[str]:
    """What the app may need instead of the headers that it sets itself, in sentences.

    :param is_for_all: whether it may set them on every response.
    """
    from flask_corsguard.protocol.remedies import to_allow_headers

    values = {name.lower(): value for name, value in headers.items()}
    given = values.get("access-control-allow-headers", "")[:_LONGEST_LIST]
    names = [name for part in given.split(",") if _can_be_sent(name := part.strip())]
    policy = decision.policy
    if policy is not None and decision.outcome is Outcome.ALLOWED:
        missing = [
            name
            for name in names
            if name != "*" and not policy.compiled.allows_header(name.lower())
        ]
        if missing:
            yield f". To go on allowing the same headers: {to_allow_headers(decision, missing)}"
    if not decision.endpoint:
        return  # nothing can be marked
    if values.get("access-control-allow-origin") == "*":
        # The names may be those that the request asked for.
        allowed = '"*"' if "*" in names else json.dumps(names)
        fields = f", allow_headers={allowed}" if names else ""
        yield (
            '. If everybody may read the view, mark it with @cors(origins="*",'
            f" allow_credentials=False{fields})"
        )
    elif decision.outcome is not Outcome.ALLOWED and not is_for_all:
        yield ". If the view needs a policy of its own, mark it with @cors(origins=[...])"


def _can_be_sent(name: str) -> bool:
    return is_token(name) and not is_forbidden_request_header(name.lower())


def _named(subject: Hashable) -> str:
    """What lines are about, in words."""
    if isinstance(subject, str):
        return subject
    endpoint, reason = cast("tuple[str | None, Reason]", subject)
    return f"{_place(endpoint)} ({reason.name})"
