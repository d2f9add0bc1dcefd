"""What pages in real browsers cause to run in an app that refuses, and what they cannot.

The tables in enforcement.txt are facts about two browsers as well: which headers they send, from
which page, for which kind of request. Where they differ, a cell has two parts: Chromium's, then
Firefox's.
"""

import html
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask, Response, request
from flask_sock import Sock

from flask_corsguard import CorsGuard, Decision, Policy, Reason, origin_rejected
from tests.nightly import IS_NIGHTLY

from .browsers import Browser

pytestmark = pytest.mark.browser

# Who asks. A row is a page: the host that it is on, and what else there is to it. All pages but the
# app's own come from another server, so from another port.
NAMES = {"app": "api.bank", "sibling": "blog.bank", "partner": "partner", "stranger": "evil"}
# Browsers trust loopback names as they trust https. To pages of the second kind, which are on plain
# http, they send no Sec-Fetch-Site.
HOSTS = {
    end: {role: f"{name}.{end}" for role, name in NAMES.items()} for end in ("localhost", "test")
}
PAGES = {
    "own": ("app", "/page"),
    "own, no referrer": ("app", "/page?policy=no-referrer"),
    "own, other port": ("app", "/page"),
    "allowed": ("partner", "/page"),
    "allowed, no referrer": ("partner", "/page?policy=no-referrer"),
    "sibling": ("sibling", "/page"),
    "stranger": ("stranger", "/page"),
    "sandboxed frame": ("app", "/sandbox"),
}

# How they ask.
WAYS = {
    "form POST": "POST",
    "form GET": "GET",
    "beacon": "POST",
    "no-cors POST": "POST",
    "no-cors GET": "GET",
    "image": "GET",
    "cors POST": "POST",
    "cors GET": "GET",
    "WebSocket": "GET",
}
SCRIPT = """
// Into a frame, so that the page stays. A navigation all the same, and its headers are the page's.
const submit = (method) => (url) => {
    const frame = document.createElement("iframe");
    const form = document.createElement("form");
    frame.name = `answer to ${method}`;
    Object.assign(form, {method, action: url, target: frame.name});
    form.innerHTML = "<input name=amount value=5>";
    document.body.append(frame, form);
    form.submit();
    return "sent";
};
const call = (method, mode) => (url) => {
    const body = method === "POST" ? new URLSearchParams({amount: "5"}) : undefined;
    return fetch(url, {method, mode, body}).then(
        (response) => response.type === "opaque" ? "opaque" : response.status,
        (error) => error.name,
    );
};
const ways = {
    "form POST": submit("POST"),
    "form GET": submit("GET"),
    "beacon": (url) => navigator.sendBeacon(url, new URLSearchParams({amount: "5"})),
    "no-cors POST": call("POST", "no-cors"),
    "no-cors GET": call("GET", "no-cors"),
    "image": (url) => new Promise((resolve) => {
        Object.assign(new Image(), {onerror: () => resolve("no image"), src: url});
    }),
    "cors POST": call("POST", "cors"),
    "cors GET": call("GET", "cors"),
    "WebSocket": (url) => new Promise((resolve) => {
        const socket = new WebSocket(url.replace("http:", "ws:"));
        socket.onmessage = (event) => { socket.close(); resolve(event.data); };
        socket.onclose = () => resolve("closed");
    }),
};
"""
FRAMED = """
addEventListener("message", async (event) => {
    const [way, url] = event.data;
    parent.postMessage(await ways[way](url), "*");
});
"""
FRAMING = """
const ways = new Proxy({}, {get: (_, way) => (url) => new Promise((resolve) => {
    addEventListener("message", (event) => resolve(event.data), {once: true});
    frames[0].postMessage([way, url], "*");
})});
"""
CAUSE = "return await ways[arguments[0]](arguments[1])"

TABLES = Path(__file__).with_name("enforcement.txt")
REASONS = {
    "ORIGIN": Reason.ORIGIN_NOT_ALLOWED,
    "NULL": Reason.ORIGIN_NULL,
    "SITE": Reason.CROSS_SITE_REQUEST,
}


