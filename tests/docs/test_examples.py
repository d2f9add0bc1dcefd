"""Each example: which pages read what it sends."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from flask_corsguard.testing import Browser
from tests.loading import load_file

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))

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


def test_quickstart_is_the_six_lines_of_the_readme() -> None:
    block = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    lines = [line for line in block.splitlines() if line and not line.startswith("#")]
    assert len(lines) == 6
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
    assert client.get("/metrics").text.splitlines() == [
        'cors_rejections_total{reason="METHOD_NOT_ALLOWED",endpoint="users"} 1',
        'cors_rejections_total{reason="ORIGIN_MALFORMED",endpoint="no route"} 1',
        'cors_rejections_total{reason="ORIGIN_NOT_ALLOWED",endpoint="users"} 2',
    ]


def test_counts_stay_bounded(load: Load) -> None:
    module = load("signals_to_logs")
    client = module.app.test_client()
    for number in range(200):
        client.get(f"/unknown/{number}", headers={"Origin": f"https://host{number}.example"})
    assert dict(module.counts) == {("ORIGIN_NOT_ALLOWED", "no route"): 200}
