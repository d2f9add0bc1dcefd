"""``flask cors check``: the story of one request."""

import itertools
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from flask import Flask, Response, g, request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
from flask_corsguard.testing.engines import ENGINES, EngineName
from tests.cli.command_line import APP, flask, in_terminal, made, run

A = "https://app.example.com"
ADMIN = "https://admin.example.com"
OTHER = "https://other.example"
USER = "check /api/users/7 --origin"

CODES = {
    f"/api/users/7 --origin {A}": 0,
    f"/api/users/7 --origin {OTHER}": 1,
    f"/api/users/7 --origin {A} --credentials": 0,
    f"/api/users/7 --origin {ADMIN} --method PUT": 0,
    f"/api/users/7 --origin {ADMIN} --method put": 0,
    f"/api/users/7 --origin {ADMIN}": 1,
    f"/api/users/7 --origin {A} --method PUT": 1,
    f"/api/users/7 --origin {A} --method DELETE": 1,
    f"/api/users/7 --origin {A} --header Content-Type": 0,
    f"/api/users/7 --origin {A} --header X-Own": 1,
    f"/api/users/seven --origin {A}": 0,  # the page reads the 404
    f"/static/a.woff2 --origin {OTHER}": 0,
    f"/static/a.woff2 --origin {OTHER} --credentials": 1,
    "/static/a.woff2 --origin null": 0,
    f"/static/a.css --origin {OTHER}": 1,
    f"/hook --origin {A}": 1,
    f"https://api.example.com/api/users/7 --origin {A}": 0,
    f"http://api.example.com/api/users/7 --origin {A}": 1,  # mixed content
    "/api/users/7 --origin http://localhost:5000": 0,  # the app's own page
    **{f"https://localhost/api/users/7 --origin {A} --engine {name}": 0 for name in ENGINES},
    # An https page, and an API on the own machine.
    f"/api/users/7 --origin {A} --engine firefox": 0,
    f"/api/users/7 --origin {A} --engine webkit": 1,
}


@pytest.mark.parametrize("arguments", CODES)
def test_exit_codes(arguments: str) -> None:
    """The exit code is 0 if the page may read the response, and 1 if not; JSON says the same."""
    assert run(f"check {arguments}").code == CODES[arguments]
    as_json = run(f"check {arguments} --json")
    assert as_json.code == CODES[arguments]
    assert json.loads(as_json.out)["allowed"] == (CODES[arguments] == 0)


def test_every_engine_has_a_type() -> None:
    assert get_args(EngineName) == tuple(ENGINES)


REJECTED = """\
https://app.example.com: fetch() of PUT http://localhost:5000/api/users/7: rejected

1. Preflight
   Sent, because PUT is not GET, HEAD or POST.
   Sent, because of the header x-own: it is not one of the safelisted request headers.
   The status of the response is 403.
   preflight OPTIONS http://localhost:5000/api/users/7
       > Accept: */*
       > Access-Control-Request-Method: PUT
       > Access-Control-Request-Headers: x-own
"""


def test_the_story_of_a_rejection() -> None:
    """The story begins with these steps; the page about the command line has the rest."""
    ran = run([*f"{USER} {A} --method PUT --credentials --header".split(), "X-Own: 1"])
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith(REJECTED)
    _, rest = ran.out.split("\n2. The page cannot read the response\n")
    assert "\n   Send: Access-Control-Allow-Credentials: true\n" in rest
    assert "\n     Policy: view api.change_user, app.py:18.\n" in rest
    words = shlex.split(rest.split("\nThe same with curl:\n")[1])
    assert words[:4] == ["curl", "--include", "--request", "OPTIONS"]
    assert words[-1] == "http://localhost:5000/api/users/7"
    assert "Access-Control-Request-Headers: x-own" in words


def test_the_story_of_what_is_allowed() -> None:
    lines = run(f"{USER} {ADMIN} --method PUT").out.splitlines()
    titles = [line[3:] for line in lines if line[:1].isdigit()]
    assert titles == ["Preflight", "Request", "The page reads the response"]
    assert "   The view api.change_user would run here. This simulation does not run it." in lines
    assert [line for line in lines if line.startswith("curl ")] == lines[-2:]


