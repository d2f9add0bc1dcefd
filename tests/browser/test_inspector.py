"""The inspector in a real browser: hostile text stays text, and nobody else is asked."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask, Response, request

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
from flask_corsguard.inspector.pages import Pages

from .browsers import complaints, emulate, requested_urls
from .demo import LOW_CONTRAST

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver


pytestmark = pytest.mark.browser

PAGES = ("", "rejections", "check")
# Each would set window.hit, open a dialog, or ask for something, if it were more than text.
CORPUS = (
    "<script>window.hit=1;alert(1)</script>",
    "<img src=x onerror=window.hit=1>",
    "<img src=//evil.example/x.png>",
    '"><svg onload=window.hit=1>',
    "'><svg/onload=window.hit=1>",
    "</title><script>window.hit=1</script>",
    "</textarea><script>window.hit=1</script>",
    "</pre></details><iframe src=javascript:parent.hit=1>",
    "</script><script>window.hit=1</script>",
    "<template><img src=x onerror=window.hit=1></template>",
    '" onfocus=window.hit=1 autofocus tabindex=1 x="',
    "' onmouseover='window.hit=1",
    "javascript:window.hit=1//",
    "data:text/html,<script>window.hit=1</script>",
    "<a href=javascript:window.hit=1 autofocus>x</a>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css';*{background:url(//evil.example/y)}</style>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>",
    '<noscript><p title="</noscript><img src=x onerror=window.hit=1>">',
    "<object data=//evil.example/x></object><embed src=//evil.example/y>",
    "<form action=//evil.example/><button autofocus>x",
    "{{constructor.constructor('window.hit=1')()}}",
    "${window.hit=1}`+window.hit=1+`",
    "&lt;script&gt;window.hit=1&lt;/script&gt;",
    "&#60;img src=x onerror=window.hit=1&#62;",
    "<!--><img src=x onerror=window.hit=1>-->",
    "]]><img src=x onerror=window.hit=1>",
    "\\u003cimg src=x onerror=window.hit=1\\u003e",
    "<x" + " a" * 40 + " onclick=window.hit=1>",
)


# Those of them, and more, that are names of headers.
NAMES = ("x-'`${window.hit}`'", "x-&lt", "x-'-window.hit-'", "__proto__", "constructor")


class Visit(NamedTuple):
    """The browser, and an app to look at."""

    driver: WebDriver
    origin: str

    def open(self, path: str, origin: str = "") -> None:
        self.driver.get(f"{origin or self.origin}/_corsguard/{path}")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait_for(self, script: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 10).until(lambda driver: driver.execute_script(script))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        found: list[str] = self.run(script, selector)
        return found

    def press(self, *keys: str) -> Any:
        """Press keys; what has the focus afterwards: the tag's name, and its name or text."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()
        return self.run(
            "const e = document.activeElement;"
            "return [e.localName, e.name || e.getAttribute('role') || e.textContent.trim()]"
        )

    def check_quiet(self) -> None:
        """Nothing ran, nothing was complained about, and nobody else was asked for anything."""
        assert self.run("return window.hit") is None
        assert complaints(self.driver) == []
        own = (f"{self.origin}/_corsguard/", "data:,")
        assert [url for url in requested_urls(self.driver) if not url.startswith(own)] == []

    def send(self, request: str, *lines: str) -> None:
        """Send what no client would."""
        parts = urlsplit(self.origin)
        head = "\r\n".join([f"{request} HTTP/1.0", "Host: localhost", *lines, "", ""])
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(head.encode("latin-1"))
            assert connection.recv(12).startswith(b"HTTP/1.")
            while connection.recv(4096):
                pass

    def send_preflight(self, origin: str, method: str, headers: str) -> None:
        requested = {"Method": method, "Headers": headers}
        lines = (f"Access-Control-Request-{name}: {value}" for name, value in requested.items())
        self.send("OPTIONS /plain", f"Origin: {origin}", *lines)

    def attack(self) -> None:
        """Have the guard reject everything hostile that there is."""
        for payload in CORPUS:
            self.send(f"GET /{quote(payload)}", f"Origin: {payload}")
            self.send_preflight(payload, payload, payload)
        for name in NAMES:
            self.send_preflight("https://app.example.com", name, name)
            self.send_preflight("https://app.example.com", "GET", name)


