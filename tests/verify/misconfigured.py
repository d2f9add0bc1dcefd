"""An app, and servers in front of it that are configured right and wrong."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..listening import free_port, listening, require
from ..nginx import nginx
from ..recipes.apache import HTTPD, httpd

SHOP = "https://shop.example"

APP = """\
from flask import Flask
from flask_corsguard import CorsGuard, Policy, cors

app = Flask(__name__)
app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 600
guard = CorsGuard(app, origins=["https://shop.example", "https://*.partner.example"])

@app.get("/items/<int:number>")
def item(number):
    return {}, {"Cache-Control": "max-age=600"}

@app.put("/items/<int:number>")
@cors(allow_credentials=True, enforce="unsafe")
def replace(number):
    raise RuntimeError("only preflights are sent")

@app.get("/prices")
@cors([Policy(origins="https://shop.example", allow_credentials=True), Policy(origins="*")])
def prices():
    return [], {"Cache-Control": "max-age=600"}

@app.get("/closed")
@cors(enforce="all")
def closed():
    return ""

@app.get("/ready")
def ready():
    return guard.status()
"""
PATHS = ("/items/7", "/prices", "/closed", "/static/logo.txt", "/nowhere")


@contextmanager
def served(directory: Path, app: str = APP, server: str = "gunicorn") -> Iterator[int]:
    """The app, in a server of its own; the port."""
    require([server])
    (directory / "app.py").write_text(app)
    (directory / "static").mkdir(exist_ok=True)
    (directory / "static" / "logo.txt").write_text("a logo")
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", "app:app"]
    environment = {"XDG_RUNTIME_DIR": str(directory)}
    with listening(command, port, directory / "app.log", environment, directory):
        yield port


@contextmanager
def behind_nginx(
    configurations: Mapping[str, str], app: int, directory: Path
) -> Iterator[dict[str, str]]:
    """One nginx with a server for each configuration; their URLs.

    :param configurations: the contents of a block ``server``, with ``APP`` for where the app is.
    """
    require(["nginx"])
    ports = {name: free_port() for name in configurations}
    blocks = [f"proxy_cache_path {directory}/cache keys_zone=app:1m;\n"]
    for name, text in configurations.items():
        inside = text.replace("APP", f"http://127.0.0.1:{app}").replace("DIRECTORY", str(directory))
        blocks.append(f"server {{ listen 127.0.0.1:{ports[name]};\n{inside}\n}}")
    command = nginx("\n".join(blocks), directory)
    with listening(command, [*ports.values()][-1], directory / "nginx.out", {}, directory):
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
