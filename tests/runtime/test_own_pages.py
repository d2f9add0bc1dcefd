"""A route that the guard leaves alone is left alone by what recognises the app's own pages."""

from __future__ import annotations

from flask import Request

from flask_corsguard import Policy
from flask_corsguard.protocol.decision import CorsRequest, Scope, exempt
from flask_corsguard.runtime.enforcement import settle

EVIL = "https://evil.com"


def test_a_route_that_is_left_alone_stays_so() -> None:
    decision = exempt(CorsRequest(EVIL, "POST"), Scope("index", "view index"))
    request = Request({"HTTP_ORIGIN": EVIL, "REQUEST_METHOD": "POST"})
    nobody = Policy().deny_origins
    assert settle(decision, request, nobody) is decision