def make_app(number_of_routes: int, name: str = "shop") -> Flask:
    app = Flask(name, static_folder=None)
    app.debug = True
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    origins = ["https://app.example.com", "http://localhost:*"]
    named = {name: Policy(origins=origins) for name in CORPUS}
    CorsGuard(app, inspector=True, origins=origins, policies=named)
    marks = (None, cors(origins="*"), cors(allow_credentials=True, origins=["https://b.example"]))
    marks += (cors(methods=["GET"]), cors(origins=[lambda origin: True]), cors_exempt)
    marks += (cors([CORPUS[0], Policy(origins="*", methods=[])]),)
    for number in range(number_of_routes):
        mark = marks[number % len(marks)]
        view = (lambda: lambda **_: "")()
        app.add_url_rule(
            f"/a/rather/long/path/{number}/<int:id>",
            f"view{number}",
            mark(view) if mark else view,
            methods=["GET", "DELETE"],
        )
    return app


@pytest.fixture
def visit(logged: WebDriver, serve: Callable[[Flask], str]) -> Callable[..., Visit]:
    """Go and see an app."""
    return lambda app: Visit(logged, serve(app))


def test_rejections_of_hostile_requests_are_text(visit: Callable[..., Visit]) -> None:
    shop = visit(make_app(3))
    shop.attack()
    for _ in range(2):
        shop.open("rejections")
        shop.wait_for("return document.getElementById('live').textContent === 'Live.'")
        shop.run("for (const each of document.querySelectorAll('details')) each.open = true")
        origins = shop.texts("[data-field=origin]")
        requests = shop.texts("[data-field=request]")
        explanations = " ".join(shop.texts("[data-field=explanation]"))
        for payload in CORPUS:
            assert origins.count(payload) == 2
            assert f"GET /{payload}" in requests
        for name in NAMES:
            assert name.replace("'", r"\x27") in explanations or name in explanations
        shop.check_quiet()


def test_the_live_list(visit: Callable[..., Visit], monkeypatch: pytest.MonkeyPatch) -> None:
    shop = visit(make_app(3))
    shop.open("rejections")
    assert shop.texts("#rejections li") == []
    shop.send("GET /first", "Origin: https://first.example")
    shop.wait_for("return document.querySelectorAll('#rejections li').length === 1")
    shop.run("document.querySelector('details').open = true")
    shop.attack()
    shop.wait_for("return document.querySelectorAll('#rejections li').length > 60")
    shop.send("GET /first", "Origin: https://first.example")
    shop.wait_for("return document.querySelector('[data-field=count]').textContent.endsWith('2')")
    # It has come to the front, and is open still.
    assert shop.run("return document.querySelector('details').open") is True
    assert shop.run("return document.querySelector('[data-link]').checkVisibility()") is True
    shop.send("GET /_corsguard/", "Sec-Fetch-Site: cross-site")
    shop.wait_for("return document.querySelector('[data-field=origin]').innerText === 'no Origin'")
    # No page has sent it, so there is nothing to play.
    assert shop.run("return document.querySelector('[data-link]').parentElement.hidden") is True
    assert set(CORPUS) < set(shop.texts("[data-field=origin]"))
    # Another worker answers. Its list has the same numbers, and says whose it is.
    monkeypatch.setattr(Pages, "process", lambda _: "Process 1, fingerprint 2")
    monkeypatch.setattr(Pages, "entries", lambda _: [])
    shop.wait_for("return document.querySelector('#process').textContent.startsWith('Process 1,')")
    assert shop.texts("#rejections li") == []
    shop.check_quiet()


def test_hostile_queries_are_text(visit: Callable[..., Visit]) -> None:
    shop = visit(make_app(3))
    for payload in CORPUS:
        text = quote(payload)
        fields = "&".join(f"{name}={text}" for name in ("path", "endpoint", "method", "origin"))
        shop.open(f"?{fields}")
        assert shop.run("return document.forms[0].elements.origin.value") == payload
        shop.open(f"?origin={text}")
        shop.open(f"check?url=/{text}&origin=https://app.example.com&method=GET&headers=X-A:{text}")
        assert shop.run("return document.forms[0].elements.url.value") == f"/{payload}"
        assert payload in shop.run("return document.forms[0].elements.headers.value")
        shop.open(f"check?url=/plain&origin={text}&method={text}&headers={text}&engine={text}")
        assert shop.texts("[role=alert]")
        shop.check_quiet()


