"""``flask cors``: list, simulate and audit who may read what.

Every ``flask`` command imports this module, so the module of each ``cors`` command is imported only
when that command is used.
"""

import difflib

import click
from werkzeug.utils import import_string

__all__ = ["cors"]

# What each command is for, in the order of the help and of docs/reference/command-line.md.
SECTIONS = {
    "See who may read what": {
        "routes": "List every route, its policy, and the line of code that sets it.",
        "check": "Try one request: what the page can read, or why not.",
        "sources": "Read the origins kept in files, Redis or SQL, and count them.",
    },
    "Before you deploy": {
        "audit": "Attack every route, and report each policy that is too wide.",
        "validate": "Check a settings file before the app follows it.",
        "compare": "Show what a change in the code opens or closes to other sites.",
    },
    "In production": {
        "verify": "Ask a running deployment whether it follows the policies.",
        "export": "Write policies as configuration for nginx or Apache.",
    },
    "Coming from Flask-CORS": {
        "migrate": "Rewrite the code, and compare what pages can do before and after.",
    },
}


# Names that people try, and the command's own.
_OTHER_NAMES = {"test": "check", "list": "routes"}


class CommandsInSections(click.Group):
    """A group whose help has a heading for each section, and cuts no line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, click passes it
        """The names, in the order of the help."""
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_string(f"{__name__}.{cmd_name}.{cmd_name}")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant."""
        name, names = args[0], self.list_commands(ctx)
        if name not in names and not ctx.resilient_parsing and not name.startswith("-"):
            close = [_OTHER_NAMES.get(name), *difflib.get_close_matches(name, names, n=1)]
            meant = next(filter(None, close), None)
            hint = f"Did you mean {meant!r}?" if meant else f"There are {', '.join(names)}."
            ctx.fail(f"No such command {name!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002, click passes it
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the commands in place of click's single list."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:8}", text) for name, text in commands.items()])


@click.group(
    "cors",
    cls=CommandsInSections,
    short_help="Show, test and audit who may read this app's responses.",
    epilog="Begin with 'flask --app NAME cors routes'. Each command has its own --help.",
)
def cors() -> None:
    """Show, test and audit which other sites may read this app's responses."""
