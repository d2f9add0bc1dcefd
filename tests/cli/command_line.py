"""Runs ``flask cors`` in this process or, as people do, in a process of its own."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch
from weakref import WeakValueDictionary

from flask import Flask
from flask.cli import ScriptInfo

from flask_corsguard.cli import cors

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
    err: str = ""


class Terminal(io.StringIO):
    """What a terminal gets to see."""

    def isatty(self) -> bool:
        return True


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    names = ("HOME", "PATH", "PYTHONPATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "TERM": "xterm-256color", **changes}


def run(
    arguments: str | list[str], app: Flask | str | None = None, columns: int = 0, **variables: str
) -> Ran:
    """``flask cors`` in this process, which knows no marks of other apps meanwhile.

    :param app: an app, or the name of one as for ``flask --app``; if left out, the one above.
    :param columns: the width of the terminal, or 0 for pipes.
    """
    out, err = (Terminal(), Terminal()) if columns else (io.StringIO(), io.StringIO())
    if columns:
        variables["COLUMNS"] = str(columns)
    if isinstance(app, str):
        info = ScriptInfo(app_import_path=app)
    else:
        info = ScriptInfo(create_app=lambda: app or made())
    words = arguments.split() if isinstance(arguments, str) else arguments
    path, modules = [*sys.path], {*sys.modules}
    with (
        patch.dict(os.environ, environment(variables), clear=True),
        patch("flask_corsguard.decorators._targets", WeakValueDictionary()),
        patch("flask_corsguard.decorators._returned", {}),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cors.main(words, prog_name="cors", obj=info)
        except SystemExit as end:
            code = end.code
        finally:
            sys.path[:] = path
            for name in {"app", "broken"} - modules:
                sys.modules.pop(name, None)
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())


def flask(folder: Path, *arguments: str, **variables: str) -> Ran:
    """``flask`` in a process of its own, in the folder of the app."""
    command, env = [sys.executable, "-m", "flask", *arguments], environment(variables)
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8")
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def in_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """All that a terminal of its own gets to see."""
    ours, theirs = pty.openpty()
    command, streams = [sys.executable, "-m", "flask", *arguments], ("stdin", "stdout", "stderr")
    ends = dict.fromkeys(streams, theirs)
    with subprocess.Popen(command, cwd=folder, env=environment(variables), **ends):
        os.close(theirs)
        received = b""
        with suppress(OSError):  # the other end is closed
            while chunk := os.read(ours, 4096):
                received += chunk
    os.close(ours)
    return received.decode().replace("\r\n", "\n")