def test_json() -> None:
    told = json.loads(run(f"{USER} {OTHER} --method PUT --json").out)
    (exchange,) = told.pop("exchanges")
    steps, curl, why = told.pop("steps"), told.pop("curl"), told.pop("why")
    decision = {"outcome": "REJECTED", "reason": "ORIGIN_NOT_ALLOWED"}
    decision |= {"source": "view api.change_user", "location": "app.py:18", "policies": []}
    decision |= {"in_front": ""}
    request = {"url": "http://localhost:5000/api/users/7", "origin": OTHER, "method": "PUT"}
    outcome = {"allowed": False, "reason": "preflight_status", "decision": decision, "fault": None}
    assert told == {**request, **outcome}
    assert why.startswith("The response to the preflight has status 403")
    assert [set(step) for step in steps] == [{"title", "lines"}] * 2
    assert exchange["preflight"] is True
    assert (exchange["method"], exchange["status"]) == ("OPTIONS", 403)
    assert ["Origin", OTHER] in exchange["request_headers"]
    assert "Vary" in dict(exchange["response_headers"])
    assert len(curl) == 1


OWN, PARTNERS, PUBLIC = "policy 'own' (1 of 3)", "policy 'partners' (2 of 3)", "policy 3 of 3"
SEVERAL = {
    f"{A}": ("ALLOWED", [OWN], OWN),
    f"{A} --credentials": ("ALLOWED", [OWN], OWN),
    f"{A} --method DELETE": ("METHOD_NOT_ALLOWED", [OWN], OWN),
    f"{ADMIN} --method DELETE": ("ALLOWED", [OWN, PARTNERS], PARTNERS),
    f"{OTHER} --method DELETE": ("ORIGIN_DENIED", [OWN, PARTNERS], PARTNERS),
    "https://any.example": ("ALLOWED", [OWN, PARTNERS, PUBLIC], PUBLIC),
    "https://any.example --credentials": ("ALLOWED", [OWN, PARTNERS, PUBLIC], ""),
    "null --method DELETE": ("METHOD_NOT_ALLOWED", [OWN, PARTNERS, PUBLIC], PUBLIC),
}
CLOSED = ["policy 'own' (1 of 2)", "policy 'partners' (2 of 2)"]


def several(*policies: str | Policy) -> Flask:
    app = Flask("x", static_folder=None)
    own = Policy(origins=A, allow_credentials=True, methods=["PUT"])
    partners = Policy(origins=ADMIN, deny_origins=OTHER, methods=["DELETE"])
    CorsGuard(app, [*policies], policies={"own": own, "partners": partners})
    app.add_url_rule("/", "index", lambda: "", methods=["GET", "PUT", "DELETE"])
    return app


@pytest.mark.parametrize("arguments", SEVERAL)
def test_which_of_several_policies_decides(arguments: str) -> None:
    """It is named, in the text and in JSON."""
    verdict, asked, named = SEVERAL[arguments]
    app = several("own", "partners", Policy(origins="*", methods=[]))
    told = json.loads(run(f"check / --origin {arguments} --json", app).out)
    assert told["decision"]["policies"] == asked
    assert verdict in (told["decision"]["outcome"], told["decision"]["reason"])
    text = run(f"check / --origin {arguments}", app).out
    if named:
        assert f"Policy: default, {named}, " in text
    else:
        assert 'list "https://any.example" in an earlier policy, one with' in text


def test_all_that_do_not_are_named() -> None:
    app = several("own", "partners")
    told = json.loads(run("check / --origin https://any.example --json", app).out)
    assert told["decision"]["policies"] == CLOSED
    text = run("check / --origin https://any.example", app).out
    assert f"Policy: default, {', '.join(CLOSED)}, " in text
    assert f"Found: {CLOSED[0]}: the origin matches none of '{A}'; {CLOSED[1]}: the " in text


def test_a_path_with_two_policies() -> None:
    app = Flask("x", static_folder=None)
    CorsGuard(app, origins=A).for_path("/private", origins=ADMIN)
    app.add_url_rule("/<path:p>", "any", lambda p: "")
    told = json.loads(run(f"check /x/..%2Fprivate/f --origin {A} --json", app).out)
    assert told["decision"]["reason"] == "PATH_AMBIGUOUS"
    text = run(f"check /x/..%2Fprivate/f --origin {A}", app).out
    assert "has the policy of default (" in text
    assert "normalised, '/private/f' has that of path /private (" in text
    assert "To allow it: have the page request the normalised path" in text


