"""What a page in a real browser gets to read from a guarded app."""

from collections.abc import Callable, Iterator
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
        redirected: response.redirected,
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

REFUSED = {"error": "TypeError"}
INCLUDE = {"credentials": "include"}

Arrived = list[tuple[str, str]]


class Site(NamedTuple):
    """The API, a page that it allows, and one that it does not."""

    api: str
    page: str
    stranger: str
    arrived: Arrived
    ran: Arrived


class Visitor(NamedTuple):
    browser: Browser
    site: Site

    def fetch(self, path: str, origin: str | None = None, **options: Any) -> dict[str, Any]:
        """What ``fetch()`` gives to JavaScript on the allowed page, or on *origin*.

        The servers note what reaches them and which views run.
        """
        self.browser.open(f"{origin or self.site.page}/")
        return self.again(path, **options)

    def again(self, path: str, **options: Any) -> dict[str, Any]:
        """Another call from the page that is open."""
        self.site.arrived.clear()
        self.site.ran.clear()
        result: dict[str, Any] = self.browser.run(FETCH, self.site.api + path, options)
        return result

    def fetch_from_sandbox(self, path: str) -> dict[str, Any]:
        self.browser.open(f"{self.site.page}/")
        result: dict[str, Any] = self.browser.run(FETCH_FROM_SANDBOX, self.site.api + path)
        return result


def blank_page() -> Flask:
    app = Flask("blank_page", static_folder=None)

    @app.get("/")
    def index() -> str:
        return "<!doctype html><title>A page</title><link rel=icon href=data:,>"

    return app


def create_api(page: str, arrived: Arrived, ran: Arrived) -> Flask:
    app = Flask("api", static_folder=None)

    # Outside of Flask, so that a preflight which the guard answers is seen as well.
    wsgi_app = app.wsgi_app

    def note_arrival(environ: dict[str, Any], start_response: Any) -> Any:
        arrived.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return wsgi_app(environ, start_response)

    app.wsgi_app = note_arrival  # type: ignore[method-assign]
    CorsGuard(
        app, origins=page, expose_headers=["X-Shown"], allow_headers=["Content-Type", "X-Asked"]
    )

    @app.before_request
    def note_view() -> None:
        ran.append((request.method, request.path))

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
    arrived: Arrived = []
    ran: Arrived = []
    return Site(serve(create_api(page, arrived, ran)), page, stranger, arrived, ran)


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    yield Visitor(browser, site)
    browser.delete_cookies()


def test_an_allowed_page_reads(visitor: Visitor) -> None:
    got = visitor.fetch("/plain")
    assert (got["status"], got["body"]) == (200, "plain")
    assert visitor.site.arrived == [("GET", "/plain")]


def test_a_page_that_is_not_allowed_reads_nothing(visitor: Visitor) -> None:
    assert visitor.fetch("/plain", visitor.site.stranger) == REFUSED
    # Who may read is all that CORS decides; the view has run.
    assert visitor.site.ran == [("GET", "/plain")]


def test_a_refused_preflight_keeps_the_request_from_being_sent(visitor: Visitor) -> None:
    assert visitor.fetch("/plain", visitor.site.stranger, method="PUT") == REFUSED
    assert visitor.site.arrived == [("OPTIONS", "/plain")]
    assert visitor.site.ran == []


@pytest.mark.parametrize("who", ["page", "stranger"])
def test_everyone_reads_an_open_route(visitor: Visitor, who: str) -> None:
    got = visitor.fetch("/open", getattr(visitor.site, who))
    assert (got["status"], got["body"]) == (200, "open")


@pytest.mark.parametrize("who", ["page", "stranger"])
def test_nobody_reads_an_open_route_with_credentials(visitor: Visitor, who: str) -> None:
    assert visitor.fetch("/open", getattr(visitor.site, who), **INCLUDE) == REFUSED


def test_the_cookie_goes_both_ways_where_credentials_are_allowed(visitor: Visitor) -> None:
    assert visitor.fetch("/account", **INCLUDE)["body"] == "null"
    assert visitor.again("/account", method="PUT", **INCLUDE)["body"] == "set"
    assert visitor.again("/account", **INCLUDE)["body"] == '"first"'
    assert visitor.again("/account")["body"] == "null"
    assert visitor.again("/account", method="DELETE", **INCLUDE)["body"] == "unset"
    assert visitor.again("/account", **INCLUDE)["body"] == "null"


def test_credentials_open_nothing_to_another_origin(visitor: Visitor) -> None:
    assert visitor.fetch("/account", visitor.site.stranger, **INCLUDE) == REFUSED
    assert visitor.again("/account", method="PUT", **INCLUDE) == REFUSED
    assert visitor.site.arrived == [("OPTIONS", "/account")]


def test_credentials_are_refused_where_the_policy_does_not_allow_them(visitor: Visitor) -> None:
    assert visitor.fetch("/plain", **INCLUDE) == REFUSED


def test_a_remembered_preflight_is_used_again(visitor: Visitor) -> None:
    """On a URL with one policy. The next tests are about URLs with several."""
    assert visitor.fetch("/plain?twice", method="PUT")["body"] == "plain"
    assert visitor.site.arrived == [("OPTIONS", "/plain"), ("PUT", "/plain")]
    assert visitor.again("/plain?twice", method="PUT")["body"] == "plain"
    assert visitor.site.arrived == [("PUT", "/plain")]


