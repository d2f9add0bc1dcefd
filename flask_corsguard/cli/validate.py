"""``flask cors validate``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO

import click
from flask.cli import ScriptInfo, pass_script_info

from flask_corsguard.cli.loading import UnusableError, guarded_app
from flask_corsguard.cli.terminal import Line, console, write
from flask_corsguard.config import SETTINGS_FILE
from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.settings_file import Candidate, candidate, obstacle_to
from flask_corsguard.text import counted
from flask_corsguard.watched_file import LARGEST_FILE


@click.command("validate")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
@pass_script_info
def validate(info: ScriptInfo, context: click.Context, file: IO[bytes], as_json: bool) -> None:
    """Check FILE as the settings file of the app, before you put it in place.

    The app is loaded with FILE instead of its own settings file, which need not exist. If FILE is
    that file, its owner and mode are checked too; otherwise, the command only mentions them. Exits
    with 0 if nothing is wrong, with 1 if there are problems.
    """
    instead = Candidate(file.name, file.read(LARGEST_FILE + 1))
    obstacle = obstacle_to(file.name) if len(instead.content) <= LARGEST_FILE else None
    is_in_place = False
    problems: Sequence[Problem] = ()
    lifted: Sequence[tuple[str, str]] = ()
    token = candidate.set(instead)
    try:
        with guarded_app(info) as state:
            followed = state.settings_file
            if followed is None:
                raise UnusableError(
                    "the app follows no settings file. Set"
                    f" {SETTINGS_FILE} = '/etc/shop/cors.toml' in app.config, before CorsGuard(app)"
                )
            is_in_place = os.path.realpath(file.name) == os.path.realpath(followed.path)
            try:
                # The app may have been created before this command ran, and read another file.
                settings = followed.settings(instead.name, instead.content)
                state.check(settings)
                lifted = followed.lifted_checks(settings)
            except PolicyError as error:
                problems = error.problems
    except UnusableError as error:
        # The app failed before it read FILE, so the error is not about FILE.
        if not instead.is_used or not isinstance(error.__cause__, PolicyError):
            raise
        problems = error.__cause__.problems
    finally:
        candidate.reset(token)
    if obstacle is not None and is_in_place:
        problems, obstacle = [*problems, obstacle], None
    refused = obstacle.message if obstacle else ""
    if as_json:
        click.echo(json.dumps(_object(instead.name, problems, lifted, refused), indent=2))
    else:
        write(_lines(instead.name, problems, lifted, refused), console(sys.stdout))
    context.exit(1 if problems else 0)


def _lines(
    name: str, problems: Sequence[Problem], lifted: Sequence[tuple[str, str]], refused: str
) -> Iterator[Line]:
    for problem in problems:
        yield Line(str(problem))
    for place, field in lifted:
        yield Line(f"{name}, {place}: {field}: takes effect only when the app is restarted.")
    if refused:
        yield Line(f"{name}: as it is here, a worker would refuse it: {refused}")
    if problems:
        yield Line(f"{name}: {counted(len(problems), 'problem')}.", "bold red")
    else:
        yield Line(f"{name}: no problems.", "bold green")


def _object(
    name: str, problems: Sequence[Problem], lifted: Sequence[tuple[str, str]], refused: str
) -> dict[str, object]:
    return {
        "file": name,
        "problems": [
            {
                "code": problem.code,
                "where": problem.where,
                "field": problem.field,
                "message": problem.message,
                "suggestion": problem.suggestion,
            }
            for problem in problems
        ],
        "restart": [{"where": f"{name}, {place}", "field": field} for place, field in lifted],
        "refused": refused or None,
    }
