"""Settings that change, in a signal handler or before a fork, while a table is made."""

import re
import subprocess
import sys
import textwrap

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, PolicyError, cors
from flask_corsguard.runtime import state as state_module
from flask_corsguard.runtime.state import state_of
from tests.listening import free_port, require

SHOP = "https://shop.example"
FIRST = "https://first.example"
SECOND = "https://second.example"


@pytest.fixture
def interrupted(monkeypatch):
    """Calls a function once, in the middle of the next table that is made, as a signal handler
    would be."""

    def interrupt(handler):
        real = state_module.PolicyTable

        def table(*arguments):
            made = real(*arguments)
            if handlers:
                handlers.pop()()
            return made

        handlers = [handler]
        monkeypatch.setattr(state_module, "PolicyTable", table)

    return interrupt


@pytest.mark.parametrize("begun", ["first request", "prepare", "reconfigure", "late rule"])
def test_the_last_change_is_in_force(site, http, interrupted, begun):
    guard = CorsGuard(site, origins=SHOP, max_age=5)
    if begun in ("reconfigure", "late rule"):
        http.send(site, "/")
    interrupted(lambda: guard.reconfigure(origins=SECOND, app=site))
    if begun == "reconfigure":
        guard.reconfigure(origins=FIRST, allow_headers="X-First", app=site)
    elif begun == "prepare":
        guard.prepare()
    elif begun == "late rule":
        site.url_map.add(site.url_rule_class("/late", endpoint="index"))
        http.send(site, "/late")
    else:
        http.send(site, "/")
    assert http.send(site, "/", SECOND) == http.allowed(SECOND)
    assert http.send(site, "/", FIRST) == http.send(site, "/", SHOP) == http.refused()
    # What was interrupted is not lost.
    policy = guard.routes(site)[0].policy
    assert policy.max_age == 5
    assert policy.allow_headers == (("X-First",) if begun == "reconfigure" else ("Content-Type",))


def test_a_handlers_mistake_is_logged_and_changes_nothing(site, http, interrupted, caplog):
    guard = CorsGuard(site, origins=SHOP)
    site.add_url_rule("/open", "open", cors(origins="*")(lambda: "ok"))
    interrupted(lambda: guard.reconfigure(allow_credentials=True, app=site))
    http.send(site, "/")
    assert http.send(site, "/", SHOP) == http.allowed(SHOP)
    assert "a change of the settings in a signal handler failed: view open (" in caplog.text


def test_a_mistake_that_is_interrupted(site, http, interrupted):
    guard = CorsGuard(site, origins=SHOP)
    site.add_url_rule("/open", "open", cors(origins="*")(lambda: "ok"))
    http.send(site, "/")
    interrupted(lambda: guard.reconfigure(origins=SECOND, app=site))
    guard.reconfigure(max_age=7, app=site)
    interrupted(lambda: guard.reconfigure(origins=FIRST, app=site))
    with pytest.raises(PolicyError):
        guard.reconfigure(allow_credentials=True, app=site)
    assert http.send(site, "/", SECOND) == http.allowed(SECOND)
    assert guard.routes(site)[0].policy.max_age == 7


def test_a_change_just_before_earlier_ones_are_made(site, http, interrupted, monkeypatch):
    """The later one counts, as everywhere."""
    guard = CorsGuard(site, origins=SHOP)
    interrupted(lambda: guard.reconfigure(origins=FIRST, app=site))

    def set_attribute(state, name, value):
        object.__setattr__(state, name, value)
        if name == "_at_work_in" and value is None and state._changes:
            guard.reconfigure(origins=SECOND, app=site)

    monkeypatch.setattr(state_module.AppState, "__setattr__", set_attribute)
    http.send(site, "/", SHOP)
    assert http.send(site, "/", SECOND) == http.allowed(SECOND)
    assert http.send(site, "/", FIRST) == http.refused()


SIGNALS = """
    import os, signal
    from flask import Flask
    from flask_corsguard import CorsGuard
    app = Flask("shop")
    for i in range(500):
        app.add_url_rule(f"/r{i}", f"e{i}", lambda: "")
    guard = CorsGuard(app, origins="https://a.example")
    serial = [0]
    def reload(*_):
        serial[0] += 1
        if serial[0] == 99:
            signal.setitimer(signal.ITIMER_REAL, 0)
        guard.reconfigure(origins=f"https://n{serial[0]}.example", app=app)
    signal.signal(signal.SIGALRM, reload)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    client = app.test_client()
    while serial[0] < 99:
        client.get("/r1")
    # The last one comes alone: one that interrupts the handler of another is done before that.
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    while serial[0] < 100:
        client.get("/r1")
    origin = f"https://n{serial[0]}.example"
    response = client.get("/r1", headers={"Origin": origin})
    assert response.headers["Access-Control-Allow-Origin"] == origin
    print("done")
"""

