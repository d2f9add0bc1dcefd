"""Values that nobody should give: each is refused in words, or harmless."""

import contextlib
import dataclasses
import enum
import gc
import re
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Blueprint, Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, Rule

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Policy,
    PolicyError,
    Reason,
    cors,
    cors_exempt,
    origin_rejected,
)
from flask_corsguard.known_fronts import layers_around
from flask_corsguard.protocol.policy import FIELDS
from flask_corsguard.routing.closures import contents
from flask_corsguard.runtime.state import state_of
from tests.ids import stable_id

SHOP = "https://shop.example"
PARTNER = "https://partner.example"


class _Mute:
    def __repr__(self):
        raise RuntimeError("no repr")

    __str__ = __repr__


class _MuteError(Exception):
    __str__ = __repr__ = _Mute.__repr__


@dataclasses.dataclass
class _Unhashable:
    number: int = 1

    def __call__(self, origin):
        return True


class _Seconds(int, enum.Enum):
    HOUR = 3600


class _Origin(enum.Enum):
    SHOP = SHOP


ODD = {
    "None": None,
    "number": 1,
    "float": float("nan"),
    "huge number": 10**5000,
    "bytes": b"https://shop.example",
    "dict": {"a": 1},
    "nested list": [["x"]],
    "empty": "",
    "space": " ",
    "NUL": "https://a\0b",
    "surrogate": "https://\ud800.example",
    "long": "x" * 200_000,
    "negative hexadecimal": "https://0x-5.1",
    "long port": "https://a.example:" + "1" * 5000,
    "bracket": "https://[",
    "object without repr": _Mute(),
    "unhashable callable": _Unhashable(),
    "class": bool,
    "enum class": _Origin,
    "enum member": _Origin.SHOP,
    "pattern of bytes": re.compile(b"x"),
    "policy": Policy(),
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_policy_or_its_problems_and_nothing_else(field):
    """No value raises anything but a PolicyError, and that can be printed."""
    for value in ODD.values():
        with contextlib.suppress(PolicyError):
            policy = Policy(**{field: value})
            assert repr(policy)
            assert hash(policy) == hash(Policy(**{field: value}))
        with pytest.raises(PolicyError, match="unknown_field") as caught:
            Policy(**{"no_such_field": value, field: value})
        assert str(caught.value)


def test_an_int_that_prints_as_something_else(site, http):
    CorsGuard(site, origins=SHOP, max_age=_Seconds.HOUR)
    response = http.preflight(site, "/", SHOP, "GET")
    assert response.cors["Access-Control-Max-Age"] == "3600"


@pytest.mark.parametrize("policies", [0, "", [], False, {1: {}}, {"a": {1: 1}}, {"a": {"self": 1}}])
def test_what_is_not_a_mapping_of_policies(policies):
    """Such policies are refused in the constructor and in the configuration, by name of the key."""
    with pytest.raises(PolicyError):
        CorsGuard(policies=policies)
    app = Flask("shop")
    app.config["CORSGUARD_POLICIES"] = policies
    with pytest.raises(PolicyError, match="CORSGUARD_POLICIES"):
        CorsGuard(app)


@pytest.mark.parametrize(
    "name", [None, 1, b"static", ["static"], Policy(), re.compile("x")], ids=type
)
def test_what_is_not_the_name_of_an_endpoint_or_a_file(app, name):
    guard = CorsGuard(app)
    for mark in (
        lambda: guard.for_endpoint(name, max_age=1),
        lambda: guard.for_files(name, "*.css", max_age=1),
        lambda: guard.for_files("static", name, max_age=1),
    ):
        with pytest.raises(CorsGuardError, match="takes strings, not"):
            mark()


def view():
    return ""


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (
            lambda guard: guard.for_endpoint(view),
            f"takes strings, not {view!r}. Write for_endpoint('view', ...)",
        ),
        (
            lambda guard: guard.for_blueprint(Blueprint("api", __name__)),
            "takes strings, not <Blueprint 'api'>. Write for_blueprint('api', ...)",
        ),
        (
            lambda guard: guard.for_files("*.css"),
            "the endpoint comes first: for_files('static', '*.css', ...)",
        ),
        (
            lambda guard: guard.for_files("static", "*.css", "/static/*.woff2"),
            "'/static/*.woff2' matches no file: write what follows the folder's own name, such as"
            " for_files('static', 'fonts/*.woff2')",
        ),
        (
            lambda guard: guard.for_files("static", r".*\.css"),
            r"'.*\\.css' is a regular expression, and matches no file: write a glob, such as"
            " for_files('static', '*.woff2')",
        ),
        (
            lambda guard: guard.for_files("static", ["*.css", "*.ttf"]),
            "takes strings, not ['*.css', '*.ttf']. Write for_files('static', '*.css', '*.ttf',"
            " ...)",
        ),
        (
            lambda guard: guard.for_endpoint(["a", "b"]),
            "takes strings, not ['a', 'b']. Call for_endpoint for each of them",
        ),
    ],
    ids=stable_id,
)
def test_what_to_write_for_an_endpoint_or_a_file(mark, words):
    with pytest.raises(CorsGuardError) as caught:
        mark(CorsGuard())
    assert str(caught.value).endswith(words)


