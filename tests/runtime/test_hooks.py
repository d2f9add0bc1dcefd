"""How the guard's hooks stay at the edge of what an app runs, and what they leave behind."""

import pytest
from flask import Flask, abort, request
from flask.signals import request_started

from flask_corsguard import CorsGuard, current_decision
from flask_corsguard.runtime.state import state_of

SHOP = "https://shop.example"


def test_the_first_request_of_another_app_is_not_this_apps(site, http):
    """After another app's first request, functions registered on this app still run inside."""
    CorsGuard(site, origins=SHOP)
    http.send(Flask("other"), "/")
    ran = []
    site.before_request_funcs[None].insert(0, lambda: ran.append("in front"))
    http.preflight(site, "/", SHOP)
    assert ran == []


def test_nothing_listens_to_each_request_after_the_first(site, http):
    before = list(request_started.receivers_for(site))  # the pytest plugin listens too
    CorsGuard(site, origins=SHOP)
    assert list(request_started.receivers_for(site)) != before
    http.send(site, "/")
    assert list(request_started.receivers_for(site)) == before


def test_a_thread_that_connects_a_receiver_meanwhile(site, http, monkeypatch):
    def disconnect(*_):
        raise RuntimeError("dictionary changed size during iteration")

    before = list(request_started.receivers_for(site))
    CorsGuard(site, origins=SHOP)
    with monkeypatch.context() as patched:
        patched.setattr(request_started, "disconnect", disconnect)
        # Not http.send(): a simulated browser listens to the signal too.
        assert http.open(site, "/", SHOP).headers["Access-Control-Allow-Origin"] == SHOP
    http.send(site, "/")
    assert list(request_started.receivers_for(site)) == before


@pytest.mark.parametrize("status", [401, 404])
def test_the_status_of_what_ended_a_request_early_is_kept(site, status):
    """The status is kept in the environment for the audit, which looks it up for preflights."""
    CorsGuard(site, origins=SHOP)
    site.url_value_preprocessor(lambda *_: abort(status))
    environ = {}
    site.teardown_request(lambda _: environ.update(request.environ))
    site.test_client().get("/")
    assert environ[state_of(site).environ_key].ended_early == status


def test_current_decision_outside_of_a_request():
    """Tools look at every object: gevent does when it patches modules that are loaded already."""
    assert repr(current_decision) == "<LocalProxy unbound>"
    assert not isinstance(current_decision, int)
    with pytest.raises(RuntimeError, match="outside of request context"):
        current_decision.outcome  # noqa: B018
