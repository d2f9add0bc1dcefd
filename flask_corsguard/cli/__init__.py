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


@click.group("cors")
def cors() -> None:
    """Show, simulate and audit which other sites may read this app's responses."""


cors.add_command(routes)
cors.add_command(check)
cors.add_command(audit)
cors.add_command(sources)
cors.add_command(validate)
cors.add_command(verify)
cors.add_command(compare)
cors.add_command(export)
cors.add_command(migrate)