@pytest.mark.parametrize(
    ("glob", "why", "written"),
    [
        ("*.{woff,woff2}", "globs have no braces", "'*.woff', '*.woff2'"),
        ("fonts/{a,b}/*", "globs have no braces", "'fonts/a/*', 'fonts/b/*'"),
        ("*.woff2, *.ttf", "these are several globs", "'*.woff2', '*.ttf'"),
        (".woff2", "that matches only a file of that name", "'*.woff2'"),
        ("css", "that matches only a file of that name", "'*.css'"),
        ("fonts/", "a name has no './'", "'fonts/*'"),
        ("./fonts/", "a name has no './'", "'fonts/*'"),
        ("./*.css", "a name has no './'", "'*.css'"),
        ("**/*.css", "a name has no './'", "'*.css'"),
        ("fonts/**/*.css", "a name has no './'", "'fonts/*.css'"),
    ],
)
def test_what_is_no_glob(glob, why, written):
    """The error has the line to write, which is right."""
    with pytest.raises(CorsGuardError) as caught:
        CorsGuard().for_files("static", glob, max_age=1)
    assert f": {glob!r}: {why}" in str(caught.value)
    assert str(caught.value).endswith(f". Write for_files('static', {written}, ...)")
    CorsGuard().for_files("static", *written.strip("'").split("', '"), max_age=1)


@pytest.mark.parametrize(
    "glob", ["static/*.css", "a,b.css", "LICENSE", ".htaccess", "**.css", "[!a]*", "a/**/b.css"]
)
def test_odd_globs(glob):
    CorsGuard().for_files("static", glob, max_age=1)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cors", " Write @cors(...), which is in flask_corsguard"),
        ("exempt", " Write @cors_exempt, which is in flask_corsguard"),
        ("for_pth", ""),
    ],
)
def test_what_the_guard_has_not(name, hint):
    with pytest.raises(AttributeError) as caught:
        getattr(CorsGuard(), name)
    expected = f"'CorsGuard' object has no attribute {name!r}"
    assert str(caught.value) == (f"{expected}.{hint}" if hint else expected)
    assert caught.value.name == name


@pytest.mark.parametrize("arguments", [{"origins": "*"}, {}], ids=["parentheses", "bare"])
def test_the_guard_is_no_decorator(arguments):
    with pytest.raises(CorsGuardError) as caught:
        CorsGuard()(*([] if arguments else [print]), **arguments)
    location, _, words = str(caught.value).partition(": ")
    assert location.startswith("tests/extension/test_odd_input.py:")
    assert words == (
        "this is the guard, which is not a decorator. Call it guard, and import the decorator: from"
        " flask_corsguard import cors"
    )


