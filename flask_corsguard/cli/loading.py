"""The app that a command is about, and the messages for apps that cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout

import click
from flask.app import Flask
from flask.cli import NoAppException, ScriptInfo

from flask_corsguard.audit.delivery import unheard
from flask_corsguard.errors import CorsGuardError
from flask_corsguard.protocol.origin_errors import repair
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.routing.mark_checks import unrouted_marks
from flask_corsguard.runtime.state import AppState, app_context, state_of
from flask_corsguard.text import described, printable, shown, without_traceback


class UnusableError(click.ClickException):
    """The app, or an argument, cannot be used."""

    exit_code = 2

    def format_message(self) -> str:
        """The message, safe to print."""
        return "\n".join(map(printable, self.message.splitlines()))


@contextmanager
def guarded_app(info: ScriptInfo) -> Generator[AppState]:
    """The guard of the app that ``flask --app`` names, in that app's context.

    What the app prints meanwhile goes to standard error, because a program may read the output.

    :raises UnusableError: if the app cannot be loaded or has no guard, or if anything in the body
        fails.
    """
    try:
        with redirect_stdout(sys.stderr):
            app = _load(info)
            with app_context(app):
                yield state_of(app)
    except CorsGuardError as error:
        raise UnusableError(str(error)) from error
    except click.ClickException:
        raise
    except Exception as error:
        # Some of the app's code failed, such as a converter. Exit code 1 would mean a verdict.
        raise UnusableError(f"the app failed: {described(error)}") from error


def check_origin(origin: str) -> None:
    """:raises UnusableError: if ``--origin`` is not an origin."""
    if origin != "null" and parse_origin(origin) is None:
        fixed = None if origin.startswith("/") else repair(origin)  # a path is not a host
        hint = f" Did you mean {fixed!r}?" if fixed and "*" not in fixed else ""
        raise UnusableError(
            "--origin must be an origin as browsers send it, scheme://host[:port], not"
            f" {shown(origin)}.{hint}"
        )


def read_sources(state: AppState) -> None:
    """Read every source, and write to standard error which of them cannot be read."""
    with unheard(state.app):
        state.load_sources()
    for feed in state.current().feeds():
        if feed.is_stale:
            click.echo(f"Warning: {printable(feed.unknown())}", err=True)


def warn_of_unrouted_marks(app: Flask) -> None:
    """Write to standard error which marks no route has."""
    for mark in unrouted_marks(app):
        click.echo(f"Warning: {printable(mark.message)}", err=True)


def _load(info: ScriptInfo) -> Flask:
    try:
        return info.load_app()
    except NoAppException as error:
        raise UnusableError(without_traceback(error.message)) from error
    except (CorsGuardError, click.ClickException):
        raise
    except Exception as error:
        raise UnusableError(f"the app cannot be loaded: {described(error)}") from error
