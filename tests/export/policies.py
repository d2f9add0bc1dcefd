"""Apps whose static files a server serves: a table of them, and any number that are made up."""

import random
import re
from collections.abc import Callable
from typing import Any

from flask import Flask

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
from flask_corsguard.errors import PolicyError
from tests.properties.lists import DENIED, INSIDE, LISTED, PATTERNS, RAW

Setup = Callable[[Flask, CorsGuard], object]
SHOP = "https://shop.example"


def fonts(app: Flask, guard: CorsGuard) -> None:
    guard.for_files("static", "*.woff2", "*.ttf", origins="*")
    guard.for_files("static", "private/*", "*.[jt]s", origins="https://a.test", max_age=7)


def nested(app: Flask, guard: CorsGuard) -> None:
    guard.for_path("/static", origins="*", methods="*")
    guard.for_path("/static/private", origins=SHOP, allow_credentials=True, methods=["PUT"])
    guard.for_path("/static/private/own", Policy())


def views(app: Flask, guard: CorsGuard) -> None:
    """Views among the files, each with a policy; one of them with another one for each method."""

    def view(**_: object) -> str:
        return ""

    guard.for_path("/static", origins="*")
    app.add_url_rule("/static/private/report.json", "report", cors(Policy())(view))
    app.add_url_rule("/static/users/<int:n>", "user", cors(origins=SHOP)(lambda n: ""))
    app.add_url_rule(
        "/static/users/<name>", "name", cors(origins="https://a.test")(lambda name: "")
    )
    change = cors(origins="https://b.test", allow_credentials=True)(lambda n: "")
    app.add_url_rule("/static/users/<int:n>", "change", change, methods=["PUT", "DELETE"])
    app.add_url_rule("/static/hook", "hook", cors_exempt(lambda: ""), methods=["POST"])
    app.add_url_rule("/static/docs/", "docs", cors(origins=SHOP, max_age=None)(lambda: ""))


def hostile(app: Flask, guard: CorsGuard) -> None:
    """Names that would end a line, a quote or a block."""
    guard.for_path("/static/q\"$;'\nx", "q\n} \\")
    guard.for_files("static", "a b;{}$#'\"*", "\n}${x}%{y}\\", origins="https://a.test")


TABLE: dict[str, tuple[dict[str, Any], Setup | None]] = {
    "nobody": ({}, None),
    "one": ({"origins": SHOP}, None),
    "listed": ({"origins": LISTED, "expose_headers": ["X-Total", "ETag"]}, None),
    "wildcards": ({"origins": INSIDE, "methods": "PUT,DELETE"}, None),
    "credentials": (
        {"origins": LISTED[:2], "allow_credentials": True, "allow_headers": ["Authorization"]},
        None,
    ),
    "any header, with credentials": (
        {"origins": LISTED[:2], "allow_credentials": True, "allow_headers": "*", "methods": "*"},
        None,
    ),
    "everyone": ({"origins": "*"}, None),
    "everyone, everything": (
        {"origins": "*", "methods": "*", "allow_headers": ["*", "Authorization"], "max_age": None},
        None,
    ),
    "everyone but": ({"origins": "*", "deny_origins": DENIED, "methods": "*"}, None),
    "denied": ({"origins": [*LISTED, *PATTERNS], "deny_origins": DENIED}, None),
    "null": ({"origins": ["null", SHOP], "dangerously_allow_null_origin": True}, None),
    "everyone but null": (
        {"origins": "*", "deny_origins": "null", "dangerously_allow_null_origin": True},
        None,
    ),
    "patterns": ({"origins": PATTERNS, "methods": ["PUT", "PURGE"], "allow_headers": ()}, None),
    "extensions": ({"origins": ["moz-extension://*", "capacitor://localhost"]}, None),
    "raw": ({"origins": SHOP, "raw_origins": RAW, "allow_credentials": True}, None),
    "raw beside most": (
        {"origins": "*", "deny_origins": DENIED, "raw_origins": [*RAW, r'a://"$;{}#%\n\z']},
        None,
    ),
    "private network": (
        {"origins": SHOP, "allow_private_network": True, "max_age": 0, "enforce": "report"},
        None,
    ),
    "odd names": (
        {"origins": SHOP, "allow_headers": ["X-'%&`~!#+^x", "x"], "expose_headers": "X-%a"},
        None,
    ),
    "audiences": (
        {
            "policy": [
                Policy(origins=SHOP, allow_credentials=True, methods="PUT"),
                Policy(origins="https://*.shop.example", deny_origins="https://old.shop.example"),
                Policy(origins="*", allow_headers="X-A", max_age=60),
            ]
        },
        None,
    ),
    "audiences, all listed": (
        {"policy": [Policy(origins=LISTED[:3]), Policy(origins=INSIDE, raw_origins=RAW)]},
        None,
    ),
    "fonts": ({"origins": SHOP, "expose_headers": "ETag"}, fonts),
    "nested paths": ({"origins": "https://a.test"}, nested),
    "hostile names": ({"policies": {"q\n} \\": Policy(origins=SHOP)}}, hostile),
    "views among files": ({"origins": "https://c.test"}, views),
}


