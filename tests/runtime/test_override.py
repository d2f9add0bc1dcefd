"""``dangerously_let_views_override``: a view's own headers stand, and nothing is said of them."""

import logging

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    make_response,
    redirect,
    request,
    stream_with_context,
)
from werkzeug.test import create_environ, run_wsgi_app

from flask_corsguard import (
    CorsGuard,
    Outcome,
    Policy,
    cors,
    cors_exempt,
    current_decision,
    origin_allowed,
    origin_rejected,
    preflight_rejected,
)
from flask_corsguard.runtime.state import state_of
from flask_corsguard.testing import Browser

SHOP = "https://shop.example"
EVIL = "https://evil.example"
ACAO, ACAC = "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"
VIEWS = {"origins": SHOP, "dangerously_let_views_override": True}
ASKED = {"Access-Control-Request-Method": "PUT"}
STAR = [(ACAO, "*")]


def own(response):
    response.headers[ACAO] = "*"
    return response


def lines(response):
    """The ``Access-Control-*`` lines as they were sent."""
    return sorted((n, v) for n, v in response.headers if n.lower().startswith("access-control-"))


def vary(response):
    return {name.strip() for name in ",".join(response.headers.getlist("Vary")).split(",")}


def send(app, path, origin=None, method="GET", **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= {"Origin": origin} if origin else {}
    with app.test_client().open(path, method=method, headers=sent) as response:
        response.get_data()
    return response


@pytest.fixture
def told(app):
    """What is announced of an app's requests: signals by their first word, and log lines."""
    found = []

    def hear(word):
        def receiver(sender, decision):
            found.append((word, request.path, decision.explain().partition("\n")[0]))

        return receiver

    receivers = [
        (origin_allowed, hear("allowed")),
        (origin_rejected, hear("rejected")),
        (preflight_rejected, hear("preflight rejected")),
    ]
    for signal, receiver in receivers:
        signal.connect(receiver, app)
    yield found
    for signal, receiver in receivers:
        signal.disconnect(receiver, app)


# What stands


class Later(Response):
    """Writes its headers when it is sent."""

    def get_wsgi_headers(self, environ):
        return own(self).headers.copy()


class OwnError(Exception):
    pass


OWN = {
    "/own": (lambda: ("ok", {ACAO: "*"}), STAR),
    "/lower": (lambda: ("ok", {"access-control-allow-origin": "*"}), [(ACAO.lower(), "*")]),
    "/attribute": (lambda: with_attribute(), STAR),
    "/twice": (lambda: ("ok", [(ACAO, "*"), (ACAO, SHOP)]), [(ACAO, "*"), (ACAO, SHOP)]),
    "/one-header": (
        lambda: ("ok", {"Access-Control-Expose-Headers": "ETag"}),
        [("Access-Control-Expose-Headers", "ETag")],
    ),
    "/credentials": (
        lambda: ("ok", {ACAO: request.headers.get("Origin", "-"), ACAC: "true"}), None
    ),
    "/redirect": (lambda: own(redirect("/plain")), STAR),
    "/not-modified": (lambda: own(not_modified()), STAR),
    "/abort": (lambda: abort(own(make_response("no", 403))), STAR),
    "/handled": (lambda: raise_conditional(), STAR),
    "/streamed": (lambda: own(Response(stream_with_context(iter("abc")))), STAR),
    "/after-this": (lambda: after_this_request(own) and "ok", STAR),
    "/blueprint/x": (lambda: "ok", STAR),
}  # fmt: skip


def with_attribute():
    response = make_response("ok")
    response.access_control_allow_origin = "*"
    return response


def not_modified():
    response = make_response("ok")
    response.set_etag("v1")
    return response.make_conditional(request)


def raise_conditional():
    raise OwnError


@pytest.fixture
def views(app):
    """An app whose views write headers of their own, in every way there is."""
    blueprint = Blueprint("blueprint", __name__)
    blueprint.after_request(own)
    for path, (view, _) in OWN.items():
        target = blueprint if path.startswith("/blueprint") else app
        target.add_url_rule(path, path.strip("/").replace("/", "-"), view)
    app.register_blueprint(blueprint)
    app.add_url_rule("/plain", "plain", lambda: ("ok", {"Vary": "Accept"}), methods=["GET", "PUT"])
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    app.register_error_handler(OwnError, lambda error: own(make_response("handled", 418)))
    return app


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize("fields", [VIEWS, {**VIEWS, "origins": "*"}], ids=["listed", "any"])
def test_headers_of_the_views_own_stand(views, path, fields):
    """As the view wrote them, whoever asks; caches are told that it may depend on that."""
    CorsGuard(views, **fields)
    for _ in range(2):
        for origin in (SHOP, EVIL, None):
            response = send(views, path, origin, If_None_Match='"v1"')
            expected = OWN[path][1] or [(ACAC, "true"), (ACAO, origin or "-")]
            assert lines(response) == sorted(expected)
            assert vary(response) == {"Origin"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_any_the_policy_is_sent(views, method):
    CorsGuard(views, **VIEWS)
    for path in ("/plain", "/broken", "/none"):
        for origin, expected in ((SHOP, [(ACAO, SHOP)]), (EVIL, []), (None, [])):
            response = send(views, path, origin, method)
            assert lines(response) == expected
            assert vary(response) - {"Accept"} == {"Origin"}


def test_everybody_may_read_what_has_none(views):
    """A cache must not keep this for an origin to which the view says something else."""
    CorsGuard(views, origins="*", dangerously_let_views_override=True)
    for origin in (SHOP, None):
        response = send(views, "/plain", origin)
        assert (lines(response), vary(response)) == (STAR, {"Accept", "Origin"})


@pytest.mark.parametrize("path", OWN)
def test_without_the_field_they_are_replaced(views, path):
    CorsGuard(views, origins=SHOP)
    assert lines(send(views, path, SHOP, If_None_Match='"v1"')) == [(ACAO, SHOP)]
    assert lines(send(views, path, EVIL, If_None_Match='"v1"')) == []


def test_a_response_that_is_sent_again(app):
    """What the guard wrote on it does not count as the view's own; what the view adds does."""
    CorsGuard(app, **VIEWS, allow_credentials=True)
    kept = Response("ok")

    @app.get("/")
    def index():
        if "own" in request.args:
            kept.headers[ACAO] = "https://own.example"
        return kept

    mine = [(ACAC, "true"), (ACAO, SHOP)]
    assert lines(send(app, "/", SHOP)) == mine
    assert lines(send(app, "/", EVIL)) == []
    assert lines(send(app, "/", SHOP)) == mine
    assert lines(send(app, "/?own", SHOP)) == [(ACAO, "https://own.example")]
    assert lines(send(app, "/", SHOP)) == [(ACAO, "https://own.example")]


def test_one_response_for_two_routes(app):
    """On a route without the field, the same response has the guard's headers."""
    CorsGuard(app, origins=SHOP)
    kept = Response("ok", headers={ACAO: "*"})
    app.add_url_rule("/own", "own", cors(dangerously_let_views_override=True)(lambda: kept))
    app.add_url_rule("/plain", "plain", lambda: kept)
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: kept))
    for path, expected in (("/own", STAR), ("/exempt", STAR), ("/own", STAR)):
        assert lines(send(app, path, EVIL)) == expected
    assert lines(send(app, "/plain", SHOP)) == [(ACAO, SHOP)]


