"""Blueprints marked by name: ``for_blueprint``, however and whenever they are registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_corsguard import CorsGuard, CorsGuardError, Policy, PolicyError, cors
from flask_corsguard.routing.blueprints import prefixes_of

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
ADMIN = "https://admin.example"

Build = Callable[[Flask], object]


def made(name: str = "api", *rules: str, prefix: str | None = None, **options: Any) -> Blueprint:
    """A blueprint, as an extension makes it."""
    blueprint = Blueprint(name, __name__, url_prefix=prefix, **options)
    for number, rule in enumerate(rules):
        view = lambda **_: "ok"  # noqa: E731
        blueprint.add_url_rule(rule, f"view{number}", view, methods=["GET", "PUT"])
    return blueprint


def inside(outer: Blueprint, inner: Blueprint, **options: Any) -> Blueprint:
    outer.register_blueprint(inner, **options)
    return outer


def registered_inside(app: Flask, **options: Any) -> None:
    inner = made("inner", "/x", prefix="/inner")
    app.register_blueprint(inside(made("outer", prefix="/outer"), inner), **options)


NOBODY_KNOWS = "such rules under a prefix that nobody knows"
# How the app registers blueprints; the name that is marked; a URL with a route of it, one without
# and one elsewhere, or "".
REGISTERED: dict[str, tuple[Build, str, str, str, str]] = {
    "a prefix of its own": (
        lambda app: app.register_blueprint(made("api", "/x", prefix="/api")),
        "api", "/api/x", "/api/none", "/apix",
    ),
    "a prefix at registration": (
        lambda app: app.register_blueprint(made("api", "/x"), url_prefix="/v1"),
        "api", "/v1/x", "/v1/none", "/none",
    ),
    "both": (
        lambda app: app.register_blueprint(made("api", "/x", prefix="/api"), url_prefix="/v1/"),
        "api", "/v1/x", "/v1/none", "/api/none",
    ),
    "a name at registration": (
        lambda app: app.register_blueprint(made("api", "/x"), url_prefix="/v1", name="v1"),
        "v1", "/v1/x", "/v1/none", "/none",
    ),
    "one of two registrations": (
        lambda app: [
            app.register_blueprint(api, url_prefix=f"/{name}", name=name)
            for api in [made("api", "/x", "/")]
            for name in ("v1", "v2")
        ],
        "v2", "/v2/x", "/v2/none", "/v1/none",
    ),
    "a prefix with a variable": (
        lambda app: app.register_blueprint(made("api", "/x"), url_prefix="/<int:user>/api"),
        "api", "/7/api/x", "/7/api/none", "/seven/api/none",
    ),
    "no prefix": (lambda app: app.register_blueprint(made("api", "/x")), "api", "/x", "", "/none"),
    "no prefix, and a view in a folder": (
        lambda app: app.register_blueprint(made("api", "/a/x", "/a/y")), "api", "/a/x", "", "/a/z",
    ),
    "the whole app": (
        lambda app: app.register_blueprint(made("api", "/x", prefix="/")),
        "api", "/x", "/none", "",
    ),
    "nested": (
        registered_inside, "outer.inner", "/outer/inner/x", "/outer/inner/none", "/outer/none",
    ),
    "nested, a prefix at registration": (
        lambda app: registered_inside(app, url_prefix="/v1"),
        "outer.inner", "/v1/inner/x", "/v1/inner/none", "/outer/inner/none",
    ),
    "the outer one, without rules of its own": (
        lambda app: registered_inside(app, url_prefix="/v1"),
        "outer", "/v1/inner/x", "/v1/none", "/outer/none",
    ),
    "the outer one of a nested one with another prefix and name": (
        lambda app: app.register_blueprint(
            inside(made("outer"), made("inner", "/x", ""), url_prefix="/a/", name="b"),
            url_prefix="/v1",
        ),
        "outer", "/v1/a/x", "/v1/none", "/none",
    ),
    "the outer one of a nested one without a prefix": (
        lambda app: app.register_blueprint(
            inside(made("outer"), made("inner", "/x")), url_prefix="/v1"
        ),
        "outer", "/v1/x", "/v1/none", "/none",
    ),
    "rules that end alike": (
        lambda app: app.register_blueprint(made("api", "/", "/x/", "/x/x/"), url_prefix="/x"),
        "api", "/x/x/", "/x/none", "/none",
    ),
    "a view with several rules": (
        lambda app: app.register_blueprint(several(), url_prefix="/v1"),
        "api", "/v1/x/7", "/v1/none", "/none",
    ),
    "a rule that is the prefix": (
        lambda app: app.register_blueprint(made("api", ""), url_prefix="/v1"),
        "api", "/v1", "/v1/none", "/none",
    ),
    "rules without a slash": (
        lambda app: app.register_blueprint(made("api", "x"), url_prefix="/v1"),
        "api", "/v1/x", "/v1/none", "/none",
    ),
    "files alone": (
        lambda app: app.register_blueprint(
            made("api", static_folder=".", static_url_path="/files"), url_prefix="/v1"
        ),
        "api", "/v1/files/test_blueprints.py", "/v1/none", "/none",
    ),
    "rules that it adds in a way of its own": (
        lambda app: app.register_blueprint(own_way(prefix="/api")),
        "api", "/api/x", "/api/none", "/none",
    ),
    "such rules, nested": (
        lambda app: app.register_blueprint(
            inside(made("outer", "/y"), own_way(prefix="/api")), url_prefix="/v1"
        ),
        "outer.api", "/v1/api/x", "/v1/api/none", "/v1/none",
    ),
    NOBODY_KNOWS: (
        lambda app: app.register_blueprint(own_way(prefix="/api"), url_prefix="/v1"),
        "api", "/v1/x", "", "/api/none",
    ),
    "rules made by functions, as in Flask-RESTX": (
        lambda app: app.register_blueprint(made_by_functions(prefix="/api")),
        "api", "/api/x", "/api/none", "/none",
    ),
    "no rules": (
        lambda app: app.register_blueprint(made("api", prefix="/api")),
        "api", "", "/api/none", "/none",
    ),
}  # fmt: skip


def several() -> Blueprint:
    blueprint = made()

    class Item(MethodView):
        def get(self, number: int = 0) -> str:
            return "ok"

        put = get

    view = Item.as_view("item")
    for rule in ("/x", "/x/<int:number>", "/x/x"):
        blueprint.add_url_rule(rule, view_func=view)
    return blueprint


def own_way(prefix: str) -> Blueprint:
    blueprint = made("api", prefix=prefix)
    view = lambda: "ok"  # noqa: E731
    blueprint.record(lambda state: state.add_url_rule("/x", "x", view, methods=["GET", "PUT"]))
    return blueprint


def made_by_functions(prefix: str) -> Blueprint:
    blueprint = made("api", prefix=prefix)

    def set_up(state: Any) -> None:
        add = state.add_url_rule
        state.add_url_rule = lambda rule, *args, **options: add(rule(), *args, **options)

    blueprint.record(set_up)
    rule: Any = lambda: "/x"  # noqa: E731
    blueprint.add_url_rule(rule, "x", lambda: "ok", methods=["GET", "PUT"])
    return blueprint


@pytest.mark.parametrize("when", ["before it is registered", "after it is registered"])
@pytest.mark.parametrize(
    ("register", "name", "path", "none", "elsewhere"), REGISTERED.values(), ids=REGISTERED
)
def test_a_blueprint_by_its_name(app, http, when, register, name, path, none, elsewhere):
    """Its routes, 404s under its prefix and 405s have its policy; nothing else has."""
    guard = CorsGuard(app, origins=SHOP)
    if when.startswith("after"):
        register(app)
    guard.for_blueprint(name, origins=PARTNER)
    if when.startswith("before"):
        register(app)

    if path:
        assert http.readers(app, path, status=200) == [PARTNER]
        assert http.readers(app, path, "DELETE", status=405) == [PARTNER]
    if none:
        assert http.readers(app, none, status=404) == [PARTNER]
    if elsewhere:
        assert http.readers(app, elsewhere, status=404) == [SHOP]


@pytest.mark.parametrize("register", [row[0] for row in REGISTERED.values()], ids=REGISTERED)
def test_the_prefix_is_the_one_that_a_mark_records(register, monkeypatch):
    """What is worked out from the URL map is what Flask has told the mark of a blueprint."""
    app, marked = Flask("shop"), Flask("shop")
    register(app)
    init = Blueprint.__init__

    def make(self: Blueprint, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        cors(max_age=1)(self)

    monkeypatch.setattr(Blueprint, "__init__", make)
    register(marked)
    found, recorded = prefixes_of(app, app.blueprints), prefixes_of(marked, ())
    assert list(found) == list(recorded)
    for name, (prefix, subdomain) in recorded.items():
        known = None if register is REGISTERED[NOBODY_KNOWS][0] else prefix
        assert found[name][0] == (known and (known.rstrip("/") or "/"))
        assert (found[name][1] or None) == subdomain


def test_the_slash_redirect_of_a_blueprint(app, http):
    guard = CorsGuard(app, origins=SHOP)
    app.register_blueprint(made("api", "/x/"), url_prefix="/v1")
    guard.for_blueprint("api", origins=PARTNER)
    assert http.readers(app, "/v1/x", status=308) == [PARTNER]


@pytest.mark.parametrize(
    ("host", "path", "reader", "status"),
    [
        ("admin.shop.test", "/v1/x", PARTNER, 200),
        ("admin.shop.test", "/v1/none", PARTNER, 404),
        ("shop.test", "/v1/none", SHOP, 404),
        ("eu.admin.shop.test", "/v1/inner/x", ADMIN, 200),
        ("eu.admin.shop.test", "/v1/inner/none", ADMIN, 404),
        ("admin.shop.test", "/v1/inner/none", PARTNER, 404),
    ],
)
def test_subdomains(http, host, path, reader, status):
    """A prefix covers its own subdomain only; those of nested blueprints join."""
    app = Flask("shop", subdomain_matching=True, static_folder=None)
    app.config["SERVER_NAME"] = "shop.test"
    guard = CorsGuard(app, origins=SHOP)
    outer = made("outer", "/x")
    outer.add_url_rule("/y", "y", lambda: "ok", subdomain="other")
    inside(outer, made("inner", "/x", prefix="/inner", subdomain="eu"))
    app.register_blueprint(outer, subdomain="admin", url_prefix="/v1")
    guard.for_blueprint("outer", origins=PARTNER)
    guard.for_blueprint("outer.inner", origins=ADMIN)
    assert http.readers(app, path, status=status, base_url=f"http://{host}/") == [reader]


def test_layers(app):
    """From the outside in: each blueprint by its name, then its own mark; rows tell where."""
    inner = cors(max_age=4)(made("inner", "/x"))
    app.register_blueprint(inside(cors(max_age=2)(made("outer")), inner))
    guard = CorsGuard(app, origins=SHOP)
    guard.for_blueprint("outer", allow_headers="X-Outer", max_age=1)
    guard.for_blueprint("outer.inner", expose_headers="X-Inner", max_age=3)
    (route,) = guard.routes(app)
    assert [layer.mark.fields["max_age"] for layer in route.layers] == [1, 2, 3, 4]
    assert {layer.source for layer in route.layers[2:]} == {"blueprint outer.inner"}
    assert route.policy == Policy(
        origins=SHOP, allow_headers="X-Outer", expose_headers="X-Inner", max_age=4
    )


def test_where_a_row_comes_from(app):
    app.register_blueprint(made("api", "/x"))
    guard = CorsGuard(app)
    guard.for_blueprint("api", Policy(origins=SHOP))
    (route,) = guard.routes(app)
    assert (route.source, route.policy) == ("blueprint api", Policy(origins=SHOP))
    assert "test_blueprints.py:" in route.location


def test_with_a_mark_of_its_own(app, http):
    """The blueprint's own mark wins, and has recorded the prefix, of which no rule tells."""
    api = cors(origins=PARTNER)(made("api", prefix="/api"))
    app.register_blueprint(api, url_prefix="/v1")
    guard = CorsGuard(app)
    guard.for_blueprint("api", origins=SHOP)
    assert http.readers(app, "/v1/none", status=404) == [PARTNER]
    assert http.readers(app, "/api/none", status=404) == []


