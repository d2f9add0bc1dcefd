"""Many threads: whatever changes meanwhile, each request is decided by one state of affairs."""

import gc
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
from flask import Blueprint, Flask, Response, has_request_context, request
from flask.views import MethodView
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_corsguard import (
    CorsGuard,
    Decision,
    Policy,
    cors,
    current_decision,
    origin_allowed,
    origin_rejected,
    preflight_rejected,
)
from flask_corsguard.runtime.state import DECISION, state_of
from tests.nightly import IS_NIGHTLY

from .served import ONE, PARTNER, SHOP, TWO
from .threads import frequent_switches, run_together

EVIL = "https://evil.example"
SIGNALS = (origin_allowed, origin_rejected, preflight_rejected)
THREADS = 16 if IS_NIGHTLY else 8
# Of the settings: until each request has met both, and a mixture would have been noticed.
LEAST_CHANGES, MOST_CHANGES = 400 if IS_NIGHTLY else 150, 3000
FRESH_APPS = 12
REPETITIONS = 5

# Each of the settings is put in force on a line of its own, which the log names.
THREE = {"named": Policy(origins=SHOP, max_age=3, enforce="all")}
FOUR = {"named": Policy(origins="*", max_age=4)}


def put_one_in_force(guard: CorsGuard, app: Flask) -> None:
    guard.reconfigure(ONE, policies=THREE, report_only=False, app=app)


def put_two_in_force(guard: CorsGuard, app: Flask) -> None:
    guard.reconfigure(Policy(**TWO), policies=FOUR, report_only={"origins": PARTNER}, app=app)


SETTINGS = (put_one_in_force, put_two_in_force)


class Heard(NamedTuple):
    """A signal, and what the log says."""

    name: str
    verdict: tuple[object, ...]


