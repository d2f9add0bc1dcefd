"""Each example: which pages read what it sends."""

import ast
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flask_corsguard.testing import Browser
from tests.listening import free_port, listening, require
from tests.loading import load_file

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# The other one is for gunicorn.
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.name != "gunicorn.conf.py")

APP = "https://app.example.com"
ADMIN = "https://admin.example.com"
PARTNER = "https://shop.partner.example"
OTHER = "https://other.example.net"
API = "https://api.example.com"

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    return lambda name: load_file(EXAMPLES / f"{name}.py", monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_runs_as_its_docstring_says(name: str) -> None:
    docstring = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text()))
    assert docstring is not None
    assert f"``flask --app examples/{name} run``" in docstring
    command = [sys.executable, "-m", "flask", "--app", f"examples/{name}", "routes"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "/static/<path:filename>" in result.stdout


def test_quickstart_is_the_first_block_of_the_readme() -> None:
    block = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    example = ast.parse((EXAMPLES / "quickstart.py").read_text())
    del example.body[0]
    assert ast.unparse(example) == ast.unparse(ast.parse(block))


# Each request, with the origins of the pages that read the response, and of some that do not.
READERS = [
    ("quickstart", "GET /api/users", [APP],
     [OTHER, "http://app.example.com", "http://localhost:5173"]),
    ("quickstart", "GET /unknown", [APP], [OTHER]),
    ("blueprints", "GET /api/users", [APP], [PARTNER]),
    ("blueprints", "GET /api/unknown", [APP], [PARTNER]),
    ("blueprints", "GET /api/export", [PARTNER], [APP]),
    ("blueprints", "GET /public/status", [OTHER, APP], []),
    ("blueprints", "GET /public/unknown", [OTHER], []),
    ("blueprints", "GET /unknown", [], [APP]),
    ("blueprints", "GET /publicity", [], [OTHER]),
    ("blueprints", "POST /hooks/payment", [], [OTHER]),
    ("class_based_views", "GET /notes/1", [OTHER], []),
    ("class_based_views", "PUT /notes/1", [APP], [ADMIN, OTHER]),
    ("class_based_views", "DELETE /notes/1", [ADMIN], [APP, OTHER]),
    ("static_fonts", "GET /static/text.woff2", [OTHER], []),
    ("static_fonts", "GET /static/text.ttf", [OTHER], []),
    ("static_fonts", "GET /static/missing.woff", [OTHER], []),
    ("static_fonts", "GET /static/secret.json", [], [OTHER]),
    ("static_fonts", "GET /static/secret.json?text.woff2", [], [OTHER]),
    ("signals_to_logs", "GET /api/users", [APP], [OTHER]),
    ("signals_to_logs", "PUT /api/users", [], [APP]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "request_line", "readers", "others"), READERS)
def test_who_reads(
    load: Load, tmp_path: Path, name: str, request_line: str, readers: list[str], others: list[str]
) -> None:
    """Pages of these origins read the response, preflights included, and those of others do not."""
    app = load(name).app
    if name == "static_fonts":
        app.static_folder = str(tmp_path)
        for file in ("text.woff2", "text.ttf", "secret.json"):
            tmp_path.joinpath(file).write_bytes(b"data")
    method, url = request_line.split()
    for origin in (*readers, *others):
        answer = Browser(app, page=origin).fetch(f"{API}{url}", method=method)
        assert answer.readable is (origin in readers), (origin, answer.why)


def test_blueprints_exempt(load: Load) -> None:
    response = load("blueprints").app.test_client().post("/hooks/payment")
    assert "Vary" not in response.headers


def test_single_page_app(load: Load) -> None:
    """The page signs in with a cookie; another site's page does not read, nor act as the user."""
    app = load("single_page_app").app
    browser = Browser(app, page=APP)
    ask = partial(browser.fetch, f"{API}/session", credentials="include")
    signed_in = ask(method="POST", json={"user": "ada"}).assert_readable()
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in str(signed_in.exchanges[-1])
    assert ask().assert_readable().json == {"user": "ada"}
    browser.page = OTHER
    ask().assert_blocked()
    ask(method="DELETE").assert_blocked()
    form = ask(method="POST", headers={"Content-Type": "text/plain"}, body="{}")
    assert form.exchanges[-1].status == 403
    browser.page = APP
    assert ask(method="DELETE").assert_readable().status == 204
    assert ask().json != {"user": "ada"}


def test_signals_to_logs(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    client = load("signals_to_logs").app.test_client()
    for origin in (APP, OTHER, OTHER):
        client.get("/api/users", headers={"Origin": origin})
    asked = {"Origin": APP, "Access-Control-Request-Method": "PUT"}
    assert client.options("/api/users", headers=asked).status_code == 403
    odd = "https://a\u2028b\x00" + 10_000 * "x"
    client.get("/unknown", environ_overrides={"HTTP_ORIGIN": odd})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first = {"event": "cors_rejected", "app": "loaded_signals_to_logs", "policy": "default"}
    first |= {"origin": OTHER, "method": "GET", "path": "/api/users", "endpoint": "users"}
    first |= {"reason": "ORIGIN_NOT_ALLOWED", "preflight": False, "blocked": False}
    assert lines[0] == {**first, "report_only": False}
    reasons = ["ORIGIN_NOT_ALLOWED", "ORIGIN_NOT_ALLOWED", "METHOD_NOT_ALLOWED", "ORIGIN_MALFORMED"]
    assert [line["reason"] for line in lines] == reasons
    assert len(lines[3]["origin"]) == 320
    scraped = decisions(client.get("/metrics").text)
    assert scraped == {
        ("ALLOWED", "", "users", "false"): 1,
        ("NOT_CORS", "", "metrics", "false"): 1,
        ("REJECTED", "METHOD_NOT_ALLOWED", "users", "true"): 1,
        ("REJECTED", "ORIGIN_MALFORMED", "", "false"): 1,
        ("REJECTED", "ORIGIN_NOT_ALLOWED", "users", "false"): 2,
    }


def decisions(text: str) -> dict[tuple[str, ...], float]:
    """How many decisions were scraped, by outcome, reason, endpoint and preflight."""
    names = ("outcome", "reason", "endpoint", "preflight")
    return {
        tuple(sample.labels[name] for name in names): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "corsguard_decisions_total"
    }


def test_counts_stay_bounded(load: Load) -> None:
    client = load("signals_to_logs").app.test_client()
    for number in range(200):
        client.get(f"/unknown/{number}", headers={"Origin": f"https://host{number}.example"})
    scraped = decisions(client.get("/metrics").text)
    assert scraped["REJECTED", "ORIGIN_NOT_ALLOWED", "", "false"] == 200
    assert len(scraped) == 2


@pytest.mark.slow
def test_metrics_of_four_workers(tmp_path: Path) -> None:
    """Every scrape has the numbers of all workers, those that have ended too."""
    require(["gunicorn"])
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config=examples/gunicorn.conf.py"]
    command += [f"--bind=127.0.0.1:{port}", "--access-logfile=-", "--access-logformat=%(p)s"]
    environment = {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    environment["XDG_RUNTIME_DIR"] = str(tmp_path)  # where gunicorn leaves a socket for its tools
    expected: Counter[tuple[str, ...]] = Counter()

    def ask(path: str, origin: str | None, times: int, preflight: bool = False) -> None:
        headers = {} if origin is None else {"Origin": origin}
        headers |= {"Access-Control-Request-Method": "GET"} if preflight else {}
        for _ in range(times):
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("OPTIONS" if preflight else "GET", path, headers=headers)
            connection.getresponse().read()
            connection.close()

    def ask_all(factor: int) -> None:
        endpoint = {"/api/users": "users", "/none": ""}
        for times, path, origin, outcome, reason, preflight in (
            (7, "/api/users", APP, "ALLOWED", "", False),
            (5, "/api/users", APP, "ALLOWED", "", True),
            (6, "/api/users", None, "NOT_CORS", "", False),
            (8, "/api/users", OTHER, "REJECTED", "ORIGIN_NOT_ALLOWED", False),
            (3, "/api/users", OTHER, "REJECTED", "ORIGIN_NOT_ALLOWED", True),
            (4, "/none", "null", "REJECTED", "ORIGIN_NULL", False),
        ):
            ask(path, origin, factor * times, preflight)
            key = outcome, reason, endpoint[path], str(preflight).lower()
            expected[key] += factor * times

    def scrape() -> dict[tuple[str, ...], float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            text = response.read().decode()
        expected["NOT_CORS", "", "metrics", "false"] += 1
        settings = re.findall(r"^corsguard_settings_info{.*} (.*)$", text, re.MULTILINE)
        assert settings == ["1.0"]
        return decisions(text)

    log = tmp_path / "log"
    with listening(command, port, log, environment) as server:
        arbiter = psutil.Process(server.pid)
        ask_all(10)
        for _ in range(8):
            assert scrape() == expected
        first, second, *_ = old = workers_of(arbiter)
        served = set(re.findall(r"^<(\d+)>$", log.read_text(), re.MULTILINE))
        assert len(served) > 1, "one worker has served everything"
        first.terminate()  # gracefully
        second.kill()
        psutil.wait_procs([first, second], timeout=10)
        ask_all(3)
        for _ in range(4):
            assert scrape() == expected
        arbiter.send_signal(signal.SIGHUP)  # all others, gracefully
        gone, _ = psutil.wait_procs(old, timeout=20)
        assert len(gone) == 4
        ask_all(1)
        for _ in range(4):
            assert scrape() == expected
    [directory] = tmp_path.glob("signals_to_logs-*")
    live = {path.name.rpartition("_")[2] for path in directory.glob("gauge_live*.db")}
    assert not live & {f"{worker.pid}.db" for worker in old}


def workers_of(arbiter: psutil.Process) -> list[psutil.Process]:
    workers = arbiter.children()
    assert len(workers) == 4
    return workers