@pytest.mark.parametrize(
    "use",
    [
        lambda guard: Policy(origins=guard),
        lambda guard: Policy(origins=[guard]),
        lambda guard: Policy(allow_headers=guard),
        lambda guard: CorsGuard(policy=guard),
        lambda guard: CorsGuard(report_only=guard),
        lambda guard: guard.run_first(guard),
        lambda guard: guard.wsgi(guard, paths="/x"),
        lambda guard: guard.asgi(guard, paths="/x"),
        lambda guard: cors(max_age=1)(guard),
        lambda guard: cors(guard),
    ],
)
def test_the_guard_is_no_function(use):
    """Although it can be called, for the error above."""
    with pytest.raises(CorsGuardError):
        use(CorsGuard())


def test_the_guard_in_a_closure(app):
    """It is neither a layer of middleware nor a part of a callable."""
    guard = CorsGuard(app, origins=SHOP)
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start: (guard, inner)[1](environ, start)
    assert [layer.app for layer in layers_around(app)] == [app.wsgi_app]
    assert contents(guard) == []


@pytest.mark.parametrize("mark", [cors(max_age=1), cors_exempt], ids=["cors", "cors_exempt"])
def test_an_app_is_not_marked(app, mark):
    with pytest.raises(CorsGuardError, match="Its policy is the default policy"):
        mark(app)


def test_keys_of_the_configuration(app):
    app.config[1] = 2
    CorsGuard(app)
    other = Flask("other")
    other.config["CORSGUARD"] = {"ORIGINS": SHOP}  # FLASK_CORSGUARD__ORIGINS
    with pytest.raises(PolicyError, match="unknown_key"):
        CorsGuard(other)


def test_iterators_in_the_configuration_are_read_once(site, http):
    site.config.update(CORSGUARD_ORIGINS="*", CORSGUARD_DENY_ORIGINS=map(str, [PARTNER]))
    CorsGuard(site)
    assert http.send(site, "/", PARTNER) == http.refused()


def _raise_mute(origin):
    raise _MuteError


@pytest.mark.parametrize("check", [lambda origin: _Mute(), _raise_mute], ids=["returned", "raised"])
def test_objects_that_cannot_be_shown(site, http, check, log_lines):
    CorsGuard(site, origins=check)
    with origin_rejected.connected_to(lambda *_, **__: _raise_mute(""), sender=site):
        assert http.send(site, "/", SHOP) == http.refused()
    assert len(log_lines()) == 2


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("capacitor", "localhost", "capacitor://localhost"),
        ("http", ":80", "http"),
        ("http", "a b", "http://a b"),
        ("http", "shop.test/", "http://shop.test/"),
        ("", "", ""),
    ],
)
def test_same_origin_of_odd_requests(site, http, scheme, host, origin, heard):
    """No odd scheme or host, such as a proxy may pass on, lets another origin in."""
    site.wsgi_app = ProxyFix(site.wsgi_app)
    CorsGuard(site)
    environ = {"HTTP_X_FORWARDED_PROTO": scheme, "HTTP_HOST": host}
    response = http.send(site, "/", origin, environ=environ)
    assert response.status in (200, 400)
    assert response.cors == {"Vary": "Origin"}
    # Compared as it stands: what no page can have may still be the app's own.
    is_own = origin == f"{scheme}://{host}"
    assert [s.decision.reason for s in heard] == ([] if is_own else [Reason.ORIGIN_MALFORMED])


def test_what_is_remembered_is_short(app, http):
    CorsGuard(app)
    app.add_url_rule("/<path:rest>", "rest", lambda rest: "ok")
    for n in range(20):
        http.send(app, "/" + "x" * 10_000, f"https://evil{n}.example")
    kept = state_of(app).put_in_force()._cache
    assert len(kept) == 20
    assert {decision.path for decision, _ in kept.values()} == {""}