def test_a_remembered_preflight_never_covers_a_method_of_another_policy(visitor: Visitor) -> None:
    assert visitor.fetch("/items/2", method="PUT")["body"] == "saved 2"
    assert visitor.again("/items/2", method="DELETE") == REFUSED
    assert visitor.site.arrived == [("OPTIONS", "/items/2")]
    assert visitor.site.ran == []


def test_a_method_of_another_policy_is_asked_for_by_itself(visitor: Visitor) -> None:
    assert visitor.fetch("/items/3", method="PUT")["body"] == "saved 3"
    assert visitor.again("/items/3", method="PATCH")["body"] == "patched 3"
    assert visitor.site.arrived == [("OPTIONS", "/items/3"), ("PATCH", "/items/3")]
    assert visitor.again("/items/3", method="DELETE") == REFUSED
    assert visitor.site.ran == []


def test_each_method_on_one_url_has_its_own_readers(visitor: Visitor) -> None:
    stranger = visitor.site.stranger
    assert visitor.fetch("/items/4", stranger)["body"] == "item 4"
    assert visitor.again("/items/4", method="PUT") == REFUSED
    assert visitor.site.ran == []
    assert visitor.again("/items/4", method="DELETE") == REFUSED
    assert visitor.site.ran == []


def test_a_remembered_header_name_never_covers_a_method_of_another_policy(
    visitor: Visitor,
) -> None:
    """A browser remembers header names for the whole URL, whatever method they were allowed for
    (https://fetch.spec.whatwg.org/#header-name-cache-entry-match). POST needs no leave for its
    method, so a remembered Content-Type alone would let a JSON POST through."""
    json = {"headers": {"Content-Type": "application/json"}, "body": "{}"}
    assert visitor.fetch("/orders/1", method="POST", **json) == REFUSED
    assert visitor.site.arrived == [("OPTIONS", "/orders/1")]
    assert visitor.again("/orders/1", method="PUT", **json)["body"] == "saved 1"
    assert visitor.again("/orders/1", method="POST", **json) == REFUSED
    assert visitor.site.arrived == [("OPTIONS", "/orders/1")]
    assert visitor.site.ran == []


def test_request_headers(visitor: Visitor) -> None:
    assert visitor.fetch("/plain", headers={"X-Asked": "1"})["status"] == 200
    assert visitor.again("/plain", headers={"X-Other": "1"}) == REFUSED
    assert visitor.site.ran == []


def test_response_headers(visitor: Visitor) -> None:
    headers = visitor.fetch("/plain")["headers"]
    assert headers["x-shown"] == "yes"
    assert "x-hidden" not in headers


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/nowhere", "GET", 404),
        ("/nowhere", "PUT", 404),
        ("/crash", "GET", 500),
        ("/open", "POST", 405),
    ],
)
def test_an_allowed_page_reads_errors(
    visitor: Visitor, path: str, method: str, status: int
) -> None:
    assert visitor.fetch(path, method=method)["status"] == status


@pytest.mark.parametrize(("path", "method"), [("/nowhere", "GET"), ("/crash", "GET")])
def test_another_page_does_not(visitor: Visitor, path: str, method: str) -> None:
    assert visitor.fetch(path, visitor.site.stranger, method=method) == REFUSED


def test_a_redirect_to_the_trailing_slash_is_followed(visitor: Visitor) -> None:
    got = visitor.fetch("/list")
    assert (got["status"], got["redirected"], got["body"]) == (200, True, "list by GET")


def test_a_redirect_is_followed_after_a_preflight_too(visitor: Visitor) -> None:
    got = visitor.fetch("/list", method="PUT")
    assert (got["status"], got["redirected"], got["body"]) == (200, True, "list by PUT")


def test_a_redirect_shows_nothing_to_another_page(visitor: Visitor) -> None:
    assert visitor.fetch("/list", visitor.site.stranger) == REFUSED
    assert visitor.site.arrived == [("GET", "/list")]


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/plain", {"error": "TypeError"}),
        ("/account", {"error": "TypeError"}),
        ("/open", {"status": 200}),
        ("/null", {"status": 200}),
    ],
)
def test_a_sandboxed_frame(visitor: Visitor, path: str, outcome: dict[str, Any]) -> None:
    assert visitor.fetch_from_sandbox(path) == {"origin": "null", **outcome}


def test_null_is_no_name_for_everyone(visitor: Visitor) -> None:
    assert visitor.fetch("/null") == REFUSED


@pytest.mark.parametrize("who", ["page", "stranger"])
def test_an_exempt_route_is_as_the_app_made_it(visitor: Visitor, who: str) -> None:
    assert visitor.fetch("/exempt", getattr(visitor.site, who)) == REFUSED


def test_the_apis_own_pages_read_everything(visitor: Visitor) -> None:
    assert visitor.fetch("/plain", f"{visitor.site.api}/nowhere?")["body"] == "plain"
    assert visitor.again("/plain", method="PUT")["body"] == "plain"
    assert visitor.site.arrived == [("PUT", "/plain")]
