"""The process of one app, which loads it, describes it and sends it requests."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import signal
import sys
import threading
import time
import types
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from multiprocessing.connection import Connection
from typing import Any

import click
from flask import Config
from flask.app import Flask
from flask.cli import NoAppException, ScriptInfo
from werkzeug.utils import import_string

from flask_corsguard.compare.description import describe
from flask_corsguard.compare.messages import Ask, Description
from flask_corsguard.compare.page_requests import seen_by_page
from flask_corsguard.errors import CorsGuardError
from flask_corsguard.text import described, without_traceback

# What a request may take, in seconds.
_LONGEST = 2.0
_BETWEEN_LOOKS = 0.5


def serve(connection: Connection, app_name: str, overlay: Mapping[str, bytes], watch: str) -> None:
    """Send a description of the app, or why there is none; then the result of each :class:`Ask` in
    the lists that arrive, and after each list the seconds by the CPU and by the clock.

    :param overlay: real path -> the bytes to read instead of that file.
    """
    _end_with(os.getppid())
    _write_to(2, 1)  # what the app prints is not the command's output
    sys.argv = ["flask"]  # an app may read its arguments
    # Then app.run() does nothing, as in every flask command.
    os.environ["FLASK_RUN_FROM_CLI"] = "true"
    loaded = _loaded(app_name, overlay, watch)
    if isinstance(loaded, str):
        connection.send(loaded)
        return
    app, description = loaded
    connection.send(description)
    with open(os.devnull, "w") as nowhere:
        for stream in (1, 2):
            _write_to(nowhere.fileno(), stream)
    logging.disable(logging.CRITICAL)
    gc.freeze()  # what is loaded stays
    slow: set[str] = set()
    while (asks := _received(connection)) is not None:
        cpu, clock = time.process_time(), time.monotonic()
        for ask in asks:
            connection.send(_asked(app, ask, slow))
        connection.send((time.process_time() - cpu, time.monotonic() - clock))


def _loaded(
    app_name: str, overlay: Mapping[str, bytes], watch: str
) -> tuple[Flask, Description] | str:
    """The app, or why it cannot be used."""
    try:
        if overlay:
            _read_instead(overlay)
        watched: Any = import_string(watch)() if watch else None
        app = ScriptInfo(app_import_path=app_name, set_debug_flag=False).load_app()
        # An exception becomes a response, as in production.
        app.config["PROPAGATE_EXCEPTIONS"] = False
        if hasattr(watched, "loaded"):
            watched.loaded(app)
        description = describe(app, watched)
        pickle.dumps(description)
    except NoAppException as error:
        return without_traceback(error.message)
    except (CorsGuardError, click.ClickException) as error:
        return str(error)
    except SystemExit as error:
        return f"it ended the process while it was loaded: {described(error)}"
    except BaseException as error:
        return f"it cannot be loaded: {described(error)}"
    return app, description


def _asked(app: Flask, ask: Ask, slow: set[str]) -> object:
    """What the page sees; or in words, why nothing came back."""
    if ask.url in slow:
        return f"it took longer than {_LONGEST:g} s"
    try:
        with _limited():
            return seen_by_page(app, ask)
    except _TooSlowError:
        slow.add(ask.url)
        return f"it took longer than {_LONGEST:g} s"
    except BaseException as error:  # SystemExit, say
        return f"it raised {described(error)}"


class _TooSlowError(BaseException):
    """A request takes too long. Views cannot mistake this for an error of their own."""


def _cut(*_: object) -> None:
    raise _TooSlowError


@contextmanager
def _limited() -> Generator[None]:
    """Cut off a body that takes too long, if the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _cut)
    # Repeated, because a view may catch every exception.
    signal.setitimer(signal.ITIMER_REAL, _LONGEST, _LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _received(connection: Connection) -> list[Ask] | None:
    try:
        asks: list[Ask] = connection.recv()
    except EOFError:
        return None
    return asks


def _write_to(target: int, stream: int) -> None:
    for file in (sys.stdout, sys.stderr):
        file.flush()
    os.dup2(target, stream)


def _end_with(parent: int) -> None:
    """End this process, and those that the app starts, when the command has ended."""
    if not hasattr(os, "setsid"):
        return
    os.setsid()
    sleep = time.sleep  # the app may replace it

    def watch() -> None:
        while os.getppid() == parent:
            sleep(_BETWEEN_LOOKS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _read_instead(overlay: Mapping[str, bytes]) -> None:
    """Have Python, and ``Config.from_pyfile``, read other bytes instead of some files."""
    get_code, from_pyfile = SourceFileLoader.get_code, Config.from_pyfile

    def code_of(loader: SourceFileLoader, fullname: str) -> types.CodeType | None:
        # Replaces more than the source, because a cache beside the file has its old code.
        path = loader.get_filename(fullname)
        data = overlay.get(os.path.realpath(path))
        return get_code(loader, fullname) if data is None else loader.source_to_code(data, path)

    def read(config: Config, filename: Any, silent: bool = False) -> bool:
        path = os.path.join(config.root_path, filename)
        data = overlay.get(os.path.realpath(path))
        if data is None:
            return from_pyfile(config, filename, silent)
        module = types.ModuleType("config")
        module.__file__ = path
        exec(compile(data, path, "exec"), module.__dict__)  # noqa: S102 - as Flask does
        config.from_object(module)
        return True

    SourceFileLoader.get_code = code_of  # type: ignore[method-assign, assignment]
    Config.from_pyfile = read  # type: ignore[method-assign, assignment]
