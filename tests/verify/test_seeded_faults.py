"""``flask cors verify`` against real servers: each fault is found, and nothing without one."""

import contextlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from ..cli.command_line import run
from ..listening import free_port, listening, require
from .misconfigured import behind_apache, behind_caddy, behind_nginx, served, verified

ITEM, CLOSED = "GET /items/7", "GET /closed"
FILE, NO_FILE = "GET /static/logo.txt", "GET /static/<path:filename>"
# As far as every fault shows, to save time.
SHORT = ["--get", "/items/7", "--limit", "20"]
GETS = ["--get", "/items/7", "--get", "/closed", "--limit", "72"]


class Case(NamedTuple):
    """A configuration, and what is found: codes, each with a place where it is."""

    text: str
    found: Mapping[str, str] = MappingProxyType({})
    options: Sequence[str] = tuple(GETS)


def passing(*directives: str, host: str = "$http_host") -> str:
    lines = ["proxy_pass APP;", f"proxy_set_header Host {host};", *directives]
    return f"location / {{ {' '.join(lines)} }}"


def caching(*directives: str) -> str:
    key = "proxy_cache_key $server_port$request_uri;"
    return passing("proxy_cache app;", "proxy_cache_valid any 10m;", key, *directives)


STAR = "Access-Control-Allow-Origin *"
ECHO = "Access-Control-Allow-Origin $http_origin always;"
ALL_TESTS = ["--get", "/items/7", "--get", "/closed", "--get", "/ready", "--get", "/nowhere",
             "--get", "/static/logo.txt", "--status", "/ready"]  # fmt: skip
