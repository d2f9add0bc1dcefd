"""The signals, and the decision that they and the view are given."""

import re

import pytest
from blinker import ANY
from flask import Flask, current_app

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Decision,
    Outcome,
    Policy,
    Reason,
    cors,
    cors_exempt,
    current_decision,
    origin_allowed,
    origin_rejected,
    preflight_rejected,
)
from tests.raised import FAILURES, SHUTDOWNS

SHOP = "https://shop.example"
PARTNER = "https://partner.example"


@pytest.fixture
def shop(app):
    """An app with a guarded and an exempt view."""
    CorsGuard(app, origins=lambda origin: {SHOP: True, PARTNER: False}.get(origin, "?"))
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT"])
    app.add_url_rule(
        "/deny", "deny", cors(origins=SHOP, deny_origins=SHOP)(lambda: "ok"), methods=["PUT"]
    )
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"), methods=["PUT"])
    return app


@pytest.mark.parametrize("kind", ["guard", "name", "None", "current_app"])
def test_a_sender_that_is_no_app(app, kind):
    """Nothing would ever be sent to the receiver."""
    guard, before = CorsGuard(app), {**origin_rejected.receivers}
    with app.app_context():
        sender = {"guard": guard, "name": "app", "None": None, "current_app": current_app}[kind]
        with pytest.raises(CorsGuardError, match="is the Flask app itself, not "):
            origin_rejected.connect(print, sender)
        with pytest.raises(CorsGuardError) as caught:
            origin_rejected.connect_via(sender)(print)
    assert str(caught.value).endswith("Write connect_via(app), or connect for every app")
    assert origin_rejected.receivers == before


@pytest.mark.parametrize(
    ("path", "origin", "signal", "reason"),
    [
        ("/", None, None, None),
        ("/", SHOP, "origin-allowed", None),
        ("/", PARTNER, "origin-rejected", "ORIGIN_NOT_ALLOWED"),
        ("/", "null", "origin-rejected", "ORIGIN_NULL"),
        ("/", "Shop", "origin-rejected", "ORIGIN_MALFORMED"),
        ("/", "https://other.example", "origin-rejected", "ORIGIN_CHECK_FAILED"),
        ("/deny", SHOP, "origin-rejected", "ORIGIN_DENIED"),
        ("/none", SHOP, "origin-allowed", None),
        ("/exempt", SHOP, None, None),
    ],
)
def test_signal_of_an_ordinary_request(shop, http, heard, path, origin, signal, reason):
    """Each request with an origin has one signal, with the app as its sender."""
    http.send(shop, path, origin, method="PUT")
    assert said(heard) == ([(signal, shop, reason)] if signal else [])


def said(heard):
    return [
        (s.name, s.sender, s.decision.reason.name if s.decision.reason else None) for s in heard
    ]


@pytest.mark.parametrize(
    ("path", "origin", "method", "headers", "network", "signal", "reason"),
    [
        ("/", SHOP, "PUT", "", "", "origin-allowed", None),
        ("/", SHOP, "GET", "content-type", "", "origin-allowed", None),
        ("/", PARTNER, "PUT", "", "", "origin-rejected", "ORIGIN_NOT_ALLOWED"),
        ("/", PARTNER, "DELETE", "x", "", "origin-rejected", "ORIGIN_NOT_ALLOWED"),
        ("/", SHOP, "DELETE", "", "", "preflight-rejected", "METHOD_NOT_ALLOWED"),
        ("/", SHOP, "PUT", "x-a", "", "preflight-rejected", "HEADERS_NOT_ALLOWED"),
        ("/", SHOP, "PUT", "x a", "", "preflight-rejected", "HEADERS_MALFORMED"),
        ("/", SHOP, "PUT", "", "true", "preflight-rejected", "PRIVATE_NETWORK_NOT_ALLOWED"),
        ("/exempt", SHOP, "PUT", "", "", None, None),
    ],
)
def test_signal_of_a_preflight(
    shop, http, heard, path, origin, method, headers, network, signal, reason
):
    """A preflight has one signal too, and another one if only the preflight is at fault."""
    environ = {
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": method,
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": headers,
        "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK": network,
    }
    http.send(shop, path, origin, method="OPTIONS", environ=environ)
    assert said(heard) == ([(signal, shop, reason)] if signal else [])


def test_the_decision_of_a_preflight(app, http, heard):
    guard_policy = Policy(origins=SHOP, max_age=5)
    CorsGuard(app)
    app.add_url_rule("/x", "x", cors(guard_policy)(lambda: "ok"), methods=["PUT"])
    http.preflight(app, "/x", SHOP, "PUT", "X-B, x-a")

    decision = heard[0].decision
    assert isinstance(decision, Decision)
    assert decision.outcome is Outcome.REJECTED
    assert decision.reason is Reason.HEADERS_NOT_ALLOWED
    assert (decision.origin, decision.method) == (SHOP, "PUT")
    assert decision.request_headers == ("x-b", "x-a")
    assert decision.preflight is True
    assert (decision.endpoint, decision.policy_source) == ("x", "view x")
    assert decision.policy == guard_policy
    assert (decision.blocked, decision.report_only) == (False, False)
    assert set(decision.headers) == {"Vary"}


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_the_decision_names_the_headers_that_are_sent(site, http, heard, method):
    CorsGuard(site, origins=SHOP, allow_credentials=True, expose_headers="X-A")
    sent = http.send(site, "/", SHOP, method=method)
    preflight = http.preflight(site, "/", SHOP, method)

    for signal, response in zip(heard, (sent, preflight), strict=True):
        assert set(signal.decision.headers) == set(response.cors)


