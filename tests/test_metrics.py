"""``flask_corsguard.metrics``: what a scrape finds, in one process and over several."""

import gc
import math
import os
import subprocess
import sys
import weakref

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, CorsGuardError, Policy, cors
from flask_corsguard.metrics import register
from flask_corsguard.runtime.state import state_of

pytest.importorskip("prometheus_client")

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

SHOP = "https://shop.example"
OTHER = "https://other.example"
DECISIONS = "corsguard_decisions_total"


class Listed:
    """A source whose store can fail."""

    name = "partners"
    refresh = 0.001

    def __init__(self, *rows):
        self.rows = [*rows]
        self.is_down = False

    def load(self):
        if self.is_down:
            raise ConnectionError("no route to host")
        return len(self.rows), self.rows

    def version(self):
        return self.load()[0]


def new_app(name="shop", **fields):
    app = Flask(name, static_folder=None)
    CorsGuard(app, **{"origins": SHOP, **fields})
    app.add_url_rule("/x", "x", lambda: "ok")
    return app


@pytest.fixture
def shop():
    return new_app()


@pytest.fixture
def registry():
    return CollectorRegistry()


def ask(app, origin=None, path="/x", times=1, method="GET", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if origin is not None:
        headers["Origin"] = origin
    for _ in range(times):
        app.test_client().open(path, method=method, headers=headers)


def read(text):
    """The values of what was scraped, but for when they began: by name, and by the labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def scrape(registry):
    return read(generate_latest(registry).decode())


def of(scraped, name):
    """The values of one metric, by what its labels say."""
    return {
        " ".join(value for _, value in labels): value
        for (found, *labels), value in scraped.items()
        if found == name
    }


def decisions(registry):
    return of(scrape(registry), DECISIONS)


@pytest.mark.parametrize(
    ("sent", "labels"),
    [
        (lambda app: ask(app), {"outcome": "NOT_CORS"}),
        (lambda app: ask(app, path="/none"), {"outcome": "NOT_CORS", "endpoint": ""}),
        (lambda app: ask(app, SHOP), {"outcome": "ALLOWED"}),
        (lambda app: ask(app, OTHER), {"outcome": "REJECTED", "reason": "ORIGIN_NOT_ALLOWED"}),
        (lambda app: ask(app, SHOP, method="OPTIONS", Access_Control_Request_Method="GET"),
         {"outcome": "ALLOWED", "preflight": "true"}),
        (lambda app: ask(app, OTHER, "/locked"),
         {"outcome": "REJECTED", "reason": "ORIGIN_NOT_ALLOWED", "endpoint": "locked",
          "policy": "view locked", "blocked": "true"}),
    ],
)  # fmt: skip
def test_the_labels_of_a_decision(shop, registry, sent, labels):
    shop.add_url_rule("/locked", "locked", cors(enforce="all")(lambda: "ok"))
    register(shop, registry)
    sent(shop)
    usual = {"reason": "", "endpoint": "x", "policy": "default"}
    usual |= {"preflight": "false", "blocked": "false"}
    scraped = scrape(registry)
    assert {each: n for each, n in scraped.items() if each[0] == DECISIONS} == {
        (DECISIONS, *sorted((usual | labels).items())): 1
    }


def test_every_scrape_is_exact(shop, registry):
    register(shop, registry)
    for number in range(1, 4):
        ask(shop, OTHER, times=100)
        scraped = scrape(registry)
        assert [*of(scraped, DECISIONS).values()] == [100 * number]
        # The first of them is in the log.
        assert scraped["corsguard_log_lines_left_out_total",] == 100 * number - 1


def test_a_scrape_before_the_first_request(shop, registry):
    register(shop, registry)
    assert scrape(registry) == {("corsguard_log_lines_left_out_total",): 0}


def test_what_was_counted_before_is_there(shop, registry):
    ask(shop, times=3)
    register(shop, registry)
    assert [*decisions(registry).values()] == [3]


def test_twice_is_once(shop, registry):
    register(shop, registry)
    register(shop, registry)
    ask(shop, times=5)
    assert [*decisions(registry).values()] == [5]


def test_two_registries_have_the_same(shop, registry):
    other = CollectorRegistry()
    register(shop, registry)
    register(shop, other)
    ask(shop, times=5)
    for each in (registry, other):
        assert [*decisions(each).values()] == [5]


def test_two_apps_add_up(shop, registry):
    other = new_app("other", origins=OTHER)
    register(shop, registry)
    register(other, registry)
    for app in (shop, other):
        ask(app, OTHER, times=2)
        ask(app, times=3)
    found = {labels.split()[2]: n for labels, n in decisions(registry).items()}
    assert found == {"ALLOWED": 2, "REJECTED": 2, "NOT_CORS": 6}
    assert set(of(scrape(registry), "corsguard_settings_info").values()) == {1}


def test_an_app_can_be_forgotten(registry):
    app = new_app()
    register(app, registry)
    ask(app, times=5)
    assert [*decisions(registry).values()] == [5]
    forgotten = weakref.ref(app)
    del app
    gc.collect()
    assert forgotten() is None
    scraped = scrape(registry)
    assert [*of(scraped, DECISIONS).values()] == [5]  # a counter never falls
    assert of(scraped, "corsguard_settings_info") == {}


def test_a_registry_can_be_forgotten(shop):
    registry = CollectorRegistry()
    register(shop, registry)
    forgotten = weakref.ref(registry)
    del registry
    gc.collect()
    assert forgotten() is None
    ask(shop)


def test_prometheus_clients_own_registry(shop):
    register(shop)
    ask(shop, path="/default-registry")
    text = generate_latest().decode()
    assert 'corsguard_decisions_total{blocked="false",endpoint="",outcome="NOT_CORS"' in text


def test_the_names_belong_to_the_guard(shop, registry):
    register(shop, registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Counter(DECISIONS, "Of something else.", registry=registry)


def test_sources(registry):
    store = Listed(OTHER, "https://partner.example")
    app = new_app(origins=[SHOP, store])
    register(app, registry)
    ask(app, SHOP)
    scraped = scrape(registry)
    assert of(scraped, "corsguard_source_age_seconds") == {"partners": math.inf}
    assert of(scraped, "corsguard_source_rows") == {"partners": 0}

    ask(app, OTHER)
    scraped = scrape(registry)
    assert of(scraped, "corsguard_source_rows") == {"partners": 2}
    assert 0 <= of(scraped, "corsguard_source_age_seconds")["partners"] < 5
    assert of(scraped, "corsguard_source_failures_total") == {"partners": 0}

    store.is_down = True
    state = state_of(app)
    [feed] = state.in_force.feeds()
    for number in (1, 2):
        feed.due = feed._check_at = feed.fresh_until = -math.inf
        ask(app, OTHER)
        assert of(scrape(registry), "corsguard_source_failures_total") == {"partners": number}


def test_two_apps_share_a_source(registry):
    store = Listed()
    store.is_down = True
    apps = [new_app(name, origins=[SHOP, store]) for name in ("shop", "other")]
    for app in apps:
        register(app, registry)
        app.extensions["corsguard"].put_in_force()
    ask(apps[0], OTHER)
    assert of(scrape(registry), "corsguard_source_failures_total") == {"partners": 1}


def test_two_sources_with_one_name(registry):
    """Two statements to one database, say. What is wrong with one of them shows."""
    read, unread = Listed(OTHER), Listed()
    unread.is_down = True
    app = new_app(origins=[SHOP, read, unread])
    register(app, registry)
    ask(app, OTHER)
    for _ in range(2):
        scraped = scrape(registry)
        assert of(scraped, "corsguard_source_rows") == {"partners": 1}
        assert of(scraped, "corsguard_source_age_seconds") == {"partners": math.inf}


def test_settings_that_change(registry):
    store = Listed(OTHER)
    app = new_app(origins=[SHOP, store])
    guard = CorsGuard()
    register(app, registry)
    ask(app, OTHER)
    before = scrape(registry)
    guard.reconfigure(Policy(origins=SHOP, max_age=5), app=app)
    ask(app, OTHER)
    after = scrape(registry)
    fingerprint = guard.status(app)["fingerprint"]
    assert of(after, "corsguard_settings_info") == {fingerprint: 1}
    assert of(before, "corsguard_settings_info").keys() != {fingerprint}
    assert of(before, "corsguard_source_rows") == {"partners": 1}
    assert of(after, "corsguard_source_rows") == of(after, "corsguard_source_age_seconds") == {}


def test_an_app_without_a_guard(registry):
    with pytest.raises(CorsGuardError, match=r"has no guard; call CorsGuard\(app\)"):
        register(Flask("shop"), registry)


def test_without_the_extra(shop, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(CorsGuardError) as raised:
        register(shop)
    wanted = 'metrics need prometheus_client: pip install "flask-corsguard[prometheus]"'
    assert str(raised.value) == wanted


def test_multi_process_mode_that_comes_too_late(shop, registry, monkeypatch, tmp_path):
    """Each worker would have numbers of its own, and nobody would see that."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with pytest.raises(CorsGuardError, match=r"was set too late: prometheus_client"):
        register(shop, registry)


def test_nothing_is_imported_without_register():
    program = """
        import sys
        from flask import Flask
        from flask_corsguard import CorsGuard
        from flask_corsguard.metrics import register
        app = Flask("shop")
        guard = CorsGuard(app)
        app.test_client().get("/")
        assert guard.counts(app)
        print([name for name in sys.modules if name.startswith("prometheus")])
    """
    assert run(program) == ["[]"]


def run(program, directory=None):
    """What a program prints, line by line, with the directory of prometheus_client's files."""
    lines = [line.removeprefix(8 * " ") for line in program.splitlines()]
    environment = {**os.environ, "PYTHONWARNINGS": "error,ignore::ResourceWarning"}
    if directory is not None:
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    command = [sys.executable, "-c", "\n".join(lines)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


WORKERS = """
        import os, signal, sys, time
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector
        from flask_corsguard.metrics import register
        from tests.test_metrics import OTHER, SHOP, Listed, ask, new_app, of, read, scrape

        import logging
        logging.disable()

        def worker(work, end=sys.exit):
            child = os.fork()
            if not child:
                work()
                end(0)
            os.waitpid(child, 0)

        def of_workers():
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
            return scrape(registry)

        def total(scraped, name="corsguard_decisions_total"):
            return int(sum(of(scraped, name).values()))

        store = Listed(OTHER)
        app = new_app(origins=[SHOP, store])
"""

# What four workers and their parent do, and what a scrape finds afterwards.
PROGRAMS = {
    "decisions are there at once, whatever becomes of a worker": (
        """
        register(app)
        worker(lambda: ask(app, SHOP, times=3))
        worker(lambda: ask(app, SHOP, times=4), os._exit)
        worker(lambda: (ask(app, SHOP, times=5), os.kill(os.getpid(), signal.SIGKILL)))
        worker(lambda: None)
        print(total(of_workers()))
        ask(app, SHOP, times=6)
        print(total(of_workers()))
        """,
        ["12", "18"],
    ),
    "a worker does not begin with what its parent has": (
        """
        register(app)
        ask(app, OTHER, times=10)
        for _ in range(4):
            worker(lambda: ask(app, OTHER, times=3))
        print(total(of_workers()))
        """,
        ["22"],
    ),
    "lines left out are all there when the workers have ended": (
        """
        logging.disable(logging.NOTSET)
        logging.getLogger("flask_corsguard").addHandler(logging.NullHandler())
        logging.getLogger("flask_corsguard").propagate = False
        register(app)
        for number in range(4):
            worker(lambda: ask(app, "https://x.example", times=11))
        print(total(of_workers(), "corsguard_log_lines_left_out_total"))
        """,
        ["40"],
    ),
    "a registry that reads the files says everything once": (
        """
        for is_before in (True, False):
            registry = CollectorRegistry()
            if is_before:
                MultiProcessCollector(registry)
            register(app, registry)
            if not is_before:
                MultiProcessCollector(registry)
            worker(lambda: ask(app, SHOP, times=4))
            text = generate_latest(registry).decode()
            print(text.count("# TYPE corsguard_decisions_total"), total(read(text)))
        """,
        ["1 4", "1 8"],
    ),
    "a registry that does not has the numbers of all workers": (
        """
        from prometheus_client import Counter
        mine = Counter("mine_total", "Of the app's own.", registry=None)
        registry = CollectorRegistry()
        register(app, registry)
        register(app, registry)
        register(app)
        worker(lambda: (ask(app, SHOP, times=4), mine.inc()))
        ask(app, SHOP, times=2)
        print(total(scrape(registry)), {name.split("_")[0] for name, *_ in scrape(registry)})
        print(total(read(generate_latest().decode())))
        """,
        ["6 {'corsguard'}", "6"],
    ),
    "of a source, the worker counts that wrote last; of failures, all": (
        """
        from flask_corsguard import CorsGuard, metrics
        metrics._INTERVAL = 0
        register(app)
        def refresh(rows, is_down):
            store.rows = rows
            ask(app, OTHER)
            store.is_down = is_down
            for _ in range(3):
                time.sleep(0.1)
                ask(app, OTHER)
            [status] = CorsGuard().status(app)["sources"]
            print(status["rows"], bool(status["failures"]), flush=True)
        worker(lambda: refresh([OTHER, SHOP, "https://x.example"], is_down=True))
        before = of_workers()
        worker(lambda: refresh([OTHER], is_down=True))
        found = of_workers()
        for scraped in before, found:
            print(total(scraped, "corsguard_source_rows"))
            print(0.3 < of(scraped, "corsguard_source_age_seconds")["partners"] < 5)
        name = "corsguard_source_failures_total"
        print(0 < total(before, name) < total(found, name))
        print(set(of(found, "corsguard_settings_info").values()))
        """,
        ["3 True", "1 True", "3", "True", "1", "True", "True", "{1.0}"],
    ),
    "settings that no worker has any more, and a source that is gone": (
        """
        from flask_corsguard import CorsGuard
        ask(app, OTHER)
        registry = CollectorRegistry()
        register(app, registry)
        print(of(scrape(registry), "corsguard_source_rows"))
        CorsGuard().reconfigure(origins=SHOP, max_age=5, app=app)
        ask(app, OTHER)
        print(of(scrape(registry), "corsguard_source_rows"))
        print(sorted(of(scrape(registry), "corsguard_settings_info").values()))
        """,
        ["{'partners': 1.0}", "{'partners': nan}", "[0.0, 1.0]"],
    ),
    "a write that fails is logged, and the request goes on": (
        """
        logging.disable(logging.NOTSET)
        logging.basicConfig(stream=sys.stdout, format="%(message).70s")
        import shutil
        register(app)
        directory = os.environ["PROMETHEUS_MULTIPROC_DIR"]
        shutil.rmtree(directory)
        def work():
            print(app.test_client().get("/x").text)
            os.mkdir(directory)
            print(app.test_client().get("/x").text, flush=True)
        worker(work, os._exit)
        print(total(of_workers()))
        """,
        ['writing the metrics failed: FileNotFoundError "[Errno 2] No such file ', "ok", "ok", "1"],
    ),
    "nor does it disturb the end of a process": (
        """
        import shutil
        register(app)
        ask(app)
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        worker(lambda: print(app.test_client().get("/x").text, flush=True))
        """,
        ["ok"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_multi_process_mode(name, tmp_path):
    program, wanted = PROGRAMS[name]
    assert run(WORKERS + program, tmp_path) == wanted


def test_a_directory_that_is_not_there(tmp_path):
    program = """
        try:
            register(app)
        except Exception as error:
            print(type(error).__name__, error)
    """
    [line] = run(WORKERS + program, tmp_path / "none")
    assert line.startswith("CorsGuardError prometheus_client cannot write its files: FileNotFound")
    assert "Set PROMETHEUS_MULTIPROC_DIR to a directory of its own" in line
