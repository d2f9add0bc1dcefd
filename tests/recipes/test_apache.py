"""What ``docs/migrating/apache.md`` says of a real Apache beyond its recipes."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

from ..listening import free_port, listening, require
from .apache import HTTPD, httpd
from .comparing import send
from .originals import guarded
from .recipes import PAGES, table

PAGE = (PAGES / "apache.md").read_text("utf-8")
ECHO = """\
SetEnvIf Origin "PATTERN" ALLOWED=$0
Header set Access-Control-Allow-Origin "%{ALLOWED}e" env=ALLOWED
"""
PREFLIGHT = {"Access-Control-Request-Method": "GET"}
APP = """\
from flask import Flask
from flask_corsguard import CorsGuard

app = Flask(__name__)
guard = CorsGuard(app, origins="https://shop.example")

@app.get("/")
def index(): return {}
"""


@contextmanager
def apache(directory: Path, files: dict[str, str], more: str = "") -> Iterator[int]:
    """Serve these ``.htaccess`` files, by folder; the port."""
    require([HTTPD])
    for folder, text in files.items():
        path = directory / "www" / folder
        path.mkdir(parents=True)
        (path / "x.json").write_text("{}")
        (path / ".htaccess").write_text(text)
    port = free_port()
    with listening(httpd(port, directory, more), port, directory / "log", {}, directory):
        yield port


def allowed(response: HTTPResponse) -> str:
    """Every ``Access-Control-Allow-Origin`` line, as the tables write them."""
    return " and ".join(response.headers.get_all("Access-Control-Allow-Origin", ["nothing"]))


def test_what_each_pattern_lets_in(tmp_path: Path) -> None:
    rows = table(PAGE, "What one character in the pattern does")
    assert ECHO in PAGE
    files = {str(n): ECHO.replace("PATTERN", row[0]) for n, row in enumerate(rows)}
    with apache(tmp_path, files) as port:
        found = []
        for n, (pattern, origin, *_) in enumerate(rows):
            answer = allowed(send(port, "GET", f"/{n}/x.json", {"Origin": origin})[0])
            found.append([pattern, origin, answer, "yes" if answer == origin else "no"])
    assert found == rows


def test_what_apache_makes_of_what_the_app_decides(tmp_path: Path) -> None:
    rows = table(PAGE, "Apache stays in front of the app")
    # What is said for files that Apache serves; the first row would show it.
    files = {"": 'Header always set Access-Control-Allow-Origin "*"'}
    with guarded(APP, tmp_path) as behind:
        proxied = "".join(
            f'<Location "/{n}/">\nProxyPass "http://127.0.0.1:{behind}/"\n{row[0]}\n</Location>\n'
            for n, row in enumerate(rows)
        ).replace("no directive", "")
        with apache(tmp_path, files, proxied) as port:
            found = []
            for n, (directive, *_) in enumerate(rows):
                shop, _ = send(port, "GET", f"/{n}/", {"Origin": "https://shop.example"})
                fields = {"Origin": "https://attacker.example"}
                attacker, _ = send(port, "GET", f"/{n}/", fields)
                preflight, _ = send(port, "OPTIONS", f"/{n}/", fields | PREFLIGHT)
                assert (shop.status, attacker.status, preflight.status) == (200, 200, 403)
                found.append([directive, *map(allowed, (shop, attacker, preflight))])
            assert allowed(send(port, "GET", "/x.json", {})[0]) == "*"
    assert found == rows


def test_the_rule_for_options_sends_an_error_page(tmp_path: Path) -> None:
    rule = "RewriteEngine On\nRewriteCond %{REQUEST_METHOD} =OPTIONS\nRewriteRule ^ - [R=200,L]\n"
    said = 'in the body "The server encountered an internal error"'
    assert rule in PAGE
    assert said in " ".join(PAGE.split())
    files = {"with-200": rule, "with-204": rule.replace("200", "204")}
    with apache(tmp_path, files) as port:
        first, page = send(port, "OPTIONS", "/with-200/x.json", {})
        second, nothing = send(port, "OPTIONS", "/with-204/x.json", {})
    assert (first.status, second.status, nothing) == (200, 204, b"")
    assert said.split('"')[1] in page.decode()