class Tables:
    """The file, for one browser and one set of hosts."""

    def __init__(self, browser: Browser, hosts: str) -> None:
        part = {"chromium": 0, "firefox": -1}[browser.name]
        self.cells: dict[tuple[str, str], dict[str, str]] = {}
        section: list[list[str]] = []
        for line in TABLES.read_text("utf-8").splitlines():
            if line.startswith("## "):
                where, _, kind = line.removeprefix("## ").partition(" ")
                section = []
            elif line and not line.startswith("#"):
                section.append([cell.strip() for cell in line.split(" | ")])
                page, *row = section[-1]
                if len(section) > 1 and where == hosts:
                    pairs = zip(section[0][1:], row, strict=True)
                    self.cells[kind, page] = {way: cell.split("/")[part] for way, cell in pairs}
        kinds = ("sent", "unsafe", "all")
        assert list(self.cells) == [(kind, page) for kind in kinds for page in PAGES]
        self.sends_site_with_sockets = browser.name == "firefox"

    def verdict(self, enforce: str, page: str, way: str) -> Reason | None:
        """Why a request is refused; None if the view runs."""
        cell = "runs" if enforce == "off" else self.cells[enforce, page][way]
        return None if cell == "runs" else REASONS[cell]

    def origin(self, page: str, way: str) -> str | None:
        cell = self.cells["sent", page][way]
        return None if cell == "-" else cell

    def site(self, page: str, way: str) -> str | None:
        cell = self.cells["sent", page]["Sec-Fetch-Site"]
        sent = cell != "-" and (way != "WebSocket" or self.sends_site_with_sockets)
        return cell if sent else None


# Each signal: the reason, whether it was refused, and whether that was only a report.
Signals = tuple[tuple[Reason | None, bool, bool], ...]


class Seen(NamedTuple):
    """A request, as the server saw it, and what became of it."""

    method: str
    path: str
    origin: str | None
    site: str | None
    upgrade: str | None
    status: int
    ran: bool
    signals: Signals = ()


class Bank:
    """An app that keeps a log, outside of everything that Flask does."""

    def __init__(self, guard: Callable[[Flask], object]) -> None:
        self.log: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self.app = page_app("bank")
        self._add_views()
        guard(self.app)
        # Outside of what the guard's setting puts in front of the app.
        self.app.wsgi_app = self._logged(self.app.wsgi_app)  # type: ignore[method-assign]
        origin_rejected.connect(self._note_signal, self.app, weak=False)

    def _logged(self, wsgi_app: Any) -> Any:
        def logged(environ: dict[str, Any], start_response: Any) -> Any:
            environ.update({"bank.ran": False, "bank.signals": ()})
            host = environ["HTTP_HOST"]  # before it is rewritten

            def start(status: str, *rest: Any) -> Any:
                # The pages are not what is asked about, and a browser asks for an icon, or not,
                # whenever it pleases.
                if environ["PATH_INFO"].startswith("/run/"):
                    origin = origin_name(environ.get("HTTP_ORIGIN"), host)
                    names = ("HTTP_SEC_FETCH_SITE", "HTTP_UPGRADE", "bank.ran", "bank.signals")
                    site, upgrade, ran, signals = map(environ.get, names)
                    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
                    code = int(status.split()[0])
                    self.log.put(Seen(method, path, origin, site, upgrade, code, ran, signals))
                return start_response(status, *rest)

            return wsgi_app(environ, start)

        return logged

    def _add_views(self) -> None:
        @self.app.route("/run/<way>", methods=["GET", "POST"])
        def run(way: str) -> str:
            request.environ["bank.ran"] = True
            return "ran"

        @self.app.post("/transfer")
        def transfer() -> str:
            return f"sent by {request.cookies.get('user', 'nobody')}"

        @Sock(self.app).route("/run/WebSocket")
        def socket(ws: Any) -> None:
            request.environ["bank.ran"] = True
            ws.send("ran")
            # Until the page closes it.
            ws.receive()

    def _note_signal(self, sender: Flask, decision: Decision) -> None:
        signal = (decision.reason, decision.blocked, decision.report_only)
        request.environ["bank.signals"] += (signal,)