def test_headers_that_are_written_when_the_response_is_sent():
    app = Flask("shop")  # the fixture's would change the response's class
    CorsGuard(app, **VIEWS)
    app.add_url_rule("/", "index", Later)
    for origin in (SHOP, EVIL, None):
        assert lines(send(app, "/", origin)) == STAR


MARKS = {
    "view": ({}, cors(dangerously_let_views_override=True)),
    "policy": ({}, cors(Policy(**VIEWS))),
    "default": ({"dangerously_let_views_override": True}, None),
    "not here": (
        {"dangerously_let_views_override": True}, cors(dangerously_let_views_override=False)
    ),
}  # fmt: skip


@pytest.mark.parametrize("where", MARKS)
def test_a_mark_sets_it_like_any_field(app, where):
    fields, mark = MARKS[where]
    CorsGuard(app, origins=SHOP, **fields)
    view = lambda: ("ok", {ACAO: "*"})  # noqa: E731
    app.add_url_rule("/", "index", mark(view) if mark else view)
    assert lines(send(app, "/", EVIL)) == ([] if where == "not here" else STAR)


def test_of_several_policies_the_one_that_decides_says_so(app):
    CorsGuard(app, [Policy(**VIEWS), Policy(origins="*")])
    app.add_url_rule("/", "index", lambda: ("ok", {ACAO: "https://own.example"}))
    assert lines(send(app, "/", SHOP)) == [(ACAO, "https://own.example")]
    assert lines(send(app, "/", EVIL)) == STAR


