"""Made-up requests without end, and an app that has something of everything to answer them with."""

import io
import random
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.test import EnvironBuilder

from flask_corsguard import CorsGuard, cors, cors_exempt
from flask_corsguard.protocol.policy import PolicyFields

Environ = dict[str, Any]

METHODS = ("GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
# The paths whose decisions are remembered.
PATHS_REMEMBERED = ("/", "/any", "/items/{}")
_OTHER_PATHS = ("/item", "/asked", "/exempt", "/files/{}.css", "/api/{}", "/{0}{0}{0}")
PATHS = PATHS_REMEMBERED + _OTHER_PATHS
ORIGINS = (
    *["https://{}.example"] * 8,
    *["https://{}.shop.example"] * 4,
    *["https://shop.example"] * 2,
    *("https://other.example", "http://localhost", "null", "", "bytes", "long", None),
)
SITES = (None, None, "cross-site", "same-site", "same-origin", "none", "{}")
NAMES = ("content-type", "x-one", "authorization", "range", "x-{}", "{}", "x y", "")
TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789-"


def knows(origin: str) -> bool:
    return origin.endswith("1.example")


class Item(MethodView):
    def get(self) -> str:
        return "item"

    @cors(origins="https://other.example")
    def put(self) -> str:
        return "item"


def build(report_only: PolicyFields | None) -> Flask:
    """An app with a policy of each kind.

    :param report_only: the report-only policy.
    """
    app = Flask("soaked", static_folder=None)
    guard = CorsGuard(
        app,
        origins=["https://shop.example", "https://*.shop.example"],
        allow_headers=["X-One", "Content-Type"],
        report_only=report_only,
    )
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "POST", "PUT", "DELETE"])
    enforcing = cors(enforce="unsafe")(lambda number: "ok")
    app.add_url_rule("/items/<number>", "items", enforcing, methods=["GET", "POST"])
    app.add_url_rule("/item", view_func=Item.as_view("item"))
    app.add_url_rule("/any", "any", cors(origins="*", methods="*", allow_headers="*")(lambda: "ok"))
    app.add_url_rule("/asked", "asked", cors(origins=knows)(lambda: "ok"))
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"))
    app.add_url_rule("/files/<path:filename>", "files", lambda filename: "ok")
    guard.for_files("files", "*.css", origins="*")
    app.register_blueprint(cors(enforce="all")(Blueprint("api", __name__, url_prefix="/api")))
    return app


class Traffic:
    """WSGI environments, the same for the same seed.

    :param paths: the paths that are asked for, with ``{}`` where something is made up.
    """

    def __init__(self, seed: int, paths: Sequence[str]) -> None:
        self._chance = random.Random(seed)
        self._paths = paths
        self._base = EnvironBuilder("/").get_environ() | {"wsgi.input": io.BytesIO()}

    def __iter__(self) -> Iterator[Environ]:
        while True:
            yield self._request()

    def _request(self) -> Environ:
        chance = self._chance
        method = chance.choice(METHODS) if self._happens(0.95) else self._word(1, 99)
        path = chance.choice(self._paths).format(self._word(8))
        environ = self._base | {"REQUEST_METHOD": method, "PATH_INFO": path}
        origin, site = self._origin(), chance.choice(SITES)
        if origin is not None:
            environ["HTTP_ORIGIN"] = origin
            if self._happens(0.4):
                environ |= self._preflight(method)
        if site is not None:
            environ["HTTP_SEC_FETCH_SITE"] = site.format(self._word(8))
        if self._happens(0.05):
            environ["HTTP_HOST"] = f"{self._word(8)}.example"
        if self._happens(0.02):
            environ["HTTP_UPGRADE"] = "websocket"
        return environ

    def _preflight(self, method: str) -> Environ:
        names = self._chance.choices(NAMES, k=self._chance.choice((0, 1, 2, 3, 40, 400)))
        return {
            "REQUEST_METHOD": "OPTIONS",
            "HTTP_ACCESS_CONTROL_REQUEST_METHOD": method,
            "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": ",".join(names).replace("{}", self._word(4)),
        }

    def _origin(self) -> str | None:
        kind = self._chance.choice(ORIGINS)
        if kind == "bytes":
            return self._chance.randbytes(40).decode("latin-1")
        if kind == "long":
            return f"https://{self._word(1, 2000)}"
        return kind and kind.format(self._word(12))

    def _word(self, shortest: int, longest: int = 0) -> str:
        length = self._chance.randrange(shortest, longest) if longest else shortest
        return "".join(self._chance.choices(TOKEN, k=length))

    def _happens(self, chance: float) -> bool:
        return self._chance.random() < chance