def test_an_own_page_is_let_in_by_none_of_them() -> None:
    text = run("check / --origin http://localhost:5000", several("own", "partners")).out
    assert f"Policy: default, {', '.join(CLOSED)}, " in text


def test_json_where_nothing_is_sent() -> None:
    told = json.loads(run(f"check http://api.example/ --origin {A} --json").out)
    assert told["reason"] == "mixed_content"
    assert (told["decision"], told["exchanges"], told["curl"]) == (None, [], [])


def test_json_of_what_is_allowed() -> None:
    app = made()
    app.config.update(SERVER_NAME="api.example.com", PREFERRED_URL_SCHEME="https")
    told = json.loads(run(f"{USER} {A} --json", app).out)
    assert (told["allowed"], told["reason"]) == (True, None)
    assert (told["decision"]["outcome"], told["decision"]["reason"]) == ("ALLOWED", None)
    # The server is the one that the configuration names.
    assert told["url"] == "https://api.example.com/api/users/7"


def test_a_url_without_a_route() -> None:
    ran = run(f"check /user --origin {A}")
    assert ran.code == 0
    verdict = "allowed, but no route has this URL (404)"
    words = f"{A}: fetch() of GET http://localhost:5000/user: {verdict}"
    assert ran.out.splitlines()[0].removesuffix(". Did you mean /api/users/7?") == words


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("users", "/api/users"),  # the endpoint
        ("api/usres", "/api/users"),
        ("/api/users/", "/api/users"),
        ("/api/user/7?x=1", "/api/users/7"),
        ("/api/user/7/image", "/api/users/7/image/"),
        ("/zzzzzzzz", ""),
        ("/api/usres", "/api/users"),  # not /static/usres
        ("/v1/seven", ""),  # not itself
    ],
)
def test_the_url_that_was_meant(url: str, meant: str) -> None:
    app = Flask("x")
    app.add_url_rule("/v1/<int:n>", "v1", lambda n: "")
    CorsGuard(app, origins=A)
    app.add_url_rule("/api/users", "users", lambda: "")
    app.add_url_rule("/api/users/<int:n>", "user", lambda n: "")
    app.add_url_rule("/api/users/<int:n>/image/", "image", lambda n: "")
    first = run(f"check {url} --origin {A}", app).out.splitlines()[0]
    hint = f". Did you mean {meant}?" if meant else ""
    assert first.endswith(f": allowed, but no route has this URL (404){hint}")


def test_a_method_that_no_route_accepts() -> None:
    app = Flask("x", static_folder=None)
    CorsGuard(app, origins=A, methods=["PUT"])
    app.add_url_rule("/users", "users", lambda: "")
    first = run(f"check /users --origin {A} -X PUT", app).out.splitlines()[0]
    assert first.endswith(": allowed, but no route at this URL accepts PUT (405)")


NO_BODY = (
    "check sends no body, and needs none: no view runs. Leave the data out. If the page sends JSON,"
    " write --method POST --header 'Content-Type: application/json'."
)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "Missing option '--origin'."),
        (f"-H 'Origin: {A}'", f"Write --origin {A} instead of -H 'Origin: {A}'."),
        ("-H X-A -H origin", "Write --origin https://app.example.com instead of -H origin."),
        ("-d {}", NO_BODY),
        (f"--origin {A} --data-raw {{}}", NO_BODY),
    ],
)
def test_arguments_of_curl(arguments: str, words: str) -> None:
    ran = run(["check", "/", *shlex.split(arguments)])
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == f"Error: {words}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (f"--origin {A} -H Authorization=Bearer", "a header is written NAME: VALUE, not"
         " 'Authorization=Bearer'. Write --header 'Authorization: Bearer'"),
        (f"--origin {A} -H a(b", "a header is written NAME: VALUE, not 'a(b'."),
        ("--origin a.example", "--origin must be an origin as browsers send it,"
         " scheme://host[:port], not 'a.example'. Did you mean 'https://a.example'?"),
    ],
)  # fmt: skip
def test_arguments_in_other_words(arguments: str, words: str) -> None:
    ran = run(f"check / {arguments}")
    assert ran.code == 2
    assert ran.err.strip() == f"Error: {words}"


@pytest.mark.parametrize(
    ("name", "meant"), [("chek", "check"), ("test", "check"), ("list", "routes")]
)
def test_the_command_that_was_meant(name: str, meant: str) -> None:
    ran = run(name)
    assert ran.code == 2
    assert ran.err.endswith(f"No such command '{name}'. Did you mean '{meant}'?\n")


