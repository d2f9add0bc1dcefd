"""Each recipe is a file that runs, and a page can do what the recipe claims, and no more.

Real browsers show the rest, in tests/browser/test_recipes_in_browsers.py.
"""

import json
import re
import shlex
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from flask import Flask, redirect
from websocket import WebSocketBadStatusException, create_connection

from flask_corsguard import CorsGuard, PolicyError
from flask_corsguard.testing import Blob, Browser, FormData
from flask_corsguard.testing.engines import ENGINES
from tests.docs.recipes_page import PAGE, RECIPES, SEARCHES, Recipe, found_by
from tests.listening import free_port, listening, require
from tests.loading import load_file
from tests.nginx import nginx

API = "https://api.example.com"
APP = "https://app.example.com"
ADMIN = "https://admin.example.com"
OTHER = "https://other.example.net"
VITE = "http://localhost:5173"
FLASK = "http://localhost:5000"


class Kitchen(NamedTuple):
    """A recipe, and an empty folder."""

    recipe: Recipe
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def save(self) -> Path:
        source = self.recipe.blocks["python"]
        file = self.folder / source.partition("\n")[0].removeprefix("# ")
        file.write_text(source)
        return file

    def load(self) -> ModuleType:
        return load_file(self.save(), self.monkeypatch)

    def app(self) -> Flask:
        app: Flask = self.load().app
        return app


Check = Callable[[Kitchen], None]


def check_readers(
    app: Flask, request_line: str, readers: list[str], others: list[str], at: str = API, **more: Any
) -> None:
    """Pages of these origins read the response, preflights included, and those of others do not."""
    method, path = request_line.split()
    for page in (*readers, *others):
        answer = Browser(app, page=page).fetch(f"{at}{path}", method=method, **more)
        assert answer.readable is (page in readers), (page, request_line, answer.why)


def read_by(request_line: str, *readers: str, others: list[str], **more: Any) -> Check:
    return lambda kitchen: check_readers(kitchen.app(), request_line, [*readers], others, **more)


# Development


def development(kitchen: Kitchen) -> None:
    for debug, local in (("0", False), ("1", True)):
        kitchen.monkeypatch.setenv("FLASK_DEBUG", debug)
        locals_ = [VITE, "http://127.0.0.1:5173"]
        readers, others = ([APP, *locals_], []) if local else ([APP], locals_)
        check_readers(kitchen.app(), "GET /api/users", readers, [*others, OTHER], FLASK)


def dev_proxy(kitchen: Kitchen) -> None:
    """Vite sends what the page asks its own origin for to Flask, with Flask's name in ``Host``."""
    app = kitchen.app()

    def vite(environ: Any, start_response: Any) -> Any:
        return app({**environ, "HTTP_HOST": "localhost:5000"}, start_response)

    for engine in ENGINES:
        browser = Browser({VITE: vite, FLASK: app}, page=VITE, engine=engine)
        assert browser.fetch(f"{VITE}/api/users", method="POST", json={}).status == 201
        browser.page = OTHER
        form = browser.submit(f"{VITE}/api/users", {"name": "x"})
        assert form.exchanges[-1].status == 403


def localhost(kitchen: Kitchen) -> None:
    app = kitchen.app()
    for engine in ENGINES:
        for host, user in (("127.0.0.1", None), ("localhost", "ada")):
            browser = Browser(app, page=VITE, engine=engine)
            ask = partial(browser.fetch, credentials="include")
            login = ask(f"http://{host}:5000/login", method="POST").assert_readable()
            assert login.status == 200
            assert ask(f"http://{host}:5000/me").assert_readable().json == {"user": user}


# Configuration


def environment(kitchen: Kitchen) -> None:
    words = shlex.split(kitchen.recipe.blocks["sh"])
    values = [words[i + 1] for i, word in enumerate(words) if word == "-e"]
    assert len(values) == 2
    for value in values:
        kitchen.monkeypatch.setenv(*value.split("=", 1))
    app = kitchen.app()
    check_readers(app, "GET /api/users", [APP, VITE], [OTHER], credentials="include")


