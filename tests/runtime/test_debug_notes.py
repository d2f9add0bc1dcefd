"""What the log says in debug mode of what an allowed page does not get from a response."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask import Flask, redirect, request, session

from flask_corsguard import CorsGuard, cors, cors_exempt

PAGE = "https://app.example.com"
API = "https://api.onrender.com"
HEADERS = {
    "X-Total-Count": "3",
    "etag": "1",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


@pytest.fixture
def api(app: Flask) -> Flask:
    """An app that another site's pages may read with their cookies."""
    app.secret_key = "secret"
    CorsGuard(
        app,
        origins=[PAGE, "https://*.example.com", "http://localhost:5173", "capacitor://localhost"],
        allow_credentials=True,
        allow_headers=["Content-Type", "Cache-Control", "X-Total-Count", "ETag"],
        expose_headers=["ETag"],
    )
    app.add_url_rule("/users", "users", lambda: ("", HEADERS))
    app.add_url_rule("/star", "star", cors(allow_headers="*")(lambda: ("", HEADERS)))
    every = cors(allow_credentials=False, expose_headers="*")
    app.add_url_rule("/every", "every", every(lambda: ("", HEADERS)))
    everybody = cors(origins="*", allow_credentials=False)
    app.add_url_rule("/open", "open", everybody(lambda: login()))
    app.add_url_rule("/guarded", "guarded", cors(enforce="unsafe")(lambda: login()))
    app.add_url_rule("/to", "to", lambda: redirect(request.args["url"]))
    app.add_url_rule("/created", "created", lambda: ("", 201, {"Location": "https://b.example"}))

    @app.post("/login")
    def login():
        session["user"] = "ada"
        return ""

    @app.get("/cookie")
    def cookie():
        return "", {"Set-Cookie": request.args["line"]}

    app.debug = True
    return app


def ask(app, path, *, method="GET", origin=PAGE, server=API, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    client = app.test_client(use_cookies=False)
    return client.open(path, base_url=server, method=method, headers={"Origin": origin, **sent})


def test_a_header_that_is_not_exposed(api, log_lines):
    """Once for each endpoint, with everything to paste."""
    for _ in range(2):
        ask(api, "/users")
    (line,) = log_lines()
    assert line.startswith(
        "endpoint users sends X-Total-Count, which JavaScript at another origin cannot read."
        " allow_headers lists it, but that is for request headers."
        ' To let pages read it: expose_headers=["ETag", "X-Total-Count"] (policy: default,'
    )


def test_headers_where_no_route_is(api, log_lines):
    api.after_request(lambda response: response.headers.update({"X-Total-Count": "1"}) or response)
    ask(api, "/none")
    (line,) = log_lines()
    assert line.startswith("a URL without a route sends X-Total-Count, which ")


def test_several_headers_of_a_configured_policy(app, log_lines):
    names = ["X-Total-Count", "X-Page"]
    app.config.update(CORSGUARD_ORIGINS=[PAGE], CORSGUARD_ALLOW_HEADERS=names)
    CorsGuard(app)
    app.add_url_rule("/users", "users", lambda: ("", dict.fromkeys(names, "1")))
    app.debug = True
    ask(app, "/users")
    assert log_lines() == [
        "endpoint users sends X-Total-Count and X-Page, which JavaScript at another origin cannot"
        " read. allow_headers lists them, but that is for request headers. To let pages read them:"
        ' CORSGUARD_EXPOSE_HEADERS=["X-Total-Count",'
        ' "X-Page"] (policy: default, CORSGUARD_ORIGINS, CORSGUARD_ALLOW_HEADERS in app.config).'
    ]


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Content-Disposition": "attachment"}, "Content-Disposition"),
        ({"Location": "/users/1"}, "Location"),
        ({"X-A": "1", "Link": "</2>", "x-powered-by": "me"}, "X-A and Link"),
    ],
    ids=str,
)
def test_headers_that_pages_probably_read(api, log_lines, headers, named):
    """One line for these names, whatever the endpoint."""
    for number in range(2):
        view = cors(allow_headers="*", expose_headers=[])(lambda: ("", 201, headers))
        api.add_url_rule(f"/{number}", f"view{number}", view)
    for number in range(2):
        ask(api, f"/{number}")
    line = log_lines()[0]
    assert line.startswith(f"endpoint view0 sends {named}, which JavaScript at another origin ")
    assert "allow_headers" not in line