def test_configuration(app):
    app.config["CORSGUARD_DANGEROUSLY_LET_VIEWS_OVERRIDE"] = True
    CorsGuard(app)
    app.add_url_rule("/", "index", lambda: ("ok", {ACAO: "*"}))
    assert lines(send(app, "/", EVIL)) == STAR


def test_on_and_off_while_the_app_runs(app, told):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: ("ok", {ACAO: "*"}))
    for _ in range(2):
        assert lines(send(app, "/", EVIL)) == []
        guard.reconfigure(dangerously_let_views_override=True, app=app)
        assert lines(send(app, "/", EVIL)) == STAR
        guard.reconfigure(dangerously_let_views_override=False, app=app)
    assert [word for word, *_ in told] == ["rejected", "rejected"]


# What is the guard's own


@pytest.fixture
def adding(app):
    """An app with an after_request function that lets everybody read."""
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT"])
    app.after_request(own)
    return app


def test_the_guards_own_preflights_keep_its_headers(adding, http):
    CorsGuard(adding, **VIEWS)
    assert http.preflight(adding, "/", SHOP) == http.granted(SHOP, "GET, HEAD, OPTIONS, PUT")
    assert http.preflight(adding, "/", EVIL) == http.denied()
    assert lines(send(adding, "/", EVIL)) == STAR


def test_refused_requests_keep_its_headers(adding, told):
    CorsGuard(adding, **VIEWS, enforce="unsafe")
    response = send(adding, "/", EVIL, "PUT", Sec_Fetch_Site="cross-site")
    assert (response.status_code, lines(response)) == (403, [])
    assert [word for word, *_ in told] == ["rejected"]


def test_an_own_page_s_preflight_is_the_apps(adding):
    """The guard answers none of these: CORS does not apply."""
    CorsGuard(adding, **VIEWS)
    response = send(adding, "/", "http://localhost", "OPTIONS", **ASKED)
    assert (response.status_code, lines(response)) == (200, STAR)


@pytest.mark.parametrize("origin", [SHOP, EVIL])
def test_an_options_view_of_ones_own_stands_wholly(app, told, origin):
    CorsGuard(app, **VIEWS, answer_preflight=False)
    mine = {ACAO: "*", "Access-Control-Allow-Methods": "PUT", "Access-Control-Max-Age": "3"}
    app.add_url_rule("/", "options", lambda: ("", 299, mine), methods=["OPTIONS"])
    app.add_url_rule("/", "put", lambda: "ok", methods=["PUT"])
    response = send(app, "/", origin, "OPTIONS", **ASKED)
    assert (response.status_code, lines(response)) == (299, sorted(mine.items()))
    assert "Access-Control-Request-Method" in vary(response)
    assert told == []