def test_a_preflight_that_nothing_responds_to() -> None:
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=A, answer_preflight=False)
    app.add_url_rule("/x", "x", lambda: "", methods=["PUT"], provide_automatic_options=False)
    ran = run(f"check /x --origin {A} --method PUT", app)
    assert ran.code == 1
    assert "   Change: set answer_preflight=True, or have a view accept OPTIONS here" in ran.out


def test_a_url_without_a_scheme() -> None:
    ran = run(f"check localhost:5000/api/users/7 --origin {A}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("is a path. For the URL, write http://localhost:5000/api/users/7\n")


VITE, MOVED = "http://localhost:5173", "http://127.0.0.1:5173"


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [
        (f"http://127.0.0.1:5000/ --origin {VITE} --credentials", True),
        (f"http://127.0.0.1:5000/ --origin {VITE}", False),
        (f"http://localhost:5000/ --origin {VITE} --credentials", False),
        # The command has chosen the host.
        (f"/ --origin {MOVED} --credentials", False),
    ],
)
def test_a_page_that_gets_no_cookies(arguments: str, is_told: bool) -> None:
    app = Flask("x")
    CorsGuard(app, origins=[VITE, MOVED], allow_credentials=True)
    app.add_url_rule("/", "index", lambda: "")
    ran = run(f"check {arguments}", app)
    assert ran.code == 0
    told = ran.out.partition("4. No cookies\n")[2]
    assert bool(told) == is_told
    assert not told or told.startswith(
        "   localhost and 127.0.0.1 are different sites: for a page at http://localhost:5173 that"
    )


def test_a_url_and_an_origin_that_are_swapped() -> None:
    ran = run(["check", f"{A}/", "--origin", "/api/users?by=name&up"])
    assert (ran.code, ran.out) == (2, "")
    meant = f"flask cors check '/api/users?by=name&up' --origin {A}"
    assert ran.err == f"Error: URL and --origin are swapped. Write {meant}\n"


def test_an_exempt_route_says_so() -> None:
    app = Flask("x")
    CorsGuard(app, origins="*")
    app.add_url_rule("/", "index", cors_exempt(lambda: ""))
    assert "cors_exempt" in run(f"check / --origin {A}", app).out


def test_a_terminal_folds_all_but_the_command() -> None:
    seen = run(f"{USER} {OTHER}", columns=40, NO_COLOR="1").out
    *story, command = re.sub(r"\x1b\[[0-9;]*m", "", seen).splitlines()
    assert command.startswith("curl --include ")
    assert len(command) > 40
    assert shlex.split(command)[-1] == "http://localhost:5000/api/users/7"
    assert max(map(len, story)) <= 40


def test_a_wide_terminal_says_what_a_pipe_gets(tmp_path: Path) -> None:
    tmp_path.joinpath("app.py").write_text(APP)
    arguments = ("--app", "app", "cors", *f"{USER} {OTHER}".split())
    seen = in_terminal(tmp_path, *arguments, COLUMNS="500")
    assert "\x1b[" in seen
    assert re.sub(r"\x1b\[[0-9;]*m", "", seen) == flask(tmp_path, *arguments).out


CHECKED = made()


@settings(max_examples=100, deadline=None)
@given(
    url=st.text(max_size=30).map(lambda text: f"/{text}") | st.text(max_size=30),
    header=st.text(max_size=30),
    method=st.sampled_from(["GET", "PUT"]) | st.text(max_size=10),
)
def test_whatever_is_asked_for(url: str, header: str, method: str) -> None:
    """The output has no traceback and nothing that a terminal would act on."""
    # As it could come from a command line: without NUL, and not taken for an option.
    arguments = ["check", "--origin", A, f"--method={method}", f"--header={header}", "--", url]
    ran = run([argument.replace("\0", "") for argument in arguments], CHECKED)
    assert ran.code in (0, 1, 2)
    assert (ran.out + ran.err).replace("\n", "").isprintable()


@pytest.fixture
def chat() -> Flask:
    app = Flask("chat")
    CorsGuard(app, origins=A)
    app.add_url_rule("/chat", "chat", lambda: "", websocket=True)
    return app


