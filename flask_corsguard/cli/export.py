"""``flask cors export``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from flask.cli import ScriptInfo, pass_script_info

from flask_corsguard import __version__
from flask_corsguard.cli.loading import UnusableError, guarded_app
from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.export import apache, nginx
from flask_corsguard.export.regions import Regions
from flask_corsguard.export.verdicts import Verdicts, in_comment
from flask_corsguard.path_prefix import read_prefix
from flask_corsguard.text import counted, printable, text_of


@click.command("export")
@click.argument("server", metavar="SERVER", type=click.Choice(["nginx", "apache"]))
@click.option(
    "--path", "paths", metavar="PATH", multiple=True, help="Everything under PATH, such as /static."
)
@click.option(
    "--endpoint", "endpoints", metavar="ENDPOINT", multiple=True, help="The routes of ENDPOINT."
)
@click.option(
    "--mount",
    metavar="PATH",
    default="/",
    help="Where the app is mounted on the server, such as /shop.",
)
@click.option(
    "--output",
    metavar="DIRECTORY",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Write the files to this directory instead of standard output.",
)
@click.pass_context
@pass_script_info
def export(
    info: ScriptInfo,
    context: click.Context,
    server: str,
    paths: tuple[str, ...],
    endpoints: tuple[str, ...],
    mount: str,
    output: Path | None,
) -> None:
    """Write the policies of some paths as configuration for SERVER, nginx or apache, which serves
    these paths instead of Flask.

    The configuration never allows more than the policies. Exits with 1, and writes nothing, if
    SERVER cannot express something: each such policy field is named, with its route.
    """
    prefixes = _prefixes("--path", paths)
    (mounted_at,) = _prefixes("--mount", [mount])
    if not prefixes and not endpoints:
        raise UnusableError("name what the server serves: --path /static, or --endpoint static")
    with guarded_app(info) as state:
        in_force = state.current()
        known = {rule.endpoint for rule in in_force.table.rules}
        for endpoint in endpoints:
            if endpoint not in known:
                raise UnusableError(f"no route has the endpoint {text_of(endpoint)}")
        regions = Regions(in_force.table, prefixes, endpoints)
        verdicts = Verdicts(regions.all(), mounted_at)
        target = nginx if server == "nginx" else apache
        problems = [*regions.problems, *verdicts.problems]
        if not problems:
            problems = [*target.problems(verdicts)]
        made_from = (
            f"Made from the app {state.app.name!r}, fingerprint {in_force.fingerprint()}, by"
            f" Flask-CorsGuard {__version__}:"
        )
    for problem in problems:
        click.echo(printable(str(problem)), err=True)
    if problems:
        count = counted(len(problems), "thing")
        click.echo(f"{server} cannot express {count}. Nothing was written.", err=True)
        context.exit(1)
    wanted = [*(f"--path {path}" for path in paths), *(f"--endpoint {e}" for e in endpoints)]
    wanted += [f"--mount {mount}"] if mounted_at else []
    remarks = [*verdicts.remarks]
    for name, lines in zip(target.FILES, target.sections(verdicts), strict=True):
        command = f"flask cors export {server} {' '.join(wanted)}"
        introduction = [name, "", made_from, command, "", *target.INTRODUCTION, *remarks]
        comments = (f"# {in_comment(line)}".rstrip() for line in introduction)
        text = "\n".join([*comments, "", *lines, ""])
        if output is None:
            click.echo(text)
        else:
            (output / name).write_text(text, "ascii")
    for words in filter(None, [target.WARNING, *remarks]):
        click.echo(f"Warning: {words}", err=True)


def _prefixes(option: str, paths: Sequence[str]) -> list[str]:
    """The paths as the table has them: "" for everything."""
    problems: list[Problem] = []
    prefixes = ["" if path == "/" else read_prefix(option, path, problems) for path in paths]
    if problems:
        raise UnusableError(str(PolicyError(problems)))
    return prefixes