@pytest.mark.parametrize("server", ["http://localhost:5000", API])
def test_the_apps_own_address_among_the_origins(app, log_lines, server):
    CorsGuard(app, origins=[API])
    app.add_url_rule("/", "index", lambda: "ok")
    app.debug = True
    for _ in range(2):
        ask(app, "/", server=server)
    words = f"'{API}' in origins is the app's own address, which needs no entry: list the origins"
    assert sum(line.startswith(words) for line in log_lines()) == (server == API)


FROM_PAGE = {"Sec_Fetch_Dest": "empty", "Sec_Fetch_Site": "cross-site"}


def test_a_page_that_asks_without_cors(api, log_lines):
    for method in ("GET", "POST"):  # a POST may be a beacon
        ask(api, "/users", method=method, origin="", Sec_Fetch_Mode="no-cors", **FROM_PAGE)
    assert [line for line in log_lines() if "no-cors" in line] == [
        'the page that asks for GET /users uses mode: "no-cors", so it can never read the'
        " response. Take mode out of its fetch()."
    ]


def test_a_page_that_asks_for_what_is_exempt(api, log_lines):
    own = {"Access-Control-Allow-Origin": "*"}
    api.add_url_rule("/exempt", "exempt", cors_exempt(lambda: ""))
    api.add_url_rule("/own", "own", cors_exempt(lambda: ("", own)))
    for path in ("/exempt", "/own"):
        ask(api, path, Sec_Fetch_Mode="cors", **FROM_PAGE)
        ask(api, path, Sec_Fetch_Mode="navigate", **FROM_PAGE)
    assert log_lines() == [
        "GET /exempt is marked cors_exempt, so it has no CORS headers, and the page cannot read"
        ' it. To let every site read it, write @cors(origins="*", allow_credentials=False) instead.'
    ]


SETTINGS = 'Set SESSION_COOKIE_SAMESITE="None" and SESSION_COOKIE_SECURE=True'
BLOCKED = "Many browsers block third-party cookies, so one domain for both is better."
ENFORCE = ', with enforce="unsafe" against forged requests'


def lost(asked, name, missing, advice, page=PAGE, server=API):
    return (
        f"{asked} sets the cookie {name} without {missing}, so browsers do not send it from {page},"
        f" which is another site than {server}. {advice} {BLOCKED}"
    )


def test_the_sessions_cookie(api, log_lines):
    """Once for each page and cookie. Looking for it does not change the response."""
    assert ask(api, "/cookie?line=a=b;SameSite=None;Secure").headers["Vary"] == "Origin"
    for _ in range(2):
        response = ask(api, "/login", method="POST")
        assert response.headers["Vary"] == "Origin, Cookie"
    ask(api, "/login", method="POST", origin="https://b.example.com", Sec_Fetch_Mode="cors")
    both = "SameSite=None and Secure"
    assert log_lines() == [
        lost("POST /login", "'session'", both, f"{SETTINGS}{ENFORCE}.", page)
        for page in (PAGE, "https://b.example.com")
    ]
    ask(api, "/guarded")
    assert log_lines() == []
    ask(api, "/guarded", origin="https://c.example.com")
    (line,) = log_lines()
    assert line == lost("GET /guarded", "'session'", both, f"{SETTINGS}.", "https://c.example.com")


def test_a_session_without_secure(api, log_lines):
    api.config.update(SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_NAME="sid")
    ask(api, "/login", method="POST")
    advice = f"Set SESSION_COOKIE_SECURE=True{ENFORCE}."
    assert log_lines() == [lost("POST /login", "'sid'", "Secure", advice)]
    api.config.update(SESSION_COOKIE_SECURE=True)
    ask(api, "/login", method="POST", origin="https://b.example.com")
    assert log_lines() == []


def test_another_cookie(api, log_lines):
    ask(api, "/cookie?line=to'ken=secret;Secure")
    advice = f'Set it with samesite="None" and secure=True{ENFORCE}.'
    assert log_lines() == [lost("GET /cookie", r"'to\x27ken'", "SameSite=None", advice)]


def test_a_cookie_over_http(api, log_lines):
    server = "http://192.168.0.4:5000"
    ask(api, "/login", method="POST", server=server)
    advice = f"{SETTINGS}{ENFORCE}. Browsers accept that only over https."
    both = "SameSite=None and Secure"
    assert log_lines() == [lost("POST /login", "'session'", both, advice, server=server)]


