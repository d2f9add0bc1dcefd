"""What an export says beyond the responses to ordinary requests: of the server around it, and with
names that would like to break out."""

import contextlib
import re
from pathlib import Path

import pytest
from flask import Blueprint, Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_corsguard import CorsGuard, Policy, cors
from flask_corsguard.errors import CorsGuardError
from tests.cli.command_line import run
from tests.export.servers import SERVERS, serving
from tests.export.traffic import Request, ask_guard, ask_server

SHOP = "https://app.example.com"


def shop() -> Flask:
    app = Flask("shop", static_folder="static", root_path="/nowhere")
    CorsGuard(app, origins=SHOP)
    return app


def headers(*origins: str) -> tuple[tuple[str, str], ...]:
    return tuple(("Origin", origin) for origin in origins)


@pytest.mark.parametrize("server", SERVERS)
def test_beside_what_the_server_says(server: str, tmp_path: Path) -> None:
    """Upper case is never repeated, two origins are none, the server's own headers stay, also on
    its error pages, and what else sends CORS headers there is overruled. No header comes twice."""
    hsts = "max-age=63072000"
    around = {
        "nginx": f'add_header Strict-Transport-Security "{hsts}" always; error_page 404 /sorry;'
        " location = /static/again { proxy_set_header Host $host;"
        " proxy_pass http://127.0.0.1:$server_port/static/x.js; }",
        "apache": f'Header always set Strict-Transport-Security "{hsts}"\n'
        'Header set Access-Control-Allow-Origin "*"\nAlias /static/again www/static/x.js',
    }
    htaccess = tmp_path / "www" / "static" / ".htaccess"
    htaccess.parent.mkdir(parents=True)
    htaccess.write_text("Header always set Access-Control-Allow-Origin *\n")
    requests = [
        Request("GET", "/static/x.js", headers(SHOP)),
        Request("GET", "/static/gone", headers(SHOP)),
        Request("GET", "/static/x.js", headers("HTTPS://APP.example.com")),
        Request("GET", "/static/x.js", headers("https://evil.example", SHOP)),
        Request("GET", "/elsewhere", headers(SHOP)),
        Request("GET", "http://app/static/x.js", headers(SHOP)),
        Request("GET", "/static/again", headers(SHOP)),
        Request("GET", "/static/x.js", (*headers(SHOP), ("Range", "bytes=99-"))),
    ]
    with serving(server, {"app": shop()}, tmp_path, around[server]) as port:
        allowed, gone, upper, two, elsewhere, *others = ask_server(port, "app", requests)
    own = (("access-control-allow-origin", SHOP),)
    assert (allowed.status, allowed.own, allowed.vary) == (200, own, {"origin"})
    assert [(each.status, each.own) for each in others] == [(200, own), (200, own), (416, own)]
    assert (gone.status, gone.own, gone.vary) == (404, own, {"origin"})
    assert (upper.status, upper.own, upper.vary) == (200, (), {"origin"})
    assert (two.own, two.vary) == ((), {"origin"})
    assert elsewhere.vary == frozenset()
    for response in (allowed, gone, upper, elsewhere):
        assert response.others["strict-transport-security"] == hsts


@pytest.mark.parametrize("server", SERVERS)
def test_whole_routes(server: str, tmp_path: Path) -> None:
    """``--endpoint`` writes nothing for other routes, wherever they are."""
    app = Flask("routes", static_folder="static", static_url_path="", root_path="/nowhere")
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/api/<name>", "api", lambda name: "", methods=["GET", "POST"])
    guard.for_endpoint("api", origins=lambda origin: True)
    requests = [
        Request(method, path, headers(SHOP))
        for path in ("/static/x.js", "/api/users", "/api/users/x", "/gone")
        for method in ("GET", "POST")
    ]
    preflight = (*headers(SHOP), ("Access-Control-Request-Method", "POST"))
    requests += [Request("OPTIONS", path, preflight) for path in ("/static/x.js", "/api/users")]
    with serving(server, {"app": app}, tmp_path, arguments=("--endpoint", "static")) as port:
        found = ask_server(port, "app", requests)
    wanted = ask_guard(app, requests)
    for request, guard, theirs in zip(requests, wanted, found, strict=True):
        if request.path == "/api/users":
            assert (theirs.own, theirs.vary) == ((), frozenset())
        else:
            assert (theirs.own, theirs.vary) == (guard.own, guard.vary), request


@pytest.mark.parametrize("server", SERVERS)
def test_an_app_below_a_path(server: str, tmp_path: Path) -> None:
    """``--mount`` is what the server's paths have before the app's own."""
    app = shop()
    requests = [
        Request("GET", path, headers(SHOP))
        for path in ("/a.b/static/x.js", "/a.b/static", "/axb/static/x.js", "/static/x.js", "/a.b/")
    ]
    arguments = ("--path", "/static", "--mount", "/a.b/")
    with serving(server, {"app": app}, tmp_path, arguments=arguments) as port:
        found = ask_server(port, "app", requests)
    own = (("access-control-allow-origin", SHOP),)
    assert [each.own for each in found] == [own, own, (), (), ()]


