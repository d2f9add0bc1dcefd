"""An app with marks of every kind, its twin without a guard, and what applies where in plain words.

The policies are kept as the fields that were given, merged as the reference says: fields override
what applies further out.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from flask import Blueprint, Flask, Response, request
from flask.views import MethodView

from flask_corsguard import CorsGuard, CorsGuardError, cors, cors_exempt, current_decision
from tests.properties.lists import (
    DENIED,
    INSIDE,
    LISTED,
    PATTERNS,
    RAW,
    is_customer,
    is_customer_there,
)
from tests.properties.meaning import Fields

SELF_ORIGINS = ["https://front.test", "https://*.front.test"]
VERDICT = "tests.verdict"
ENFORCE = ("off", "report", "unsafe", "all")

_ADMIN = "https://admin.shop.example"
_DEFAULT: Fields = {"origins": LISTED, "expose_headers": ["X-Total"], "methods": None}
_API: Fields = {"origins": ["https://*.shop.example", _ADMIN], "allow_credentials": True}
_INNER: Fields = {"origins": "https://*.any-port.example:*", "max_age": None}
_JSON: Fields = {"origins": "*", "max_age": 7}
_Mark = Fields | None  # None: the route is exempt
Policies = Mapping[str, _Mark]

# path, methods, the mark on the view
_ROUTES: list[tuple[str, list[str], _Mark]] = [
    ("/items", ["GET"], {}),
    ("/items", ["PUT"], {"origins": _ADMIN, "max_age": 5}),
    ("/items", ["DELETE", "PATCH"], {"deny_origins": DENIED, "allow_headers": ["X-A", "x-b"]}),
    ("/plain", ["GET", "POST", "PUT"], {}),
    ("/open", ["GET", "POST"], {
        "origins": "*", "methods": "*", "allow_headers": ["*", "Authorization"],
    }),
    ("/most", ["GET", "POST"], {"origins": "*", "deny_origins": DENIED, "methods": "*"}),
    ("/account", ["GET", "PUT"], {
        "origins": ["https://shop.example", "https://*.shop.example"],
        "allow_credentials": True, "methods": "*", "allow_headers": "*",
        "dangerously_allow_null_origin": True,
    }),
    ("/native", ["GET", "PUT"], {"origins": "*", "raw_origins": RAW}),
    ("/inside", ["GET", "PUT"], {"origins": INSIDE, "raw_origins": RAW, "deny_origins": DENIED}),
    ("/patterns", ["GET", "POST"], {"origins": PATTERNS, "allow_private_network": True}),
    ("/function", ["GET", "POST"], {"origins": [is_customer, LISTED[0]]}),
    ("/function-of-request", ["GET", "PUT"], {"origins": [is_customer_there, LISTED[0]]}),
    ("/function-of-headers", ["GET", "PUT"], {
        "origins": [is_customer_there, LISTED[0]], "origins_vary": ["Accept", "X-Tenant"],
    }),
    ("/null", ["GET", "PUT"], {"origins": "null", "dangerously_allow_null_origin": True}),
    ("/nobody", ["GET", "PUT"], {"origins": (), "methods": ()}),
    ("/own-answer", ["GET", "OPTIONS"], {"answer_preflight": False}),
    ("/own-headers", ["GET", "POST"], {}),
    ("/override", ["GET", "PUT"], {"dangerously_let_views_override": True}),
    ("/override-nothing", ["GET", "PUT"], {
        "origins": "*", "dangerously_let_views_override": True,
    }),
    ("/override-all", ["GET", "OPTIONS", "PUT"], {
        "origins": "*", "answer_preflight": False, "dangerously_let_views_override": True,
    }),
    ("/failing", ["GET", "POST"], {}),
    ("/exempt", ["GET", "POST"], None),
    ("/folder/", ["GET", "POST"], {"origins": _ADMIN}),
]  # fmt: skip
_API_ROUTES: list[tuple[str, list[str], _Mark]] = [
    ("/list", ["GET", "POST"], {}),
    ("/one", ["GET", "PUT"], {"allow_headers": ["X-A", "Authorization"], "max_age": 0}),
]


class Applied(NamedTuple):
    """What applies to a request.

    :ivar fields: the fields of the policy; None for an exempt route.
    :ivar accepted: the methods that the routes at the URL accept, or None if there is no route.
    :ivar at_url: what applies to the other methods there, as far as that is known.
    """

    fields: _Mark
    accepted: frozenset[str] | None
    at_url: Policies


class Site(NamedTuple):
    """Both apps, and which fields apply.

    :ivar table: path -> requested method -> fields, with "*" for methods without a route.
    """

    guarded: Flask
    bare: Flask
    table: Mapping[str, Policies]

    def candidates(self, path: str, method: str, is_plain: bool) -> list[Applied]:
        """What may apply: one policy, or several if it is not for this test to say which.

        :param is_plain: whether nothing but the path and the method can have a say.
        """
        if path not in self.table or not is_plain:
            return [
                Applied(fields, accepted, {})
                for known, policies in self.table.items()
                for fields in policies.values()
                for accepted in (frozenset(policies), None)
                if fields is not None or known.strip("/") in path
            ]
        policies = self.table[path]
        accepted = frozenset(policies) - {"*"} or None
        if method in ("", "OPTIONS"):
            return [Applied(fields, accepted, policies) for fields in policies.values()]
        if method in policies:
            return [Applied(policies[method], accepted, policies)]
        if "*" in policies:
            return [Applied(policies["*"], None, {})]  # 404
        return [Applied(policies["GET"], accepted, policies)]  # 405: a route at the same URL


@functools.cache
def site(enforce: str) -> Site:
    """The site with one value of ``enforce`` everywhere."""
    default = {**_DEFAULT, "enforce": enforce}
    guarded, bare = _app(enforce), _app(enforce)
    guard = CorsGuard(guarded, self_origins=SELF_ORIGINS, **default)
    guard.for_files("files", "*.json", **_fitting(enforce, _JSON))
    guarded.after_request(_keep_verdict)
    return Site(guarded, bare, dict(_table(default)))


def _fitting(enforce: str, mark: Fields) -> Fields:
    """``"*"`` together with ``"all"`` would be an error."""
    is_public = enforce == "all" and mark.get("origins") == "*"
    return {**mark, "enforce": "unsafe"} if is_public else mark


def _routes(enforce: str) -> list[tuple[str, list[str], _Mark]]:
    return [(path, names, mark and _fitting(enforce, mark)) for path, names, mark in _ROUTES]


def _keep_verdict(response: Response) -> Response:
    with contextlib.suppress(CorsGuardError):
        request.environ[VERDICT] = current_decision.outcome, current_decision.reason
    return response


def _table(default: Fields) -> Iterable[tuple[str, Policies]]:
    api = {**default, **_API}
    inner = {**api, **_INNER}
    yield from _rows("", _routes(default["enforce"]), default)
    yield from _rows("/api", _API_ROUTES, api)
    yield from _rows("/api/inner", _API_ROUTES, inner)
    strict, put = {**default, "max_age": 1}, {**default, "max_age": 1, "origins": _ADMIN}
    yield "/class", _with_own({"GET": strict, "PUT": put, "DELETE": strict})
    admin = {**default, "origins": _ADMIN}
    yield "/files/a.txt", _with_own({"GET": default})
    for path in ("/files/a.json", "/files/b/../a.json"):
        yield path, _with_own({"GET": {**default, **_fitting(default["enforce"], _JSON)}})
    yield "/folder", {**_with_own({"GET": admin, "POST": admin}), "*": default}  # no redirect
    yield "/missing", {"*": default}
    yield "/apiary", {"*": default}
    yield "/api/missing", {"*": api}
    yield "/api/inner/missing", {"*": inner}


def _rows(
    prefix: str, routes: list[tuple[str, list[str], _Mark]], outer: Fields
) -> Iterable[tuple[str, Policies]]:
    rows: dict[str, dict[str, _Mark]] = {}
    for path, methods, mark in routes:
        row = rows.setdefault(prefix + path, {})
        for method in methods:
            row[method] = None if mark is None else {**outer, **mark}
    return [(path, _with_own(row)) for path, row in rows.items()]


def _with_own(row: dict[str, _Mark]) -> Policies:
    """HEAD goes with GET; Flask answers OPTIONS itself."""
    return {"OPTIONS": row["GET"], **row, "HEAD": row["GET"]}


def _app(enforce: str) -> Flask:
    app = Flask("site")
    app.logger.disabled = True  # "/failing" fails
    _add_routes(app, _routes(enforce))
    api, inner = Blueprint("api", "site"), Blueprint("inner", "site", url_prefix="/inner")
    _add_routes(api, _API_ROUTES)
    _add_routes(inner, _API_ROUTES)
    cors(**_API)(api)
    cors(**_INNER)(inner)
    api.register_blueprint(inner)
    app.register_blueprint(api, url_prefix="/api")

    class Thing(MethodView):
        def get(self) -> str:
            return "thing"

        @cors(origins=_ADMIN)
        def put(self) -> str:
            return "put"

        def delete(self) -> tuple[str, int]:
            return "", 204

    cors(max_age=1)(Thing)
    app.add_url_rule("/class", view_func=Thing.as_view("thing"))
    app.add_url_rule("/files/<path:name>", "files", lambda name: name)
    return app


def _add_routes(target: Flask | Blueprint, routes: list[tuple[str, list[str], _Mark]]) -> None:
    for number, (path, methods, mark) in enumerate(routes):
        view = _view(path)
        if mark:
            view = cors(**mark)(view)
        elif mark is None:
            view = cors_exempt(view)
        target.add_url_rule(path, f"view{number}", view, methods=methods)


def _view(path: str) -> Callable[[], Any]:
    def view() -> Any:
        if path == "/failing":
            raise RuntimeError(path)
        headers = {"X-Total": "1"}
        if path in ("/own-headers", "/exempt", "/override", "/override-all"):
            headers["Access-Control-Allow-Origin"] = "https://evil.test"
            headers["access-control-allow-credentials"] = "true"
            headers["Vary"] = "Accept, origin"
        return path, 200, headers

    return view


class LogLines(logging.Handler):
    """Holds every line of the guard's log to what a terminal can stand."""

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if not (line.isascii() and line.isprintable()):
            self.broken.append(line)

    def __init__(self) -> None:
        super().__init__()
        self.broken: list[str] = []


LOG = LogLines()
logging.getLogger("flask_corsguard").addHandler(LOG)