def test_an_app_on_this_machine(api, log_lines):
    """That the names differ has been said, and is all there is to say."""
    ask(api, "/login", method="POST", origin="http://localhost:5173", server="http://127.0.0.1")
    (line,) = log_lines()
    assert line.startswith("localhost and 127.0.0.1 are different sites")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://user:secret@SSO.example.net:443/login?next=/", "https://sso.example.net"),
        ("http://api.onrender.com/", "http://api.onrender.com"),
        ("//[::1]:8080/", "https://[::1]:8080"),
        (f"{PAGE}/login", PAGE),
    ],
)
def test_a_redirect_to_another_origin(api, log_lines, url, target):
    for _ in range(2):
        ask(api, f"/to?url={url}")
    assert log_lines() == [
        f"GET /to from '{PAGE}' is redirected to {target}, where the browser sends Origin: null, so"
        f" a page can read the response only if {target} allows null. If it is a sign-in page,"
        " respond with 401 instead, because fetch() cannot show it; otherwise respond with the URL"
        " in JSON, for the page to fetch."
    ]


WITH_FLASK_LOGIN = (
    'With Flask-Login: write a function that returns {"error": "sign in"}, 401, and put'
    " @login_manager.unauthorized_handler above it."
)
SIGN_IN = (
    f"GET /me from '{PAGE}' is redirected to the sign-in page, and fetch() gets its HTML instead of"
    f" an error. {WITH_FLASK_LOGIN}"
)


def with_flask_login(app, view):
    """What its ``login_required`` does, at /me, and a page for signing in."""
    app.login_manager = SimpleNamespace(login_view=view, blueprint_login_views={})
    app.add_url_rule("/sign-in", "sign_in", lambda: redirect("/sign-in?next=/me"))
    app.add_url_rule("/sign-out", "sign_out", lambda: redirect("/sign-in"))
    target = view if "/" in view else "/sign-in"
    app.add_url_rule("/me", "me", lambda: redirect(f"{target}?next=/me"))


@pytest.mark.parametrize(
    ("view", "end"),
    [
        ("sign_in", SIGN_IN),
        ("/sign-in", SIGN_IN),
        ("https://sso.example.net/in", f", for the page to fetch. {WITH_FLASK_LOGIN}"),
    ],
)
def test_a_redirect_of_flask_login(api, log_lines, view, end):
    with_flask_login(api, view)
    ask(api, "/me")
    (line,) = log_lines()
    assert line.endswith(end)
    ask(api, "/sign-in")
    ask(api, "/sign-out")
    assert log_lines() == []


def test_a_redirect_of_the_real_flask_login(api, log_lines):
    flask_login = pytest.importorskip("flask_login")
    manager = flask_login.LoginManager(api)
    manager.login_view = "login"
    manager.user_loader(lambda user_id: None)
    api.add_url_rule("/me", "me", flask_login.login_required(lambda: ""))
    assert ask(api, "/me").headers["Location"] == "/login?next=%2Fme"
    assert SIGN_IN in log_lines()


MOVED = f"GET /to from '{PAGE}' is redirected to"
HTTP_API = API.replace("https", "http")
PROXY_FIX = (
    ", although X-Forwarded-Proto says that the page called https. Write app.wsgi_app ="
    " ProxyFix(app.wsgi_app, x_proto=1), from werkzeug.middleware.proxy_fix."
)


@pytest.mark.parametrize(
    ("url", "forwarded", "line"),
    [
        (
            f"{API}/to",
            "",
            f"{MOVED} {API}, where the browser sends Origin: null. Have the page call {API}"
            " itself.",
        ),
        (f"{API}/to", "http, https", f"{MOVED} {API}{PROXY_FIX}"),
        (f"{HTTP_API}/x", "https", f"{MOVED} {HTTP_API}{PROXY_FIX}"),
    ],
)
def test_a_redirect_to_another_scheme(api, log_lines, url, forwarded, line):
    ask(api, f"/to?url={url}", server=HTTP_API, X_Forwarded_Proto=forwarded)
    assert log_lines() == [line]


def test_cookies_under_a_policy_without_credentials(app, log_lines):
    """Once for each endpoint that gets some, and for all that are set at once."""
    app.secret_key = "secret"
    app.config["CORSGUARD_ORIGINS"] = [PAGE]
    CorsGuard(app)

    @app.route("/me", methods=["GET", "POST"])
    def me():
        session["user"] = "ada"
        return "", {"Set-Cookie": request.args.get("cookie", "")}

    app.debug = True
    change = "allow_credentials=True (policy: default, CORSGUARD_ORIGINS in app.config)."
    change = f"CORSGUARD_{change.replace('allow_credentials', 'ALLOW_CREDENTIALS')}"
    for _ in range(2):
        ask(app, "/me", method="POST", Sec_Fetch_Mode="cors")
    assert log_lines() == [
        "POST /me sets the cookie 'session', which the browser does not keep for a page of another"
        ' origin without credentials. If the page should stay signed in: credentials: "include"'
        f" in its fetch(), and {change}"
    ]
    ask(app, "/me?cookie=a=b", method="POST", Sec_Fetch_Mode="cors")
    (line,) = log_lines()
    assert line.startswith("POST /me sets the cookies 'a' and 'session', which the browser does")
    for _ in range(2):
        ask(app, "/me", Sec_Fetch_Mode="cors", Cookie="session=1")
    assert log_lines() == [
        f"GET /me from '{PAGE}' has a cookie, so the page uses credentials: \"include\", and the"
        f" browser does not let it read the response. To allow it: {change}"
    ]