class Account(NamedTuple):
    """All that anybody learns of one request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    decided: tuple[object, ...]
    heard: tuple[Heard, ...]
    logged: tuple[str, ...]


def verdict(decision: Decision) -> tuple[object, ...]:
    """All of a decision but for what two of the same have of their own."""
    alike = decision._replace(without_effect={}, headers={}, further_reasons=())
    return (*alike, tuple(decision.headers.items()))


def listen(sender: Flask, decision: Decision, name: str) -> None:
    request.environ["test.heard"].append(Heard(name, verdict(decision)))


LISTENERS = {signal: partial(listen, name=signal.name) for signal in SIGNALS}


def put_down_line(record: logging.LogRecord) -> bool:
    """Put a line to the request that it is about, and nowhere else."""
    line = record.getMessage()
    # A receiver can go at any time.
    if has_request_context() and not line.startswith("The receiver "):
        request.environ["test.logged"].append(line)
    return False


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every signal and every line of the log is put down, none left out."""
    monkeypatch.setattr("flask_corsguard.logging.QUIET_SECONDS", -1.0)
    logger = logging.getLogger("flask_corsguard")
    logger.addFilter(put_down_line)
    for signal, listener in LISTENERS.items():
        signal.connect(listener)
    yield
    for signal, listener in LISTENERS.items():
        signal.disconnect(listener)
    logger.removeFilter(put_down_line)


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens and nothing is logged: most is remembered then, and least is done anew."""
    monkeypatch.setattr(logging.getLogger("flask_corsguard"), "disabled", True)


class Item(MethodView):
    def get(self) -> str:
        return "item"

    @cors(max_age=5)
    def delete(self) -> str:
        return "gone"


def build() -> tuple[Flask, CorsGuard]:
    """An app with a policy from each kind of place."""
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, policies=THREE)
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "POST", "PUT"])
    app.add_url_rule("/item", view_func=Item.as_view("item"))
    app.add_url_rule("/named", "named", cors("named")(lambda: "ok"), methods=["GET", "PUT"])
    app.add_url_rule("/files/<path:filename>", "files", lambda filename: filename)
    guard.for_files("files", "*.css", max_age=6)
    blueprint = cors(expose_headers="X-Blue")(Blueprint("blue", __name__, url_prefix="/blue"))
    blueprint.add_url_rule("/", "index", lambda: "ok", methods=["GET", "POST"])
    app.register_blueprint(blueprint)

    @app.after_request
    def put_down(response: Response) -> Response:
        request.environ["test.decided"].append(verdict(current_decision))
        return response

    return app, guard


def environ(path: str, method: str, origin: str | None, **headers: str) -> dict[str, Any]:
    found = EnvironBuilder(path, method=method).get_environ()
    given = {"ORIGIN": origin} if origin else {}
    return found | {f"HTTP_{name}": value for name, value in (given | headers).items()}


def preflight(path: str, method: str, origin: str, names: str = "x-one") -> dict[str, Any]:
    asked = {"REQUEST_METHOD": method, "REQUEST_HEADERS": names}
    named = {f"ACCESS_CONTROL_{name}": value for name, value in asked.items()}
    return environ(path, "OPTIONS", origin, **named)


REQUESTS = [
    *(environ("/", "GET", origin) for origin in (None, SHOP, EVIL)),
    environ("/", "HEAD", PARTNER),
    *(environ("/", "POST", origin) for origin in (SHOP, PARTNER, "http://localhost")),
    environ("/", "POST", None, SEC_FETCH_SITE="cross-site"),
    *(preflight("/", "PUT", origin) for origin in (SHOP, PARTNER, "null")),
    preflight("/", "PUT", SHOP, "x-two"),
    preflight("/", "DELETE", SHOP),
    environ("/item", "DELETE", SHOP),
    preflight("/item", "DELETE", SHOP),
    environ("/named", "GET", PARTNER),
    preflight("/named", "PUT", PARTNER, "content-type"),
    environ("/files/a.css", "GET", SHOP),
    environ("/files/a.js", "GET", PARTNER),
    environ("/blue/", "POST", PARTNER),
    environ("/none", "GET", PARTNER),
    preflight("/none", "PUT", PARTNER),
]


def ask(app: Callable[..., Any], asked: dict[str, Any]) -> Account:
    """Put a request to an app."""
    kept: dict[str, list[Any]] = {"test.decided": [], "test.heard": [], "test.logged": []}
    _, status, headers = run_wsgi_app(app, asked | kept)
    return Account(int(status[:3]), tuple(sorted(headers.items())), *map(tuple, kept.values()))


def accounts_of(put_in_force: Callable[[CorsGuard, Flask], None]) -> list[Account]:
    """What each request should come to under these settings alone."""
    app, guard = build()
    put_in_force(guard, app)
    return [ask(app, asked) for asked in REQUESTS]


def ask_while_settings_change(app: Flask, guard: CorsGuard, least: int = LEAST_CHANGES) -> None:
    """Every answer is wholly one setting's or the other's, with all that is said about it."""
    expected = list(zip(*map(accounts_of, SETTINGS), strict=True))
    seen: set[tuple[int, int]] = set()
    put_one_in_force(guard, app)
    done = threading.Event()

    def change() -> None:
        try:
            for n in range(1, MOST_CHANGES + 1):
                SETTINGS[n % 2](guard, app)
                if done.is_set() or (n >= least and len(seen) == 2 * len(REQUESTS)):
                    break
        finally:
            done.set()

    def ask_all() -> None:
        try:
            for number in itertools.cycle(range(len(REQUESTS))):
                if done.is_set():
                    break
                account = ask(app, REQUESTS[number])
                assert account in expected[number]
                seen.add((number, expected[number].index(account)))
        finally:
            done.set()

    with frequent_switches():
        run_together([change, *[ask_all] * THREADS])
    assert seen == set(itertools.product(range(len(REQUESTS)), range(len(SETTINGS))))


@pytest.mark.parametrize("how", ["recorded", "unwatched"])
def test_settings_that_change(request: pytest.FixtureRequest, how: str) -> None:
    request.getfixturevalue(how)
    ask_while_settings_change(*build())


@pytest.mark.usefixtures("recorded")
def test_a_mixture_would_be_noticed() -> None:
    """A seeded fault: what decides is looked up again for the answer."""
    app, guard = build()

    @app.after_request
    def decide_again(response: Response) -> Response:
        state = state_of(app)
        decision = state.put_in_force().decision_for(request)
        setattr(request._get_current_object(), DECISION, decision)
        return response

    with pytest.raises(AssertionError, match=r"^assert Account"):
        ask_while_settings_change(app, guard, MOST_CHANGES)


def ask_one(app: Flask, number: int, expected: tuple[Account, ...]) -> None:
    assert ask(app, REQUESTS[number]) in expected


@pytest.mark.usefixtures("recorded")
def test_first_requests_at_once() -> None:
    """First requests at once find one table, while another thread puts other settings in force."""
    expected = list(zip(*map(accounts_of, SETTINGS), strict=True))
    numbers = itertools.cycle(range(len(REQUESTS)))
    with frequent_switches():
        for _ in range(FRESH_APPS):
            app, guard = build()
            put_one_in_force(guard, app)
            asked = list(itertools.islice(numbers, THREADS))
            asking = [partial(ask_one, app, number, expected[number]) for number in asked]
            run_together([partial(put_two_in_force, guard, app), *asking])
            assert [ask(app, r) for r in REQUESTS] == [two for _, two in expected]


@pytest.mark.usefixtures("recorded")
def test_receivers_that_come_and_go() -> None:
    """A receiver that stays hears of each request once, and no answer changes."""
    expected = accounts_of(put_one_in_force)
    app, guard = build()
    put_one_in_force(guard, app)
    done = threading.Event()
    # Blinker has no lock, and fails if a sender comes or goes at the same moment as a receiver.
    gc.collect()
    for signal in SIGNALS:
        signal.connect(put_one_in_force, app)
        signal.disconnect(put_one_in_force, app)

    def come_and_go() -> None:
        for signal in itertools.cycle(SIGNALS):
            if done.is_set():
                break

            def receive(sender: Flask, decision: Decision) -> None:
                pass

            signal.connect(receive)
            signal.connect(receive, app)
            signal.disconnect(receive)
            signal.connect(receive, app)  # weakly, so it goes with the next one

    def ask_all() -> None:
        try:
            for _ in range(REPETITIONS):
                assert [ask(app, asked) for asked in REQUESTS] == expected
        finally:
            done.set()

    with frequent_switches():
        run_together([come_and_go, come_and_go, *[ask_all] * THREADS])


def test_a_table_with_a_problem() -> None:
    """First requests at once all hear of it, and once it is put right none does."""
    for _ in range(FRESH_APPS):
        app, guard = build()
        app.add_url_rule("/broken", "broken", cors("nobody")(lambda: "ok"))
        with frequent_switches():
            run_together([partial(check_status, app, 500)] * THREADS)
        guard.reconfigure(policies={"nobody": Policy()}, app=app)
        check_status(app, 200)


def check_status(app: Flask, status: int) -> None:
    assert ask(app, REQUESTS[0]).status == status