def _decisions(app):
    """What ``current_decision`` is in a view, a hook and an error handler of *app*."""
    seen = []

    def see(*_):
        seen.append(current_decision._get_current_object())

    app.add_url_rule("/seen", "seen", lambda: see() or "ok")
    app.before_request(see)
    app.after_request(lambda response: see() or response)
    app.register_error_handler(404, lambda error: see() or error)
    return seen


@pytest.mark.parametrize("origin", [SHOP, PARTNER])
@pytest.mark.parametrize("path", ["/seen", "/none"])
def test_current_decision_is_the_signalled_one(app, http, heard, path, origin):
    seen = _decisions(app)
    CorsGuard(app, origins=SHOP)
    http.send(app, path, origin)

    assert len(seen) == 3
    assert all(decision is heard[0].decision for decision in seen)


@pytest.mark.parametrize(
    ("path", "origin", "outcome", "source"),
    [
        ("/", None, Outcome.NOT_CORS, "default"),
        ("/", SHOP, Outcome.ALLOWED, "default"),
        ("/", PARTNER, Outcome.REJECTED, "default"),
        ("/view", SHOP, Outcome.ALLOWED, "view view"),
        ("/exempt", SHOP, Outcome.EXEMPT, "view exempt"),
    ],
)
def test_current_decision_in_a_view(app, http, path, origin, outcome, source):
    """A view has a current decision, whatever the request is."""
    CorsGuard(app, origins=SHOP)
    found = []

    def view():
        found.append((current_decision.outcome, current_decision.policy_source))
        return current_decision.explain()

    app.add_url_rule("/", "index", view)
    app.add_url_rule("/view", "view", cors(max_age=5)(lambda: view()))
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: view()))
    http.send(app, path, origin)
    assert found == [(outcome, source)]


def test_current_decision_without_a_guard(app):
    with app.test_request_context(), pytest.raises(CorsGuardError, match="has no guard"):
        current_decision.explain()


def test_current_decision_before_there_is_one(app):
    CorsGuard(app)
    with app.test_request_context(), pytest.raises(CorsGuardError, match="has not decided"):
        current_decision.explain()


