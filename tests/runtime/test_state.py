"""What is in force for one app, and from when on."""

import pytest
from flask import Flask, request
from werkzeug.routing import Rule

from flask_corsguard import CorsGuard, CorsGuardError, current_decision
from flask_corsguard.runtime.state import state_of

SHOP = "https://shop.example"
PARTNER = "https://partner.example"


def test_the_state_is_kept_where_extensions_keep_theirs(app):
    CorsGuard(app)
    assert app.extensions["corsguard"] is state_of(app)


def test_no_decision_without_a_decision(app):
    CorsGuard(app)
    with (
        app.test_request_context("/"),
        pytest.raises(CorsGuardError, match=r"^the guard has not decided"),
    ):
        assert current_decision.origin


def test_reconfigure_before_the_routes_are_there(app, http):
    """The table is not built before the first request."""
    guard = CorsGuard(app)
    guard.for_endpoint("index", max_age=5)
    guard.reconfigure(origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    assert http.readers(app, "/") == [SHOP]


def test_an_environment_handed_on_to_another_app(site, http):
    """Each app's guard writes its own decision."""
    inner = Flask("inner", static_folder=None)
    inner.add_url_rule("/outer", "inner", lambda: "ok")
    CorsGuard(inner, origins=PARTNER)
    CorsGuard(site, origins=SHOP)

    @site.route("/outer")
    def hand_on():
        return b"".join(inner(request.environ, lambda *_: None))

    assert http.readers(site, "/outer") == [SHOP]


def test_a_late_rule_and_other_settings_meanwhile(site):
    """A request that began with the old settings gets what is in force now."""
    guard = CorsGuard(site, origins=SHOP)
    state = state_of(site)
    outdated = state.put_in_force()
    guard.reconfigure(origins=PARTNER)
    site.url_map.add(Rule("/late", endpoint="index"))
    with site.test_request_context("/late", headers={"Origin": PARTNER}) as context:
        decision, used = state.late_decision(context.request, outdated)
    assert decision.reason is None
    assert used is state.in_force is not outdated


def test_a_late_rule_before_the_first_request(site, http):
    """To look at it puts nothing in force."""
    CorsGuard(site, origins=SHOP)
    state = state_of(site)
    early = state.current()
    site.url_map.add(Rule("/late", endpoint="index"))
    with site.test_request_context("/late", headers={"Origin": SHOP}) as context:
        decision, _ = state.late_decision(context.request, early)
    assert decision.reason is None
    assert state.in_force is None


def test_a_teardown_function_that_fails_after_explain():
    app = Flask("shop")
    guard = CorsGuard(app, origins=lambda origin: origin == SHOP)
    app.teardown_appcontext(lambda _: 1 / 0)
    assert guard.explain("/", origin=SHOP, app=app).reason is None
