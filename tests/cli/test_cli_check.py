"""``flask cors check``: the story of one request."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
from click.testing import Result
from flask import Flask, g
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, cors_exempt
from flask_corsguard.cli import cors
from flask_corsguard.cli.check import ENGINE_NAMES
from flask_corsguard.testing.engines import ENGINES, EngineName
from tests.cli.command_line import APP, flask, in_terminal, made, without_rich

A = "https://app.example.com"
ADMIN = "https://admin.example.com"
OTHER = "https://other.example"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.joinpath("app.py").write_text(APP)
    return tmp_path


def invoke(app: Flask, *arguments: str) -> Result:
    result = app.test_cli_runner().invoke(cors, ["check", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


CODES = [
    (f"/api/users/7 --origin {A}", 0),
    (f"/api/users/7 --origin {OTHER}", 1),
    (f"/api/users/7 --origin {A} --credentials", 0),
    (f"/api/users/7 --origin {ADMIN} --method PUT", 0),
    (f"/api/users/7 --origin {ADMIN} --method put", 0),
    (f"/api/users/7 --origin {ADMIN}", 1),
    (f"/api/users/7 --origin {A} --method PUT", 1),
    (f"/api/users/7 --origin {A} --method DELETE", 1),
    (f"/api/users/7 --origin {A} --header Content-Type", 0),
    (f"/api/users/7 --origin {A} --header X-Own", 1),
    (f"/api/users/seven --origin {A}", 0),  # script reads the 404
    (f"/static/a.woff2 --origin {OTHER}", 0),
    (f"/static/a.woff2 --origin {OTHER} --credentials", 1),
    ("/static/a.woff2 --origin null", 0),
    (f"/static/a.css --origin {OTHER}", 1),
    (f"/hook --origin {A}", 1),
    (f"https://api.example.com/api/users/7 --origin {A}", 0),
    (f"http://api.example.com/api/users/7 --origin {A}", 1),  # mixed content
    ("/api/users/7 --origin http://localhost:5000", 0),  # the app's own page
    *((f"https://localhost/api/users/7 --origin {A} --engine {name}", 0) for name in ENGINE_NAMES),
    # An https page, and an API on the own machine.
    (f"/api/users/7 --origin {A} --engine firefox", 0),
    (f"/api/users/7 --origin {A} --engine webkit", 1),
]


@pytest.mark.parametrize(("arguments", "code"), CODES, ids=[line[0] for line in CODES])
def test_exit_codes(arguments: str, code: int) -> None:
    result = invoke(made(), *arguments.split())
    assert result.exit_code == code, result.output
    as_json = invoke(made(), *arguments.split(), "--json")
    assert as_json.exit_code == code
    assert json.loads(as_json.output)["allowed"] == (code == 0)


def test_the_engines_are_those_that_there_are() -> None:
    assert get_args(EngineName) == ENGINE_NAMES
    assert tuple(ENGINES) == ENGINE_NAMES


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
       > Origin: https://app.example.com
       > Referer: https://app.example.com/
       > Sec-Fetch-Site: cross-site
       > Sec-Fetch-Mode: cors
       > Sec-Fetch-Dest: empty
       < 403
       < Content-Type: application/problem+json
       < Content-Length: 176
       < Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers

2. The page cannot read the response
   The preflight was answered with status 403; only 2xx lets the request be sent.
   Send: 204 No Content to OPTIONS http://localhost:5000/api/users/7
   Send: Access-Control-Allow-Origin: https://app.example.com
   Send: Access-Control-Allow-Credentials: true
   Send: Access-Control-Allow-Methods: PUT
   Send: Access-Control-Allow-Headers: x-own
   Flask-CorsGuard decided: preflight for PUT /api/users/7 from 'https://app.example.com': \
rejected (ORIGIN_NOT_ALLOWED).
     Policy: view api.change_user, set at app.py:18.
     Found: the origin matches none of 'https://admin.example.com', the pattern \
'https://a[0-9]\\\\.example'.
     Change: add 'https://app.example.com' to origins (policy: view api.change_user, set at \
app.py:18).

The same with curl:
"""