def test_an_app_that_is_forgotten():
    app = Flask("short-lived")
    CorsGuard(app)
    app.test_client().get("/")
    app = weakref.ref(app)
    gc.collect()
    assert app() is None


class _Regex(BaseConverter):
    part_isolating = True
    regex = ".+"

    def __init__(self, url_map, regex):
        super().__init__(url_map)
        self.regex = regex
        self.part_isolating = "/" not in regex


def test_a_converter_whose_instances_differ(app, http):
    app.url_map.converters["regex"] = _Regex
    CorsGuard(app, origins=SHOP)
    app.add_url_rule('/<regex("a/b|c"):rest>', "rest", lambda rest: "ok", methods=["PUT"])
    deep = cors(max_age=5)(lambda: "ok")
    app.add_url_rule("/a/b", "deep", deep, methods=["DELETE"])
    assert http.preflight(app, "/a/b", SHOP, "PUT").cors["Access-Control-Allow-Methods"] == "PUT"


def test_rules_that_are_added_late(app, http):
    app.add_url_rule("/<name>", "early", cors(origins=PARTNER)(lambda name: name), methods=["PUT"])
    CorsGuard(app)
    assert http.send(app, "/x", PARTNER, method="PUT") == http.allowed(PARTNER)
    app.view_functions["late"] = cors(origins=SHOP)(lambda: "late")
    app.view_functions["broken"] = cors("no such policy")(lambda: "broken")
    app.url_map.add(Rule("/x", endpoint="late", methods=["PUT"]))
    app.url_map.add(Rule("/broken", endpoint="broken", methods=["PUT"]))
    for _ in range(3):
        assert http.send(app, "/broken", SHOP, method="PUT").status == 500
    assert http.send(app, "/x", SHOP, method="PUT") == http.allowed(SHOP)
    assert http.preflight(app, "/x", SHOP, "PUT").status == 204
    assert http.preflight(app, "/x", PARTNER, "PUT") == http.denied()


def test_a_preprocessor_that_takes_the_file_name(app, http):
    guard = CorsGuard(app, origins="*")
    guard.for_files("files", "*.json", origins=SHOP)
    app.add_url_rule("/files/<path:filename>", "files", lambda: "ok")
    app.url_value_preprocessor(lambda endpoint, values: (values or {}).pop("filename", None))
    assert http.send(app, "/files/a.json", PARTNER) == http.refused()
    assert http.send(app, "/files/a.json", SHOP) == http.allowed(SHOP)


def test_first_requests_at_once(http):
    for _ in range(20):
        app = Flask("shop")
        CorsGuard(app, origins=SHOP)
        app.add_url_rule("/", "index", lambda: "ok")
        app.before_request_funcs[None].insert(0, lambda: None)
        barrier = threading.Barrier(8)

        def ask(_, app=app, barrier=barrier):
            barrier.wait()
            return http.send(app, "/", SHOP)

        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(ask, range(8))] == [http.allowed(SHOP)] * 8


def test_reconfigure_by_many_at_once(app):
    guard = CorsGuard(app)

    def add(number):
        for n in range(20):
            guard.reconfigure(policies={f"p{number}-{n}": Policy()}, app=app)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert len(state_of(app).settings.policies) == 160


@pytest.mark.parametrize(
    ("asked", "method"),
    [({"method": "put"}, "PUT"), ({"method": "patch"}, "patch"), ({"headers": "X-A, X-B"}, "GET")],
)
def test_explain_reads_what_fetch_would(site, asked, method):
    guard = CorsGuard(site, origins=SHOP, methods="*", allow_headers=["X-A", "X-B"])
    decision = guard.explain("/", origin=SHOP, app=site, **asked)
    assert (decision.reason, decision.method.upper()) == (None, method.upper())