NGINX = {
    "right": Case(passing(), options=ALL_TESTS),
    "a right cache": Case(caching(), options=ALL_TESTS),
    "a right cache, by its key": Case(
        caching("proxy_ignore_headers Vary;", 'proxy_cache_key "$request_uri$http_origin";')
        .replace("proxy_cache_key $server_port$request_uri;", "")
    ),
    "a header of its own": Case(passing("add_header X-Frame-Options DENY always;")),
    "Vary of its own": Case(passing("add_header Vary Accept-Encoding always;")),
    "*": Case(
        passing(f"add_header {STAR};"), {"doubled_header": ITEM, "star_added": ITEM},
    ),
    "whoever asks": Case(
        passing(f"add_header {ECHO}", "add_header Access-Control-Allow-Credentials true always;"),
        {"doubled_header": ITEM, "header_added": ITEM, "stranger_admitted": ITEM},
    ),
    "credentials": Case(
        passing("add_header Access-Control-Allow-Credentials true;"),
        {"header_added": ITEM, "doubled_header": "PUT /items/<int:number>"},
    ),
    "a fixed origin": Case(
        passing("add_header Access-Control-Allow-Origin https://shop.example;"),
        {"doubled_header": ITEM, "header_added": ITEM},
    ),
    "OPTIONS": Case(
        passing("if ($request_method = OPTIONS) { return 204; }"), {"preflight_replaced": ITEM}
    ),
    "OPTIONS with headers": Case(
        passing(
            f"if ($request_method = OPTIONS) {{ add_header {STAR};"
            " add_header Access-Control-Allow-Methods 'GET, PUT'; return 204; }"
        ),
        {"preflight_replaced": ITEM},
    ),
    "OPTIONS with most of the policy's headers": Case(
        passing(
            f"if ($request_method = OPTIONS) {{ add_header {ECHO} add_header Vary Origin;"
            " add_header Access-Control-Max-Age 600; add_header Access-Control-Allow-Headers"
            " Content-Type; add_header Access-Control-Allow-Methods 'GET, PUT'; return 200; }"
        ),
        {"preflight_replaced": ITEM},
        SHORT,
    ),
    "no requested method": Case(
        passing('proxy_set_header Access-Control-Request-Method "";'),
        {"preflight_lost": ITEM},
        SHORT,
    ),
    "pages for refusals": Case(
        passing("proxy_intercept_errors on; error_page 403 =200 /static/logo.txt;"),
        {"other_decision": CLOSED},
        ["--get", "/closed", "--limit", "20"],
    ),
    "a page for every path": Case(
        "location / { error_page 405 =200 /static/logo.txt; root FILES;"
        " try_files /static/logo.txt =404; }",
        {"preflight_replaced": ITEM},
    ),
    "some methods": Case(
        passing("limit_except GET POST { deny all; }"), {"preflight_not_allowed": ITEM}
    ),
    "a password": Case(
        passing("auth_basic shop;", "auth_basic_user_file FILES/users;"),
        {"preflight_needs_login": ITEM},
    ),
    "a login page": Case("location / { return 302 /login; }", {"preflight_redirected": ITEM}),
    "no such path": Case("location / { return 404; }", {"not_found": ITEM}),
    "no app": Case(
        "location / { proxy_pass http://127.0.0.1:1; }", {"app_unreachable": ITEM}
    ),
    "https": Case("return 301 https://$host$request_uri;", {"https_redirect": ITEM}),
    "no Vary": Case(passing("proxy_hide_header Vary;"), {"vary_lost": ITEM}),
    "no header": Case(
        passing("proxy_hide_header Access-Control-Allow-Origin;"), {"header_lost": ITEM}
    ),
    "another max age": Case(
        passing(
            "proxy_hide_header Access-Control-Max-Age;", "add_header Access-Control-Max-Age 9;"
        ),
        {"header_changed": ITEM, "header_added": ITEM},
    ),
    "no Origin": Case(passing('proxy_set_header Origin "";'), {"origin_lost": ITEM}),
    "another Origin": Case(
        passing("proxy_set_header Origin https://internal.example;"),
        {"other_decision": ITEM, "header_lost": ITEM, "host_lost": ITEM},
        SHORT,
    ),
    "no port": Case(passing(host="$host"), {"host_lost": ITEM}),
    "another host": Case(passing(host="$proxy_host"), {"host_lost": CLOSED}),
    "files": Case(
        passing() + f"location /static/ {{ root FILES; add_header {STAR}; }}",
        {"star_added": FILE, "preflight_not_allowed": FILE},
        ["--get", "/static/logo.txt"],
    ),
    "a cache without Vary": Case(caching("proxy_ignore_headers Vary;"), {"mixed_up": ITEM}),
    "a cache that says so": Case(
        caching(
            "proxy_ignore_headers Vary;",
            "add_header X-Cache-Status $upstream_cache_status always;",
        ),
        {"mixed_up": CLOSED},
    ),
    "a cache without Vary and query": Case(
        caching("proxy_ignore_headers Vary;").replace("$request_uri", "$uri"), {"mixed_up": CLOSED}
    ),
    "a cache, and no Vary": Case(
        caching("proxy_ignore_headers Vary;", "proxy_hide_header Vary;"),
        {"mixed_up": ITEM, "vary_lost": ITEM},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployed")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)  # nginx and Apache read files there as nobody
    return folder


@pytest.fixture(scope="module")
def backend(folder: Path) -> Iterator[int]:
    with served(folder) as port:
        yield port


@pytest.fixture(scope="module")
def nginx(backend: int, folder: Path) -> Iterator[dict[str, str]]:
    with behind_nginx({name: case.text for name, case in NGINX.items()}, backend, folder) as urls:
        yield urls


def check(case: Case, url: str, folder: Path, root: str = "") -> None:
    found = verified(url, folder, *case.options).found
    assert {*found} == {*case.found}
    for code, place in case.found.items():
        method, path = place.split()
        assert place in found[code] or f"{method} {root}{path}" in found[code]


@pytest.mark.parametrize("name", NGINX)
def test_nginx(name: str, nginx: dict[str, str], folder: Path) -> None:
    check(NGINX[name], nginx[name], folder)


def test_what_a_cache_says_of_itself_is_shown(nginx: dict[str, str], folder: Path) -> None:
    done = verified(nginx["a cache that says so"], folder, "--get", "/items/7")
    found = done.example("mixed_up")
    assert "X-Cache-Status: 'HIT'" in found["received"]
    assert found["sent"][-1] == "before it, the same URL from https://shop.example"
    assert found["title"].endswith(": its Vary names Origin")
    without = verified(nginx["a cache, and no Vary"], folder, "--get", "/items/7")
    assert without.example("mixed_up")["title"].endswith(": its Vary does not name Origin")


APACHE = {
    "right": Case("ProxyPreserveHost On", options=ALL_TESTS),
    "* in its place": Case(
        f"ProxyPreserveHost On\nHeader set {STAR}".replace("*", '"*"'), {"star_added": ITEM}
    ),
    "* beside it": Case(
        f"ProxyPreserveHost On\nHeader always set {STAR}".replace("*", '"*"'),
        {"doubled_header": ITEM, "star_added": ITEM},
    ),
    "Vary": Case('ProxyPreserveHost On\nHeader set Vary "Accept"', {"vary_lost": ITEM}),
    "OPTIONS": Case(
        "ProxyPreserveHost On\nRewriteEngine On\nRewriteCond %{REQUEST_METHOD} =OPTIONS\n"
        "RewriteRule ^ - [R=204,L]",
        {"preflight_replaced": ITEM},
    ),
    "some methods": Case(
        "ProxyPreserveHost On\nRequire method GET HEAD POST", {"preflight_not_allowed": ITEM}
    ),
    "another host": Case("ProxyPreserveHost Off", {"host_lost": CLOSED}),
}


def test_apache(backend: int, folder: Path) -> None:
    """Each below a path of its own, which the app does not know."""
    texts = {name: case.text for name, case in APACHE.items()}
    with behind_apache(texts, backend, folder) as urls:
        for number, (name, case) in enumerate(APACHE.items()):
            check(case, urls[name], folder, f"/{number}")


def test_gunicorn_alone(backend: int, folder: Path) -> None:
    done = verified(f"http://127.0.0.1:{backend}/", folder, *ALL_TESTS)
    assert done.found == {}
    assert done.told["not_tried"] == []


def test_other_settings(folder: Path, backend: int, tmp_path: Path) -> None:
    text = (folder / "app.py").read_text()
    other = text.replace("https://shop.example", "https://store.example")
    (tmp_path / "app.py").write_text(other)
    url = f"http://127.0.0.1:{backend}"
    found = verified(url, tmp_path, "--status", f"{url}/ready", "--get", "/items/7").found
    assert {*found} == {"other_settings", "other_decision", "header_lost", "star_added"}
    assert "star_added" not in verified(url, tmp_path, "--limit", "8").found
    assert verified(url, folder, "--status", "/items/7").found.keys() == {"no_status"}
    assert verified(url, folder, "--status", "/nowhere").found.keys() == {"no_status"}


WHITENOISE = """\
from app import app, guard
from whitenoise import WhiteNoise

app.static_folder = None
star = WhiteNoise(app, root="static", prefix="static/")
right = guard.wsgi(star, paths=["/static"])
"""


def test_whitenoise(folder: Path) -> None:
    require(["whitenoise"])
    (folder / "files.py").write_text(WHITENOISE)
    for module, found in (
        ("files:star", {"star_added", "preflight_not_allowed"}),
        ("files:right", set[str]()),
    ):
        with served(folder, module) as port:
            done = verified(f"http://127.0.0.1:{port}", folder, "--get", "/static/logo.txt")
        assert {*done.found} == found


CADDY = {
    "right": Case("reverse_proxy APP", options=ALL_TESTS),
    "*": Case(
        f"reverse_proxy APP\nheader {STAR}", {"doubled_header": ITEM, "star_added": ITEM}
    ),
    "* in its place": Case(
        f"reverse_proxy APP {{\nheader_down {STAR}\n}}", {"star_added": ITEM}
    ),
    "OPTIONS": Case(
        "@options method OPTIONS\nrespond @options 204\nreverse_proxy APP",
        {"preflight_replaced": ITEM},
    ),
    "no Vary": Case("reverse_proxy APP {\nheader_down -Vary\n}", {"vary_lost": ITEM}),
    "another host": Case(
        "reverse_proxy APP {\nheader_up Host {upstream_hostport}\n}", {"host_lost": CLOSED}
    ),
    "https": Case("redir https://{host}{uri}", {"https_redirect": ITEM}),
    "files": Case(
        f"handle /static/* {{\nheader {STAR}\nfile_server {{\nroot FILES\n}}\n}}\n"
        "handle {\nreverse_proxy APP\n}",
        # It responds to OPTIONS as to GET.
        {"star_added": FILE, "preflight_replaced": FILE, "not_found": NO_FILE},
        ["--get", "/static/logo.txt"],
    ),
}  # fmt: skip


def nightly(name: str) -> None:
    """Skip the test if a program or module is missing; .ci/nightly has them all."""
    if shutil.which(name) is None and importlib.util.find_spec(name) is None:
        is_required = os.environ.get("CORSGUARD_REQUIRE_APPS") == "1"
        (pytest.fail if is_required else pytest.skip)(f"not installed: {name}")


@pytest.mark.slow
def test_caddy(backend: int, folder: Path) -> None:
    nightly("caddy")
    with behind_caddy({name: case.text for name, case in CADDY.items()}, backend, folder) as urls:
        for name, case in CADDY.items():
            check(case, urls[name], folder)


CONNEXION = """\
import connexion
from flask_corsguard import CorsGuard

def items(): return []

SPEC = {
    "openapi": "3.0.0",
    "info": {"title": "shop", "version": "1"},
    "paths": {"/items": {"get": {
        "operationId": "app.items", "responses": {"200": {"description": "all"}},
    }}},
}
plain = connexion.FlaskApp(__name__)
plain.add_api(SPEC)
app = plain.app
guard = CorsGuard(app, origins=["https://shop.example"])
right = guard.asgi(plain, paths="/")
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Connexion's, of others
def test_connexion(tmp_path: Path) -> None:
    nightly("connexion")
    require(["hypercorn"])
    (tmp_path / "app.py").write_text(CONNEXION)
    for name, found in (("plain", {"preflight_not_allowed"}), ("right", set[str]())):
        port = free_port()
        command = [sys.executable, "-m", "hypercorn", f"--bind=127.0.0.1:{port}", f"app:{name}"]
        with listening(command, port, tmp_path / "log", {}, tmp_path):
            done = verified(f"http://127.0.0.1:{port}", tmp_path, "--get", "/items")
        assert {*done.found} == found


PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "verify-a-deployment.md").read_text("utf-8")


def test_the_example_is_what_it_prints(tmp_path: Path) -> None:
    blocks = dict(
        re.findall(r"^```(python|nginx|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    )
    (tmp_path / "app.py").write_text(blocks["python"])
    inside = re.search(r"    location .*^    }$", blocks["nginx"], re.MULTILINE | re.DOTALL)
    assert inside
    configuration = inside[0].replace("http://127.0.0.1:8000", "APP")
    command = re.search(r"^flask .* cors verify (http:.*)$", PAGE, re.MULTILINE)
    assert command
    address, option, path = command[1].split()
    with (
        served(tmp_path) as port,
        behind_nginx({"": configuration}, port, tmp_path) as urls,
        contextlib.chdir(tmp_path),
    ):
        ran = run(["verify", urls[""], option, path, "--rate", "1000"], "app")
        text = ran.out.replace(urls[""], address)
    text = text.replace("'PUT, OPTIONS'", "'OPTIONS, PUT'")  # Flask has them in any order
    text = re.sub(r"(?<=corsguard-verify=)\w+", "3b1d7f60", text)
    assert re.sub(r"nginx/[0-9.]+", "nginx/1.28.0", text) == blocks["text"]
    assert ran.code == 1
