"""What the guard writes to the log ``flask_corsguard``."""

import logging
import re
from types import SimpleNamespace

import pytest
from flask import Blueprint

from flask_corsguard import CorsGuard, cors
from flask_corsguard.runtime.state import state_of

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
MOST_REMEMBERED = 1024


@pytest.fixture
def shop(app):
    """An app with a view that takes GET and PUT, and one of a blueprint."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/x", "x", lambda: "ok", methods=["GET", "PUT"])
    api = cors(origins=SHOP)(Blueprint("api", __name__, url_prefix="/api"))
    api.add_url_rule("/y", "y", lambda: "ok", methods=["PUT"])
    app.register_blueprint(api)
    return app


@pytest.fixture
def clock(shop):
    """The clock of *shop*'s log, which goes when it is told to."""
    clock = SimpleNamespace(now=1000.0)
    state_of(shop).log.rate_limit._clock = lambda: clock.now
    return clock


@pytest.mark.parametrize(
    ("path", "method", "origin", "parts"),
    [
        ("/x", "GET", PARTNER, ["GET", "/x", PARTNER, "ORIGIN_NOT_ALLOWED", "default"]),
        ("/x", "PUT", "null", ["PUT", "/x", "'null'", "ORIGIN_NULL", "default"]),
        ("/x", "GET", "X", ["GET", "/x", "'X'", "ORIGIN_MALFORMED", "default"]),
        ("/api/y", "PUT", PARTNER, ["PUT", "/api/y", "ORIGIN_NOT_ALLOWED", "blueprint api"]),
        ("/none", "GET", PARTNER, ["GET", "/none", "ORIGIN_NOT_ALLOWED", "default"]),
    ],
)
def test_one_line_for_a_rejection(shop, http, caplog, path, method, origin, parts):
    """Each rejection is a warning: who asked for what, why it was rejected, and by which policy."""
    http.send(shop, path, origin, method=method)

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("flask_corsguard", logging.WARNING)
    assert [part for part in parts if part not in record.getMessage()] == []


@pytest.mark.parametrize(
    ("method", "headers", "reason"),
    [
        ("DELETE", None, "METHOD_NOT_ALLOWED"),
        ("PUT", "x-a", "HEADERS_NOT_ALLOWED"),
        ("PUT", "x a", "HEADERS_MALFORMED"),
    ],
)
def test_one_line_for_a_refused_preflight(shop, http, log_lines, method, headers, reason):
    http.preflight(shop, "/x", SHOP, method, headers)

    (line,) = log_lines()
    parts = ["preflight", method, "/x", SHOP, reason, "default"]
    assert [part for part in parts if part not in line] == []


def test_nothing_for_what_is_not_rejected(shop, http, log_lines):
    http.send(shop, "/x")
    http.send(shop, "/x", SHOP)
    http.send(shop, "/x", "http://localhost")
    http.preflight(shop, "/x", SHOP)
    assert log_lines() == []


def test_one_line_a_minute(shop, http, log_lines, clock):
    for _ in range(4):
        http.send(shop, "/x", PARTNER)
    assert len(log_lines()) == 1
    clock.now += 59.9
    http.send(shop, "/x", PARTNER)
    assert log_lines() == []
    clock.now += 0.2
    http.send(shop, "/x", PARTNER)
    (line,) = log_lines()
    assert "4 more" in line
    clock.now += 60
    http.send(shop, "/x", PARTNER)
    (line,) = log_lines()
    assert "more" not in line


def test_other_rejections_have_lines_of_their_own(shop, http, log_lines, clock):
    for _ in range(2):
        http.send(shop, "/x", PARTNER)
        http.send(shop, "/x", "https://other.example")  # another origin
        http.send(shop, "/api/y", PARTNER, method="PUT")  # another endpoint
        http.preflight(shop, "/x", SHOP, "DELETE")  # another reason
        http.preflight(shop, "/x", SHOP, "PUT", "x-a")
    assert len(log_lines()) == 5