def test_several_apps(http):
    """Each app has a prefix of its own for the blueprint; one without the blueprint is an error."""
    guard = CorsGuard()
    guard.for_blueprint("api", origins=PARTNER)
    for prefix in ("/v1", "/v2"):
        app = Flask("shop")
        app.register_blueprint(made("api", "/x"), url_prefix=prefix)
        guard.init_app(app)
        for path, readers in ((prefix, [PARTNER]), ("/v1" if prefix == "/v2" else "/v2", [])):
            assert http.readers(app, f"{path}/none", status=404) == readers
    without = Flask("other")
    guard.init_app(without)
    with pytest.raises(PolicyError, match="unknown_blueprint"):
        guard.prepare(without)


def test_report_only(app, http, heard):
    app.register_blueprint(made("api", "/x"), url_prefix="/v1")
    guard = CorsGuard(app, origins="*", report_only=Policy(origins=SHOP))
    guard.for_blueprint("api", max_age=5)
    for path in ("/v1/x", "/v1/none"):
        heard.clear()
        http.send(app, path, PARTNER)
        reported = [sent.decision for sent in heard if sent.decision.report_only]
        assert [each.policy_source for each in reported] == ["blueprint api over report_only"]


def test_an_unknown_name(app):
    registered_inside(app)
    guard = CorsGuard(app)
    guard.for_blueprint("inner", origins=SHOP)
    with pytest.raises(PolicyError) as caught:
        guard.prepare()
    (problem,) = caught.value.problems
    assert (problem.code, problem.suggestion) == ("unknown_blueprint", "'outer.inner'")
    assert "test_blueprints.py:" in problem.where


def test_the_same_name_twice():
    guard = CorsGuard()
    for _ in range(2):
        guard.for_blueprint("api", max_age=1)  # the same mark again, as by a factory
    with pytest.raises(CorsGuardError, match=r"blueprint 'api' is already marked, at .*:\d+"):
        guard.for_blueprint("api", max_age=2)


def test_too_late(app):
    guard = CorsGuard(app)
    guard.prepare()
    with pytest.raises(CorsGuardError, match="already in force"):
        guard.for_blueprint("api", max_age=1)


def test_a_blueprint_itself():
    api: Any = made()
    with pytest.raises(CorsGuardError, match="for_blueprint takes strings, not <Blueprint"):
        CorsGuard().for_blueprint(api, max_age=1)