def test_flasks_own_options_has_the_policy_s_headers(app, told):
    CorsGuard(app, **VIEWS, answer_preflight=False)
    app.add_url_rule("/", "put", lambda: "ok", methods=["PUT"])
    assert (ACAO, SHOP) in lines(send(app, "/", SHOP, "OPTIONS", **ASKED))
    assert lines(send(app, "/", EVIL, "OPTIONS", **ASKED)) == []
    assert [word for word, *_ in told] == ["allowed", "rejected"]


# What is said of it


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.WARNING, logger="flask_corsguard")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "flask_corsguard"]


def counted(guard, app):
    return {
        (kind.outcome, kind.reason and kind.reason.name, kind.endpoint, kind.preflight): number
        for kind, number in guard.counts(app).items()
    }


def test_nothing_is_said_of_what_a_view_has_decided(views, told, logged):
    guard = CorsGuard(views, **VIEWS)
    for path in OWN:
        for origin in (SHOP, EVIL):
            send(views, path, origin)
    assert (told, logged()) == ([], [])
    assert {outcome for outcome, *_ in counted(guard, views)} == {Outcome.EXEMPT}
    assert sum(guard.counts(views).values()) == 2 * len(OWN)


def test_what_the_policy_decided_is_said_once(views, told, logged):
    guard = CorsGuard(views, **VIEWS)
    send(views, "/plain", SHOP)
    send(views, "/plain", EVIL)
    send(views, "/plain")
    send(views, "/plain", "http://localhost")
    assert told == [
        ("allowed", "/plain", f"GET (endpoint plain) from '{SHOP}': allowed."),
        ("rejected", "/plain", f"GET /plain from '{EVIL}': rejected (ORIGIN_NOT_ALLOWED)."),
    ]
    (line,) = logged()
    assert line.startswith(
        f"GET /plain from '{EVIL}': rejected (ORIGIN_NOT_ALLOWED) by the default policy"
    )
    assert counted(guard, views) == {
        (Outcome.ALLOWED, None, "plain", False): 1,
        (Outcome.REJECTED, "ORIGIN_NOT_ALLOWED", "plain", False): 1,
        (Outcome.NOT_CORS, None, "plain", False): 1,
        (Outcome.SAME_ORIGIN, None, "plain", False): 1,
    }


def test_a_rejected_preflight_is_said_once(views, told):
    guard = CorsGuard(views, **VIEWS)
    send(views, "/own", SHOP, "OPTIONS", **ASKED)
    assert [word for word, *_ in told] == ["preflight rejected"]
    assert counted(guard, views) == {(Outcome.REJECTED, "METHOD_NOT_ALLOWED", "own", True): 1}


def test_the_decision_as_the_request_goes_on():
    seen = []
    app = Flask("shop")
    CorsGuard(app, **VIEWS)

    @app.get("/<how>")
    def index(how):
        seen.append((current_decision.may_be_overridden, current_decision.overridden))
        assert "unless the view overrides it" in current_decision.explain()
        return "ok", {ACAO: "*"} if how == "own" else {}

    @app.teardown_request
    def end(_error):
        seen.append((current_decision.outcome, current_decision.overridden))

    send(app, "/own", EVIL)
    send(app, "/plain", EVIL)
    assert seen == [
        (True, None), (Outcome.EXEMPT, True), (True, None), (Outcome.REJECTED, False)
    ]  # fmt: skip


@pytest.mark.parametrize("field", [True, False])
def test_a_report_only_policy_says_what_it_would_do(views, told, field):
    """With the field, it would leave the view's headers alone; without, it would replace them."""
    report_only = Policy(dangerously_let_views_override=field)
    CorsGuard(views, **VIEWS, report_only=report_only)
    send(views, "/own", SHOP)
    send(views, "/plain", SHOP)
    would = [("rejected", "/own")] if not field else []
    assert [(word, path) for word, path, _ in told] == [
        *would, ("allowed", "/plain"), ("rejected", "/plain")
    ]  # fmt: skip