def dotenv(kitchen: Kitchen) -> None:
    """As gunicorn imports it, and as ``flask run`` does, in a process that sets no variables."""
    kitchen.folder.joinpath(".env").write_text(kitchen.recipe.blocks["ini"])
    kitchen.save()
    code = "import app; print(app.guard.routes()[0].policy)"
    shown = "origins=['https://app.example.com', 'http://localhost:*'], allow_credentials=True"
    assert shown in run(kitchen.folder, "-c", code)
    shown = "https://app.example.com, http://localhost:*; credentials"
    assert shown in run(kitchen.folder, "-m", "flask", "cors", "routes")


def run(folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def app_factory(kitchen: Kitchen) -> None:
    import tomllib

    import yaml

    create_app = kitchen.load().create_app
    text = kitchen.recipe.blocks["yaml"]
    kitchen.folder.joinpath("config.yaml").write_text(text)
    app = create_app()
    ask = {"credentials": "include"}
    check_readers(app, "GET /api/users", [APP], [OTHER], **ask)
    check_readers(app, "GET /api/open/none", [APP, OTHER], [])
    # What the recipe says of JSON and TOML.
    values = yaml.safe_load(text)
    kitchen.folder.joinpath("config.json").write_text(json.dumps(values))
    kitchen.folder.joinpath("config.toml").write_text(
        f"CORSGUARD_ORIGINS = {values['CORSGUARD_ORIGINS']}\nCORSGUARD_ALLOW_CREDENTIALS = true\n"
    )
    source = kitchen.recipe.blocks["python"]
    for name, load in (("json", "json.load"), ("toml", "tomllib.load, text=False")):
        scope: dict[str, Any] = {"__name__": "app", "json": json, "tomllib": tomllib}
        kitchen.monkeypatch.chdir(kitchen.folder)
        assert load in kitchen.recipe.text
        exec(source.replace("yaml.safe_load", load), scope)
        app = scope["create_app"](f"config.{name}")
        check_readers(app, "GET /api/users", [APP], [OTHER], **ask)


# Which routes


def under_api(kitchen: Kitchen) -> None:
    app = kitchen.app()
    for path in ("/api/users", "/api/none"):
        check_readers(app, f"GET {path}", [APP], [OTHER])
    check_readers(app, "GET /settings", [], [APP, OTHER])
    check_readers(app, "GET /apix", [], [APP])
    assert Browser(app, page=API).fetch(f"{API}/settings").status == 200


def one_route(kitchen: Kitchen) -> None:
    app = kitchen.app()
    check_readers(app, "GET /api/users", [APP], [OTHER])
    check_readers(app, "GET /status", [APP, OTHER], [])
    check_readers(app, "GET /none", [], [APP])


def public_get(kitchen: Kitchen) -> None:
    app = kitchen.app()
    check_readers(app, "GET /api/prices", [APP, ADMIN, OTHER], [])
    check_readers(app, "PUT /api/prices", [ADMIN], [APP, OTHER], credentials="include", json={})
    sent = {"Origin": OTHER, "Sec-Fetch-Site": "cross-site"}
    assert app.test_client().put("/api/prices", headers=sent).status_code == 403


def intranet(kitchen: Kitchen) -> None:
    app = kitchen.app()
    inside = ["https://tools.corp.example.com", "https://tools.corp.example.com:8443"]
    outside = [APP, "http://tools.corp.example.com", "https://tools.corp.example.com.evil.example"]
    check_readers(app, "POST /admin/users", inside, outside, credentials="include", json={})
    assert app.test_client().post("/admin/users").status_code == 200  # as curl


def fonts(kitchen: Kitchen) -> None:
    static = kitchen.folder / "static"
    static.mkdir()
    for file in ("text.woff2", "text.ttf", "secret.json"):
        static.joinpath(file).write_bytes(b"data")
    app = kitchen.app()
    for file in ("text.woff2", "text.ttf"):
        check_readers(app, f"GET /static/{file}", [APP, OTHER], [])
    check_readers(app, "GET /static/secret.json", [], [APP, OTHER])


def webhooks(kitchen: Kitchen) -> None:
    app = kitchen.app()
    path = "/hooks/payment"
    called = app.test_client().post(path, json={"id": 7})
    assert (called.status_code, called.get_json()) == (200, {"received": 7})
    assert "Access-Control-Allow-Origin" not in called.headers
    for page in (APP, OTHER):
        browser = Browser(app, page=page)
        browser.fetch(f"{API}{path}", method="POST", json={"id": 7}).assert_blocked()
        assert browser.submit(f"{API}{path}", {"id": "7"}).exchanges[-1].status == 403


# Other origins

PREVIEWS = [
    "https://shop-git-fix-header-acme.vercel.app",
    "https://deploy-preview-12--shop.netlify.app",
    "https://a1b2c3.shop.pages.dev",
]
NOT_PREVIEWS = [
    "https://shop-git-x-acme.evil.vercel.app",
    "https://deploy-preview-12--other.netlify.app",
    "https://shop.evil.pages.dev",
]


def previews(kitchen: Kitchen) -> None:
    check_readers(kitchen.app(), "GET /api/users", [APP, *PREVIEWS], NOT_PREVIEWS)
    source = kitchen.recipe.blocks["python"]
    signed_in = source.replace("    origins=[", "    allow_credentials=True,\n    origins=[")
    with pytest.raises(PolicyError) as caught:
        exec(signed_in, {"__name__": "app"})
    assert [problem.code for problem in caught.value.problems] == 2 * ["credentials_public_suffix"]


def tenants(kitchen: Kitchen) -> None:
    kitchen.monkeypatch.chdir(kitchen.folder)
    with closing(sqlite3.connect("shop.db")) as database:
        database.executescript(kitchen.recipe.blocks["sql"])
    app = kitchen.app()
    a, b = "https://a.partner.example", "https://b.partner.example"
    check_readers(app, "GET /api/users", [a], [b, OTHER], "https://a.shop.example")
    check_readers(app, "GET /api/users", [b], [a, OTHER], "https://b.shop.example")
    check_readers(app, "GET /api/users", [], [a, b], "https://none.example")


EXTENSION = "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb"
MOBILE = ["capacitor://localhost", "https://localhost", "http://localhost", "ionic://localhost"]
DESKTOP = ["app://bundle", "tauri://localhost", "http://tauri.localhost", "https://tauri.localhost"]


def native(*origins: str, others: list[str]) -> Check:
    """What the app sends to web views; the simulated browser has no pages with such schemes."""

    def check(kitchen: Kitchen) -> None:
        app = kitchen.app()
        for origin in (*origins, *others):
            asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            if "Authorization" in kitchen.recipe.blocks["python"]:
                asked["Access-Control-Request-Headers"] = "authorization,content-type"
            preflight = app.test_client().options("/api/users", headers=asked)
            answer = app.test_client().get("/api/users", headers={"Origin": origin})
            allowed = origin if origin in origins else None
            for response in (preflight, answer):
                assert response.headers.get("Access-Control-Allow-Origin") == allowed

    return check


# Signing in


def cookie_login(kitchen: Kitchen) -> None:
    app = kitchen.app()
    for engine in ENGINES:
        browser = Browser(app, page=APP, engine=engine)
        ask = partial(browser.fetch, credentials="include")
        ask(f"{API}/login", method="POST", json={"user": "ada"}).assert_readable()
        assert ask(f"{API}/me").assert_readable().json == {"user": "ada"}
        assert browser.fetch(f"{API}/me").json == {"user": None}  # without credentials
        browser.page = OTHER
        ask(f"{API}/me").assert_blocked()
        text = Blob('{"user": "mallory"}', "text/plain")
        assert ask(f"{API}/login", method="POST", body=text).exchanges[-1].status == 403


def jwt_login(kitchen: Kitchen) -> None:
    browser = Browser(kitchen.app(), page=APP)
    token = browser.fetch(f"{API}/login", method="POST", json={}).assert_readable().json["token"]
    signed = {"headers": {"Authorization": f"Bearer {token}"}}
    me = browser.fetch(f"{API}/me", **signed).assert_readable()
    assert (me.json, me.exchanges[0].preflight) == ({"user": "ada"}, True)
    assert browser.fetch(f"{API}/me").assert_readable().status == 401
    browser.page = OTHER
    browser.fetch(f"{API}/me", **signed).assert_blocked()


def login_check(kitchen: Kitchen) -> None:
    app = kitchen.app()
    token = {"headers": {"Authorization": "Bearer secret"}}
    answer = Browser(app, page=APP).fetch(f"{API}/api/users", **token).assert_readable()
    assert [exchange.status for exchange in answer.exchanges] == [204, 200]
    assert Browser(app, page=APP).fetch(f"{API}/api/users").assert_readable().status == 401
    Browser(app, page=OTHER).fetch(f"{API}/api/users", **token).assert_blocked()


# Sending and receiving


def request_header(kitchen: Kitchen) -> None:
    app = kitchen.app()
    sent = {"headers": {"X-API-Key": "7", "X-Requested-With": "fetch"}}
    answer = Browser(app, page=APP).fetch(f"{API}/api/users", **sent).assert_readable()
    assert answer.json == {"key": "7"}
    more = {"headers": {"X-Other": "7"}}
    Browser(app, page=APP).fetch(f"{API}/api/users", **more).assert_blocked("preflight_status")


def post_json(kitchen: Kitchen) -> None:
    app = kitchen.app()
    sent = {"method": "POST", "json": {"text": "hello"}}
    answer = Browser(app, page=APP).fetch(f"{API}/api/notes", **sent).assert_readable()
    assert (answer.status, answer.json) == (201, {"text": "hello"})
    assert answer.exchanges[0].preflight
    Browser(app, page=OTHER).fetch(f"{API}/api/notes", **sent).assert_blocked()


def response_header(kitchen: Kitchen) -> None:
    answer = Browser(kitchen.app(), page=APP).fetch(f"{API}/api/users").assert_readable()
    assert answer.assert_visible("X-Total-Count").headers["x-total-count"] == "2"


def download(kitchen: Kitchen) -> None:
    answer = Browser(kitchen.app(), page=APP).fetch(f"{API}/api/report").assert_readable()
    name = answer.assert_visible("Content-Disposition").headers["content-disposition"]
    assert (name, answer.text) == ("attachment; filename=report.csv", "name,total\nAda,7\n")


def signed_url(kitchen: Kitchen) -> None:
    [rule] = json.loads(kitchen.recipe.blocks["json"])
    bucket = Flask("bucket")
    CorsGuard(bucket, origins=rule["AllowedOrigins"], methods=rule["AllowedMethods"])
    bucket.add_url_rule("/7.csv", view_func=lambda: "name,total")
    app = kitchen.app()
    app.add_url_rule("/redirect", view_func=lambda: redirect(url))
    servers = {API: app, "https://shop.s3.amazonaws.com": bucket}
    browser = Browser(servers, page=APP)
    url = browser.fetch(f"{API}/api/reports/7").assert_readable().json["url"]
    assert browser.fetch(url).assert_readable().text == "name,total"
    blocked = browser.fetch(f"{API}/redirect").assert_blocked("allow_origin_missing")
    assert blocked.exchanges[-1].request_headers["Origin"] == "null"
    CorsGuard().reconfigure(origins="*", app=bucket)
    assert browser.fetch(f"{API}/redirect").assert_readable().text == "name,total"
    browser.page = OTHER
    browser.fetch(f"{API}/api/reports/7").assert_blocked()


def upload(kitchen: Kitchen) -> None:
    """A preflight too, as with a listener, for POST without a header."""
    app = kitchen.app()
    boundary = "--b\r\nContent-Disposition: form-data; name=file; filename=x\r\n\r\nab\r\n--b--\r\n"
    body = Blob(boundary, "multipart/form-data; boundary=b")
    answer = Browser(app, page=APP).fetch(f"{API}/api/files", method="POST", body=body)
    assert answer.assert_readable().json == {"bytes": 2}
    for origin, status in ((APP, 204), (OTHER, 403)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert app.test_client().options("/api/files", headers=asked).status_code == status
    no_file = FormData({"other": "x"})
    wrong = Browser(app, page=APP).fetch(f"{API}/api/files", method="POST", body=no_file)
    assert wrong.assert_readable().status == 400


def errors(kitchen: Kitchen) -> None:
    app = kitchen.app()
    ask = Browser(app, page=APP).fetch
    for path, status, error in (
        ("/api/users/7", 404, "There are two users."),
        ("/api/users/0", 500, "The server encountered an internal error"),
        ("/none", 404, "The requested URL was not found"),
    ):
        answer = ask(f"{API}{path}").assert_readable()
        assert (answer.status, answer.json["error"][: len(error)]) == (status, error)
    Browser(app, page=OTHER).fetch(f"{API}/api/users/7").assert_blocked()


def events(kitchen: Kitchen) -> None:
    app = kitchen.app()
    ask = partial(Browser(app, page=APP).fetch, headers={"Accept": "text/event-stream"})
    answer = ask(f"{API}/events", credentials="include").assert_readable()
    assert answer.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert not answer.exchanges[0].preflight
    check_readers(app, "GET /events", [APP], [OTHER], credentials="include")


def graphql(kitchen: Kitchen) -> None:
    app = kitchen.app()
    for query, result in (("{ user }", {"data": {"user": "Ada"}}), ("{ none }", "Cannot query")):
        sent = {"method": "POST", "json": {"query": query}}
        answer = Browser(app, page=APP).fetch(f"{API}/graphql", **sent).assert_readable()
        assert answer.status == 200
        assert answer.json == result or str(result) in answer.json["errors"][0]["message"]
        Browser(app, page=OTHER).fetch(f"{API}/graphql", **sent).assert_blocked()


def websocket(kitchen: Kitchen) -> None:
    file, port, log = kitchen.save(), free_port(), kitchen.folder / "log"
    command = [sys.executable, "-m", "flask", "--app", str(file), "run", f"--port={port}"]
    connect = partial(create_connection, f"ws://127.0.0.1:{port}/chat", timeout=10)
    with listening(command, port, log, {}):
        with closing(connect(origin=APP)) as socket:
            socket.send("hello")
            assert socket.recv() == "hello"
        with pytest.raises(WebSocketBadStatusException, match="403"):
            connect(origin=OTHER)


def socket_io(kitchen: Kitchen) -> None:
    app = kitchen.app()
    path = "/socket.io/?EIO=4&transport=polling"
    check_readers(app, f"GET {path}", [APP], [OTHER], credentials="include")
    asked = Browser(app, page=OTHER).fetch(f"{API}{path}").exchanges[-1]
    assert asked.status == 400


# Running it


def workers(kitchen: Kitchen) -> None:
    file = kitchen.folder / "cors.toml"
    file.write_text(kitchen.recipe.blocks["toml"])
    file.chmod(0o644)
    app = kitchen.load().create_app()
    check_readers(app, "GET /api/users", [APP], [ADMIN])
    file.write_text(kitchen.recipe.blocks["toml"].replace("]", f', "{ADMIN}"]'))
    deadline = time.monotonic() + 10
    while not Browser(app, page=ADMIN).fetch(f"{API}/api/users").readable:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    # The command starts it.
    command = shlex.split(kitchen.recipe.blocks["sh"])
    [*_, target] = command
    assert command[0] == "gunicorn"
    run(kitchen.folder, "-m", *command[:-1], "--check-config", target)


def behind_nginx(kitchen: Kitchen) -> None:
    """The app's own pages are recognised in browsers that do not send ``Sec-Fetch-Site``."""
    require(("nginx", "gunicorn"))
    kitchen.save()
    app, front = free_port(), free_port()
    location = kitchen.recipe.blocks["nginx"].replace("8000", str(app))
    server = f"server {{ listen 127.0.0.1:{front};\n{location}}}"
    gunicorn = [sys.executable, "-m", "gunicorn", f"--chdir={kitchen.folder}"]
    log = kitchen.folder / "log"
    with (
        listening([*gunicorn, f"--bind=127.0.0.1:{app}", "app:app"], app, log, {}),
        listening(nginx(server, kitchen.folder), front, log, {}),
    ):
        for origin, status in ((f"http://127.0.0.1:{front}", 201), (APP, 201), (OTHER, 403)):
            with closing(HTTPConnection("127.0.0.1", front, timeout=10)) as connection:
                connection.request("POST", "/api/users", headers={"Origin": origin})
                response = connection.getresponse()
                given = response.headers.get_all("Access-Control-Allow-Origin", [])
                assert (response.status, given) == (status, [APP] if origin == APP else [])


def metrics(kitchen: Kitchen) -> None:
    app = kitchen.app()
    Browser(app, page=OTHER).fetch(f"{API}/none").assert_blocked()
    assert kitchen.recipe.blocks["text"] in app.test_client().get("/metrics").text


def sentry(kitchen: Kitchen) -> None:
    """In a process of its own: Sentry changes whatever it finds there."""
    kitchen.save()
    code = f"""
    import sentry_sdk
    events = []
    init = sentry_sdk.init
    sentry_sdk.init = lambda: init(
        dsn="https://key@sentry.example/1", default_integrations=False,
        before_send=lambda event, hint: events.append(event))
    from app import create_app
    from flask_corsguard.testing import Browser
    app = create_app()
    sent = {{"headers": {{"sentry-trace": "1", "baggage": "a=b"}}}}
    Browser(app, page="{APP}").fetch("{API}/api/users", **sent).assert_readable()
    for _ in range(100):
        Browser(app, page="{OTHER}").fetch("{API}/api/users").assert_blocked()
    [event] = events
    entry = event["logentry"]
    print(event["level"], event["logger"], entry["message"], entry["formatted"])
    """
    said = run(kitchen.folder, "-c", textwrap.dedent(code))
    template = "%sORIGIN_NOT_ALLOWED%s."  # by which Sentry groups
    line = f"GET /api/users from '{OTHER}': rejected"
    assert said.startswith(f"warning flask_corsguard {template} {line}")


def json_lines(kitchen: Kitchen) -> None:
    kitchen.save()
    code = f"""
    from app import app
    from flask_corsguard.testing import Browser
    for page, method in (("{OTHER}", "GET"), ("{OTHER}", "GET"), ("{APP}", "PUT")):
        Browser(app, page=page).fetch("{API}/api/users", method=method).assert_blocked()
    """
    *lines, put = run(kitchen.folder, "-c", textwrap.dedent(code)).splitlines()
    assert lines == 2 * [kitchen.recipe.blocks["json"].strip()]
    assert json.loads(put)["reason"] == "METHOD_NOT_ALLOWED"


def open_routes(kitchen: Kitchen) -> None:
    file = kitchen.save()
    pytest_run = ("-m", "pytest", "-p", "no:cacheprovider", "-q", "test_open_routes.py")
    assert "1 passed" in run(kitchen.folder, *pytest_run)
    file.write_text(file.read_text().replace('OPEN = {"/status"}', "OPEN = set()"))
    with pytest.raises(AssertionError, match="1 failed"):
        run(kitchen.folder, *pytest_run)


def with_pytest(kitchen: Kitchen) -> None:
    kitchen.save()
    said = run(kitchen.folder, "-m", "pytest", "-p", "no:cacheprovider", "-q")
    assert "3 passed" in said


def preflight_status(kitchen: Kitchen) -> None:
    app = kitchen.app()
    preflight, put = (
        Browser(app, page=APP).fetch(f"{API}/api/users", method="PUT").assert_readable().exchanges
    )
    assert (preflight.status, put.status) == (200, 200)
    assert preflight.response_headers["Content-Length"] == "0"
    other = Browser(app, page=OTHER).fetch(f"{API}/api/users", method="PUT")
    assert other.assert_blocked("preflight_status").exchanges[0].status == 403


def more_headers(kitchen: Kitchen) -> None:
    app = kitchen.app()
    for path, page, timing in (
        ("/api/users", APP, APP),
        ("/api/users", OTHER, None),
        ("/logo", OTHER, "*"),
    ):
        last = Browser(app, page=page).fetch(f"{API}{path}").exchanges[-1]
        assert last.response_headers.get("Timing-Allow-Origin") == timing
    embed = partial(Browser(app, page=OTHER).fetch, mode="no-cors")
    embed(f"{API}/api/users").assert_blocked("resource_policy")
    assert embed(f"{API}/logo").type == "opaque"
    assert embed(f"{API}/logo").reason != "resource_policy"


# The beginning of each heading, and what shows that the recipe works.
CHECKS: dict[str, Check] = {
    "Development and production": development,
    "A dev server on another port": read_by(
        "GET /api/users", VITE, "http://localhost:3000", "http://localhost:4200",
        others=["http://127.0.0.1:5173", "http://localhost:8080", OTHER], at=FLASK,
    ),
    "The dev server's proxy": dev_proxy,
    "localhost or 127.0.0.1": localhost,
    "An HTML file opened from disk": read_by(
        "GET /api/users", "http://localhost:8001", others=["null", VITE], at=FLASK
    ),
    "Environment variables": environment,
    "A .env file": dotenv,
    "YAML, TOML or JSON": app_factory,
    "A public API": read_by("GET /api/prices", APP, OTHER, "null", others=[]),
    "Everything under /api": under_api,
    "One route, or one blueprint": one_route,
    "Public GET, admin PUT": public_get,
    "Admin pages in an intranet": intranet,
    "Fonts": fonts,
    "Webhooks": webhooks,
    "Preview deployments": previews,
    "Tenants from a database": tenants,
    "Browser extensions": native(
        EXTENSION, "moz-extension://3c7a1c9f-7c2d-4c1a-9a52-1c5d3c1f0e11",
        others=["chrome-extension://cfhdojbkjhnklbpkdaibdccddilifddb", OTHER],
    ),
    "Mobile apps": native(*MOBILE, others=["file://", "http://localhost:8100", OTHER]),
    "Desktop apps": native(*DESKTOP, others=["null", "file://", "app://.", OTHER]),
    "Login with a cookie": cookie_login,
    "A JWT in": jwt_login,
    "A login check": login_check,
    "JSON, with": post_json,
    "A request header": request_header,
    "A response header": response_header,
    "A download with": download,
    "A download from S3": signed_url,
    "An upload": upload,
    "Errors that": errors,
    "Server-sent events": events,
    "GraphQL": graphql,
    "WebSocket": websocket,
    "Socket.IO": socket_io,
    "Several workers": workers,
    "Behind nginx": behind_nginx,
    "Metrics": metrics,
    "Sentry": sentry,
    "Rejections as JSON": json_lines,
    "Tests with pytest": with_pytest,
    "A build that fails": open_routes,
    "A preflight with 200": preflight_status,
    "Timing-Allow-Origin": more_headers,
}  # fmt: skip


@pytest.mark.parametrize("heading", CHECKS)
def test_recipe(heading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [recipe] = [each for name, each in RECIPES.items() if name.startswith(heading)]
    CHECKS[heading](Kitchen(recipe, tmp_path, monkeypatch))


def test_sentry_gets_each_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes errors by itself."""
    Kitchen(RECIPES["Sentry"], tmp_path, monkeypatch).save()
    code = """
    import logging
    import sentry_sdk
    events = []
    init = sentry_sdk.init
    sentry_sdk.init = lambda: init(
        dsn="https://key@sentry.example/1", before_send=lambda event, hint: events.append(event))
    from app import create_app
    create_app()
    for level in (logging.WARNING, logging.ERROR):
        logging.getLogger("flask_corsguard").log(level, "a line")
    print(*(event["level"] for event in events))
    """
    assert run(tmp_path, "-c", textwrap.dedent(code)) == "warning error\n"


def test_web_views_keep_no_cookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the recipe for mobile apps claims, even with ``SameSite=None``."""
    app = Kitchen(
        RECIPES["Login with a cookie: fetch credentials, axios withCredentials"],
        tmp_path,
        monkeypatch,
    ).app()
    app.config["SESSION_COOKIE_SAMESITE"] = "None"
    CorsGuard().reconfigure(origins="https://localhost", app=app)
    browser = Browser(app, page="https://localhost", engine="webkit")
    ask = partial(browser.fetch, credentials="include")
    ask(f"{API}/login", method="POST", json={"user": "ada"}).assert_readable()
    assert ask(f"{API}/me").assert_readable().json == {"user": None}


def test_every_recipe_is_checked() -> None:
    assert len(CHECKS) == len(RECIPES) == len(re.findall("^### ", PAGE, re.MULTILINE))


def test_the_list_at_the_top_has_every_recipe() -> None:
    """The build of the documentation checks that each link leads somewhere."""
    top = PAGE.partition("\n## I want to")[2].partition("\n## ")[0]
    links = re.findall(r"^- \[.+\]\(#(.+)\)$", top, re.MULTILINE)
    slugs = [re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") for heading in RECIPES]
    assert sorted(links) == sorted(slugs)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=[*RECIPES])
def test_recipes_are_short(recipe: Recipe) -> None:
    prose = recipe.text.partition("```")[0]
    assert len(prose) <= 400
    assert recipe.text.count("Details:") == 1
    source = recipe.blocks["python"]
    assert re.match(r"# \w+\.py\n", source)
    assert source.count("\n") <= 45
    assert max(map(len, source.splitlines())) <= 79


@pytest.mark.parametrize("words", SEARCHES)
def test_search_words_are_entries_of_the_recipe(words: str) -> None:
    """So the search puts it first, as tests/browser/test_documentation.py shows."""
    assert words.lower() in found_by(words).words


def test_no_two_recipes_have_the_same_search_word() -> None:
    words = [word for recipe in RECIPES.values() for word in recipe.words]
    assert len(words) == len(set(words))
