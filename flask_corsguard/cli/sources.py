"""``flask cors sources``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click
from flask.cli import ScriptInfo, pass_script_info

from flask_corsguard.cli.loading import guarded_app, read_sources
from flask_corsguard.cli.terminal import Line, console, write
from flask_corsguard.protocol.remedies import name_in_list
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import InForce
from flask_corsguard.sources.feed import Feed, views_of
from flask_corsguard.text import counted

# How many rules a line names.
_MOST_RULES = 3


@click.command("sources")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_context
@pass_script_info
def sources(info: ScriptInfo, context: click.Context, as_json: bool) -> None:
    """Read every source in origins now, and show how many rows it has, and which are left out.

    To see what a worker of a running app has read, call guard.status() in that worker. Exits with 1
    if a source admits nobody, because it cannot be read.
    """
    with guarded_app(info) as state:
        read_sources(state)
        in_force = state.current()
        told = [{**feed.status(), "used_by": _uses(feed, in_force)} for feed in in_force.feeds()]
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        write(_lines(told), console(sys.stdout))
    context.exit(1 if any(source["stale"] for source in told) else 0)


def _uses(feed: Feed, in_force: InForce) -> list[dict[str, Any]]:
    """Where the source is in ``origins``, each place with the rules of its routes."""
    rules: dict[tuple[str, str, str], dict[str, None]] = {}
    for route, source in _routes(in_force):
        for policy in route.policies:
            if any(view.feed is feed for view in views_of(policy)):
                place = (source, name_in_list(policy), route.location)
                rules.setdefault(place, {})[route.rule] = None
    return [
        {"source": source, "policy": policy, "location": location, "rules": [*of_place]}
        for (source, policy, location), of_place in rules.items()
    ]


def _routes(in_force: InForce) -> Iterator[tuple[Route, str]]:
    """Every route with what sets its policy; then the same for the report-only policy."""
    yield from ((route, route.place) for route in in_force.table.routes())
    if in_force.report_only is not None:
        yield from _routes(in_force.report_only)


def _lines(told: list[dict[str, Any]]) -> Iterator[Line]:
    for source in told:
        yield Line(source["name"], "bold")
        rows = counted(source["rows"], "row")
        version = f", version {source['version']}" if source["version"] else ""
        age = "never read" if source["age"] is None else f"read {source['age']:.1f} s ago"
        yield Line(f"{rows}{version}, {age}", indent=2)
        if source["stale"]:
            yield Line("It admits nobody.", "bold red", 2)
        if source["last_failure"]:
            yield Line(f"Last failure: {source['last_failure']}", "red", 2)
        if source["bad_rows"]:
            yield Line("Left out:", "yellow", 2)
            yield from (Line(problem, indent=4) for problem in source["problems"])
            if more := source["bad_rows"] - len(source["problems"]):
                yield Line(f"and {more:,} more", indent=4)
        for use in source["used_by"]:
            words = ", ".join(filter(None, (use["source"], use["policy"], use["location"])))
            rules = use["rules"][:_MOST_RULES]
            if more := len(use["rules"]) - len(rules):
                rules.append(f"and {more:,} more")
            yield Line(f"{words}: {', '.join(rules)}", "dim", 2)
        if not source["used_by"]:
            yield Line("No route uses it.", "dim", 2)
        yield Line("")
    if told:
        yield Line(
            "This command has just read the sources. To see what a worker has read, call"
            " guard.status() in that worker."
        )
    else:
        yield Line("No policy uses a source.")