@pytest.mark.parametrize(
    ("signal", "origin", "method"),
    [
        (origin_allowed, SHOP, "PUT"),
        (origin_rejected, PARTNER, "PUT"),
        (preflight_rejected, SHOP, "DELETE"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_receiver_that_raises(shop, http, heard, log_lines, signal, origin, method):
    """If a receiver raises, that is logged, and the request goes on."""

    def broken(_sender, decision):
        raise ZeroDivisionError(decision.method)

    expected = http.preflight(shop, "/", origin, method)
    assert len(heard) == 1
    log_lines()
    with signal.connected_to(broken, sender=shop):
        assert http.preflight(shop, "/", origin, method) == expected
        assert http.send(shop, "/", SHOP).status == 200

    assert [s.name for s in heard][:2] == 2 * [signal.name]  # the others are told all the same
    (line,) = log_lines()
    assert "broken" in line
    assert signal.name in line
    assert "ZeroDivisionError" in line


def on_allowed(decision): ...


class Receivers:
    def method(self): ...

    def __call__(self): ...


@pytest.mark.parametrize(
    ("receiver", "place", "written"),
    [
        (on_allowed, "on_allowed (tests/runtime/test_signals.py:%d)",
         "def on_allowed(sender, decision)"),
        (Receivers().method, "Receivers.method (tests/runtime/test_signals.py:%d)",
         "def method(self, sender, decision)"),
        (lambda sender: sender, "<lambda> (tests/runtime/test_signals.py:%d)",
         "lambda sender, decision: ..."),
        (Receivers(), "Receivers", ""),
    ],
    ids=["function", "method", "lambda", "object"],
)  # fmt: skip
def test_a_receiver_with_other_parameters(shop, http, log_lines, receiver, place, written):
    """The log says where it is, and how to write it."""
    with origin_allowed.connected_to(receiver, sender=shop):
        http.send(shop, "/", SHOP)
    (line,) = log_lines()
    code = getattr(receiver, "__code__", None)
    place = place % code.co_firstlineno if code else place
    assert line.startswith(f"receiver {place} of the signal origin-allowed failed: TypeError ")
    meant = f"Write {written}" if written else "It is called with (sender, decision)"
    assert re.search(rf"[\"']\. {re.escape(meant)}\.$", line)


def test_a_receiver_whose_own_code_is_wrong(shop, http, log_lines):
    def wrong(_sender, decision):
        return decision + 1

    with origin_allowed.connected_to(wrong, sender=shop):
        http.send(shop, "/", SHOP)
    (line,) = log_lines()
    assert "wrong of the signal origin-allowed failed: TypeError" in line
    assert "Write" not in line


@pytest.mark.parametrize("is_async", [False, True], ids=["", "async"])
@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES)
def test_a_receiver_that_raises_what_is_no_exception(shop, http, heard, log_lines, error, is_async):
    """A time-out or a cancellation in a receiver is a failure of that receiver alone."""

    def broken(_sender, decision):
        raise error()

    async def broken_later(_sender, decision):
        raise error()

    receiver = broken_later if is_async else broken
    with origin_allowed.connected_to(receiver, sender=shop):
        assert http.send(shop, "/", SHOP) == http.allowed(SHOP)
    assert len(heard) == 1
    (line,) = log_lines()
    assert (
        f"{receiver.__name__} of the signal origin-allowed failed: {type(error()).__name__}" in line
    )


@pytest.mark.parametrize("error", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_a_receiver_does_not_hold_back_a_shutdown(shop, http, log_lines, error):
    def stop(_sender, decision):
        raise error()

    with origin_allowed.connected_to(stop, sender=shop), pytest.raises(type(error())):
        http.send(shop, "/", SHOP)
    assert log_lines() == []


class Nameless:
    """A receiver that fails, and has no name to log."""

    def __call__(self, _sender, decision):
        raise LookupError

    def __getattr__(self, name):
        if name.strip("_") in ("func", "im_func"):  # blinker asks for these
            raise AttributeError(name)
        raise LookupError(name)


def test_a_receiver_without_a_name(shop, http, log_lines):
    with origin_allowed.connected_to(Nameless(), sender=shop):
        assert http.send(shop, "/", SHOP) == http.allowed(SHOP)
    (line,) = log_lines()
    assert "receiver Nameless" in line


def test_an_async_receiver(shop, http):
    told = []

    async def receiver(sender, decision):
        told.append((sender, decision.origin))

    with origin_allowed.connected_to(receiver, sender=shop):
        assert http.send(shop, "/", SHOP) == http.allowed(SHOP)
    assert told == [(shop, SHOP)]


def test_a_receiver_cannot_change_the_verdict(shop, http):
    def meddle(_sender, decision):
        with pytest.raises(AttributeError):
            decision.outcome = Outcome.ALLOWED
        with pytest.raises(TypeError):
            decision.headers["Access-Control-Allow-Origin"] = decision.origin
        return True

    with origin_rejected.connected_to(meddle, sender=shop):
        assert http.send(shop, "/", PARTNER) == http.refused()


def test_no_receivers(shop, http, monkeypatch):
    for signal in (origin_allowed, origin_rejected, preflight_rejected):
        monkeypatch.setattr(signal, "receivers", {})  # nothing of other tests
        monkeypatch.setattr(signal, "receivers_for", None)  # not looked for
    assert http.send(shop, "/", SHOP) == http.allowed(SHOP)
    assert http.send(shop, "/", PARTNER) == http.refused()
    assert http.preflight(shop, "/", SHOP, "DELETE") == http.denied()


def test_receivers_of_one_app_hear_of_that_app_only(shop, http):
    other = Flask("other")
    CorsGuard(other, origins=SHOP)
    told = []
    with origin_allowed.connected_to(lambda sender, decision: told.append(sender), sender=other):
        http.send(shop, "/", SHOP)
        http.send(other, "/", SHOP)
    assert told == [other]


def test_one_signal_for_each_request(shop, http, heard):
    shop.before_request(lambda: ("no", 401))
    shop.url_value_preprocessor(lambda *_: 1 / 0)
    http.send(shop, "/", PARTNER)
    http.preflight(shop, "/", PARTNER)
    assert [s.name for s in heard] == 2 * ["origin-rejected"]


def _listen(signal, receiver, app=ANY):
    signal.connect(receiver, app)


@pytest.mark.parametrize(
    "listen",
    [
        lambda app: _listen(origin_rejected, lambda sender, decision: None),
        lambda app: _listen(origin_rejected, lambda sender, decision: None, app),
    ],
    ids=["of every app", "of one app"],
)
def test_a_receiver_that_is_gone_before_it_is_called(shop, log_lines, listen):
    listen(shop)
    (line,) = log_lines()
    write = "Write @origin_rejected.connect_via(app), or connect(<lambda>, weak=False)."
    assert line.endswith(write)
    assert re.match(
        r"The receiver \S*<lambda> \(.*test_signals\.py:\d+\) of the signal origin-r", line
    )


def test_receivers_that_are_gone_in_order(shop, log_lines):
    """After a call, as in a test; or after they were disconnected."""

    def receiver(sender, decision):
        called.append(decision)

    called = []
    origin_rejected.connect(receiver)
    shop.test_client().get("/", headers={"Origin": PARTNER})
    origin_rejected.connect(other := lambda sender, decision: None)
    origin_rejected.disconnect(other)
    del receiver, other
    assert called
    (line,) = log_lines()
    assert line.startswith("GET / ")
