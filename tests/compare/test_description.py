"""What is found to ask for."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, Policy, cors
from flask_corsguard.compare.description import describe


class Picky(BaseConverter):
    regex = "[a-f]{3}"


class Failing(BaseConverter):
    def to_python(self, value: str) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("/", "/"),
        ("/users/<int:number>", "/users/1"),
        ("/users/<int(min=5):number>", "/users/12345678"),
        ("/files/<path:path>", "/files/"),
        ("/<any(red, blue):colour>/<name>", "/red/"),
        ("/<uuid:key>", "/11111111-1111-1111-1111-111111111111"),
        ("/<picky:key>/é", "/[a-f]{3}/%C3%A9"),
        ("/<failing:key>", None),
    ],
)
def test_a_url_for_each_rule(rule: str, expected: str | None) -> None:
    app = Flask("shop", static_folder=None)
    app.url_map.converters |= {"picky": Picky, "failing": Failing}
    app.add_url_rule(rule, "view", lambda **_: "", methods=["GET", "DELETE"])
    description = describe(app, None)
    if expected is None:
        assert description.unreachable == (rule,)
        return
    (url,) = [url for url in description.urls if url.rule == rule]
    assert re.match(f"https://localhost{expected}", url.url)
    assert url.methods == ("DELETE", "GET", "HEAD")


def test_what_no_page_asks_for() -> None:
    app = Flask("shop", static_folder=None)
    app.add_url_rule("/socket", "socket", lambda: "", websocket=True)
    app.add_url_rule("/built", "built", build_only=True)
    assert [url.rule for url in describe(app, None).urls] == ["/corsguard-compare"]


def test_what_a_guard_names() -> None:
    app = Flask("shop", static_folder=None)
    own = Policy(origins=["https://*.own.example"], allow_headers=["X-One"])
    CorsGuard(app, policies={"own": own}, origins=[re.compile(r"https://app\.example")])
    view = cors(["own", Policy(origins="*", allow_headers="*")])(lambda: "")
    app.add_url_rule("/", "index", view)
    app.add_url_rule("/other", "other", lambda: "")
    description = describe(app, None)
    assert description.origins == (("https://x.own.example",), (), ("https://app.example",), ())
    assert sorted(description.headers) == ["content-type", "x-one"]


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        ("*", ()),
        ("https://a.example", ("https://a.example",)),
        (["https://a.example", r"https://(one|two)\.example"],
         ("https://a.example", "https://one.example", "https://two.example")),
        (re.compile(r"https://b\.example"), ("https://b.example",)),
        (["(", None, 7], ()),
        (None, ()),
    ],
)  # fmt: skip
def test_what_calls_of_flask_cors_name(origins: Any, expected: tuple[str, ...]) -> None:
    options = {"origins": origins, "allow_headers": ["X-One", re.compile("X-.*")]}
    call = SimpleNamespace(options={}, resources=[("/api", options)])
    description = describe(Flask("shop", static_folder=None), [call])
    assert description.origins == ((), expected, ())
    assert description.headers == ("x-one",)


def test_what_the_configuration_names() -> None:
    app = Flask("shop", static_folder=None)
    app.config |= {
        "CORS_ORIGINS": ["https://a.example", "nothing"],
        "FRONTEND_ORIGIN": "https://b.example, https://*.c.example",
        "ORIGIN_NUMBER": 3,
        "HOMEPAGE": "https://d.example",
    }
    (found,) = describe(app, None).origins
    assert found == ("https://a.example", "https://b.example", "https://x.c.example")
