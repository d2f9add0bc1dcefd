"""What a page in a real browser gets to read from a guarded app."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from flask import Flask, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView

from flask_corsguard import CorsGuard, cors, cors_exempt

from .browsers import Browser

pytestmark = pytest.mark.browser

FETCH = """
const [url, options] = arguments;
try {
    const response = await fetch(url, options);
    return {
        status: response.status,
        body: (await response.text()).trim(),
        headers: Object.fromEntries(response.headers),
    };
} catch (error) {
    return {error: error.name};
}
"""

FETCH_FROM_SANDBOX = """
const [url] = arguments;
const frame = document.createElement("iframe");
frame.sandbox = "allow-scripts";
frame.srcdoc = `<script>
    fetch(${JSON.stringify(url)}).then(
        async (response) => parent.postMessage({status: response.status}, "*"),
        (error) => parent.postMessage({error: error.name}, "*"),
    );
</` + `script>`;
const answer = new Promise((resolve) => addEventListener("message", resolve, {once: true}));
document.body.append(frame);
const event = await answer;
frame.remove();
return {origin: event.origin, ...event.data};
"""

REFUSED = None
INCLUDE = {"credentials": "include"}
JSON = {"headers": {"Content-Type": "application/json"}, "body": "{}"}


class Call(NamedTuple):
    """A call of ``fetch()`` on a page.

    :ivar read: what the page gets: a status, the body of a 200, or ``REFUSED``.
    :ivar arrived: the methods that reach the server, if they are known.
    """

    request: str
    read: int | str | None
    arrived: str | None = None
    options: Mapping[str, Any] = MappingProxyType({})


class Site(NamedTuple):
    """The API, and the pages that ask it.

    :ivar arrived: the methods that have reached the server.
    :ivar ran: the methods that have reached a view.
    """

    api: str
    pages: dict[str, str]
    arrived: list[str]
    ran: list[str]


def blank_page() -> Flask:
    app = Flask("blank_page", static_folder=None)

    @app.get("/")
    def index() -> str:
        return "<!doctype html><title>A page</title><link rel=icon href=data:,>"

    return app


def create_api(page: str, arrived: list[str], ran: list[str]) -> Flask:
    app = Flask("api", static_folder=None)

    # Outside of Flask, so that a preflight which the guard answers is seen as well.
    wsgi_app = app.wsgi_app

    def note_arrival(environ: dict[str, Any], start_response: Any) -> Any:
        arrived.append(environ["REQUEST_METHOD"])
        return wsgi_app(environ, start_response)

    app.wsgi_app = note_arrival  # type: ignore[method-assign]
    CorsGuard(
        app, origins=page, expose_headers=["X-Shown"], allow_headers=["Content-Type", "X-Asked"]
    )

    @app.before_request
    def note_view() -> None:
        ran.append(request.method)

    add_views(app)
    add_view_classes(app)
    return app


def add_views(app: Flask) -> None:
    @app.route("/plain", methods=["GET", "POST", "PUT"])
    def plain() -> ResponseReturnValue:
        return "plain", {"X-Shown": "yes", "X-Hidden": "yes"}

    @app.get("/open")
    @cors(origins="*")
    def open_to_all() -> str:
        return "open"

    @app.get("/null")
    @cors(origins=["null"], dangerously_allow_null_origin=True)
    def opaque() -> str:
        return "null"

    @app.route("/list/", methods=["GET", "PUT"])
    def with_slash() -> str:
        return f"list by {request.method}"

    @app.get("/crash")
    def crash() -> str:
        abort(500)

    @app.get("/exempt")
    @cors_exempt
    def exempt() -> str:
        return "exempt"


def add_view_classes(app: Flask) -> None:
    @cors(allow_credentials=True)
    class Account(MethodView):
        def get(self) -> ResponseReturnValue:
            return jsonify(request.cookies.get("visit"))

        def put(self) -> Response:
            response = Response("set")
            response.set_cookie("visit", "first", samesite="Lax", httponly=True)
            return response

        def delete(self) -> Response:
            response = Response("unset")
            response.delete_cookie("visit", samesite="Lax", httponly=True)
            return response

    class Item(MethodView):
        @cors(origins="*")
        def get(self, number: int) -> str:
            return f"item {number}"

        def put(self, number: int) -> str:
            return f"saved {number}"

        @cors(origins="https://admin.example.com")
        def delete(self, number: int) -> str:
            return f"deleted {number}"

        @cors(methods=["PATCH"])
        def patch(self, number: int) -> str:
            return f"patched {number}"

    class Order(MethodView):
        def put(self, number: int) -> str:
            return f"saved {number}"

        @cors(origins="https://admin.example.com")
        def post(self, number: int) -> str:
            return f"confirmed {number}"

    app.add_url_rule("/account", view_func=Account.as_view("account"))
    app.add_url_rule("/items/<int:number>", view_func=Item.as_view("item"))
    app.add_url_rule("/orders/<int:number>", view_func=Order.as_view("order"))


@pytest.fixture(scope="module")
def site(serve: Callable[[Flask], str]) -> Site:
    page, stranger = serve(blank_page()), serve(blank_page())
    arrived: list[str] = []
    ran: list[str] = []
    api = serve(create_api(page, arrived, ran))
    pages = {"allowed": page, "stranger": stranger, "own": f"{api}/nowhere?"}
    return Site(api, pages, arrived, ran)


# By page, and by what they show: calls, one after the other.
CALLS: dict[str, dict[str, list[Call]]] = {
    "allowed": {
        "it reads": [Call("GET /plain", "plain", "GET")],
        "open route": [Call("GET /open", "open")],
        "open route, credentials": [Call("GET /open", REFUSED, None, INCLUDE)],
        "the cookie goes both ways where credentials are allowed": [
            Call("GET /account", "null", None, INCLUDE),
            Call("PUT /account", "set", None, INCLUDE),
            Call("GET /account", '"first"', None, INCLUDE),
            Call("GET /account", "null"),
            Call("DELETE /account", "unset", None, INCLUDE),
            Call("GET /account", "null", None, INCLUDE),
        ],
        "credentials that the policy does not allow": [Call("GET /plain", REFUSED, None, INCLUDE)],
        "a remembered preflight is used again": [
            Call("PUT /plain?twice", "plain", "OPTIONS PUT"),
            Call("PUT /plain?twice", "plain", "PUT"),
        ],
        "a remembered preflight covers no method of another policy": [
            Call("PUT /items/2", "saved 2"),
            Call("DELETE /items/2", REFUSED, "OPTIONS"),
        ],
        "a method of another policy is asked for by itself": [
            Call("PUT /items/3", "saved 3"),
            Call("PATCH /items/3", "patched 3", "OPTIONS PATCH"),
            Call("DELETE /items/3", REFUSED, "OPTIONS"),
        ],
        # A browser remembers header names for the whole URL, whatever method they were allowed for
        # (https://fetch.spec.whatwg.org/#header-name-cache-entry-match). POST needs no leave for
        # its method, so a remembered Content-Type alone would let a JSON POST through.
        "a remembered header name covers no method of another policy": [
            Call("POST /orders/1", REFUSED, "OPTIONS", JSON),
            Call("PUT /orders/1", "saved 1", None, JSON),
            Call("POST /orders/1", REFUSED, "OPTIONS", JSON),
        ],
        "request headers": [
            Call("GET /plain", "plain", None, {"headers": {"X-Asked": "1"}}),
            Call("GET /plain", REFUSED, "OPTIONS", {"headers": {"X-Other": "1"}}),
        ],
        "not found": [Call("GET /nowhere", 404), Call("PUT /nowhere", 404)],
        "other errors": [Call("GET /crash", 500), Call("POST /open", 405)],
        "redirect to the trailing slash": [Call("GET /list", "list by GET", "GET GET")],
        "redirect after a preflight": [Call("PUT /list", "list by PUT")],
        "null is no name for everyone": [Call("GET /null", REFUSED)],
        "exempt route": [Call("GET /exempt", REFUSED)],
    },
    "stranger": {
        # Who may read is all that CORS decides; the view runs.
        "it reads nothing": [Call("GET /plain", REFUSED, "GET")],
        "what a preflight refuses is not sent": [Call("PUT /plain", REFUSED, "OPTIONS")],
        "open route": [Call("GET /open", "open")],
        "open route, credentials": [Call("GET /open", REFUSED, None, INCLUDE)],
        "credentials open nothing": [
            Call("GET /account", REFUSED, None, INCLUDE),
            Call("PUT /account", REFUSED, "OPTIONS", INCLUDE),
        ],
        "each method on one URL has its own readers": [
            Call("GET /items/4", "item 4"),
            Call("PUT /items/4", REFUSED, "OPTIONS"),
            Call("DELETE /items/4", REFUSED, "OPTIONS"),
        ],
        "errors": [Call("GET /nowhere", REFUSED), Call("GET /crash", REFUSED)],
        "redirect": [Call("GET /list", REFUSED, "GET")],
        "exempt route": [Call("GET /exempt", REFUSED)],
    },
    "own": {
        "it reads everything": [Call("GET /plain", "plain"), Call("PUT /plain", "plain", "PUT")]
    },
}


@pytest.mark.parametrize(("page", "case"), [(page, case) for page in CALLS for case in CALLS[page]])
def test_what_a_page_reads(browser: Browser, site: Site, page: str, case: str) -> None:
    """What it reads, what reaches the server, and that no preflight reaches a view."""
    browser.forget_cookies()
    browser.open(f"{site.pages[page]}/")
    for call in CALLS[page][case]:
        site.arrived.clear()
        site.ran.clear()
        method, path = call.request.split()
        got = browser.run(FETCH, site.api + path, {"method": method, **call.options})
        if isinstance(call.read, str):
            assert (got["status"], got["body"]) == (200, call.read)
        else:
            assert got.get("status") == call.read
        assert call.arrived in (None, " ".join(site.arrived))
        assert site.ran == [method for method in site.arrived if method != "OPTIONS"]


def test_response_headers(browser: Browser, site: Site) -> None:
    browser.open(f"{site.pages['allowed']}/")
    headers = browser.run(FETCH, f"{site.api}/plain", {})["headers"]
    assert headers["x-shown"] == "yes"
    assert "x-hidden" not in headers


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/plain", {"error": "TypeError"}),
        ("/account", {"error": "TypeError"}),
        ("/open", {"status": 200}),
        ("/null", {"status": 200}),
    ],
)
def test_a_sandboxed_frame(
    browser: Browser, site: Site, path: str, outcome: dict[str, Any]
) -> None:
    browser.open(f"{site.pages['allowed']}/")
    found = browser.run(FETCH_FROM_SANDBOX, site.api + path)
    assert found == {"origin": "null", **outcome}