def test_a_report_only_policy_that_lets_views_override(views, told):
    """The one in force replaces the headers; the other would let them stand."""
    CorsGuard(views, origins=SHOP, report_only=Policy(dangerously_let_views_override=True))
    assert lines(send(views, "/own", SHOP)) == [(ACAO, SHOP)]
    send(views, "/plain", SHOP)
    assert [(word, path) for word, path, _ in told] == [
        ("allowed", "/own"), ("allowed", "/plain"), ("rejected", "/plain")
    ]  # fmt: skip


def test_what_enforce_would_refuse_is_said_whatever_the_view_sends(app, told):
    """It would not have run."""
    guard = CorsGuard(app, **VIEWS, enforce="report")
    app.add_url_rule("/", "index", lambda: ("ok", {ACAO: "*"}), methods=["POST"])
    send(app, "/", EVIL, "POST", Sec_Fetch_Site="cross-site")
    ((word, _, words),) = told
    assert (word, words) == (
        "rejected", f"POST / from '{EVIL}': would be rejected (ORIGIN_NOT_ALLOWED)."
    )  # fmt: skip
    assert counted(guard, app) == {(Outcome.EXEMPT, None, "index", False): 1}


def test_a_handshake_is_announced_before_the_view_runs(app, told):
    """The view runs as long as its socket is open."""
    CorsGuard(app, **VIEWS)
    seen = []
    app.add_url_rule("/", "index", lambda: seen.append(len(told)) or "ok")
    send(app, "/", SHOP, Upgrade="websocket")
    assert (seen, [word for word, *_ in told]) == ([1], ["allowed"])


# Where something goes wrong, or past the hooks


def test_an_exception_that_leaves_the_app(views, told):
    """Whatever responds has no headers of the view's. Receivers can still look at the request."""
    guard = CorsGuard(views, **VIEWS)
    views.config["PROPAGATE_EXCEPTIONS"] = True
    for origin in (SHOP, EVIL):
        with pytest.raises(ZeroDivisionError):
            send(views, "/broken", origin)
    assert [(word, path) for word, path, _ in told] == [
        ("allowed", "/broken"), ("rejected", "/broken")
    ]  # fmt: skip
    assert sum(guard.counts(views).values()) == 2


def test_headers_on_the_response_to_an_error(adding, told):
    """An after_request function runs on the 500 too, and what it writes stands."""
    CorsGuard(adding, **VIEWS)
    adding.add_url_rule("/broken", "broken", lambda: 1 / 0)
    assert lines(send(adding, "/broken", EVIL)) == STAR
    assert told == []


def test_an_after_request_function_that_fails(app, told):
    """Flask sends the 500 as it is then, with the policy's headers."""
    CorsGuard(app, **VIEWS)
    app.add_url_rule("/", "index", lambda: ("ok", {ACAO: "*"}))

    @app.after_request
    def fails(response):
        raise ValueError

    response = send(app, "/", EVIL)
    assert (response.status_code, lines(response)) == (500, [])
    assert [word for word, *_ in told] == ["rejected"]


def test_what_responds_past_the_hooks(app, told):
    """As Flask-RESTX does."""
    CorsGuard(app, **VIEWS)
    app.handle_exception = lambda error: own(Response("error", 500))
    app.add_url_rule("/", "index", lambda: 1 / 0)
    for origin in (SHOP, EVIL, None):
        response = send(app, "/", origin)
        assert (lines(response), vary(response)) == (STAR, {"Origin"})
    assert told == []


def test_what_writes_after_the_guard_is_replaced(app, told):
    """By then the guard has written its own."""
    CorsGuard(app, **VIEWS)

    class Kind(Response):
        def get_wsgi_headers(self, environ):
            return own(self).headers.copy()

    app.response_class = Kind
    app.add_url_rule("/", "index", lambda: "ok")
    assert lines(send(app, "/", SHOP)) == [(ACAO, SHOP)]
    assert lines(send(app, "/", EVIL)) == []
    assert [word for word, *_ in told] == ["allowed", "rejected"]


