"""``flask cors compare``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click

from flask_corsguard.cli.loading import UnusableError
from flask_corsguard.cli.terminal import (
    Line,
    console,
    first_few,
    named_lines,
    progress,
    write,
)
from flask_corsguard.compare.app_process import AppProcess
from flask_corsguard.compare.differences import AppDifference, Comparison
from flask_corsguard.compare.differences import compare as compare_apps
from flask_corsguard.errors import CorsGuardError
from flask_corsguard.protocol.origins import parse_origin

# The report is read for what a change opens, so it names nearly all of it.
_MOST_PLACES = 200
_STYLES = {"wider": "bold red", "narrower": "bold yellow", "error": "bold cyan"}
#: Records what Flask-CORS is given.
WATCH = "flask_corsguard.migrate.recorder:watch"
_CREDENTIALS = {
    "any": "",
    "with": ", only with credentials",
    "without": " (only without credentials)",
}


@click.command("compare")
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option(
    "--origin",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    help="Another origin to send requests from. May be given more than once.",
)
@click.option(
    "--skip",
    metavar="GLOB",
    multiple=True,
    help="Rules to skip, such as '/admin/*'. May be given more than once.",
)
@click.option(
    "--all-methods", is_flag=True, help="Send POST, PUT and DELETE too. Use a copy of the data."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=1.2,
    show_default=True,
    help="CPU time limit for each app's responses, in seconds.",
)
@click.option(
    "--fail-on",
    type=click.Choice(("any", "wider")),
    default="any",
    show_default=True,
    help="Exit with 1 for any difference, or only if pages can do more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def compare(
    context: click.Context,
    before: str,
    after: str,
    origins: tuple[str, ...],
    skip: tuple[str, ...],
    all_methods: bool,
    seconds: float,
    fail_on: str,
    as_json: bool,
) -> None:
    """Compare what pages of other sites can do with two versions of an app.

    BEFORE and AFTER are what flask --app takes, such as shop or old/shop.py:create_app("dev"). GET
    and HEAD requests are sent, which runs views; for other methods, only preflights. Exits with 0
    if nothing differs, with 1 if something does.
    """
    for origin in origins:
        if parse_origin(origin) is None:
            raise UnusableError("--origin: write https://app.example.com, as a browser sends it")
    try:
        with (
            AppProcess(before, watch=WATCH) as old,
            AppProcess(after, watch=WATCH) as new,
            progress("Asking both apps") as advance,
        ):
            comparison = compare_apps(
                old,
                new,
                origins=origins,
                seconds=seconds,
                all_methods=all_methods,
                skip=skip,
                advance=advance,
            )
    except CorsGuardError as error:
        raise UnusableError(str(error)) from error
    if as_json:
        differences = [difference._asdict() for difference in comparison.differences]
        result = {"before": before, "after": after, **comparison._asdict()}
        click.echo(json.dumps(result | {"differences": differences}, indent=2))
    else:
        write(lines(comparison), console(sys.stdout))
    fails = comparison.has("wider") if fail_on == "wider" else comparison.differences
    context.exit(1 if fails else 0)


def lines(comparison: Comparison) -> Iterator[Line]:
    """The result of a comparison, for people."""
    for difference in comparison.differences:
        yield Line(difference.kind, _STYLES[difference.kind])
        yield from _about(difference)
        yield Line("")
    for sentence in comparison.left_out:
        yield Line(f"not compared: {sentence}", "dim")
    if comparison.left_out:
        yield Line("")
    kinds = [difference.kind for difference in comparison.differences]
    counts = [f"{kinds.count(kind)} {kind}" for kind in _STYLES if kind in kinds]
    found = ", ".join(counts) or "no difference"
    tried = f"{comparison.routes:,} routes and paths, {comparison.requests:,} requests to each app"
    yield Line(f"{tried}: {found}.", "bold" if counts else "bold green")


def _about(difference: AppDifference) -> Iterator[Line]:
    yield Line(f"{difference.title}{_CREDENTIALS[difference.credentials]}.", indent=2)
    yield Line(f"Where: {first_few(difference.where, _MOST_PLACES)}", indent=2)
    yield Line(f"Pages: {', '.join(p or 'of the app itself' for p in difference.pages)}", indent=2)
    headers = [name.title() or "none" for name in difference.headers]
    if len(headers) > 1:
        yield Line(f"Headers: {', '.join(headers)}", indent=2)
    yield Line(difference.fetch, indent=2, for_copying=True)
    yield from named_lines("Before", difference.before)
    yield from named_lines("After", difference.after)