def test_the_story_of_a_rejection(folder: Path) -> None:
    ran = flask(
        folder, "--app", "app", "cors", "check", "/api/users/7", "--origin", A, "--method", "PUT",
        "--header", "X-Own: 1", "--credentials",
    )  # fmt: skip
    assert (ran.code, ran.err) == (1, "")
    story, _, command = ran.out.removesuffix("\n").rpartition("\n")
    assert f"{story}\n" == REJECTED
    words = shlex.split(command)
    assert words[:4] == ["curl", "--include", "--request", "OPTIONS"]
    assert words[-1] == "http://localhost:5000/api/users/7"
    assert "Access-Control-Request-Headers: x-own" in words


def test_the_story_of_what_is_allowed() -> None:
    result = invoke(made(), "/api/users/7", "--origin", ADMIN, "--method", "PUT")
    titles = [line[3:] for line in result.output.splitlines() if line[:1].isdigit()]
    assert titles == ["Preflight", "Request", "The page reads the response"]
    assert "The view api.change_user would run here; it is not run for this." in result.output
    commands = [line for line in result.output.splitlines() if line.startswith("curl ")]
    assert len(commands) == 2
    assert result.output.splitlines()[-2:] == commands


def test_json() -> None:
    arguments = ("/api/users/7", "--origin", OTHER, "--method", "PUT", "--json")
    told = json.loads(invoke(made(), *arguments).output)
    assert list(told) == [
        "allowed", "url", "origin", "method", "reason", "why", "decision", "steps", "exchanges",
        "curl",
    ]  # fmt: skip
    assert told["allowed"] is False
    assert told["url"] == "http://localhost:5000/api/users/7"
    assert (told["origin"], told["method"]) == (OTHER, "PUT")
    assert told["reason"] == "preflight_status"
    assert told["why"].startswith("The preflight was answered with status 403")
    assert told["decision"] == {
        "outcome": "REJECTED",
        "reason": "ORIGIN_NOT_ALLOWED",
        "source": "view api.change_user",
        "location": "app.py:18",
    }
    assert [set(step) for step in told["steps"]] == [{"title", "lines"}] * 2
    (exchange,) = told["exchanges"]
    assert exchange["preflight"] is True
    assert (exchange["method"], exchange["status"]) == ("OPTIONS", 403)
    assert ["Origin", OTHER] in exchange["request_headers"]
    assert "Vary" in dict(exchange["response_headers"])
    assert len(told["curl"]) == 1


def test_json_where_nothing_is_sent() -> None:
    told = json.loads(invoke(made(), "http://api.example/", "--origin", A, "--json").output)
    assert told["reason"] == "mixed_content"
    assert (told["decision"], told["exchanges"], told["curl"]) == (None, [], [])


def test_json_of_what_is_allowed() -> None:
    told = json.loads(invoke(made(), "/api/users/7", "--origin", A, "--json").output)
    assert (told["allowed"], told["reason"]) == (True, None)
    assert told["decision"]["outcome"] == "ALLOWED"
    assert told["decision"]["reason"] is None


def test_the_server_that_the_configuration_names() -> None:
    app = made()
    app.config.update(SERVER_NAME="api.example.com", PREFERRED_URL_SCHEME="https")
    told = json.loads(invoke(app, "/api/users/7", "--origin", A, "--json").output)
    assert told["allowed"]
    assert told["url"] == "https://api.example.com/api/users/7"


def test_an_exempt_route_says_so() -> None:
    app = Flask("x")
    CorsGuard(app, origins="*")
    app.add_url_rule("/", "index", cors_exempt(lambda: ""))
    assert "cors_exempt" in invoke(app, "/", "--origin", A).output