def origin_name(origin: str | None, app: str) -> str | None:
    """Whose origin it is, in the words of the tables."""
    if origin in (None, "null"):
        return origin
    scheme, _, host = origin.partition("://")
    assert scheme == "http"
    if host == app:
        return "own"
    name = host.partition(":")[0]
    roles = {n: role for hosts in HOSTS.values() for role, n in hosts.items()}
    return {"app": "port"}.get(roles[name], roles[name])


def page_app(name: str) -> Flask:
    app = Flask(name, static_folder=None)
    head = "<!doctype html><title>A page</title><link rel=icon href=data:,><body>"

    @app.get("/page")
    def page() -> Response:
        response = Response(f"{head}<script>{SCRIPT}</script>", mimetype="text/html")
        response.headers["Referrer-Policy"] = request.args.get("policy", "")
        return response

    @app.get("/sandbox")
    def sandbox() -> str:
        inner = html.escape(f"<!doctype html><body><script>{SCRIPT}{FRAMED}</script>")
        sandboxed = f'<iframe sandbox="allow-scripts allow-forms" srcdoc="{inner}"></iframe>'
        return f"{head}{sandboxed}<script>{FRAMING}</script>"

    return app


class Visit(NamedTuple):
    """A browser on a page, and the app that the page asks."""

    browser: Browser
    bank: Bank
    url: str
    tables: Tables
    page: str

    def cause(self, way: str) -> tuple[Any, Seen]:
        """What the page learns, and what the app's server saw."""
        answer = self.browser.run(CAUSE, way, self.url + path_of(way))
        return answer, self.bank.log.get(timeout=10)

    def cause_all(self) -> dict[str, tuple[Any, Seen]]:
        found = {way: self.cause(way) for way in WAYS}
        assert self.bank.log.empty()
        return found

    def expected(self, way: str, refused: bool, signals: Signals) -> Seen:
        return Seen(
            method=WAYS[way],
            path=path_of(way),
            origin=self.tables.origin(self.page, way),
            site=self.tables.site(self.page, way),
            upgrade="websocket" if way == "WebSocket" else None,
            status=403 if refused else 200,
            ran=not refused,
            signals=signals,
        )


# Sets the guard up on an app, with the partners' origins.
Setting = Callable[[Flask, list[str]], object]


class Town:
    """Where everything is: the pages of others on one server, each app on a server of its own."""

    def __init__(self, serve: Callable[[Flask], str]) -> None:
        self._serve = serve
        self._pages = port_of(serve(page_app("pages")))
        self.partners = [f"http://{names['partner']}:{self._pages}" for names in HOSTS.values()]
        self.banks: dict[Setting, tuple[Bank, int]] = {}

    def visit(self, browser: Browser, setting: Setting, hosts: str, page: str) -> Visit:
        if setting not in self.banks:
            bank = Bank(lambda app: setting(app, self.partners))
            self.banks[setting] = bank, port_of(self._serve(bank.app))
        bank, port = self.banks[setting]
        names = HOSTS[hosts]
        host, path = PAGES[page]
        is_own = host == "app" and page != "own, other port"
        browser.open(f"http://{names[host]}:{port if is_own else self._pages}{path}")
        url = f"http://{names['app']}:{port}"
        return Visit(browser, bank, url, Tables(browser, hosts), page)


def path_of(way: str) -> str:
    return f"/run/{way.replace(' ', '-')}"


def port_of(origin: str) -> int:
    return int(origin.rpartition(":")[2])


@pytest.fixture(scope="module")
def town(serve: Callable[[Flask], str]) -> Iterator[Town]:
    town = Town(serve)
    yield town
    # The signal is everyone's, and a receiver costs those who come later.
    for bank, _ in town.banks.values():
        for receiver in list(origin_rejected.receivers_for(bank.app)):
            origin_rejected.disconnect(receiver)


