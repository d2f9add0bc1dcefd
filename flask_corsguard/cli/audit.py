"""``flask cors audit``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from flask.app import Flask
from flask.cli import ScriptInfo, pass_script_info

from flask_corsguard.audit.findings import Level
from flask_corsguard.audit.run import audit as attack_routes
from flask_corsguard.cli import formats
from flask_corsguard.cli.loading import guarded_app
from flask_corsguard.cli.sarif import as_sarif
from flask_corsguard.cli.terminal import console, progress, write


@click.command("audit")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "sarif", "github")),
    default="text",
    show_default=True,
    help="How to print the findings.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--fail-on",
    type=click.Choice(("note", "warning", "error")),
    default="note",
    show_default=True,
    help="Exit with 1 for findings of this level and above.",
)
@click.pass_context
@pass_script_info
def audit(info: ScriptInfo, context: click.Context, form: str, as_json: bool, fail_on: str) -> None:
    """Attack every route, and report each policy that is too wide.

    Findings that CORSGUARD_AUDIT_ACCEPT accepts do not count.
    """
    with guarded_app(info) as state, progress("Attacking the routes") as advance:
        report = attack_routes(state.app, advance)
    if as_json or form == "json":
        click.echo(formats.as_json(report))
    elif form == "sarif":
        click.echo(as_sarif(report, _file_of(state.app)))
    elif form == "github":
        for line in formats.github_lines(report):
            click.echo(line)
    else:
        write(formats.text_lines(report), console(sys.stdout))
    context.exit(1 if report.at_least(Level[fail_on.upper()]) else 0)


def _file_of(app: Flask) -> Path | None:
    """The file that creates the app, relative to the working directory, like marks' locations."""
    file = getattr(sys.modules.get(app.import_name), "__file__", None)
    return Path(file.removeprefix(os.getcwd() + os.sep)) if file else None