def test_a_terminal_folds_all_but_the_command(folder: Path) -> None:
    arguments = ("--app", "app", "cors", "check", "/api/users/7", "--origin", OTHER)
    seen = in_terminal(folder, *arguments, COLUMNS="40", NO_COLOR="1")
    *story, command = seen.splitlines()
    assert command.startswith("curl --include ")
    assert len(command) > 40
    assert shlex.split(command)[-1] == "http://localhost:5000/api/users/7"
    assert max(len(line.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", ""))
               for line in story) <= 40  # fmt: skip


def test_a_wide_terminal_says_what_a_pipe_gets(folder: Path) -> None:
    arguments = ("--app", "app", "cors", "check", "/api/users/7", "--origin", OTHER)
    seen = in_terminal(folder, *arguments, COLUMNS="500")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen)
    assert plain == flask(folder, *arguments).out


def test_without_rich(folder: Path) -> None:
    without_rich(folder)
    arguments = ("--app", "app", "cors", "check", "/api/users/7", "--origin", OTHER)
    plain = flask(folder, *arguments)
    assert plain.code == 1
    assert in_terminal(folder, *arguments, PYTHONPATH=str(folder)) == plain.out


CHECKED = made()


@settings(max_examples=200, deadline=None)
@given(
    url=st.text(max_size=30).map(lambda text: f"/{text}") | st.text(max_size=30),
    header=st.text(max_size=30),
    method=st.sampled_from(["GET", "PUT"]) | st.text(max_size=10),
)
def test_whatever_is_asked_for(url: str, header: str, method: str) -> None:
    """No traceback, and nothing that a terminal would act on."""
    # As it could come from a command line: without NUL, and not taken for an option.
    arguments = ["--origin", A, f"--method={method}", f"--header={header}", "--", url]
    result = invoke(CHECKED, *(argument.replace("\0", "") for argument in arguments))
    assert result.exit_code in (0, 1, 2)
    assert result.output.replace("\n", "").isprintable()


def test_a_converter_of_the_apps_that_fails() -> None:
    class Failing(BaseConverter):
        def to_python(self, value: str) -> str:
            raise ConnectionError("no database")

    app = Flask("shop")
    app.url_map.converters["own"] = Failing
    app.add_url_rule("/orders/<own:order>", "order", lambda order: order)
    CorsGuard(app)
    result = invoke(app, "/orders/7", "--origin", A)
    assert result.exit_code == 2
    assert "the app failed: ConnectionError 'no database' at " in result.output


def test_headers_that_browsers_leave_out() -> None:
    arguments = ("/api/users/7", "--origin", A, "--header", "Cookie: a=b", "--header", "Host: x")
    result = invoke(made(), *arguments)
    assert result.exit_code == 0
    assert (
        "1. Headers\n   Left out, because browsers do not let JavaScript set them: cookie, host.\n"
        in (result.output)
    )
    assert "> Cookie" not in result.output
    assert "Left out" not in invoke(made(), *arguments[:3], "--header", "X-Own: 1").output


@pytest.mark.parametrize("command", ["check /api/users/7 --json", "routes --json"])
def test_an_app_that_prints_while_it_is_loaded(folder: Path, command: str) -> None:
    source = APP.replace("app = Flask(__name__)", "app = Flask(__name__); print('connected')")
    folder.joinpath("app.py").write_text(f"print('loading')\n{source}")
    ran = flask(folder, "--app", "app", "cors", *command.split(), "--origin", A)
    assert json.loads(ran.out)
    assert ran.err.splitlines() == ["loading", "connected"]


def test_a_teardown_function_that_counts_on_a_request() -> None:
    app = made()
    app.teardown_appcontext(lambda error: g.db.close())
    result = invoke(app, "/api/users/7", "--origin", A)
    assert result.exit_code == 0, result.output


def test_an_app_whose_server_name_is_none() -> None:
    app = made()
    app.config["SERVER_NAME"] = 5000
    result = invoke(app, "/api/users/7", "--origin", A)
    assert result.exit_code == 2
    assert "the app failed: " in result.output