def test_past_the_middleware(views, told):
    """Something has put the old ``wsgi_app`` back."""
    before = views.wsgi_app
    CorsGuard(views, **VIEWS)
    views.wsgi_app = before
    for path in ("/own", "/plain"):
        send(views, path, EVIL)
    assert [(word, path) for word, path, _ in told] == [("rejected", "/plain")]


def test_before_the_guard(app, told):
    """A function that ends the request before the hooks is no different from a view."""
    guard = CorsGuard(app, **VIEWS)
    app.add_url_rule("/", "index", lambda: "ok")

    @guard.run_first
    def first():
        return own(make_response("", 401)) if "own" in request.args else make_response("", 401)

    assert lines(send(app, "/?own", EVIL)) == STAR
    assert lines(send(app, "/", SHOP)) == [(ACAO, SHOP)]
    assert [word for word, *_ in told] == ["allowed"]


def test_a_request_within_a_request(app, told):
    """Each has headers, and an announcement, of its own."""
    CorsGuard(app, **VIEWS)

    @app.get("/outer")
    def outer():
        environ = request.environ.copy() | {"PATH_INFO": "/inner"}
        environ.pop(state_of(current_app).environ_key, None)
        run_wsgi_app(current_app, environ)
        return "ok"

    app.add_url_rule("/inner", "inner", lambda: ("ok", {ACAO: "*"}))
    assert lines(send(app, "/outer", EVIL)) == []
    assert [(word, path) for word, path, _ in told] == [("rejected", "/outer")]


def test_another_request_that_a_view_pushes(app, told):
    """It gets no response."""
    CorsGuard(app, **VIEWS)

    @app.get("/outer")
    def outer():
        with app.request_context(request.environ.copy() | {"PATH_INFO": "/inner"}):
            app.preprocess_request()
        return "ok", {ACAO: "*"}

    app.add_url_rule("/inner", "inner", lambda: "ok")
    assert lines(send(app, "/outer", SHOP)) == STAR
    assert [(word, path) for word, path, _ in told] == [("allowed", "/inner")]


@pytest.mark.parametrize("path", ["/plain", "/own"])
def test_in_front_the_guard_owns_the_headers(views, told, path):
    """``guard.wsgi`` replaces what it is in front of sends, a view's too, and announces first."""
    guard = CorsGuard(views, **VIEWS)
    views.wsgi_app = guard.wsgi(views.wsgi_app, paths="/", app=views)
    assert lines(send(views, path, SHOP)) == [(ACAO, SHOP)]
    assert lines(send(views, path, EVIL)) == []
    decision = guard.explain(path, origin=EVIL, app=views)
    assert "unless" not in decision.explain()
    assert [word for word, *_ in told] == ["allowed", "rejected"]


def test_what_asks_whether_an_origin_may(app, logged):
    """Socket.IO, say, writes the headers itself: no view overrides its verdict."""
    guard = CorsGuard(app, **VIEWS)
    environ = create_environ("/socket.io/", headers={"Origin": EVIL})
    assert guard.origin_check(app, credentials=False)(EVIL, environ) is False
    (line,) = logged()
    assert "rejected (ORIGIN_NOT_ALLOWED) by the default policy" in line


# An app like Amazon's S3: each bucket has CORS rules of its own, which its owner writes


RULES = {
    "public": {"origins": ["*"], "methods": ["GET"], "age": "3000"},
    "shop": {"origins": [SHOP], "methods": ["GET", "PUT"], "expose": "ETag"},
    "closed": None,
}