@pytest.mark.slow
def test_memory_and_lines_are_bounded(shop, http, log_lines, clock):
    shop.config["PROPAGATE_EXCEPTIONS"] = True
    for n in range(MOST_REMEMBERED + 200):
        http.send(shop, "/x", f"https://evil{n}.example")
    limit = state_of(shop).log.rate_limit
    assert len(limit._quiet) <= MOST_REMEMBERED + 1
    assert len(log_lines()) <= MOST_REMEMBERED + 1

    clock.now += 61
    http.send(shop, "/x", "https://evil-after.example")
    http.send(shop, "/x", PARTNER)
    assert len(log_lines()) == 2
    assert len(limit._quiet) <= MOST_REMEMBERED + 1


@pytest.mark.slow
def test_what_a_flood_left_out_is_counted(shop, http, log_lines, clock):
    for n in range(MOST_REMEMBERED + 11):
        http.send(shop, "/x", f"https://evil{n}.example")
    left_out = MOST_REMEMBERED + 11 - len(log_lines())
    assert left_out > 0

    clock.now += 61
    for n in range(MOST_REMEMBERED + 11):
        http.send(shop, "/x", f"https://later{n}.example")
    assert any(re.search(rf"\b{left_out}\b.* left out", line) for line in log_lines())


NASTY = "\n\r\x00\x1b[31m\x7f\x85\xa0\u2028\u2029'\"\\%s{0}\ud800\U0001f600"


