"""Pairs of apps, and what a page can do with one of them alone."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, request
from flask_cors import CORS, cross_origin

from flask_corsguard import CorsGuard, cors
from flask_corsguard.compare.differences import compare
from tests.compare.loaded import Loaded, by_hand, compared, found, made

A, B, OTHER = "https://a.example", "https://b.example", "https://other.example"
Setup = Callable[[Flask], object]


def guard(*origins: Any, **fields: Any) -> Setup:
    return lambda app: CorsGuard(app, origins=[*origins], **fields)


def flask_cors(**options: Any) -> Setup:
    return lambda app: CORS(app, **options)


def refusing(app: Flask) -> None:
    @app.before_request
    def refuse() -> None:
        if request.method == "OPTIONS":
            abort(401)


def own_options(app: Flask) -> None:
    headers = {"Access-Control-Allow-Origin": A}
    app.add_url_rule("/x", "options", lambda: ("", headers), methods=["OPTIONS"])


EVERYWHERE = "GET /x, GET /corsguard-compare"
FOR_A, FOR_B = f"PUT /x, GET /x: {A} (without)", f"PUT /x, GET /x: {B} (without)"
STRANGERS = f"{OTHER}, null"
# Before, after, and what has become wider and narrower.
PAIRS: dict[str, tuple[list[Setup], list[Setup], set[str], set[str]]] = {
    "neither": ([], [], set(), set()),
    "max_age": ([guard(A)], [guard(A, max_age=5)], set(), set()),
    "origin": (
        [guard(A)],
        [guard(A, B)],
        {f"read {EVERYWHERE}: {B} (without)", f"sent {FOR_B}"},
        set(),
    ),
    "no origin": (
        [guard(A)],
        [guard(B)],
        {f"read {EVERYWHERE}: {B} (without)", f"sent {FOR_B}"},
        {f"read {EVERYWHERE}: {A} (without)", f"sent {FOR_A}"},
    ),
    "credentials": (
        [guard(A, allow_credentials=True)],
        [guard(A)],
        set(),
        {f"read {EVERYWHERE}: {A} (with)", f"sent PUT /x, GET /x: {A} (with)"},
    ),
    "exposed": (
        [guard(A, expose_headers=["ETag"])],
        [guard(A, expose_headers=["X-Total"])],
        {f"headers {EVERYWHERE}: {A} (without)"},
        {f"headers {EVERYWHERE}: {A} (without)"},
    ),
    # "*" is every header, but not with credentials.
    "exposed *": (
        [guard(A, allow_credentials=True, expose_headers=["ETag"])],
        [
            by_hand(
                Access_Control_Allow_Origin=A,
                Access_Control_Allow_Credentials="true",
                Access_Control_Allow_Methods="PUT",
                Access_Control_Allow_Headers="content-type",
                Access_Control_Expose_Headers="*",
            )
        ],
        {f"headers {EVERYWHERE}: {A} (without)"},
        {f"headers {EVERYWHERE}: {A} (with)"},
    ),
    "allowed header": (
        [guard(A)],
        [guard(A, allow_headers=["Content-Type", "Authorization"])],
        {f"sent {FOR_A}"},
        set(),
    ),
    "method": ([guard(A)], [guard(A, methods=["GET"])], set(), {f"sent PUT /x: {A} (without)"}),
    # Authorization has to be named.
    "allowed *": (
        [flask_cors(origins=[A])],
        [guard(A, allow_headers="*")],
        set(),
        {f"sent {FOR_A}"},
    ),
    "everybody": (
        [],
        [lambda app: CorsGuard(app, origins="*")],
        {
            f"read {EVERYWHERE}: {A}, {STRANGERS} (without)",
            f"sent PUT /x, GET /x: {A}, {STRANGERS} (without)",
        },
        set(),
    ),
    "enforced": ([guard(A)], [guard(A, enforce="all")], set(), {f"refused GET /x: {STRANGERS}"}),
    "no longer enforced": (
        [guard(A, enforce="all")],
        [guard(A)],
        {f"refused {EVERYWHERE}: {STRANGERS}"},
        set(),
    ),
    # A function that refuses preflights runs before Flask-CORS does, and after the guard.
    "refused": (
        [refusing, flask_cors(origins=[A])],
        [refusing, guard(A)],
        {f"sent {FOR_A}"},
        set(),
    ),
    "own OPTIONS": (
        [flask_cors(origins=[A]), own_options],
        [flask_cors(origins=[A])],
        {f"sent {FOR_A}"},
        set(),
    ),
    # The origin is found in a response.
    "by hand": (
        [by_hand(Access_Control_Allow_Origin=B)],
        [],
        set(),
        {f"read {EVERYWHERE}: {B} (without)"},
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name: str) -> None:
    before, after, wider, narrower = PAIRS[name]
    expected = {f"wider {each}" for each in wider} | {f"narrower {each}" for each in narrower}
    assert found(made(*before), made(*after), origins=[A]) == expected


@pytest.mark.parametrize("name", PAIRS)
def test_an_app_does_not_differ_from_itself(name: str) -> None:
    for setups in PAIRS[name][:2]:
        assert found(made(*setups), made(*setups), origins=[A]) == set()


def missing() -> None:
    abort(404)


def test_an_error_that_can_be_read() -> None:
    """Flask-CORS's decorator writes no headers where the view raises."""
    before = made(view=cross_origin(origins=[A])(missing))
    after = made(view=cors(origins=[A], allow_headers=["Authorization", "Content-Type"])(missing))
    CorsGuard(after)
    got = found(before, after, origins=[A])
    assert got - {f"narrower sent {FOR_A}"} == {f"error read GET /x: {A} (without)"}


