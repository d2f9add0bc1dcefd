"""Corners of recognising the app's own pages and of refusing what others have caused."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Decision, Outcome, current_decision

EVIL = "https://evil.com"
LONGEST = "x" * 64 + "://" + ".".join(["a" * 63, "a" * 63, "a" * 63, "a" * 61])


def make_app(**options: Any) -> tuple[Flask, list[Decision | None]]:
    """An app that refuses what other sites cause, and what was decided about its requests."""
    app = Flask(__name__)
    CorsGuard(app, enforce="unsafe", **options)
    decisions: list[Decision | None] = []

    @app.route("/", methods=["GET", "POST"])
    def index() -> str:
        decisions.append(current_decision._get_current_object())
        return "ok"

    return app, decisions


@pytest.mark.parametrize(
    ("upgrade", "status"),
    [
        ("", 200),
        ("h2c", 200),
        ("x" * 100, 200),
        ("x" * 101, 403),
        ("websocket", 403),
        ("WebSocket", 403),
        ("h2c, websocket", 403),
    ],
)
def test_what_is_taken_for_a_websocket(upgrade: str, status: int) -> None:
    app, _ = make_app()
    response = app.test_client().get("/", headers={"Origin": EVIL, "Upgrade": upgrade})
    assert response.status_code == status


def test_the_path_is_kept_of_what_is_rejected_alone() -> None:
    app, decisions = make_app()
    app.test_client().post("/", headers={"Origin": "http://localhost"})
    decision = decisions[0]
    assert decision is not None
    assert (decision.outcome, decision.reason, decision.path) == (Outcome.SAME_ORIGIN, None, "")


def test_the_longest_of_the_origins_that_are_the_apps_own() -> None:
    app, _ = make_app(self_origins=LONGEST)
    client = app.test_client()
    assert len(LONGEST) == 320
    assert client.post("/", headers={"Origin": LONGEST}).status_code == 200
    assert client.post("/", headers={"Origin": f"x{LONGEST}"}).status_code == 403


@pytest.mark.parametrize("origin", ["http://localhost", "http://xxxx", "http://", "null"])
def test_without_a_host_no_origin_is_the_apps_own(
    origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = make_app()
    response = app.test_client().post(
        "/", headers={"Origin": origin}, environ_overrides={"HTTP_HOST": ""}
    )
    assert response.status_code == 403
    assert "the app takes 'http://' for its own origin" in caplog.text
