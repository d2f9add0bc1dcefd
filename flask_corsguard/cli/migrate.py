"""``flask cors migrate``."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import ScriptInfo, pass_script_info

from flask_corsguard.cli.compare import WATCH, lines
from flask_corsguard.cli.loading import UnusableError
from flask_corsguard.cli.terminal import progress
from flask_corsguard.compare.app_process import AppProcess, AppProcessError
from flask_corsguard.compare.differences import compare
from flask_corsguard.migrate import migrate as migrate_code
from flask_corsguard.migrate.files import write_files
from flask_corsguard.migrate.findings import Finding
from flask_corsguard.migrate.recorder import Recorded
from flask_corsguard.migrate.report import report_lines
from flask_corsguard.text import printable

# Where Flask looks for an app if none is named.
_UNNAMED = ("wsgi.py", "app.py")


@click.command("migrate")
@click.argument("path", metavar="PATH", default=".", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Write the files instead of only printing the diff.")
@click.option("--accept-wider", is_flag=True, help="Also write changes that let pages do more.")
@click.option(
    "--all-methods", is_flag=True, help="Compare POST, PUT and DELETE too. Use a copy of the data."
)
@click.pass_context
@pass_script_info
def migrate(
    info: ScriptInfo,
    context: click.Context,
    path: Path,
    write: bool,
    accept_wider: bool,
    all_methods: bool,
) -> None:
    """Move the code at PATH, by default the current directory, from Flask-CORS to Flask-CorsGuard.

    Loads the app that flask --app names, to see what it passes to Flask-CORS, and compares the app
    before and after: GET and HEAD are sent to every route. Prints a diff; with --write, changes the
    files. Exits with 0 if everything is migrated, with 1 if something is left for you to decide.
    """
    try:
        run = _Run(info, path, accept_wider, all_methods)
        is_written = write and not run.blocked
        written = write_files(run.migration.files) if is_written else None
    except OSError as error:
        raise UnusableError(str(error)) from error
    if run.unloaded:
        words = f"the app cannot be loaded, so nothing is compared: {run.unloaded}"
        click.echo(f"Warning: {printable(words)}", err=True)
    unwritten = run.blocked or "Nothing has been written: add --write."
    for line in report_lines(run.migration, written, unwritten, run.compared):
        click.echo(line)
    context.exit(1 if run.migration.findings else 0)


class _Run:
    """A migration, compared with the app as it is.

    :ivar migration: what the code becomes, and what the comparison finds.
    :ivar compared: the lines about the comparison.
    :ivar unloaded: why the app cannot be loaded, or "".
    :ivar blocked: why nothing may be written, or "".
    """

    def __init__(self, info: ScriptInfo, path: Path, accept_wider: bool, all_methods: bool) -> None:
        self.compared: list[str] = []
        self._recorded: list[Recorded] = []
        self.blocked = self.unloaded = ""
        app = _named(info)
        if not app:
            self.unloaded = "no app is named. Write flask --app shop cors migrate"
        else:
            try:
                with AppProcess(app, watch=WATCH) as before:
                    self._recorded = before.description.watched
                    self.migration = migrate_code(path, self._recorded)
                    if self.migration.files:
                        self._compare(before, accept_wider, all_methods)
            except AppProcessError as error:
                self.unloaded = " ".join(str(error).splitlines())
        if self.unloaded:
            self.migration = migrate_code(path)

    def _compare(self, before: AppProcess, accept_wider: bool, all_methods: bool) -> None:
        files = self.migration.files
        with AppProcess(before.app, overlay={file.path: file.after for file in files}) as after:
            try:
                _ = after.description
            except AppProcessError as error:
                self._find(
                    "refused",
                    "after the migration, the app does not start:"
                    f" {' '.join(str(error).splitlines())}",
                    "what Flask-CORS does with these options.",
                    "change the options for Flask-CORS as the message says, and run this again.",
                )
                self.blocked = "Nothing has been written: the app would not start."
                return
            with progress("Comparing the app before and after") as advance:
                comparison = compare(before, after, all_methods=all_methods, advance=advance)
        self.compared += (f"{' ' * line.indent}{line.text}" for line in lines(comparison))
        for difference in comparison.differences:
            if difference.kind == "wider" and not accept_wider:
                self.blocked = "Nothing has been written: pages could do more."
                pages = ", ".join(page or "its own" for page in difference.pages)
                self._find(
                    "wider",
                    f"{difference.title}, for {pages}:"
                    f" {'; '.join(difference.where)}: {difference.fetch}",
                    f"{'; '.join(difference.before)}.",
                    "if that is right, add --accept-wider.",
                    "if not, write `from flask_corsguard.compat import CORS, cross_origin`, which"
                    " allow no more than Flask-CORS does, and change nothing else.",
                )

    def _find(self, code: str, message: str, today: str, *choices: str) -> None:
        """Add a finding at the first call that passes options to Flask-CORS."""
        paths = {file.path.resolve(): file.path for file in self.migration.files}
        calls = ((paths.get(Path(call.path).resolve()), call.line) for call in self._recorded)
        first = self.migration.files[0].path, 1
        path, line = next(((path, line) for path, line in calls if path), first)
        found = Finding(path, line, code, message, today, choices)
        self.migration = self.migration._replace(findings=(*self.migration.findings, found))


def _named(info: ScriptInfo) -> str:
    """The name of the app for ``flask --app``, or ""."""
    if info.app_import_path is not None or info.create_app is not None:
        return info.app_import_path or ""
    return next((name for name in _UNNAMED if Path(name).is_file()), "")