def test_an_error_where_nothing_could_be_read() -> None:
    got = found(made(view=missing), made(guard(A), view=missing), origins=[A])
    assert f"wider read {EVERYWHERE}: {A} (without)" in got


def sign_in(view: Any) -> Any:
    def wrapped() -> Any:
        return ("", 401) if request.method != "OPTIONS" else view()

    wrapped.provide_automatic_options = False
    wrapped.required_methods = {"OPTIONS"}
    return wrapped


def test_a_decorator_in_between() -> None:
    """The page cannot read the 401 of a decorator around Flask-CORS's."""
    outside = made(view=cross_origin(origins=[A])(sign_in(lambda: "x")))
    inside = made(view=sign_in(cross_origin(origins=[A])(lambda: "x")))
    assert found(outside, inside, origins=[A]) == {f"narrower read GET /x: {A} (without)"}
    assert found(inside, outside, origins=[A]) == {f"error read GET /x: {A} (without)"}


def test_blueprints_and_their_404() -> None:
    def api(*setups: Setup) -> Flask:
        app, blueprint = Flask("shop", static_folder=None), Blueprint("api", __name__)
        blueprint.add_url_rule("/items/<int:number>", "item", lambda number: "", methods=["DELETE"])
        app.register_blueprint(blueprint, url_prefix="/api")
        for setup in setups:
            setup(app)
        return app

    def mark(app: Flask) -> None:
        CorsGuard(app).for_blueprint("api", origins=[A])

    got = found(api(guard()), api(mark))
    assert got == {
        f"wider read GET /api/corsguard-compare: {A} (without)",
        f"wider sent DELETE /api/items/<int:number>: {A} (without)",
    }


def test_hosts_and_subdomains() -> None:
    def hosts(*setups: Setup) -> Flask:
        app = Flask("shop", static_folder=None, host_matching=True)
        for host in ("one.example", "<name>.two.example"):
            app.add_url_rule("/", host.replace(".", ""), lambda **_: "", host=host)
        for setup in setups:
            setup(app)
        return app

    def mark(app: Flask) -> None:
        CorsGuard(app).for_endpoint("oneexample", origins=[A])

    (read, _) = compared(hosts(), hosts(mark)).differences
    assert (read.where, read.fetch) == (("GET //one.example/",), 'fetch("https://one.example/")')
    assert compared(hosts(), hosts()).left_out == ()
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.example"
    app.add_url_rule("/", "index", lambda: "", subdomain="api")
    CorsGuard(app, origins=A)
    urls = [url.url for url in Loaded(app).description.urls]
    assert urls == ["https://api.shop.example/", "https://shop.example/corsguard-compare"]


@pytest.mark.parametrize(("all_methods", "expected"), [(False, {"GET"}), (True, {"GET", "PUT"})])
def test_what_is_sent(all_methods: bool, expected: set[str]) -> None:
    """Of other methods than GET, the preflight alone, unless told; and what is not sent is said."""
    ran: set[str] = set()

    def view() -> str:
        ran.add(request.method)
        return ""

    both = [made(guard(A), view=view) for _ in range(2)]
    comparison = compared(*both, all_methods=all_methods)
    assert (ran, comparison.differences) == (expected, ())
    said = "1 of the routes' methods, for which only preflights were sent."
    assert comparison.left_out == (() if all_methods else (said,))


def test_what_is_sent_carries_nothing_of_the_user() -> None:
    sent: set[str] = set()

    def view() -> str:
        sent.update(request.headers.keys())
        return ""

    compared(made(guard(A), view=view), made())
    assert sent <= {
        "Host",
        "Accept",
        "Origin",
        "Referer",
        *(f"Sec-Fetch-{x}" for x in ("Site", "Mode", "Dest")),
    }


def test_with_all_methods_a_response_can_be_read() -> None:
    before, after = made(), made(lambda app: CorsGuard(app, origins=[A], allow_headers="*"))
    got = found(before, after, all_methods=True)
    assert f"wider sent PUT /x, GET /x: {A} (without)" in got


