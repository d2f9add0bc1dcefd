"""Checked by mypy and pyright, never run: the public names, used as a developer would."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, Literal, assert_type

from flask import Blueprint, Flask, Request
from flask.views import MethodView

from flask_corsguard import (
    CorsGuard,
    Decision,
    Outcome,
    Policy,
    PolicyError,
    Problem,
    Reason,
    cors,
    cors_exempt,
    current_decision,
    origin_rejected,
)
from flask_corsguard.protocol.audiences import Audiences


def one(origin: str) -> bool:
    return bool(origin)


def two(origin: str, request: Request) -> bool:
    return bool(origin and request)


app = Flask(__name__)
guard = CorsGuard(app, origins=["https://a.com", re.compile("x"), one], max_age=600)
CorsGuard(policies={"partners": {"origins": "*"}, "others": Policy(origins=two)})
CorsGuard(app, Policy(), self_origins="https://a.com", report_only=Policy(enforce="all"))
CorsGuard(app, enforce="unsafe", report_only={"origins": "https://a.com", "enforce": "report"})
CorsGuard(app, inspector=True)
CorsGuard(app, inspector="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
CorsGuard(app, enforce="every")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
guard.init_app(app)
guard.init_app(app, origins="*")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

policy = Policy(
    origins="*",
    raw_origins=["file://"],
    deny_origins=[re.compile("x"), "https://b.com"],
    methods=None,
)
assert_type(policy.derive(max_age=datetime.timedelta(hours=1)), Policy)
assert_type(policy.max_age, int | None)
assert_type(policy.allow_credentials, bool)
assert_type(policy.enforce, Literal["off", "report", "unsafe", "all"])
assert_type(policy.allow_headers, Literal["*"] | tuple[str, ...])

Policy(orgins="*")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Policy("*")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Policy(max_age="600")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
cors(allow_credentials="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@app.get("/a")
@cors(policy, expose_headers="X-A")
def view(name: str) -> dict[str, str]:
    assert_type(current_decision.outcome, Outcome)
    return {"name": name}


assert_type(view("x"), dict[str, str])


@cors_exempt
def exempt(name: str) -> int:
    return len(name)


assert_type(exempt("x"), int)


@cors("partners")
class View(MethodView):
    @cors(methods=["PUT"])
    def put(self, name: str) -> str:
        return name


assert_type(View().put("x"), str)

blueprint = cors(origins=["https://a.com"])(Blueprint("b", __name__))
assert_type(blueprint, Blueprint)

guard.for_endpoint("static", origins="*")
guard.for_blueprint("outer.inner", policy, max_age=60)
guard.for_path("/api", "partners", max_age=60)
guard.for_blueprint("inner", ["partners", policy])
guard.for_files("static", "*.woff2", origins="*")
guard.reconfigure(policy, app=app, policies={"partners": policy})
guard.reconfigure(report_only=policy)
guard.reconfigure(report_only=False)

app.wsgi_app = guard.wsgi(app.wsgi_app, paths=["/static"])  # type: ignore[method-assign]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None: ...


served = guard.asgi(asgi_app, paths="/", app=app)
admits: bool = guard.origin_check(app, credentials=False)("https://a.com", {"PATH_INFO": "/"})
decision = guard.explain("/a", origin="https://a.com", method="PUT", headers=["X-A"])
assert_type(decision, Decision)
assert_type(decision.reason, Reason | None)
assert_type(decision.blocked, bool)
assert_type(decision.headers, Mapping[str, str])
for rule, methods, route_policy, source in guard.routes(app):
    assert_type(rule, str)
    assert_type(methods, tuple[str, ...])
    assert_type(route_policy, Policy | Audiences | None)
    assert_type(source, str)


@origin_rejected.connect_via(app)
def receiver(sender: Flask, decision: Decision) -> None:
    print(sender, decision.explain())


try:
    Policy()
except PolicyError as error:
    assert_type(error.problems, tuple[Problem, ...])