@pytest.mark.parametrize("server", SERVERS)
def test_blueprints_and_everything(server: str, tmp_path: Path) -> None:
    """``--path /`` is the whole app: URLs without a route lie in a blueprint, or nowhere."""
    app = Flask("whole", static_folder=None)
    guard = CorsGuard(app, origins=SHOP)
    inner = Blueprint("inner", __name__)
    inner.add_url_rule("/users/", "users", lambda n: "", methods=["GET", "PUT"])
    app.register_blueprint(inner, url_prefix="/api/v<int:n>")
    guard.for_blueprint("inner", origins="https://b.example", methods=["DELETE"], max_age=5)
    guard.for_path("/api/v1/open", origins="*")
    short = cors(Policy())(lambda x: "")
    app.add_url_rule("/api/v1/open/<string(length=1):x>", "short", short)
    app.add_url_rule("/api/v1/open/<any(a, 'b.c'):x>-<float:y>", "any", lambda x, y: "")
    paths = """
    / /api /api/v1 /api/v1/ /api/v22/users /api/v22/users/ /api/v2x /api/v1/gone /api/v1/open
    /api/v1/open/a-1.5 /api/v1/open/b.c-1.5 /api/v1/open/bxc-1.5 /api/v1/opens /gone
    """.split()
    asking = [
        ("https://b.example", "DELETE"),
        (SHOP, "GET"),
        (SHOP, "PUT"),
        ("null", "X"),
    ]
    requests = [Request("GET", path, headers(origin)) for path in paths for origin, _ in asking]
    requests += [
        Request("OPTIONS", path, (*headers(origin), ("Access-Control-Request-Method", method)))
        for path in paths
        for origin, method in asking
    ]
    # Python takes this for a digit, or a character, and a server does not: nobody may read there.
    foreign = [
        Request("GET", path, headers("https://b.example"))
        for path in ("/api/v%D9%A7/users/", "/api/v1/open/%FF", "/%C3")
    ]
    with serving(server, {"app": app}, tmp_path, arguments=("--path", "/")) as port:
        found = ask_server(port, "app", [*requests, *foreign])
    assert {(each.own, each.vary) for each in found[len(requests) :]} == {
        ((), frozenset({"origin"}))
    }
    for request, guard, theirs in zip(requests, ask_guard(app, requests), found, strict=False):
        assert (theirs.own, theirs.vary) == (guard.own, guard.vary), request


SIGNS = "ab/\\\"'`$%{}()[];#\n\r\t \0<>&|!?*~^\x7f\xe9\u2028"
HOSTILE = st.text(st.sampled_from(SIGNS) | st.characters(), max_size=12)
# A line of nginx's file, and one of Apache's: nothing in quotes ends them.
LINES = {
    "nginx": re.compile(
        r'#[ -~]*|map "[$\w:. ]+" \$\w+ \{|    (default )?"[!-~ ]*"( "[^"\\]*")?;|    volatile;|\}|'
        r"if \(\$\w+ = \d+\) \{ return \d+; \}|add_header [\w-]+ \$\w+ always;|"
    ),
    "apache": re.compile(
        r'#[ -~]*(?<!\\)|SetEnvIf [\w-]+ "[^"]*" !?\w+(=[\w?$]+)?|SetEnvIfExpr "[^"]*" '
        r"(\w+=[\w$]+|!\w+)|"
        r'<(If|ElseIf) "[^"]*">|</(If|ElseIf)>| +</?If( "[^"]*")?>| +RedirectMatch \d+ "\^"|'
        r' +Header (always|onsuccess) unset [\w-]+| +Header always \w+ [\w-]+ "[^"]*" "[^"]*"|'
    ),
}


@pytest.mark.parametrize("server", SERVERS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_nothing_breaks_out(server: str, name: str, prefix: str, glob: str, raw: str) -> None:
    """The names of an app and of a policy, prefixes, globs and raw origins of any characters come
    to lines of the known forms."""
    app = Flask(name or "app", static_folder="static", root_path="/nowhere")
    guard = CorsGuard(app, policies={name or "own": Policy(origins=SHOP)}, origins=SHOP)
    for mark in (
        lambda: guard.for_path(f"/static/{prefix}", name),
        lambda: guard.for_files("static", glob, raw_origins=raw, origins=SHOP),
        lambda: guard.for_endpoint("static", Policy(raw_origins=raw, origins="*")),
    ):
        with contextlib.suppress(CorsGuardError):
            mark()
    ran = run(["export", server, "--path", "/static"], app)
    assert ran.code in (0, 1, 2)
    assert ran.code == 0 or ran.out == ""
    for line in ran.out.split("\n"):
        assert LINES[server].fullmatch(line), line
