"""``flask cors check``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import click
from flask.cli import ScriptInfo, pass_script_info

from flask_corsguard.cli.loading import guarded_app
from flask_corsguard.cli.terminal import Line, console, write
from flask_corsguard.protocol.decision import Decision

if TYPE_CHECKING:
    from flask_corsguard.simulate import Simulation
    from flask_corsguard.testing.engines import EngineName
    from flask_corsguard.testing.exchange import Exchange

#: The simulated engines. Written down here, because to import them is to import the browser.
ENGINE_NAMES = ("standard", "chromium", "firefox", "webkit")


@click.command("check")
@click.argument("url")
@click.option("--origin", metavar="ORIGIN", required=True, help="The origin of the page.")
@click.option("--method", metavar="METHOD", default="GET", show_default=True)
@click.option(
    "--header",
    "headers",
    metavar="NAME[: VALUE]",
    multiple=True,
    help="A header that script sets. May be given more than once.",
)
@click.option("--credentials", is_flag=True, help="As with credentials: 'include'.")
@click.option(
    "--engine",
    type=click.Choice(ENGINE_NAMES),
    default="standard",
    show_default=True,
    help="The browser to play.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
@pass_script_info
def check(
    info: ScriptInfo,
    context: click.Context,
    url: str,
    origin: str,
    method: str,
    headers: tuple[str, ...],
    credentials: bool,
    engine: str,
    as_json: bool,
) -> None:
    """Play a page's request to URL through the guard, and tell what script can read and why.

    No view of the app runs. Exits with 0 where script may read the answer, with 1 where not.
    """
    from flask_corsguard.simulate import simulate

    with guarded_app(info) as state:
        simulation = simulate(
            state,
            url,
            origin=origin,
            method=method,
            headers=headers,
            credentials=credentials,
            engine=cast("EngineName", engine),
        )
    if as_json:
        click.echo(json.dumps(_object(simulation, origin, method), indent=2))
    else:
        write(_story(simulation), console(sys.stdout))
    context.exit(0 if simulation.allowed else 1)


def _story(simulation: Simulation) -> Iterator[Line]:
    colour = "green" if simulation.allowed else "red"
    yield Line(f"{simulation.response.question}: {_verdict(simulation)}", f"bold {colour}")
    for number, step in enumerate(simulation.steps, 1):
        yield Line("")
        yield Line(f"{number}. {step.title}", "bold")
        for text in step.lines:
            words = text.lstrip()
            style = "bold" if words.startswith("Change: ") else ""
            yield Line(words, style, 3 + len(text) - len(words))
        if step.exchange is not None:
            for text in str(step.exchange).splitlines():
                words = text.lstrip()
                yield Line(words, "dim", 3 + len(text) - len(words))
    if simulation.curl:
        yield Line("")
        yield Line("The same with curl:", "bold")
    for command in simulation.curl:
        yield Line(command, for_copying=True)


def _verdict(simulation: Simulation) -> str:
    return "allowed" if simulation.allowed else "rejected"


def _object(simulation: Simulation, origin: str, method: str) -> dict[str, object]:
    answer = simulation.response
    return {
        "allowed": simulation.allowed,
        "url": simulation.url,
        "origin": origin,
        "method": method,
        "reason": answer.reason,
        "why": answer.why,
        "decision": simulation.decision and _decided(simulation.decision),
        "steps": [{"title": step.title, "lines": step.lines} for step in simulation.steps],
        "exchanges": [_exchanged(exchange) for exchange in answer.exchanges],
        "curl": simulation.curl,
    }


def _decided(decision: Decision) -> dict[str, object]:
    return {
        "outcome": decision.outcome.name,
        "reason": decision.reason and decision.reason.name,
        "source": decision.policy_source,
        "location": decision.policy_location,
    }


def _exchanged(exchange: Exchange) -> dict[str, object]:
    return {
        "preflight": exchange.preflight,
        "method": exchange.method,
        "url": exchange.url,
        "status": exchange.status,
        "request_headers": list(exchange.request_headers),
        "response_headers": list(exchange.response_headers),
    }