def test_a_handshake_that_nothing_refuses(chat: Flask) -> None:
    """It is not called rejected, and the advice is to refuse it."""
    ran = run(["check", "/chat", "--origin", OTHER, "--header", "Upgrade: websocket"], chat)
    first, *lines = ran.out.splitlines()
    assert ran.code == 0
    assert first == f"{OTHER}: WebSocket handshake with ws://localhost:5000/chat: not refused"
    assert "rejected" not in ran.out
    assert [line[3:] for line in lines if line[:1].isdigit()] == [
        "Handshake",
        "The page can use the socket",
    ]
    assert any(line.startswith('     To refuse it: enforce="unsafe" (policy: ') for line in lines)
    assert any(line.startswith(f'     To admit it: origins=["{A}", "{OTHER}"] (') for line in lines)
    told = json.loads(run(f"check ws://localhost/chat --origin {OTHER} --json", chat).out)
    assert (told["allowed"], told["decision"]["outcome"]) == (True, "UNENFORCED")
    assert told["decision"]["reason"] == "ORIGIN_NOT_ALLOWED"


def test_a_handshake_of_an_allowed_page(chat: Flask) -> None:
    ran = run(f"check ws://localhost/chat --origin {A}", chat)
    assert ran.code == 0
    assert ran.out.splitlines()[0].endswith("ws://localhost/chat: allowed")


def test_headers_that_browsers_leave_out() -> None:
    ran = run(f"{USER} {A} --header Cookie:a=b --header Host:x")
    assert ran.code == 0
    left_out = "Left out, because browsers do not let JavaScript set them"
    assert f"1. Headers\n   {left_out}: cookie, host.\n" in ran.out
    assert "> Cookie" not in ran.out
    assert left_out not in run(f"{USER} {A} --header X-Own:1").out


def enforcing() -> Flask:
    app = Flask("bank", static_folder=None)
    CorsGuard(app, enforce="unsafe")
    app.add_url_rule("/sign-out", "sign_out", cors(enforce="all")(lambda: ""))
    app.add_url_rule(
        "/status", "status", cors(origins="*")(lambda: ""), methods=["GET", "POST", "PUT"]
    )
    return app


@pytest.mark.parametrize(
    ("origin", "url", "code", "said"),
    [
        (
            OTHER,
            "/sign-out",
            1,
            "2. The server holds it back\n   GET /sign-out: refused (SPECULATIVE).",
        ),
        ("null", "/sign-out", 1, "and there is no Referer."),
        ("http://localhost:5000", "/sign-out", 0, "The view sign_out would run here"),
        (OTHER, "/status", 0, "2. The browser keeps it until the user goes there"),
        (OTHER, "/none", 0, "response is 404: the app has no route for this URL."),
    ],
)
def test_what_a_browser_asks_ahead_of_time(origin: str, url: str, code: int, said: str) -> None:
    headers = ["--header=Sec-Purpose: prefetch", "--header=Sec-Fetch-Site: none"]
    ran = run(["check", url, "--origin", origin, *headers], enforcing())
    assert ran.code == code
    assert said in ran.out
    assert ran.out.startswith(f"{origin}: ahead of time: GET http://localhost:5000{url}: ")
    assert "Left out" not in ran.out
    words = shlex.split(ran.out.split("\nThe same with curl:\n")[1])
    assert (f"Referer: {origin}/" in words) == (origin != "null")


@pytest.mark.parametrize(
    ("method", "code", "step"),
    [("GET", 0, "Request"), ("POST", 1, "Request"), ("PUT", 1, "Preflight")],
)
def test_a_public_view_that_strangers_only_read(method: str, code: int, step: str) -> None:
    ran = run(f"check /status --origin {OTHER} --method {method} --json", enforcing())
    told = json.loads(ran.out)
    assert (ran.code, told["allowed"]) == (code, code == 0)
    assert told["steps"][-2]["title"] == step
    if code:
        assert told["decision"]["reason"] == "CROSS_SITE_REQUEST"
        assert f'To allow it: write [Policy(origins=["{OTHER}"]), ' in told["why"]


def test_a_teardown_function_that_counts_on_a_request() -> None:
    app = made()
    app.teardown_appcontext(lambda error: g.db.close())
    assert run(f"{USER} {A}", app).code == 0