def setting(report_only: bool = False, **fields: Any) -> Setting:
    """The partners' origins with these fields; report-only, beside a policy that is open to all."""

    def set_up(app: Flask, partners: list[str]) -> object:
        policy = Policy(origins=partners, **fields)
        beside: Any = {"origins": "*", "report_only": policy}
        return CorsGuard(app, **beside) if report_only else CorsGuard(app, policy)

    return set_up


OFF, UNSAFE = setting(), setting(enforce="unsafe")
# By name: the setting, whose table says what is refused, and whether that is only reported: by
# enforce, or as a report-only policy.
SETTINGS = {
    "off": (OFF, "off", False, False),
    "unsafe": (UNSAFE, "unsafe", False, False),
    "all": (setting(enforce="all"), "all", False, False),
    "report": (setting(enforce="report"), "unsafe", True, False),
    "unsafe, report-only": (setting(True, enforce="unsafe"), "unsafe", True, True),
    "all, report-only": (setting(True, enforce="all"), "all", True, True),
}


def unreadable_for(origin: str | None, site: str | None) -> Reason | None:
    """Why the page may not read the answer, whatever is enforced."""
    if origin in ("port", "sibling", "stranger"):
        return Reason.ORIGIN_NOT_ALLOWED
    if origin == "null" and site != "same-origin":
        return Reason.ORIGIN_NULL
    return None


def learned(page: str, way: str, status: int, is_open: bool) -> Any:
    """What a page learns of the answer."""
    if way == "WebSocket":
        return "ran" if status == 200 else "closed"
    if "cors" not in way:
        return {"beacon": True, "image": "no image"}.get(way, "sent")
    if page in ("own", "own, no referrer"):
        return status
    if "no-cors" in way:
        return "opaque"
    return status if is_open or page.startswith("allowed") else "TypeError"


# What a browser sends does not depend on the settings. One of them plays them all, on one set of
# hosts.
BROWSERS = ("chromium", "firefox")
PLAYED = [
    (browser, hosts, name)
    for browser in BROWSERS
    for hosts in HOSTS
    for name in SETTINGS
    if IS_NIGHTLY or (browser, hosts) == ("chromium", "localhost") or name in ("unsafe", "all")
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("browser", "hosts", "name"), PLAYED, indirect=["browser"])
def test_what_runs(browser: Browser, town: Town, name: str, hosts: str, page: str) -> None:
    """Every way to ask, from every page: what runs, what is signalled, what the page learns."""
    setting, enforce, is_report, is_report_only = SETTINGS[name]
    visit = town.visit(browser, setting, hosts, page)
    expected = {}
    for way in WAYS:
        reason = visit.tables.verdict(enforce, page, way)
        refused = reason is not None and not is_report
        signals: Signals = ()
        if reason:
            signals = ((reason, refused, is_report),)
        else:
            reason = unreadable_for(visit.tables.origin(page, way), visit.tables.site(page, way))
            if reason and way != "WebSocket":  # nobody holds that back: not a rejection
                signals = ((reason, False, is_report_only),)
        seen = visit.expected(way, refused, signals)
        expected[way] = (learned(page, way, seen.status, is_report_only), seen)
    assert visit.cause_all() == expected


def raising_callable(app: Flask, partners: list[str]) -> object:
    def fail(origin: str) -> bool:
        raise ConnectionError

    return CorsGuard(app, origins=fail, enforce="unsafe")


def raising_receiver(app: Flask, partners: list[str]) -> object:
    def fail(sender: Flask, decision: Decision) -> None:
        raise ConnectionError

    origin_rejected.connect(fail, app, weak=False)
    return CorsGuard(app, origins=partners, enforce="unsafe")


def public(app: Flask, partners: list[str]) -> object:
    """Everybody may read; nobody is let past ``enforce``."""
    return CorsGuard(app, origins="*", enforce="unsafe")