def test_a_stream_is_closed_at_once() -> None:
    closed: list[bool] = []

    def endless() -> Iterator[str]:
        try:
            while True:
                yield "data: x\n\n"
        finally:
            closed.append(True)

    def view() -> Response:
        stream = endless()
        next(stream)
        return Response(stream, mimetype="text/event-stream")

    assert found(made(guard(A), view=view), made(guard(A), view=view)) == set()
    assert closed


def test_an_app_that_begins_with_its_body() -> None:
    """WSGI lets an app call start_response when the first chunk is read."""

    def late(app: Flask) -> None:
        wrapped = app.wsgi_app

        def wsgi_app(environ: Any, start_response: Any) -> Iterator[bytes]:
            yield from wrapped(environ, start_response)

        app.wsgi_app = wsgi_app

    assert found(made(guard(A), late), made(guard(A))) == set()


def test_an_app_that_fails_outside_of_flask() -> None:
    def failing(app: Flask) -> None:
        app.wsgi_app = lambda environ, start_response: 1 / 0

    got = found(made(guard(A)), made(guard(A), failing))
    assert f"narrower read {EVERYWHERE}: {A} (without)" in got


def test_a_view_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_corsguard.compare.loaded_app._LONGEST", 0.1)
    asked: list[str] = []

    def hanging() -> None:
        asked.append(request.method)
        try:
            time.sleep(100)
        except Exception:
            time.sleep(100)

    comparison = compared(made(guard(A), view=hanging), made(guard(A)))
    assert comparison.differences == ()
    assert "GET https://localhost/x: it took longer than 0.1 s in shop." in comparison.left_out
    assert asked == ["GET"]


def test_a_view_that_ends_the_process() -> None:
    comparison = compared(made(guard(A), view=partial(exec, "raise SystemExit")), made(guard(A)))
    assert comparison.differences == ()
    (ended, *_) = comparison.left_out
    assert ended.startswith("GET https://localhost/x: it raised SystemExit")


def test_what_differs_each_time_is_no_difference() -> None:
    first = iter("x")

    def view() -> Response:
        return Response(headers={"Access-Control-Allow-Origin": "*"} if next(first, "") else {})

    comparison = compared(made(view=lambda: ""), made(view=view))
    # As the page of the app itself reads it in any case, the next one is the first that matters.
    assert comparison.differences == ()
    first = iter("xx")
    comparison = compared(made(view=lambda: ""), made(view=view))
    assert comparison.differences == ()
    assert comparison.left_out[-1] == (
        "1 of the routes' methods, for which only preflights were sent."
    )
    assert "1 requests that get a different response each time." in comparison.left_out


def test_skip() -> None:
    comparison = compared(made(), made(guard(A)), skip=["/x*"])
    assert {where for each in comparison.differences for where in each.where} == {
        "GET /corsguard-compare"
    }


def many_routes(*setups: Setup) -> Flask:
    app = Flask("shop", static_folder=None)
    for name in ("one", "two"):
        blueprint = Blueprint(name, __name__)
        for number in range(200):
            blueprint.add_url_rule(f"/{name}/{number}", str(number), lambda: "")
        app.register_blueprint(blueprint)
    for setup in setups:
        setup(app)
    return app


def test_what_does_not_fit() -> None:
    """A little of each blueprint is compared, and the rest is said."""
    before, after = Loaded(many_routes(), cost=1), Loaded(many_routes(guard(A)), cost=1)
    comparison = compare(before, after, seconds=5)
    (sent, read) = sorted(comparison.differences, key=lambda each: each.what, reverse=True)
    assert {where.split("/")[1] for where in sent.where} == {"one", "two"}
    assert len(read.where) > 50
    (said,) = comparison.left_out
    assert re.fullmatch(
        r"[\d,]+ requests, for which 5 s of CPU time were not enough: of 403 routes, \d+ were"
        r" compared in full, \d+ in part, \d+ not at all\. Allow more with --seconds\.",
        said,
    )
    numbers = [int(each) for each in re.findall(r"of 403|(\d+) (?:were|in part|not)", said) if each]
    assert sum(numbers) == 403
    assert comparison.routes == 403 - numbers[-1]


def test_origins_that_no_policy_tells_apart_are_asked_for_once() -> None:
    names = [f"https://{letter}.example" for letter in "abcdefgh"]
    assert compared(made(guard(*names)), made(guard(*names))).pages == ("", names[0], OTHER, "null")
    comparison = compared(made(guard(*names)), made(guard(*names[:-1])))
    assert {names[0], names[-1]} < {*comparison.pages}
    assert f"narrower read {EVERYWHERE}: {names[-1]} (without)" in found(
        made(guard(*names)), made(guard(*names[:-1]))
    )


def test_more_origins_than_are_asked() -> None:
    apps = [made(guard(*(f"https://{n}.example" for n in range(k)))) for k in (9, 9)]
    marked = made(guard())
    for number in range(9):
        view = cors(origins=f"https://{number}.example")(lambda: "")
        marked.add_url_rule(f"/{number}", str(number), view)
    comparison = compared(apps[0], marked)
    assert "3 of 9 origins that policies treat differently." in comparison.left_out