def test_an_app_that_fails() -> None:
    class Failing(BaseConverter):
        def to_python(self, value: str) -> str:
            raise ConnectionError("no database")

    app = made()
    app.url_map.converters["own"] = Failing
    app.add_url_rule("/orders/<own:order>", "order", lambda order: order)
    ran = run(f"check /orders/7 --origin {A}", app)
    assert ran.code == 2
    assert "the app failed: ConnectionError 'no database' at " in ran.err
    app.config["SERVER_NAME"] = 5000
    ran = run(f"{USER} {A}", app)
    assert ran.code == 2
    assert "the app failed: " in ran.err


def login_first() -> Any:
    return ("log in", 401) if "Authorization" not in request.headers else None


def run_login_first(app: Flask, guard: CorsGuard) -> None:
    guard.run_first(login_first)


def ask_for_a_login_afterwards(app: Flask, guard: CorsGuard) -> None:
    app.after_request(lambda response: Response("log in", 401, response.headers))


def time_requests(app: Flask, guard: CorsGuard) -> None:
    """Fails on preflights, but the guard's response goes out all the same."""
    app.before_request(lambda: setattr(g, "started", 0))
    app.after_request(lambda response: Response(str(g.started), headers=response.headers))


def fail_around_it(app: Flask, guard: CorsGuard) -> None:
    def failing(environ: Any, start_response: Any) -> Any:
        raise ConnectionError("no store")

    app.wsgi_app = failing  # type: ignore[method-assign]


