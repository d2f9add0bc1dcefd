"""Each example, through its test client: the CORS headers of its answers, whole."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))

APP = "https://app.example.com"
ADMIN = "https://admin.example.com"
PARTNER = "https://shop.partner.example"
OTHER = "https://other.example.net"
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

Load = Callable[[str], ModuleType]
Headers = dict[str, str]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Flask finds static files beside the module that it is told the name of.
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


def ask(
    client: FlaskClient, method: str, url: str, origin: str | None, *, json_body: object = None
) -> TestResponse:
    headers = {} if origin is None else {"Origin": origin}
    return client.open(url, method=method, headers=headers, json=json_body)


def preflight(
    client: FlaskClient, method: str, url: str, origin: str, headers: str = ""
) -> TestResponse:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return client.options(url, headers=asked)


def cors_headers(response: TestResponse) -> Headers:
    pairs = [
        (name, value)
        for name, value in response.headers
        if name.startswith("Access-Control-") or name == "Vary"
    ]
    assert len(pairs) == len(dict(pairs)), "a header twice"
    return dict(pairs)


def allows(origin: str, **more: str) -> Headers:
    vary = {} if origin == "*" else {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origin, **vary, **_named(more)}


def allows_preflight(origin: str, methods: str, **more: str) -> Headers:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": "600",
        "Vary": PREFLIGHT_VARY,
        **_named(more),
    }


def _named(more: dict[str, str]) -> Headers:
    return {f"access-control-{name.replace('_', '-')}".title(): v for name, v in more.items()}


REJECTS = {"Vary": "Origin"}
REFUSES = {"Vary": PREFLIGHT_VARY}


def assert_refused(response: TestResponse, reason: str) -> None:
    assert (response.status_code, response.get_json(force=True)["code"]) == (403, reason)
    assert cors_headers(response) == REFUSES


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


def test_quickstart(load: Load) -> None:
    client = load("quickstart").app.test_client()
    for origin in (APP, "http://localhost:5173", "http://localhost"):
        response = ask(client, "GET", "/api/users", origin)
        assert response.get_json() == ["Ada", "Grace"]
        assert cors_headers(response) == allows(origin)
        answer = preflight(client, "GET", "/api/users", origin, "content-type")
        assert answer.status_code == 204
        assert cors_headers(answer) == allows_preflight(origin, "GET, HEAD, OPTIONS")
    for rejected in (OTHER, "http://app.example.com", None):
        assert cors_headers(ask(client, "GET", "/api/users", rejected)) == REJECTS
    assert_refused(preflight(client, "GET", "/api/users", OTHER), "ORIGIN_NOT_ALLOWED")
    assert cors_headers(ask(client, "GET", "/unknown", APP)) == allows(APP)


@pytest.mark.parametrize(
    ("url", "origin", "expected"),
    [
        ("/api/users", APP, allows(APP)),
        ("/api/users", PARTNER, REJECTS),
        ("/api/unknown", APP, allows(APP)),
        ("/api/export", PARTNER, allows(PARTNER)),
        ("/api/export", APP, REJECTS),
        ("/public/status", OTHER, allows("*")),
        ("/public/status", None, allows("*")),
        ("/public/unknown", OTHER, allows("*")),
        ("/unknown", APP, REJECTS),
        ("/publicity", OTHER, REJECTS),
    ],
)
def test_blueprints(load: Load, url: str, origin: str | None, expected: Headers) -> None:
    client = load("blueprints").app.test_client()
    assert cors_headers(ask(client, "GET", url, origin)) == expected


def test_blueprints_exempt(load: Load) -> None:
    client = load("blueprints").app.test_client()
    assert cors_headers(ask(client, "POST", "/hooks/payment", OTHER)) == {}
    answer = preflight(client, "POST", "/hooks/payment", OTHER)
    assert (answer.status_code, cors_headers(answer)) == (200, {})


def test_class_based_views(load: Load) -> None:
    client = load("class_based_views").app.test_client()
    url = "/notes/1"
    assert cors_headers(ask(client, "GET", url, OTHER)) == allows("*")
    assert cors_headers(ask(client, "PUT", url, APP)) == allows(APP)
    assert cors_headers(ask(client, "PUT", url, ADMIN)) == REJECTS
    assert cors_headers(ask(client, "DELETE", url, ADMIN)) == allows(ADMIN)
    assert cors_headers(ask(client, "DELETE", url, APP)) == REJECTS
    # Each method has a policy of its own, so no answer names a method of another one, and a browser
    # remembers none that might let a simple request out unasked.
    assert cors_headers(preflight(client, "GET", url, OTHER)) == allows_preflight("*", "GET, HEAD")
    put = preflight(client, "PUT", url, APP, "content-type")
    assert cors_headers(put) == allows_preflight(APP, "OPTIONS, PUT", max_age="0")
    delete = preflight(client, "DELETE", url, ADMIN)
    assert cors_headers(delete) == allows_preflight(ADMIN, "DELETE", max_age="0")
    assert_refused(preflight(client, "PUT", url, ADMIN), "ORIGIN_NOT_ALLOWED")
    assert_refused(preflight(client, "DELETE", url, APP), "ORIGIN_NOT_ALLOWED")


def test_single_page_app(load: Load) -> None:
    client = load("single_page_app").app.test_client()
    base = "https://api.example.com"
    allowed = allows(APP, allow_credentials="true")
    # A response that reads or writes the session varies by the cookie; that is Flask's own doing.
    with_cookie = {**allowed, "Vary": "Origin, Cookie"}

    answer = preflight(client, "POST", f"{base}/session", APP, "content-type")
    assert (answer.status_code, cors_headers(answer)) == (
        204,
        allows_preflight(
            APP,
            "DELETE, GET, HEAD, OPTIONS, POST",
            allow_credentials="true",
        ),
    )
    response = ask(client, "POST", f"{base}/session", APP, json_body={"user": "ada"})
    assert cors_headers(response) == with_cookie
    cookie = response.headers["Set-Cookie"]
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in cookie
    response = ask(client, "GET", f"{base}/session", APP)
    assert (response.get_json(), cors_headers(response)) == ({"user": "ada"}, with_cookie)
    response = ask(client, "GET", f"{base}/session", OTHER)
    assert cors_headers(response) == {"Vary": "Origin, Cookie"}
    response = ask(client, "DELETE", f"{base}/session", APP)
    assert (response.status_code, cors_headers(response)) == (204, with_cookie)
    assert_refused(preflight(client, "DELETE", f"{base}/session", OTHER), "ORIGIN_NOT_ALLOWED")
    response = ask(client, "POST", f"{base}/session", OTHER, json_body={"user": "eve"})
    assert (response.status_code, "Set-Cookie" in response.headers) == (403, False)


def test_static_fonts(load: Load, tmp_path: Path) -> None:
    app = load("static_fonts").app
    app.static_folder = str(tmp_path)
    for name in ("text.woff2", "text.ttf", "secret.json"):
        tmp_path.joinpath(name).write_bytes(b"data")
    client = app.test_client()
    for name, expected in (
        ("text.woff2", allows("*")),
        ("text.ttf", allows("*")),
        ("missing.woff", allows("*")),
        ("secret.json", REJECTS),
        ("secret.json?text.woff2", REJECTS),
    ):
        for origin in (OTHER, None):
            with ask(client, "GET", f"/static/{name}", origin) as response:
                assert cors_headers(response) == expected
    answer = preflight(client, "GET", "/static/text.woff2", OTHER, "content-type")
    assert cors_headers(answer) == allows_preflight("*", "GET, HEAD, OPTIONS", max_age="600")


def test_signals_to_logs(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    module = load("signals_to_logs")
    client = module.app.test_client()
    assert cors_headers(ask(client, "GET", "/api/users", APP)) == allows(APP)
    for _ in range(2):
        assert cors_headers(ask(client, "GET", "/api/users", OTHER)) == REJECTS
    assert_refused(preflight(client, "PUT", "/api/users", APP), "METHOD_NOT_ALLOWED")
    ask(client, "GET", "/unknown", "https://a\u2028b\x00" + 10_000 * "x")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {
        "event": "cors_rejected",
        "app": "example_signals_to_logs",
        "reason": "ORIGIN_NOT_ALLOWED",
        "origin": OTHER,
        "method": "GET",
        "path": "/api/users",
        "preflight": False,
        "blocked": False,
        "report_only": False,
        "endpoint": "users",
        "policy": "default",
    }
    assert [line["reason"] for line in lines] == [
        "ORIGIN_NOT_ALLOWED",
        "ORIGIN_NOT_ALLOWED",
        "METHOD_NOT_ALLOWED",
        "ORIGIN_MALFORMED",
    ]
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
        ask(client, "GET", f"/unknown/{number}", f"https://host{number}.example")
    assert dict(module.counts) == {("ORIGIN_NOT_ALLOWED", "no route"): 200}