def lost_host(app: Flask, partners: list[str]) -> object:
    """An app without ProxyFix, behind a proxy that passes on its own name for the app."""
    wsgi_app = app.wsgi_app

    def rewritten(environ: dict[str, Any], start_response: Any) -> Any:
        environ["HTTP_HOST"] = "bank.internal:8000"
        return wsgi_app(environ, start_response)

    app.wsgi_app = rewritten  # type: ignore[method-assign]
    return CorsGuard(app, origins=partners, enforce="unsafe")


@pytest.mark.parametrize("browser", BROWSERS if IS_NIGHTLY else BROWSERS[:1], indirect=True)
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("hosts", HOSTS)
@pytest.mark.parametrize(
    ("setting", "also_refused"),
    [
        (raising_callable, ("partner",)),
        (raising_receiver, ()),
        (public, ("partner",)),
        # If the browser says so, the app's own page is known all the same.
        (lost_host, ("own", None)),
    ],
    ids=["raising callable", "raising receiver", "public", "lost host"],
)
def test_what_fails_lets_nothing_more_through(
    browser: Browser, town: Town, setting: Setting, also_refused: tuple[str | None, ...],
    hosts: str, page: str,
) -> None:  # fmt: skip
    visit = town.visit(browser, setting, hosts, page)
    ran = {way: seen.ran for way, (_, seen) in visit.cause_all().items()}
    expected = {}
    for way, method in WAYS.items():
        tables = visit.tables
        sent = (tables.origin(page, way), tables.site(page, way))[: len(also_refused)]
        fails = bool(sent) and sent == also_refused and (method == "POST" or way == "WebSocket")
        expected[way] = tables.verdict("unsafe", page, way) is None and not fails
    assert ran == expected


SUBMIT = """
const form = document.createElement("form");
Object.assign(form, {method: "POST", action: arguments[0]});
document.body.append(form);
form.submit();
"""


@pytest.mark.parametrize(
    ("page", "status", "shown"),
    [
        ("own", 200, ["ran"]),
        ("own, no referrer", 200, ["ran"]),
        ("allowed", 200, ["ran"]),
        ("allowed, no referrer", 403, ["Cross-origin request refused", "Code: ORIGIN_NULL"]),
        ("sibling", 403, ["Cross-origin request refused", "Code: ORIGIN_NOT_ALLOWED"]),
        ("stranger", 403, ["Cross-origin request refused", "Code: ORIGIN_NOT_ALLOWED"]),
    ],
)
def test_a_form_that_leaves_the_page(
    browser: Browser, town: Town, page: str, status: int, shown: list[str]
) -> None:
    """A form that leaves the page is refused as in a frame, and a person is told what happened."""
    visit = town.visit(browser, UNSAFE, "localhost", page)
    browser.follow(SUBMIT, visit.url + path_of("form POST"))
    refused = status == 403
    reason = visit.tables.verdict("unsafe", page, "form POST")
    signals = ((reason, True, False),) if refused else ()
    assert visit.bank.log.get(timeout=10) == visit.expected("form POST", refused, signals)
    assert browser.run("return document.contentType") == "text/html"
    lines = browser.run("return document.body.innerText").splitlines()
    assert lines[:1] + lines[1:][-1:] == shown


@pytest.mark.parametrize(
    ("setting", "page", "shown"),
    [
        (OFF, "own", "sent by ada"),
        (OFF, "stranger", "sent by ada"),
        (UNSAFE, "own", "sent by ada"),
        (UNSAFE, "stranger", "Cross-origin request refused"),
    ],
)
def test_the_cookie_goes_along(
    browser: Browser, town: Town, setting: Setting, page: str, shown: str
) -> None:
    """What makes a form of another site dangerous: it acts as the user who is signed in."""
    visit = town.visit(browser, setting, "localhost", "own")
    browser.run("document.cookie = 'user=ada; SameSite=None; Secure'")
    town.visit(browser, setting, "localhost", page)
    browser.follow(SUBMIT, f"{visit.url}/transfer")
    assert browser.run("return document.body.innerText").splitlines()[0] == shown