def test_a_cookie_for_a_public_route(api, log_lines):
    for _ in range(2):
        ask(api, "/open", Cookie="a=b", Sec_Fetch_Mode="cors")
    (line,) = log_lines()
    assert f'To allow it: origins=["{PAGE}"], allow_credentials=True (policy: view open' in line


@pytest.mark.parametrize(
    ("name", "config", "setting"),
    [
        ("access", {"JWT_ACCESS_COOKIE_NAME": "access"}, "JWT_COOKIE_SAMESITE"),
        ("csrf", {"JWT_REFRESH_CSRF_COOKIE_NAME": "csrf"}, "JWT_COOKIE_SAMESITE"),
        ("remember_token", {}, "REMEMBER_COOKIE_SAMESITE"),
        ("me", {"REMEMBER_COOKIE_NAME": "me"}, "REMEMBER_COOKIE_SAMESITE"),
    ],
)
def test_a_cookie_of_an_extension(api, log_lines, name, config, setting):
    api.config.update(config)
    ask(api, f"/cookie?line={name}=b;Secure")
    advice = f'Set {setting}="None"{ENFORCE}.'
    assert log_lines() == [lost("GET /cookie", f"'{name}'", "SameSite=None", advice)]


def without_debug(app):
    app.debug = False
    for path in ("/users", "/to?url=https://b.example", "/cookie?line=a=b"):
        ask(app, path)
    # So that it costs nothing.
    assert [f.__name__ for f in app.after_request_funcs[None]] == ["after_request"]


SILENT = {
    "not in debug mode": without_debug,
    "every header is exposed": lambda app: ask(app, "/every"),
    "a cookie that is set for everybody": lambda app: ask(app, "/open"),
    "a cookie without Sec-Fetch-Mode": lambda app: ask(app, "/every", Cookie="a=b"),
    "a cookie and a form": lambda app: ask(app, "/every", Cookie="a=b", Sec_Fetch_Mode="navigate"),
    "an origin that is not allowed": lambda app: ask(app, "/users", origin="https://b.example"),
    "one of the app's own pages": lambda app: ask(app, "/users", origin=API),
    "a form": lambda app: ask(app, "/login", method="POST", Sec_Fetch_Mode="navigate"),
    "a link to another origin": lambda app: ask(
        app, "/to?url=https://b.example", Sec_Fetch_Mode="navigate"
    ),
    "a preflight": lambda app: ask(
        app, "/login", method="OPTIONS", Access_Control_Request_Method="POST"
    ),
    "one site": lambda app: ask(app, "/login", method="POST", server="https://api.example.com"),
    "one site, behind a proxy": lambda app: ask(
        app, "/login", method="POST", server="http://backend", Sec_Fetch_Site="same-site"
    ),
    "a page that is no website": lambda app: ask(
        app, "/login", method="POST", origin="capacitor://localhost"
    ),
    "a cookie for other sites": lambda app: ask(
        app, "/cookie?line=a=b;%20secure;%20SameSite=None;%20Path=/"
    ),
    "a cookie that is deleted": lambda app: ask(app, "/cookie?line=a=;Max-Age=0"),
    "a redirect to the app": lambda app: [
        ask(app, f"/to?url={url}") for url in ("/users", "users", f"{API}:443/users", "?", "")
    ],
    "a redirect to the app behind a proxy": lambda app: ask(
        app, "/to?url=/users", server="http://api.onrender.com", X_Forwarded_Proto="https"
    ),
    "a redirect to no website": lambda app: ask(app, "/to?url=mailto:a@b.example"),
}


@pytest.mark.parametrize("run", SILENT.values(), ids=SILENT)
def test_nothing_to_say(api, log_lines, run):
    run(api)
    assert [line for line in log_lines() if "rejected" not in line] == []


def test_a_failure_does_not_affect_the_response(api, log_lines, monkeypatch):
    monkeypatch.setattr("flask_corsguard.runtime.debug_notes.notes", None)
    assert ask(api, "/users").status_code == 200
    assert log_lines() == []