def test_hostile_names_in_the_app_are_text(visit: Callable[..., Visit]) -> None:
    app = make_app(0, name=CORPUS[0])
    for payload in CORPUS:
        rule = payload.replace("<", "").replace(">", "")
        view = cors([payload, Policy(origins="*")])((lambda: lambda: "")())
        app.add_url_rule(f"/{rule}", payload.replace(".", ""), view, methods=["GET"])
    shop = visit(app)
    for query in ("?by=route", "?by=policy"):
        shop.open(query)
        shop.run("for (const each of document.querySelectorAll('[type=checkbox]')) each.click()")
        found = {text.strip() for text in shop.texts(".endpoint")}
        assert {payload.replace(".", "") for payload in CORPUS} <= found
        assert CORPUS[0] in shop.run("return document.title")
        shop.check_quiet()


@pytest.mark.parametrize("number", [0, 10, 300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_readable(visit: Callable[..., Visit], number: int, scheme: str) -> None:
    shop = visit(make_app(number))
    shop.attack()
    emulate(shop.driver, 360, 740, scheme=scheme)
    played = "check?url=/a/rather/long/path/1/1&origin=https://app.example.com&method=DELETE"
    for path in (*PAGES, "?by=route", "?origin=https://app.example.com", played):
        shop.open(path)
        assert shop.run("return document.scrollingElement.scrollWidth") <= 360
        shop.run("for (const each of document.querySelectorAll('details')) each.open = true")
        assert shop.run("return document.scrollingElement.scrollWidth") <= 360
        assert shop.run(LOW_CONTRAST) == []
        shop.check_quiet()


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7", "shop.example"])
def test_under_other_names(visit: Callable[..., Visit], host: str) -> None:
    app = make_app(3)
    app.config["SERVER_NAME"] = "shop.example"
    local = visit(app)
    shop = Visit(local.driver, local.origin.replace("localhost", host))
    for path in PAGES:
        shop.open(path)
        assert "CorsGuard" in shop.run("return document.title")
        if path == "rejections":
            shop.wait_for("return document.getElementById('live').textContent === 'Live.'")
        shop.check_quiet()


def test_files_of_routes_are_whole(visit: Callable[..., Visit]) -> None:
    """At 1280 pixels the table needs no scrolling, and a long path is on one line."""
    app = make_app(20)
    for number, name in enumerate(("accounts", "catalogue", "orders")):
        file = f"src/shop/blueprints/{name}/views.py"
        origins = [f"https://{name}.shop.example", "https://*.partner.example"]
        names: dict[str, Any] = {"cors": cors, "origins": origins}
        code = (
            "\n" * 122
            + "mark = cors(origins=origins, allow_headers=['Authorization', 'X-Request-ID'])"
        )
        exec(compile(code, file, "exec"), names)
        rule = f"/api/v1/{name}/<int:number>/details/<uuid:detail>"
        view = names["mark"]((lambda: lambda **_: "")())
        app.add_url_rule(rule, f"{name}.detail{number}", view, methods=["GET", "PUT", "DELETE"])
    shop = visit(app)
    emulate(shop.driver, 1280, 800)
    for path in ("", "?by=policy"):
        shop.open(path)
        shop.run("for (const each of document.querySelectorAll('[type=checkbox]')) each.click()")
        box = shop.run(
            "const {scrollWidth, clientWidth} = document.querySelector('.scroll');"
            "return [scrollWidth, clientWidth]"
        )
        assert box[0] == box[1]
        heights = shop.run(
            "return Object.fromEntries([...document.querySelectorAll('.source .quiet')].map("
            "(e) => [e.textContent, e.getBoundingClientRect().height]))"
        )
        lines = {text: height for text, height in heights.items() if text.startswith("src/")}
        assert sorted(lines) == [
            f"src/shop/blueprints/{name}/views.py:123"
            for name in ("accounts", "catalogue", "orders")
        ]
        assert max(lines.values()) < 20
        # Nothing is wider than its cell.
        assert (
            shop.run(
                "return [...document.querySelectorAll('.grid td, .grid th')]"
                ".filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"
            )
            == []
        )


def test_low_windows(visit: Callable[..., Visit]) -> None:
    """The pages can be used in a low window, such as one of 1280 x 800 at 400 %."""
    shop = visit(make_app(10))
    emulate(shop.driver, 320, 200, deviceScaleFactor=4)
    for path in ("rejections", "check", "?by=policy", ""):
        shop.open(path)
        assert shop.run("return document.scrollingElement.scrollWidth") <= 320
    # A row can be seen whole: its place in the window, and what is on top there.
    assert shop.run(
        "const cell = document.querySelector('tbody tr:last-child th');"
        "cell.scrollIntoView({block: 'center'});"
        "const {left, top, height} = cell.getBoundingClientRect();"
        "const seen = (y) => cell.contains(document.elementFromPoint(left + 20, y));"
        "return seen(top + 2) && seen(top + height - 2)"
    )
    shop.check_quiet()


def test_keyboard(visit: Callable[..., Visit]) -> None:
    from selenium.webdriver.common.keys import Keys

    shop = visit(make_app(350))
    shop.open("")
    reached = [tuple(shop.press(Keys.TAB)) for _ in range(14)]
    assert reached[:13] == [
        ("a", "Skip to the content"),
        ("a", "Routes"),
        ("a", "Rejections"),
        ("a", "Check"),
        *(("input", name) for name in ("path", "endpoint")),
        ("select", "method"),
        ("input", "origin"),
        ("select", "by"),
        ("button", "Show"),
        ("div", "region"),
        ("input", ""),
        ("input", ""),
    ]
    # Each group unfolds.
    shown = (
        "return [...document.querySelectorAll('.member')].filter((e) => e.checkVisibility()).length"
    )
    assert shop.run(shown) == 0
    shop.press(Keys.SPACE)
    assert shop.run(shown) == 50
    shop.press(Keys.SPACE)
    assert shop.run(shown) == 0

    shop.open("?path=/a/")
    for _ in range(5):
        shop.press(Keys.TAB)
    shop.press("/7/", Keys.ENTER)
    shop.wait_for("return location.search.includes('7')")

    shop.send("GET /plain", "Origin: https://stranger.example")
    shop.open("rejections")
    while shop.press(Keys.TAB)[0] != "summary":
        pass
    shop.press(Keys.ENTER)
    assert shop.run("return document.querySelector('details').open") is True
    assert shop.press(Keys.TAB) == ["a", "Check this request"]
    shop.press(Keys.ENTER)
    shop.wait_for("return location.pathname.endsWith('check')")
    assert shop.texts("h2") == ["✕ The page cannot read the response"]

    shop.open("check")
    while shop.press(Keys.TAB)[1] != "url":
        pass
    shop.press("/a/rather/long/path/1/1", Keys.TAB, "https://app.example.com", Keys.ENTER)
    shop.wait_for("return document.querySelector('h2')")
    assert shop.texts("h2") == ["● The page reads the response"]
    shop.check_quiet()


def test_other_sites_see_nothing(
    visit: Callable[..., Visit], serve: Callable[[Flask], str]
) -> None:
    app = make_app(3)
    answers: set[tuple[str, int]] = set()

    @app.after_request
    def note(response: Response) -> Response:
        answers.add((request.full_path, response.status_code))
        return response

    shop = visit(app)
    elsewhere = Flask("elsewhere")

    @elsewhere.get("/")
    def page() -> str:
        root = f"{shop.origin}/_corsguard/"
        return f'''<!doctype html><title>x</title><link rel=icon href=data:,>
            <iframe src="{root}"></iframe><img src="{root}icon.svg">
            <script src="{root}inspector.js"></script><a id=link href="{root}">x</a>
            <form action="{root}"><button>x</button></form>'''

    port = serve(elsewhere).rpartition(":")[2]
    stranger = f"http://stranger.example:{port}/"
    for leave in ("", "document.getElementById('link').click()", "document.forms[0].submit()"):
        shop.driver.get(stranger)
        shop.run(leave)
        if leave:
            shop.wait_for("return location.pathname.startsWith('/_corsguard')")
    seen = {answer for answer in answers if answer[0].startswith("/_corsguard/")}
    paths = ("", "icon.svg", "inspector.js")
    assert seen == {(f"/_corsguard/{path}?", 403) for path in paths}
    # A name of others that leads here is of one origin with what answers, but not let in.
    rebound = shop.origin.replace("localhost", "rebound.example")
    for path in PAGES:
        shop.open(path, rebound)
        words = shop.run("return document.body.innerText")
        assert "does not respond to the name 'rebound.example" in words
    complaints(shop.driver)


def test_without_script(visit: Callable[..., Visit]) -> None:
    shop = visit(make_app(300))
    shop.attack()
    shop.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        shop.open("rejections")
        source = shop.driver.page_source
        assert source.count("data-number") > 60
        shop.open("?path=/7/")
        assert "1 of 300 routes" in shop.driver.page_source
    finally:
        shop.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