FORK = """
    import os, sys, threading
    from flask import Flask
    from flask_corsguard import CorsGuard
    from flask_corsguard.runtime import state
    app = Flask("shop")
    app.add_url_rule("/", "index", lambda: "")
    guard = CorsGuard(app, origins="https://a.example")
    client = app.test_client()
    during = sys.argv[1]
    if during == "reconfigure":
        client.get("/")
    busy, done = threading.Event(), threading.Event()
    real = state.PolicyTable
    def table(*arguments):
        busy.set()
        done.wait(30)
        return real(*arguments)
    state.PolicyTable = table
    work = client.get if during == "request" else guard.reconfigure
    values = {"path": "/"} if during == "request" else {"max_age": 5, "app": app}
    thread = threading.Thread(target=work, kwargs=values)
    thread.start()
    busy.wait(30)
    child = os.fork()
    if not child:
        state.PolicyTable = real
        guard.reconfigure(origins="https://b.example", app=app)
        response = client.get("/", headers={"Origin": "https://b.example"})
        os._exit(response.headers.get("Access-Control-Allow-Origin") != "https://b.example")
    done.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    print("done")
"""

FORKING_HANDLER = """
    import os
    from flask import Flask
    from flask_corsguard import CorsGuard
    from flask_corsguard.runtime import state
    app = Flask("shop")
    app.add_url_rule("/", "index", lambda: "")
    CorsGuard(app, origins="https://a.example").reconfigure(max_age=5, app=app)
    real, children = state.PolicyTable, []
    def table(*arguments):
        children.append(os.fork())
        return real(*arguments)
    state.PolicyTable = table
    response = app.test_client().get("/", headers={"Origin": "https://a.example"})
    failed = response.headers.get("Access-Control-Allow-Origin") != "https://a.example"
    if not children[0]:
        os._exit(failed)
    assert (failed, os.waitpid(children[0], 0)[1]) == (False, 0)
    print("done")
"""


def run(script, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.slow
def test_signals_without_end():
    run(SIGNALS)


@pytest.mark.slow
@pytest.mark.parametrize("during", ["request", "reconfigure"])
def test_a_fork_while_a_table_is_made(during):
    run(FORK, during)


@pytest.mark.slow
def test_a_fork_by_the_thread_that_makes_a_table():
    """In a signal handler; both processes go on."""
    run(FORKING_HANDLER)


def test_a_guard_that_is_prepared_makes_no_table_for_requests(site, http, monkeypatch):
    CorsGuard(site, origins=SHOP).prepare()
    monkeypatch.setattr(state_module, "PolicyTable", None)
    assert http.send(site, "/", SHOP) == http.allowed(SHOP)


# prepare


def two_mistakes(app):
    guard = CorsGuard(app, origins=SHOP, allow_credentials=True)
    app.add_url_rule("/health", "health", cors(origins="*")(lambda: "ok"))
    app.add_url_rule("/own", "own", cors("prtners")(lambda: "ok"))
    return guard


def test_prepare_raises_everything_that_is_wrong(app):
    guard = two_mistakes(app)
    with pytest.raises(PolicyError) as caught:
        guard.prepare()
    assert [problem.code for problem in caught.value.problems] == [
        "credentials_any_origin",
        "unknown_policy",
    ]


@pytest.mark.parametrize("how", ["argument", "context", "constructor", "other context"])
def test_which_app_is_prepared(how):
    app = Flask("shop")
    guard = CorsGuard(*([] if how in ("argument", "context") else [app]))
    if how in ("argument", "context"):
        guard.init_app(app)
    if how == "argument":
        guard.prepare(app)
    elif how == "constructor":
        guard.prepare()
    else:
        with (app if how == "context" else Flask("other")).app_context():
            guard.prepare()
    assert state_of(app).in_force is not None


def test_prepare_names_marks_that_no_route_has(site, caplog):
    @cors(origins=SHOP)
    def forgotten():
        return "ok"

    guard = CorsGuard(site, origins=SHOP)
    guard.prepare()
    (record,) = caplog.records
    assert "test_prepare_names_marks_that_no_route_has.<locals>.forgotten" in record.getMessage()
    assert re.search(r"[^.]\.$", record.getMessage())
    assert "test_changing_settings.py:" in record.getMessage()
    assert forgotten() == "ok"


MISTAKEN = """
    from flask import Flask
    from flask_corsguard import CorsGuard, cors
    def create_app(prepared):
        app = Flask("shop")
        guard = CorsGuard(app, origins="https://a.example", allow_credentials=True)
        app.add_url_rule("/health", "health", cors(origins="*")(lambda: "ok"))
        app.add_url_rule("/own", "own", cors("prtners")(lambda: "ok"))
        if prepared:
            guard.prepare()
        return app
"""


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--check-config", "--preload"])
def test_gunicorn_does_not_start_what_is_wrong(tmp_path, option):
    require(["gunicorn"])
    (tmp_path / "mistaken.py").write_text(textwrap.dedent(MISTAKEN))

    def run_gunicorn(prepared):
        target = f"mistaken:create_app({prepared})"
        bind = f"--bind=127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "gunicorn", bind, f"--chdir={tmp_path}", option, target]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    failed = run_gunicorn(prepared=True)
    assert failed.returncode != 0
    assert "credentials_any_origin" in failed.stderr
    assert "unknown_policy" in failed.stderr
    if option == "--check-config":
        assert run_gunicorn(prepared=False).returncode == 0