def storage(**fields):
    """A storage whose views write headers by the rules of the bucket, for preflights too."""
    app = Flask("storage", static_folder=None)
    if fields:
        CorsGuard(app, **fields)

    def granted(name, method):
        rule, origin = RULES[name], request.headers.get("Origin")
        if not rule or not origin or method not in rule["methods"]:
            return {}
        if not {"*", origin} & {*rule["origins"]}:
            return {}
        headers = {
            ACAO: "*" if "*" in rule["origins"] else origin,
            "Access-Control-Allow-Methods": ", ".join(rule["methods"]),
            "Access-Control-Expose-Headers": rule.get("expose", ""),
        }
        headers |= {"Access-Control-Max-Age": rule["age"]} if "age" in rule else {}
        return {name: value for name, value in headers.items() if value}

    @app.route("/<name>/<key>", methods=["OPTIONS"])
    def ask(name, key):
        headers = granted(name, request.headers.get("Access-Control-Request-Method"))
        return "", 200 if headers else 403, headers

    @app.route("/<name>/<key>", methods=["GET", "PUT", "DELETE"])
    def act(name, key):
        return key, {"ETag": '"1"', **granted(name, request.method)}

    @app.get("/health")
    def health():
        return "ok"

    return app


STORAGE = {"dangerously_let_views_override": True, "answer_preflight": False}
READS = {
    ("public", SHOP, "GET"): True,
    ("public", EVIL, "GET"): True,
    ("public", EVIL, "PUT"): False,
    ("shop", SHOP, "GET"): True,
    ("shop", SHOP, "PUT"): True,
    ("shop", SHOP, "DELETE"): False,
    ("shop", EVIL, "GET"): False,
    ("shop", EVIL, "PUT"): False,
    ("closed", SHOP, "GET"): False,
    ("closed", SHOP, "PUT"): False,
}


@pytest.mark.parametrize(("name", "page", "method"), READS)
@pytest.mark.parametrize("engine", ["standard", "chromium", "firefox", "webkit"])
def test_buckets_keep_their_rules(name, page, method, engine):
    """Pages get from the guarded storage what they got before, and nothing more."""
    url = f"https://api.test/{name}/a.txt"
    before = Browser(storage(), page, engine).fetch(url, method=method)
    after = Browser(storage(**STORAGE), page, engine).fetch(url, method=method)
    assert before.readable == after.readable == READS[name, page, method]
    assert [exchange.status for exchange in before.exchanges] == [
        exchange.status for exchange in after.exchanges
    ]
    assert before.readable is False or dict(before.headers) == dict(after.headers)
    # With the guard's own headers it was not like that.
    replaced = Browser(storage(origins="https://app.example"), page, engine)
    assert not replaced.fetch(url, method=method).readable


def test_what_the_policy_is_for_in_such_an_app():
    """It holds where no bucket's rules do."""
    app = storage(**STORAGE, origins=SHOP)
    for page, readable in ((SHOP, True), (EVIL, False)):
        assert Browser(app, page).fetch("https://api.test/health").readable is readable


def test_why_a_page_cannot_read_what_a_view_has_sent():
    app = storage(**STORAGE, origins=EVIL)
    app.add_url_rule("/odd", "odd", lambda: ("ok", {ACAO: SHOP}))
    app.add_url_rule("/none", "none", lambda: "ok")
    why = Browser(app, EVIL).fetch("https://api.test/odd").why
    assert "GET (endpoint odd) from 'https://evil.example': decided by the view." in why
    change = (
        "Change: have the view send the right headers itself, or no CORS headers at all, so that"
        " the policy's are sent."
    )
    assert why.endswith(change)
    assert (
        "unless the view overrides it" not in Browser(app, SHOP).fetch("https://api.test/none").why
    )


def test_environments_of_servers(app):
    """A server that calls the app itself gets the same."""
    CorsGuard(app, **VIEWS)
    app.add_url_rule("/", "index", lambda: ("ok", {ACAO: "*"}))
    environ = create_environ("/", headers={"Origin": EVIL})
    _, status, headers = run_wsgi_app(app, environ)
    assert (status, headers.getlist(ACAO)) == ("200 OK", ["*"])
