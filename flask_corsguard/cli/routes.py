"""``flask cors routes``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click
from flask.app import Flask
from flask.cli import ScriptInfo, pass_script_info
from werkzeug.routing import Map, Rule

from flask_corsguard.cli.loading import (
    check_origin,
    guarded_app,
    read_sources,
    warn_of_unrouted_marks,
)
from flask_corsguard.cli.terminal import Line, console, write
from flask_corsguard.protocol.audiences import Audiences
from flask_corsguard.protocol.decision import (
    UNDECIDED,
    CorsRequest,
    Decision,
    Scope,
    decide,
    decide_unlisted,
)
from flask_corsguard.protocol.explanation import fields_of, policy_summary, summary_of
from flask_corsguard.protocol.headers import SAFE_METHODS
from flask_corsguard.protocol.origins import CheckFailedError
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.layers import Layer
from flask_corsguard.routing.table import Route
from flask_corsguard.sources.feed import views_of
from flask_corsguard.text import printable

if TYPE_CHECKING:
    from rich.console import Console

_MIN_TABLE_WIDTH = 90


@click.command("routes")
@click.option(
    "--endpoint", metavar="GLOB", help="Only endpoints that match this glob, such as 'api.*'."
)
@click.option(
    "--path",
    metavar="PATH",
    help="Only rules that match this path, such as /users/7. With a *, only rules whose text"
    " matches this glob, such as '/api/*'.",
)
@click.option("-X", "--method", metavar="METHOD", help="Only rules that accept this method.")
@click.option("--origin", metavar="ORIGIN", help="Only routes that pages of this origin may read.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_script_info
def routes(
    info: ScriptInfo,
    endpoint: str | None,
    path: str | None,
    method: str | None,
    origin: str | None,
    as_json: bool,
) -> None:
    """List every rule and method with its policy, and where the policy is set."""
    with guarded_app(info) as state:
        found = state.current().table.routes()
        warn_of_unrouted_marks(state.app)
        if endpoint is not None:
            found = [route for route in found if fnmatchcase(route.endpoint, endpoint)]
        if path is not None:
            matching = (route for route in found if _matches(state.app, route, path))
            found = list(matching) if "*" in path else _under(path.partition("?")[0], matching)
        if method is not None:
            wanted = method.upper()
            found = [route for route in found if wanted in map(str.upper, route.methods)]
        if origin is not None:
            if not any(origin in p.compiled.raw for route in found for p in route.policies):
                check_origin(origin)
            read_sources(state)
            found = [route for route in found if _may_read(state.app, route, origin, method)]
    if as_json:
        click.echo(json.dumps([_object(route) for route in found], indent=2))
        return
    terminal = console(sys.stdout)
    if terminal is None:
        _write_plain(found)
    elif not found:
        write([Line("No route matches.")], terminal)
    elif terminal.width < _MIN_TABLE_WIDTH:
        write(_stacked(found), terminal)
    else:
        _write_table(found, terminal)


def _matches(app: Flask, route: Route, path: str) -> bool:
    if "*" in path:
        return fnmatchcase(route.rule, path)
    # A map with this rule alone: the app's map finds only the first of several rules for one path,
    # and none for another host.
    rule = Rule(route.rule, endpoint=route.endpoint)
    alone = Map([rule], converters=app.url_map.converters)
    return route.rule == path or alone.bind("localhost").test(path.partition("?")[0])


def _under(path: str, found: Iterable[Route]) -> list[Route]:
    """Of rows that differ only in their path prefix, the one with the longest above a path."""
    rows = [r for r in found if path == r.rule or f"{path}/".startswith(f"{r.prefix}/")]
    by_length = sorted(rows, key=lambda row: len(row.prefix))
    longest = {_without_prefix(row): row for row in by_length}
    return [row for row in rows if path == row.rule or longest[_without_prefix(row)] is row]


def _without_prefix(row: Route) -> tuple[int, tuple[Layer, ...]]:
    """The rule and its own marks."""
    own = (layer for layer in row.layers if not layer.source.startswith("path "))
    return id(row.url_rule), tuple(own)


def _may_read(app: Flask, route: Route, origin: str, method: str | None) -> bool:
    if route.policy is None:
        return False
    scope = Scope(methods=frozenset(route.methods))
    # All policies of a list have the same enforce.
    is_open = route.url_rule.websocket and route.policies[0].enforce in ("off", "report")
    if is_open and method in (None, "GET"):
        return True  # nothing refuses the handshake
    for name in route.methods:
        # For callables that look at the request. Its real URL is not known.
        request = app.test_request_context("/", method=name, headers={"Origin": origin}).request
        # A POST needs none, but the decision about one says whether the POST would be refused.
        preflight = name not in SAFE_METHODS
        question = CorsRequest(origin, name, preflight=preflight, context=request)
        if method is None or name.upper() == method.upper():
            decision = decide(route.policy, question, scope, asks=False)
            if decision is UNDECIDED:
                decision = decide_unlisted(
                    route.policy, question, scope, asks=True, admits_live=_admission
                )
            if decision.outcome is Outcome.ALLOWED or _may_override(decision):
                return True
    return False


def _may_override(decision: Decision) -> bool:
    """Whether the view runs, and may let in an origin that its policy does not."""
    policy = decision.policy
    if policy is None:
        return False
    return policy.compiled.views_override and not policy.compiled.enforces_safe


def _admission(policy: Policy, question: CorsRequest) -> str:
    """Which source of a policy admits an origin for some tenant: a made-up request has none.

    :raises CheckFailedError: if none does, and one cannot tell.
    """
    failure = ""
    for view in views_of(policy):
        snapshot = view.snapshot
        if snapshot is None or view.feed.is_stale:
            failure = view.feed.unknown()
        elif any(snapshot.admits(tenant, question.origin or "") for tenant in snapshot.tenants):
            return view.admission
    if failure:
        raise CheckFailedError(failure)
    return ""


def _object(route: Route) -> dict[str, object]:
    # As in Python: a policy, a list of policies, or None. So code that was written for one policy
    # cannot mistake a list for an exempt route, or for the first policy.
    policy: object = None if route.policy is None else fields_of(route.policies[0])
    several: dict[str, object] = {}
    if isinstance(route.policy, Audiences):
        policy = [fields_of(each) for each in route.policy]
        members = zip(route.policy.names, policy, map(policy_summary, route.policy), strict=True)
        several["policies"] = [
            {"name": name, "fields": fields, "summary": summary}
            for name, fields, summary in members
        ]
    return {
        "rule": route.rule,
        "methods": list(route.methods),
        "endpoint": route.endpoint,
        "policy": policy,
        **several,
        "summary": summary_of(route.summaries),
        "source": route.source,
        **({"prefix": route.prefix} if route.prefix else {}),
        "location": route.location,
    }


def _write_plain(found: Sequence[Route]) -> None:
    """Write one line for each policy of each route, in columns, for grep and awk."""
    if not found:
        click.echo("No route matches.", err=True)
    rows = [
        [
            printable(cell) or "-"
            for cell in (
                route.rule,
                ",".join(route.methods),
                summary,
                route.place,
                route.location,
            )
        ]
        for route in found
        for summary in route.summaries
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _stacked(found: Iterable[Route]) -> Iterator[Line]:
    """The lines for a terminal that is too narrow for columns."""
    for route in found:
        yield Line(f"{route.rule}  {' '.join(route.methods)}", "bold")
        yield from (Line(summary, indent=2) for summary in route.summaries)
        yield Line(_set_by(route), "dim", 2)


def _set_by(route: Route) -> str:
    return f"{route.place}, {route.location}" if route.location else route.place


def _write_table(found: Iterable[Route], terminal: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Rule", "Methods", "Policy", "Set by"):
        table.add_column(title, overflow="fold")
    for route in found:
        table.add_row(
            Text(printable(route.rule), "bold"),
            Text(printable(" ".join(route.methods))),
            Text("\n".join(route.summaries)),
            Text(printable(_set_by(route)), "dim"),
        )
    terminal.print(table)
