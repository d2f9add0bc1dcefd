"""An app, and servers in front of it that are configured well and badly."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..cli.command_line import run
from ..listening import free_port, listening, require
from ..nginx import nginx
from ..recipes.apache import HTTPD, httpd

APP = """\
from flask import Flask
from flask_corsguard import CorsGuard, Policy, cors

app = Flask(__name__)
guard = CorsGuard(app, origins=["https://shop.example", "https://*.partner.example"])

@app.get("/items/<int:number>")
def item(number):
    return {}, {"Cache-Control": "max-age=600"}

@app.put("/items/<int:number>")
@cors(allow_credentials=True, enforce="unsafe")
def replace(number):
    raise RuntimeError("only preflights are sent")

@app.get("/closed")
@cors(enforce="all")
def closed():
    return "", {"Cache-Control": "max-age=600"}

@app.get("/ready")
@cors([Policy(origins="https://shop.example", allow_credentials=True), Policy(origins="*")])
def ready():
    return guard.status()
"""


class Verified(NamedTuple):
    """What the command came to: its exit code, and what it has found: code -> where."""

    code: int
    found: dict[str, list[str]]
    told: dict[str, Any]

    def example(self, code: str) -> dict[str, Any]:
        """The first finding of a kind."""
        return next(finding for finding in self.told["findings"] if finding["code"] == code)


def verified(url: str, directory: Path, *arguments: str) -> Verified:
    """Verify the app in that directory."""
    words = ["verify", url, "--json", "--rate", "1000", *arguments]
    ran = run(words, f"{directory / 'app.py'}:app")
    assert ran.code < 2, ran.err
    told = json.loads(ran.out)
    found: dict[str, list[str]] = {}
    for finding in told["findings"]:
        found.setdefault(finding["code"], []).extend(finding["where"])
        assert finding["sent"][0].startswith(("OPTIONS http", "GET http"))
    assert ran.code == bool(found)
    return Verified(ran.code, found, told)


@contextmanager
def served(directory: Path, module: str = "app:app") -> Iterator[int]:
    """The app, in gunicorn; the port."""
    require(["gunicorn"])
    if not (directory / "app.py").exists():
        (directory / "app.py").write_text(APP)
    (directory / "static").mkdir(exist_ok=True)
    (directory / "static" / "logo.txt").write_text("a logo")
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", module]
    environment = {"XDG_RUNTIME_DIR": str(directory)}
    with listening(command, port, directory / "app.log", environment, directory):
        yield port


@contextmanager
def behind_nginx(
    configurations: Mapping[str, str], app: int, directory: Path
) -> Iterator[dict[str, str]]:
    """One nginx with a server for each configuration; their URLs.

    :param configurations: the insides of blocks ``server``, with APP for where the app is, and
        FILES for the app's directory.
    """
    require(["nginx"])
    (directory / "users").write_text("ada:{PLAIN}secret\n")
    ports = {name: free_port() for name in configurations}
    blocks = [f"proxy_cache_path {directory}/cache keys_zone=app:1m;"]
    for name, text in configurations.items():
        inside = text.replace("APP", f"http://127.0.0.1:{app}").replace("FILES", str(directory))
        blocks.append(f"server {{ listen 127.0.0.1:{ports[name]};\n{inside}\n}}")
    command = nginx("\n".join(blocks), directory)
    with listening(command, max(ports.values()), directory / "nginx.out", {}, directory):
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


@contextmanager
def behind_apache(
    configurations: Mapping[str, str], app: int, directory: Path
) -> Iterator[dict[str, str]]:
    """One Apache with a path for each configuration, below which the app is; their URLs."""
    require([HTTPD])
    (directory / "www").mkdir(exist_ok=True)
    locations = "\n".join(
        f'<Location "/{number}/">\nProxyPass "http://127.0.0.1:{app}/"\n{text}\n</Location>'
        for number, text in enumerate(configurations.values())
    )
    port = free_port()
    command = httpd(port, directory, locations)
    with listening(command, port, directory / "apache.out", {}, directory):
        yield {name: f"http://127.0.0.1:{port}/{n}" for n, name in enumerate(configurations)}


@contextmanager
def behind_caddy(
    configurations: Mapping[str, str], app: int, directory: Path
) -> Iterator[dict[str, str]]:
    """One Caddy with a site for each configuration; their URLs."""
    ports = {name: free_port() for name in configurations}
    blocks = ["{\nadmin off\nauto_https off\n}"]
    for name, text in configurations.items():
        inside = text.replace("APP", f"127.0.0.1:{app}").replace("FILES", str(directory))
        blocks.append(f"http://127.0.0.1:{ports[name]} {{\n{inside}\n}}")
    (directory / "Caddyfile").write_text("\n".join(blocks))
    command = ["caddy", "run", "--config", str(directory / "Caddyfile")]
    home = {"HOME": str(directory), "XDG_DATA_HOME": str(directory)}
    with listening(command, max(ports.values()), directory / "caddy.out", home, directory):
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
