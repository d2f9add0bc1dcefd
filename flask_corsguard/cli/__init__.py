"""``flask cors``: list, simulate and audit who may read what.

Every ``flask`` command imports this, so what a command needs is imported when it runs.
"""

import click

from flask_corsguard.cli.audit import audit
from flask_corsguard.cli.check import check
from flask_corsguard.cli.compare import compare
from flask_corsguard.cli.export import export
from flask_corsguard.cli.migrate import migrate
from flask_corsguard.cli.routes import routes
from flask_corsguard.cli.sources import sources
from flask_corsguard.cli.validate import validate
from flask_corsguard.cli.verify import verify

__all__ = ["cors"]

# What each command is for, in the order of the help and of docs/reference/command-line.md.
SECTIONS = {
    "See who may read what": {
        routes: "List every route, its policy, and the line of code that sets it.",
        check: "Try one request: what the page can read, or why not.",
        sources: "Read the origins kept in files, Redis or SQL, and show them.",
    },
    "Before you deploy": {
        audit: "Attack every route, and report each policy that is too wide.",
        validate: "Check a settings file before the app follows it.",
        compare: "Show what a change of the code opens or closes to other sites.",
    },
    "In production": {
        verify: "Ask a running deployment whether it follows the policies.",
        export: "Write policies as configuration for nginx or Apache.",
    },
    "Coming from Flask-CORS": {
        migrate: "Rewrite the code, and compare what pages can do before and after.",
    },
}


class CommandsInSections(click.Group):
    """A group whose help has a heading for each kind of command, and cuts no line."""

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002, click passes it
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the commands in place of click's single list."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{each.name:8}", text) for each, text in commands.items()])


@click.group(
    "cors",
    cls=CommandsInSections,
    short_help="Show, test and audit who may read this app's responses.",
    epilog="Begin with 'flask --app NAME cors routes'. Each command has its own --help.",
)
def cors() -> None:
    """Show, test and audit which other sites may read this app's responses."""


for _commands in SECTIONS.values():
    for _command in _commands:
        cors.add_command(_command)
