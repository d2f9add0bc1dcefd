"""``flask cors export``: what it writes, and what it cannot."""

import re
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, Policy
from flask_corsguard.export import nginx
from tests.cli.command_line import Ran, run

SERVERS = ("nginx", "apache")


def app_with(**fields: object) -> tuple[Flask, CorsGuard]:
    app = Flask("shop", static_folder="static", root_path="/nowhere")
    return app, CorsGuard(app, **{"origins": "https://app.example.com", **fields})


def export(app: Flask, server: str = "nginx", *arguments: str) -> Ran:
    return run(["export", server, *(arguments or ("--path", "/static"))], app)


class Source:
    name = "partners"

    def load(self) -> tuple[int, list[str]]:
        return 1, ["https://a.example"]


def is_partner(origin: str) -> bool:
    return True


OF_STATIC = "/static/<path:filename> (policy: default, tests/cli/test_cli_export.py:19)"
UNSAYABLE = [
    (
        {"origins": [is_partner]},
        "origins: the function 'is_partner' decides, and only Python can run it. List origins.",
    ),
    (
        {"origins": ["https://b.example", Source()]},
        "origins: the rows of 'partners' change while the app runs. List origins.",
    ),
    (
        {"origins": re.compile(r"https://(a|b)\.example(?!:80)")},
        "origins: in a pattern, a server may read a lookahead or a lookbehind differently from"
        " Python. List origins, or write a plainer pattern.",
    ),
    (
        {"origins": "*", "deny_origins": re.compile("https://(?:(a)|b)(?(1)x|y)")},
        "deny_origins: in a pattern, a server may read a condition differently from Python. List"
        " origins, or write a plainer pattern.",
    ),
    (
        {"origins": re.compile("https://\u017f.example|x{400}")},
        "origins: in a pattern, a server may read the character '\\u017f' differently from Python."
        " List origins, or write a plainer pattern.",
    ),
    (
        {"enforce": "unsafe"},
        "enforce: a server cannot tell the app's own pages from others, and 'unsafe' depends on"
        " that. Where Flask does not respond, write enforce='off'.",
    ),
    ({"answer_preflight": False}, "answer_preflight: no view of the app responds there."),
    (
        {"dangerously_let_views_override": True},
        "dangerously_let_views_override: no view of the app responds there, and a server does not"
        " know a view's headers. Leave it out.",
    ),
]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("fields", "message"), UNSAYABLE)
def test_a_field_that_a_server_cannot_say(
    server: str, fields: dict[str, object], message: str, tmp_path: Path
) -> None:
    app, _ = app_with(**fields)
    ran = export(app, server, "--path", "/static", "--output", str(tmp_path))
    assert (ran.code, ran.out, [*tmp_path.iterdir()]) == (1, "", [])
    first, *_ = ran.err.splitlines()
    assert first.startswith(f"{OF_STATIC}: {message}")
    assert f"{server} cannot express" in ran.err.splitlines()[-1]


def test_everything_at_once() -> None:
    """Each field of each policy, in lists of policies too, and each route."""
    app, guard = app_with(origins=[is_partner], enforce="all", answer_preflight=False)

    class Code(BaseConverter):
        pass

    app.url_map.converters["code"] = Code
    app.add_url_rule("/static/by/<code:x>", "by", lambda x: "")
    app.add_url_rule("/static/<int(max=9):n>/x", "few", lambda n: "")
    app.add_url_rule("/static/old", "old", redirect_to="/static/new")
    app.add_url_rule("/static/mine", "mine", lambda: "", subdomain="my")
    guard.for_files("static", "*.[!a]s", "x[", origins=["https://b.example"])
    ran = export(app)
    assert (ran.code, ran.out) == (1, "")
    for words in (
        "/static/by/<code:x> (by): rule: what 'x' accepts is decided by the code of Code.",
        "/static/<int(max=9):n>/x (few): rule: what 'n' accepts is decided by the code of"
        " IntegerConverter.",
        "/static/old (old): rule: it redirects, so the policy of its target applies.",
        "/static/mine (mine): rule: it is for one host, but the server's file applies to any.",
        "/static/<path:filename> (static): for_files: a glob has the set '[!a]'. Name the endings",
        ": origins: the function 'is_partner' decides",
        ": enforce: ",
        ": answer_preflight: ",
    ):
        assert words in ran.err
    assert re.search(r"nginx cannot express \d+ things\. Nothing was written\.\n\Z", ran.err)


def test_what_nginx_alone_cannot_say() -> None:
    names = [f"x-{'a' * 90}{n}" for n in range(60)]
    app, _ = app_with(expose_headers=["X-$price-x"], allow_headers=names)
    ran = export(app)
    assert (ran.code, ran.out) == (1, "")
    assert (
        "expose_headers: nginx takes the $ in 'X-$price-x' as the start of a variable." in ran.err
    )
    assert re.search(
        r"\.py:\d+\): allow_headers: it would need [\d,]+ characters, and nginx ", ran.err
    )
    assert export(app, "apache").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name what the server serves: --path /static, or --endpoint static"),
        (("--endpoint", "none"), "no route has the endpoint 'none'"),
        (("--path", "static/*"), "'static/*': a prefix is not a pattern"),
        (("--path", "/x", "--output", "/not/there"), "Directory '/not/there' does not exist"),
    ],
)
def test_what_cannot_run(arguments: tuple[str, ...], message: str) -> None:
    app, _ = app_with()
    ran = run(["export", "nginx", *arguments], app)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_the_files(tmp_path: Path) -> None:
    app, _ = app_with(enforce="report")
    ran = export(app, "nginx", "--path", "/static", "--output", str(tmp_path))
    assert ran.code == 0
    assert ran.err == (
        f"Warning: {nginx.WARNING}\n"
        'Warning: enforce="report": a server in front of Flask reports nothing.\n'
    )
    texts = [(tmp_path / name).read_text() for name in nginx.FILES]
    assert export(app).out == "".join(f"{text}\n" for text in texts)
    state = app.extensions["corsguard"]
    for name, text in zip(nginx.FILES, texts, strict=True):
        assert text.startswith(f"# {name}\n#\n# Made from the app 'shop', fingerprint ")
        assert state.current().fingerprint() in text
        assert "# flask cors export nginx --path /static\n" in text
        assert "# (Strict-Transport-Security, Content-Security-Policy," in text
    app_again, _ = app_with(enforce="report")
    assert export(app_again).out == export(app).out
    other, _ = app_with(max_age=1)
    names = [re.search(r"\$(cors_\w{6})_", export(each).out) for each in (app, other)]
    found = {name and name[1] for name in names}
    assert len(found - {None}) == 2, "two exports in one nginx would share variables"


def test_exempt_and_empty() -> None:
    """Nothing is written for exempt routes; an app without rules there has its default policy."""
    app, guard = app_with()
    guard.for_endpoint("static", Policy(origins="*"))
    ran = export(app, "apache", "--path", "/elsewhere")
    assert ran.code == 0
    assert "^(?:[^ ]+ /+elsewhere(?:/|\\z))#" in ran.out
    assert "/+static" not in ran.out
