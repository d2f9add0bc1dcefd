"""Advice, taken: it lets the page in that was turned away, and gives nothing to any other."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_corsguard import CorsGuard, Policy, cors, origin_rejected
from flask_corsguard.testing import Browser, Response
from tests.advice_pasted import listed_earlier, pasted

PAGE = "https://page.example"
STRANGER = "https://evil.example"
ADMIN = "https://admin.example"
API = "https://api.example"

INCLUDE = {"credentials": "include"}
REQUESTS: dict[str, dict[str, Any]] = {
    "GET": {},
    "GET with cookies": INCLUDE,
    "POST": {"method": "POST"},
    "JSON with cookies": {"method": "POST", "json": {}, **INCLUDE},
    "PUT with headers": {"method": "PUT", "headers": {"X-A": "1", "X-B": "1"}},
    "DELETE with cookies": {"method": "DELETE", **INCLUDE},
}
# For everybody, in several ways; each with what it adds to the default policy.
PUBLIC: dict[str, dict[str, Any]] = {
    "alone": {},
    "with more fields": {
        "max_age": 60, "expose_headers": ["X-Total"], "allow_headers": ["X-A", "X-C"],
        "methods": ["DELETE"],
    },
    "for nearly everybody": {"deny_origins": "https://denied.example"},
    "reported": {"enforce": "report"},
    "not enforced": {"enforce": "off"},
}  # fmt: skip
DEFAULT: dict[str, Any] = {"origins": ADMIN, "allow_credentials": True, "enforce": "unsafe"}


class Got(NamedTuple):
    """What a page gets of one request.

    :ivar reads: whether it can read the response.
    :ivar ran: whether a view has run.
    """

    reads: bool
    ran: bool


def build(where: str, *policies: Any, **fields: Any) -> Flask:
    """An app with a policy, and another route that has the default policy."""
    app = Flask("advised", static_folder=None)
    guard = CorsGuard(app) if where == "nowhere" else None
    if where == "default":
        guard = CorsGuard(app, *policies, **fields)
    guard = guard or CorsGuard(app, **DEFAULT)
    api = Blueprint("api", __name__)
    view: Any = lambda: "ok"  # noqa: E731
    if where == "view":
        view = cors(*policies, **fields)(view)
    elif where == "blueprint":
        cors(*policies, **fields)(api)
    elif where == "path":
        guard.for_path("/x", *policies, **fields)
    api.add_url_rule("/x", "x", view, methods=["GET", "POST", "PUT", "DELETE"])
    app.add_url_rule("/other", "other", lambda: "ok", methods=["GET", "POST"])
    app.register_blueprint(api)
    guard.prepare(app)
    return app


def fetched(app: Flask, page: str, path: str, options: dict[str, Any]) -> Response:
    return Browser(app, page=page).fetch(f"{API}{path}", **options)


def got(app: Flask) -> Iterator[tuple[str, Got]]:
    """What a stranger gets of the app."""
    for path in ("/x", "/other"):
        for name, options in REQUESTS.items():
            response = fetched(app, STRANGER, path, options)
            ran = any(e.status == 200 and not e.preflight for e in response.exchanges)
            yield f"{name} {path}", Got(response.readable, ran)


def fields_for(where: str, public: str) -> dict[str, Any]:
    """The fields of a policy for everybody: a mark inherits ``enforce``."""
    inherits = {"enforce": "unsafe"} if where == "default" else {"allow_credentials": False}
    return {"origins": "*", **inherits, **PUBLIC[public]}


@pytest.mark.parametrize("public", PUBLIC)
@pytest.mark.parametrize("where", ["default", "view", "blueprint", "path"])
def test_the_page_alone_is_let_in(where: str, public: str) -> None:
    """Without giving up ``enforce``, or any other field."""
    own = fields_for(where, public)
    before = dict(got(build(where, **own)))
    advised = 0
    for request, options in REQUESTS.items():
        why = fetched(build(where, **own), PAGE, "/x", options).why
        for policies, fields in pasted(why):
            advised += 1
            assert fields.get("enforce") in (None, own.get("enforce", "unsafe")), why
            changed = build(where, *policies, **(fields if policies else own | fields))
            assert fetched(changed, PAGE, "/x", options).readable, why
            after = dict(got(changed))
            if policies:
                assert after == before, why
            for name, (reads, ran) in after.items():
                if name != f"{request} /x" or "origins" in fields:  # else, everybody may send it
                    assert reads <= before[name].reads, (name, why)
                    assert ran <= before[name].ran, (name, why)
    assert advised


@pytest.mark.parametrize("where", ["default", "view", "blueprint", "path"])
def test_in_a_list_the_page_is_listed_earlier(where: str) -> None:
    policies = [
        Policy(origins=ADMIN, allow_credentials=True),
        Policy(origins="*", methods=["DELETE"]),
    ]
    app = build(where, policies, enforce="unsafe")
    before = dict(got(app))
    for name, options in REQUESTS.items():
        response = fetched(app, PAGE, "/x", options)
        if response.readable:
            continue
        assert 'enforce="off" (' not in response.why
        earlier = listed_earlier(response.why)
        assert earlier is not None, name
        changed = build(where, [policies[0], earlier, policies[1]], enforce="unsafe")
        assert fetched(changed, PAGE, "/x", options).readable, response.why
        assert dict(got(changed)) == before, response.why


@pytest.mark.parametrize("where", ["default", "blueprint", "path"])
@pytest.mark.parametrize("way", ["unsafe", "all"])
def test_what_cannot_be_listed_is_let_past_at_the_view_alone(where: str, way: str) -> None:
    """A form without Origin: ``enforce`` is given up at the view that it is meant for."""
    headers = {"Sec-Fetch-Site": "cross-site"}
    app = build(where, enforce=way)
    told: list[str] = []
    origin_rejected.connect(lambda _, decision: told.append(decision.explain()), app, weak=False)
    for method in ("GET", "POST"):
        client = app.test_client()
        refused = client.open("/x", method=method, headers=headers)
        if method == "GET" and way == "unsafe":
            assert refused.status_code == 200
            continue
        assert refused.status_code == 403
        less = "unsafe" if method == "GET" else "off"
        mark = f'@cors(enforce="{less}")'
        assert f"To allow it: mark this view with {mark}; other sites can" in told.pop()


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_where_no_route_accepts_the_method(method: str) -> None:
    """The policy of another method is not to blame: the new route has the default policy."""

    class Items(MethodView):
        @cors(origins="*", allow_credentials=False)
        def get(self) -> str:
            return "ok"

    def build(*methods: str) -> tuple[Flask, CorsGuard]:
        app = Flask("advised", static_folder=None)
        app.add_url_rule("/x", view_func=Items.as_view("x"))
        for name in methods:
            app.add_url_rule("/x", "new", lambda: "ok", methods=[name])
        return app, CorsGuard(app, **DEFAULT)

    app, guard = build()
    advice = f"To allow it: add a route that accepts {method} at this URL"
    for options in ({"method": method}, {"method": method, "json": {}, **INCLUDE}):
        why = fetched(app, ADMIN, "/x", options).why
        assert why.endswith(f"also: no route at this URL accepts {method}.\n  {advice}.")
    told = guard.explain("/x", origin=ADMIN, method=method, app=app).explain()
    assert told.endswith(f"\n  {advice}.")
    app, guard = build(method)
    assert guard.explain("/x", origin=ADMIN, method=method, app=app).reason is None
