"""Recipes that only a real browser can show to be right, as they stand on their page."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.docs.recipes_page import RECIPES

from .browsers import Browser

pytestmark = pytest.mark.browser

Serve = Callable[[Flask], str]


def app_of(heading: str, page: str = "") -> Flask:
    """The app of a recipe, with the origin of a real page in place of the recipe's."""
    [recipe] = [each for name, each in RECIPES.items() if name.startswith(heading)]
    source = recipe.blocks["python"].replace("https://app.example.com", page or "https://none.test")
    scope: dict[str, object] = {"__name__": "app"}
    exec(compile(source, "app.py", "exec"), scope)
    app = scope["app"]
    assert isinstance(app, Flask)
    return app


@pytest.fixture(scope="module")
def page(serve: Serve) -> str:
    app = Flask("page", static_folder=None)
    app.add_url_rule("/", "index", lambda: "<!doctype html><title>page</title>")
    return serve(app)


LOGIN = """
const [api] = arguments;
const login = await fetch(`${api}/login`, {method: "POST", credentials: "include"});
const me = await fetch(`${api}/me`, {credentials: "include"});
return {login: login.status, user: (await me.json()).user};
"""


@pytest.mark.parametrize(("host", "user"), [("127.0.0.1", None), ("localhost", "ada")])
def test_login_on_localhost(
    browser: Browser, serve: Serve, page: str, host: str, user: str | None
) -> None:
    """The page is on ``localhost``. With the API on ``127.0.0.1``, login answers 200, and the next
    request has no user; with both on ``localhost``, it has."""
    api = serve(app_of("localhost or 127.0.0.1")).replace("localhost", host)
    browser.open(page)
    browser.forget_cookies()
    browser.open(page)
    assert browser.run(LOGIN, api) == {"login": 200, "user": user}
    browser.forget_cookies()


UPLOAD = """
const [api, listens] = arguments;
const seen = [];
const xhr = new XMLHttpRequest();
if (listens) {
    xhr.upload.onprogress = (event) => seen.push(event.loaded);
}
const form = new FormData();
form.append("file", new Blob(["x".repeat(3000000)]), "x.bin");
xhr.open("POST", `${api}/api/files`);
await new Promise((resolve) => { xhr.onloadend = resolve; xhr.send(form); });
return {status: xhr.status, text: xhr.responseText, seen: seen.length > 0};
"""


@pytest.mark.parametrize("listens", [True, False])
def test_upload(browser: Browser, serve: Serve, page: str, listens: bool) -> None:
    """A listener on the upload takes a preflight, which the guard answers."""
    app = app_of("An upload", page)
    methods: list[str] = []
    inner = app.wsgi_app

    def noting(environ: Any, start_response: Any) -> Any:
        methods.append(environ["REQUEST_METHOD"])
        return inner(environ, start_response)

    app.wsgi_app = noting
    api = serve(app)
    browser.open(page)
    found = browser.run(UPLOAD, api, listens)
    assert found == {"status": 200, "text": '{"bytes":3000000}\n', "seen": listens}
    assert methods == (["OPTIONS", "POST"] if listens else ["POST"])


EVENTS = """
const [api] = arguments;
const events = new EventSource(`${api}/events`, {withCredentials: true});
const data = [];
await new Promise((resolve) => {
    events.onmessage = (event) => { data.push(event.data); data.length === 3 && resolve(); };
    events.onerror = resolve;
});
events.close();
return data;
"""


@pytest.mark.parametrize("allowed", [True, False])
def test_events(browser: Browser, serve: Serve, page: str, allowed: bool) -> None:
    api = serve(app_of("Server-sent events", page if allowed else ""))
    browser.open(page)
    assert browser.run(EVENTS, api) == (["0", "1", "2"] if allowed else [])


DOWNLOAD = """
const [api] = arguments;
const response = await fetch(`${api}/api/report`);
return [response.headers.get("Content-Disposition"), await (await response.blob()).text()];
"""


def test_download(browser: Browser, serve: Serve, page: str) -> None:
    api = serve(app_of("A download with its file name", page))
    browser.open(page)
    name, text = browser.run(DOWNLOAD, api)
    assert (name, text) == ("attachment; filename=report.csv", "name,total\nAda,7\n")


TIMING = """
const [url] = arguments;
await (await fetch(url)).text();
return performance.getEntriesByName(url)[0].requestStart > 0;
"""


@pytest.mark.parametrize(("heading", "shown"), [("Timing-Allow-Origin", True), ("GraphQL", False)])
def test_timing(browser: Browser, serve: Serve, page: str, heading: str, shown: bool) -> None:
    """The page sees how long the parts of a request took."""
    api = serve(app_of(heading, page))
    browser.open(page)
    assert browser.run(TIMING, f"{api}/api/users") is shown


def test_preflight_with_200(browser: Browser, serve: Serve, page: str) -> None:
    api = serve(app_of("A preflight with 200", page))
    browser.open(page)
    put = "const r = await fetch(arguments[0], {method: 'PUT'}); return await r.json();"
    assert browser.run(put, f"{api}/api/users") == {"replaced": True}