def take_options(app: Flask, guard: CorsGuard) -> None:
    inner = app.wsgi_app

    def taking(environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "OPTIONS":
            start_response("204 No Content", [("Allow", "PUT")])
            return [b""]
        return inner(environ, start_response)

    app.wsgi_app = taking  # type: ignore[method-assign]


def take_headers_out(app: Flask, guard: CorsGuard) -> None:
    inner = app.wsgi_app

    def taking(environ: Any, start_response: Any) -> Any:
        return inner(environ, lambda status, headers, *rest: start_response(status, [], *rest))

    app.wsgi_app = taking  # type: ignore[method-assign]


def let_everybody_read(app: Flask, guard: CorsGuard) -> None:
    inner = app.wsgi_app

    def adding(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[Any], *rest: Any) -> Any:
            return start_response(status, [*headers, ("Access-Control-Allow-Origin", "*")], *rest)

        return inner(environ, start)

    app.wsgi_app = adding  # type: ignore[method-assign]


REAL: dict[str, tuple[Callable[[Flask, CorsGuard], None], str]] = {
    "nothing": (lambda app, guard: None, ""),
    "rescued": (time_requests, ""),
    "run_first": (
        run_login_first,
        "login_first, a function of run_first, ends a preflight with status 401.",
    ),
    "after_request": (
        ask_for_a_login_afterwards,
        "The response to a preflight is status 401, and not the guard's own.",
    ),
    "middleware that fails": (
        fail_around_it,
        "fail_around_it.<locals>.failing fails before the guard sees a preflight: ConnectionError",
    ),
    "middleware that takes OPTIONS": (
        take_options,
        "A preflight gets status 204 before the guard sees it: take_options.<locals>.taking.",
    ),
    "middleware that takes headers out": (
        take_headers_out,
        "A preflight's response is changed on its way out: Access-Control-Allow-Origin is not ",
    ),
}


@pytest.mark.parametrize("testing", [False, True], ids=["as it is", "in tests"])
@pytest.mark.parametrize(("change", "words"), REAL.values(), ids=REAL)
def test_a_preflight_is_really_sent(
    change: Callable[[Flask, CorsGuard], None], words: str, testing: bool
) -> None:
    """If something in the app ends it, the page cannot use the route, whatever the policy says. No
    view runs."""
    app = Flask("x")
    app.testing = testing
    change(app, CorsGuard(app, origins=A))
    app.add_url_rule("/x", "x", lambda: pytest.fail("it ran"), methods=["PUT", "POST", "GET"])
    ran = run(f"check /x --origin {A} --method PUT", app)
    assert (ran.code, ran.err) == (1 if words else 0, "")
    title = "2. The preflight, sent through the app, fails\n   "
    assert (f"{title}{words}" in ran.out) is bool(words)
    assert ran.out.splitlines()[0].endswith("rejected" if words else "allowed")
    told = json.loads(run(f"check /x --origin {A} --method PUT --json", app).out)
    assert told["allowed"] is not bool(words)
    assert bool(told["fault"]) is bool(words)
    assert words in told["why"]
    assert ("The page reads the response" in ran.out) is not bool(words)
    # A page that sends no preflight does not depend on its status.
    code = 1 if change is take_headers_out else 0
    assert run(f"check /x --origin {A} --method POST", app).code == code


MIDDLEWARE = [
    (take_headers_out, A, "Access-Control-Allow-Origin is not 'https://app.example.com'"),
    (take_headers_out, "https://evil.example", ""),
    (let_everybody_read, A, "Access-Control-Allow-Origin is not 'https://app.example.com'"),
    (let_everybody_read, "https://evil.example", "access-control-allow-origin: '*' was added"),
]


@pytest.mark.parametrize(("change", "origin", "words"), MIDDLEWARE, ids=itertools.count())
def test_middleware_that_changes_who_may_read(
    change: Callable[[Flask, CorsGuard], None], origin: str, words: str
) -> None:
    """Of a request without a preflight too, as far as it does the same to the preflight."""
    app = Flask("x")
    guard = CorsGuard(app, origins=A)
    app.add_url_rule("/x", "x", lambda: pytest.fail("it ran"))
    asked = f"check /x --origin {origin}"
    around = "Nor does it run the code around app.wsgi_app"
    assert around not in run(asked, app).out
    change(app, guard)
    ran = run(asked, app)
    assert ran.code == 1
    assert f"{around} ({change.__name__}.<locals>." in ran.out
    if not words:
        assert ran.out.splitlines()[0].endswith(": rejected")
        return
    assert ran.out.splitlines()[0].endswith(": not known")
    lines = (
        "3. Whether the page can read or use it is not known",
        "   A preflight was sent through the app, because no view runs for it.",
        f"   A preflight's response is changed on its way out: {words}",
    )
    assert "\n".join(lines) in ran.out
    assert "\n   Change: Remove CORS headers from the middleware around the app.\n" in ran.out
    told = json.loads(run(f"{asked} --json", app).out)
    assert (told["allowed"], told["fault"]) == (False, "response_changed")


def test_middleware_that_is_known_to_leave_headers_alone() -> None:
    app = Flask("x")
    CorsGuard(app, origins=A)
    app.wsgi_app = ProxyFix(DispatcherMiddleware(app.wsgi_app))  # type: ignore[method-assign]
    app.add_url_rule("/x", "x", lambda: pytest.fail("it ran"))
    ran = run(f"check /x --origin {A}", app)
    assert (ran.code, "app.wsgi_app" in ran.out) == (0, False)


@pytest.mark.parametrize(
    ("origin", "method", "verdict"),
    [
        (A, "GET", "not known"),
        ("https://evil.example", "GET", "not known"),
        (A, "PUT", "not known"),
        ("https://evil.example", "PUT", "rejected"),  # by a preflight that no view sees
    ],
)
def test_a_view_that_may_override(origin: str, method: str, verdict: str) -> None:
    app = Flask("x")
    CorsGuard(app, origins=A, dangerously_let_views_override=True)
    app.add_url_rule("/x", "x", lambda: pytest.fail("it ran"), methods=["GET", "PUT"])
    asked = f"check /x --origin {origin} --method {method}"
    ran = run(asked, app)
    assert ran.code == 1
    assert ran.out.splitlines()[0].endswith(f": {verdict}")
    is_open = verdict == "not known"
    assert ("unless the view overrides it." in ran.out) is is_open
    assert ("Whether the page can read or use it is not known" in ran.out) is is_open
    assert ("The page" in ran.out) is not is_open
    assert json.loads(run(f"{asked} --json", app).out)["allowed"] is False


def test_a_handshake_does_not_depend_on_headers_of_the_view() -> None:
    app = Flask("x")
    CorsGuard(app, origins=A, dangerously_let_views_override=True)
    app.add_url_rule("/x", "x", lambda: "", websocket=True)
    ran = run(f"check ws://localhost/x --origin {A}", app)
    assert (ran.code, "unless" in ran.out) == (0, False)


@pytest.mark.parametrize("mark", [cors(answer_preflight=False), cors_exempt])
def test_no_preflight_is_sent_to_a_view(mark: Any) -> None:
    app = Flask("x")
    CorsGuard(app, origins=A)
    view = mark(lambda: pytest.fail("it ran"))
    app.add_url_rule("/x", "x", view, methods=["PUT", "OPTIONS"], provide_automatic_options=False)
    assert "through the app" not in run(f"check /x --origin {A} --method PUT", app).out