def made(name: str) -> Flask:
    """An app of the table, or the one that a seed makes."""
    app = Flask(name, static_folder="static", root_path="/nowhere")
    if name in TABLE:
        fields, setup = TABLE[name]
        guard = CorsGuard(app, **fields)
        if setup:
            setup(app, guard)
    else:
        make_up(app, random.Random(name))
    return app


def make_up(app: Flask, chance: random.Random) -> None:
    """A policy from what tables of other tests have, and perhaps others for some of the files."""
    guard = CorsGuard(app, fields_by(chance))
    globs = ["*.js", "*.woff2", "private/*", "f?.ttf", "*.[a-j]s", "a b;{}$#'\"*"]
    for glob in chance.sample(globs, chance.randint(0, 2)):
        guard.for_files("static", glob, **fields_by(chance).values)
    for prefix in chance.sample(
        ["/static", "/static/private", '/static/q"$;'], chance.randint(0, 2)
    ):
        guard.for_path(prefix, fields_by(chance))


def fields_by(chance: random.Random) -> Policy:
    """Fields at random, until they make a policy."""
    names = ["X-A", "x-b", "Authorization", "Content-Type", "ETag", "X-!#%&'+.^_`~x"]
    while True:
        fields: dict[str, Any] = {"origins": "*"}
        if chance.random() < 0.85:
            listed: list[Any] = [*LISTED, *INSIDE, *PATTERNS, "moz-extension://*", "null"]
            fields["origins"] = chance.sample(listed, chance.randint(0, 6))
        if chance.random() < 0.3:
            denied = [*DENIED, *LISTED, *INSIDE, "null", re.compile(r"https?://[^:]*\d\d?.*")]
            fields["deny_origins"] = chance.sample(denied, chance.randint(1, 3))
        if chance.random() < 0.2:
            fields["raw_origins"] = chance.sample(RAW, 2)
        fields["methods"] = chance.choice([None, "*", ["PUT"], ["PATCH", "PURGE"], ()])
        fields["allow_headers"] = chance.choice(
            ["*", [*chance.sample(names, 3)], ["*", "Authorization"]]
        )
        fields["expose_headers"] = chance.choice(["*", (), [*chance.sample(names, 2)]])
        fields["max_age"] = chance.choice([None, 0, 600, 86400])
        for name in ("allow_credentials", "allow_private_network", "dangerously_allow_null_origin"):
            fields[name] = chance.random() < 0.4
        fields["dangerously_allow_insecure_origins"] = True
        fields["dangerously_allow_public_suffixes"] = True
        try:
            return Policy(**fields)
        except PolicyError:
            continue
