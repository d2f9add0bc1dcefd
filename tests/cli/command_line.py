"""Runs ``flask cors`` as people do: in a process of its own, in the folder of the app."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from flask import Flask

APP = """\
import re
from flask import Blueprint, Flask, abort
from flask_corsguard import CorsGuard, Policy, cors, cors_exempt


def create_app(origin="https://app.example.com"):
    app = Flask(__name__)
    guard = CorsGuard(app, origins=[origin])
    guard.for_files("static", "*.woff2", origins="*")
    api = Blueprint("api", __name__, url_prefix="/api")
    cors(allow_credentials=True, enforce="unsafe")(api)

    @api.get("/users/<int:number>")
    def user(number):
        raise RuntimeError("no view is run")

    @api.put("/users/<int:number>")
    @cors(origins=["https://admin.example.com", re.compile(r"https://a[0-9]\\.example")])
    def change_user(number):
        raise RuntimeError("no view is run")

    @app.post("/hook")
    @cors_exempt
    def hook():
        raise RuntimeError("no view is run")

    app.register_blueprint(api)
    return app
"""


def made() -> Flask:
    """The same app, in this process."""
    scope: dict[str, object] = {"__name__": "app"}
    exec(compile(APP, "app.py", "exec"), scope)
    create_app = scope["create_app"]
    assert callable(create_app)
    app = create_app()
    assert isinstance(app, Flask)
    return app


class Ran(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    paths = [
        folder for folder in (changes.get("PYTHONPATH"), os.environ.get("PYTHONPATH")) if folder
    ]
    return {**kept, "TERM": "xterm-256color", **changes, "PYTHONPATH": os.pathsep.join(paths)}


def flask(folder: Path, *arguments: str, **variables: str) -> Ran:
    result = subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=folder,
        env=environment(variables),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Ran(result.returncode, result.stdout, result.stderr)


def in_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """All that a terminal of its own gets to see."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "flask", *arguments],
        cwd=folder,
        env=environment(variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        received = b""
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            received += chunk
    os.close(ours)
    return received.decode().replace("\r\n", "\n")


def without_rich(folder: Path) -> None:
    """Have Python find no rich in processes that run with this folder on their path."""
    folder.joinpath("sitecustomize.py").write_text("import sys\nsys.modules['rich'] = None\n")