@pytest.mark.parametrize("length", [1, 1000], ids=["short", "long"])
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("where", ["path", "origin", "method", "requested method", "header"])
def test_no_line_is_broken(shop, http, log_lines, where, debug, length):
    """Whatever comes from the network, the log has one short line of printable ASCII."""
    shop.debug = debug
    text = NASTY * length
    wsgi_text = text.encode("utf-8", "surrogatepass").decode("latin-1")
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}
    environ = {
        "path": {"PATH_INFO": f"/{wsgi_text}"},
        "origin": {"HTTP_ORIGIN": text},
        "method": {"REQUEST_METHOD": text},
        "requested method": {**asked, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": text},
        "header": {**asked, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": f"x-a,{text}"},
    }[where]
    method = "OPTIONS" if "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ else "GET"
    if where != "origin":
        origin = SHOP if method == "OPTIONS" else PARTNER
        environ = {**environ, "HTTP_ORIGIN": origin}
    http.send(shop, "/x", method=method, environ=environ)

    (line,) = log_lines()
    assert line.isprintable()
    assert line.isascii()
    assert len(line) < 2500


def test_a_value_cannot_pass_for_the_rest_of_the_line(shop, http, log_lines):
    http.send(shop, "/x", "https://a.example': allowed by default. '")
    (line,) = log_lines()
    assert "': allowed" not in line
    http.send(shop, "/x from 'https://a.example': allowed", PARTNER)
    (line,) = log_lines()
    assert "'https://a.example'" not in line
    assert "': allowed" not in line


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [(PARTNER, "PUT", None), ("null", "PUT", None), (SHOP, "DELETE", None), (SHOP, "PUT", "x-a")],
)
def test_turned_off(app, http, log_lines, heard, origin, method, headers):
    """If rejections are not logged, signals are sent all the same."""
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/x", "x", lambda: "ok", methods=["PUT"])

    assert http.preflight(app, "/x", origin, method, headers) == http.denied()
    assert log_lines() == []
    assert len(heard) == 1


def test_turned_off_from_the_environment(app, http, log_lines, monkeypatch):
    monkeypatch.setenv("FLASK_CORSGUARD_LOG_REJECTIONS", "false")
    app.config.from_prefixed_env()
    CorsGuard(app)
    assert http.send(app, "/", SHOP) == http.refused(404)
    assert log_lines() == []


@pytest.mark.parametrize(
    ("origin", "method", "remedy"),
    [
        (PARTNER, "PUT", f'To allow it: origins=["{SHOP}", "{PARTNER}"]'),
        (SHOP, "DELETE", "To allow it: add a route that accepts DELETE"),
    ],
)
def test_debug_mode_ends_with_the_remedy(shop, http, log_lines, heard, origin, method, remedy):
    """In debug mode, a line ends with the same words as explain()."""
    http.preflight(shop, "/x", origin, method)
    (line,) = log_lines()
    assert remedy not in line

    shop.debug = True
    state_of(shop).log.rate_limit._quiet.clear()
    http.preflight(shop, "/x", origin, method)
    (line,) = log_lines()
    assert remedy in line
    last_line = heard[-1].decision.explain().splitlines()[-1]
    assert line.endswith(f". {last_line.strip()}")


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_a_handshake_that_nothing_refuses(shop, http, log_lines, heard, debug):
    """The line says that nobody holds it back, and what would; there is no signal."""
    shop.debug = debug
    state = state_of(shop)
    handshake = {"HTTP_UPGRADE": "websocket"}
    assert http.send(shop, "/x", PARTNER, environ=handshake) == http.refused()
    (line,) = log_lines()
    set_at = f"set at {state.settings.source}"
    assert line == (
        f"GET /x from '{PARTNER}': not refused (ORIGIN_NOT_ALLOWED) by default, {set_at}; no"
        ' browser holds a WebSocket handshake back, enforce="unsafe" refuses it'
        + f'. To refuse it: enforce="unsafe" (policy: default, {set_at}). To admit it:'
        f' origins=["{SHOP}", "{PARTNER}"] (policy: default, {set_at})' * debug + "."
    )
    # It has a line of its own, and no second one.
    http.send(shop, "/x", PARTNER)
    http.send(shop, "/x", PARTNER, environ=handshake)
    (line,) = log_lines()
    assert "rejected" in line
    assert [sent.name for sent in heard] == ["origin-rejected"]


def test_a_failing_check_says_what_raised(app, http, log_lines):
    def tenants(origin):
        raise LookupError(f"no tenant\n{origin}")

    CorsGuard(app, origins=tenants)
    http.send(app, "/", SHOP)
    (line,) = log_lines()
    assert "LookupError" in line
    assert line.isprintable()


# Headers that a view sets itself


def test_one_warning_for_each_endpoint(app, http, log_lines):
    CorsGuard(app, origins=SHOP)
    for name in ("one", "two"):
        app.add_url_rule(
            f"/{name}", name, lambda: ("ok", {"Access-Control-Allow-Origin": "*", "Vary": "Accept"})
        )
    for _ in range(3):
        http.send(app, "/one", SHOP)
    (line,) = log_lines()
    assert "one" in line
    assert "Access-Control-Allow-Origin" in line
    assert "Vary" not in line
    http.send(app, "/two")
    (line,) = log_lines()
    assert "two" in line


def test_one_warning_for_an_endpoint_that_sets_now_this_now_that(app, http, log_lines):
    CorsGuard(app, origins=SHOP)
    names = iter(["Origin", "Methods", "Headers"])
    app.add_url_rule("/", "index", lambda: ("ok", {f"Access-Control-Allow-{next(names)}": "x"}))
    for _ in range(3):
        http.send(app, "/", SHOP)
    assert len(log_lines()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Vary": "Accept"},
        {"Access-Control-Allow-Origin": SHOP},
        {"access-control-allow-origin": SHOP},
    ],
    ids=["none", "Vary", "the same", "the same in lower case"],
)
def test_no_warning_where_nothing_is_lost(app, http, log_lines, headers):
    """There is no warning if the view sets nothing, only ``Vary``, or what the guard sets."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: ("ok", headers))
    http.send(app, "/", SHOP)
    assert log_lines() == []
