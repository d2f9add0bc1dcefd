"""``flask cors check``."""

from __future__ import annotations

import difflib
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import cast
from urllib.parse import urlsplit

import click
from flask.app import Flask
from flask.cli import ScriptInfo, pass_script_info
from flask.testing import EnvironBuilder

from flask_corsguard.audit.delivery import Fault, deliver, fault_of, unheard
from flask_corsguard.audit.findings import RULES
from flask_corsguard.cli.loading import (
    UnusableError,
    check_origin,
    guarded_app,
    read_sources,
    warn_of_unrouted_marks,
)
from flask_corsguard.cli.terminal import Line, console, write
from flask_corsguard.protocol.headers import SAFELISTED_METHODS, is_token
from flask_corsguard.protocol.remedies import name_in_list
from flask_corsguard.runtime.state import AppState
from flask_corsguard.simulate import UNKNOWN, Simulation, Step, are_swapped, simulate
from flask_corsguard.testing.engines import ENGINES, EngineName
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.text import shown

# How lines that say what to do begin.
_ADVICE = ("Change: ", "To admit it: ", "To allow it: ", "To refuse it: ")


def _origin_of_curl(
    context: click.Context, option: click.Parameter, origin: str | None
) -> str | None:
    """Refuse a missing ``--origin``, also where it is given as for curl."""
    if origin is not None or context.resilient_parsing:
        return origin
    for header in context.params.get("headers", ()):  # options that are given are read first
        name, _, value = header.partition(":")
        if name.strip().lower() == "origin":
            value = shlex.quote(value.strip() or "https://app.example.com")
            context.fail(f"Write --origin {value} instead of -H {shlex.quote(header)}.")
    raise click.MissingParameter(ctx=context, param=option)


def _no_body(context: click.Context, _: click.Parameter, body: str | None) -> None:
    """Refuse curl's options for a body."""
    if body is not None and not context.resilient_parsing:
        context.fail(
            "check sends no body, and needs none: no view runs. Leave the data out. If the page"
            " sends JSON, write --method POST --header 'Content-Type: application/json'."
        )


@click.command("check")
@click.argument("url")
@click.option(
    "--origin",
    metavar="ORIGIN",
    callback=_origin_of_curl,
    help="The origin of the page.  [required]",
)
@click.option("-X", "--method", metavar="METHOD", default="GET", show_default=True)
@click.option(
    "-H",
    "--header",
    "headers",
    metavar="NAME[: VALUE]",
    multiple=True,
    help="A header that the page sets. May be given more than once.",
)
@click.option(
    "--credentials", is_flag=True, help="Send cookies, as fetch() does with credentials: 'include'."
)
@click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    default="standard",
    show_default=True,
    help="The browser to simulate.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.option("-d", "--data", "--data-raw", hidden=True, expose_value=False, callback=_no_body)
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
    """Simulate a page's request to URL, and show what the page can read, and why.

    With --header "Upgrade: websocket", or a URL that begins with ws: or wss:, the request is a
    WebSocket handshake. No view of the app runs. A preflight that the guard allows is also sent
    through the app, whose hooks run for it; so is one for a GET or POST that needs none. Exits with
    0 if the page may read the response, or can use the socket; with 1 if not.
    """
    if are_swapped(url, origin):
        meant = shlex.join(["flask", "cors", "check", origin, "--origin", url.rstrip("/")])
        raise UnusableError(f"URL and --origin are swapped. Write {meant}")
    if "://" not in origin or origin.startswith("http"):  # others can be in raw_origins
        check_origin(origin)
    _check_headers(headers)
    with guarded_app(info) as state:
        read_sources(state)
        simulation = simulate(
            state,
            url,
            origin=origin,
            method=method,
            headers=headers,
            credentials=credentials,
            engine=cast("EngineName", engine),
        )
        failing = _failing_preflight(state, simulation)
        unless = _why_not_served(state, simulation, url)
        warn_of_unrouted_marks(state.app)
    result = _object(simulation, origin, method)
    verdict = simulation.verdict
    if failing is not None:
        fault, exchange = failing
        result |= {"allowed": False, "why": fault.message, "fault": fault.code}
        # The browser sends nothing after this preflight.
        position = next(n for n, step in enumerate(simulation.steps) if step.exchange is exchange)
        lines = [fault.message, f"Change: {RULES[fault.code].change}"]
        if exchange.preflight:
            verdict, title = "rejected", "The preflight, sent through the app, fails"
        else:
            verdict, title = "not known", UNKNOWN
            lines.insert(0, "A preflight was sent through the app, because no view runs for it.")
        steps = (*simulation.steps[: position + 1], Step(title, tuple(lines)))
        simulation = simulation._replace(steps=steps)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        write(_lines(simulation, verdict, unless), console(sys.stdout))
    context.exit(0 if result["allowed"] else 1)


def _failing_preflight(state: AppState, simulation: Simulation) -> tuple[Fault, Exchange] | None:
    """The first preflight that the guard allows but that fails on its way through the app, with
    what is at fault. If the page sends no preflight: the request, if something changes who may read
    the response to a preflight for it."""
    exchanges = simulation.response.exchanges
    is_simple = not any(exchange.preflight for exchange in exchanges)
    if not is_simple and not simulation.response.readable:
        return None
    for exchange in exchanges:
        decision = exchange.decision
        policy = decision and decision.policy
        if decision is None or policy is None or not policy.answer_preflight:
            continue
        if exchange.preflight == is_simple or decision.in_front or decision.blocked:
            continue
        if is_simple and exchange.method not in SAFELISTED_METHODS:
            continue
        headers = {"Access-Control-Request-Method": exchange.method, **exchange.request_headers}
        builder = EnvironBuilder(state.app, exchange.url, method="OPTIONS", headers=headers)
        with closing(builder), unheard(state.app):
            delivery = deliver(state, builder.get_environ())
        if delivery.changes_readers if is_simple else not delivery.passes:
            fault = fault_of(state, delivery)
            if fault is not None:
                return fault, exchange
    return None


def _check_headers(headers: tuple[str, ...]) -> None:
    """:raises UnusableError: if a header is not written as in a request."""
    for header in headers:
        if not is_token(header.partition(":")[0].strip()):
            name, equals, value = header.partition("=")
            meant = is_token(name.strip()) and equals and f"{name.strip()}: {value.strip()}"
            hint = f" Write --header {shlex.quote(meant)}" if meant else ""
            raise UnusableError(f"a header is written NAME: VALUE, not {shown(header)}.{hint}")


def _why_not_served(state: AppState, simulation: Simulation, url: str) -> str:
    """Why no view serves the request, although it is allowed; "" if one does."""
    response = simulation.response
    if response.status == 405:
        return f"but no route at this URL accepts {response.exchanges[-1].method} (405)"
    if response.status != 404:
        return ""
    meant = _close_url(state.app, url, urlsplit(simulation.url).path)
    return f"but no route has this URL (404){f'. Did you mean {meant}?' if meant else ''}"


def _close_url(app: Flask, url: str, path: str) -> str:
    """The path that was probably meant by one without a route, or by an endpoint; or ""."""
    given = path.rstrip("/").split("/")
    alike: dict[str, None] = {}  # those with as many segments, and no variable
    candidates: dict[str, None] = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint == url:
            return rule.rule
        parts = rule.rule.rstrip("/").split("/")
        if len(parts) == len(given):  # the variables have the values that were given
            if "<" not in rule.rule:
                alike[rule.rule] = None
            pairs = zip(parts, given, strict=True)
            parts = [value if "<" in part else part for part, value in pairs]
        candidate = "/".join(parts) + "/" * rule.rule.endswith("/")
        # A path converter accepts everything; and no route accepts the path itself.
        if "<path" not in rule.rule and candidate != path:
            candidates[candidate] = None
    matches = (difflib.get_close_matches(path, paths, n=1) for paths in (alike, candidates))
    return next(chain.from_iterable(matches), "")


def _lines(simulation: Simulation, verdict: str, unless: str) -> Iterator[Line]:
    colour = "green" if verdict == "allowed" else "red"
    if verdict == "allowed" and unless:
        verdict = f"allowed, {unless}"
    yield Line(f"{simulation.response.question}: {verdict}", f"bold {colour}")
    for number, step in enumerate(simulation.steps, 1):
        yield Line("")
        yield Line(f"{number}. {step.title}", "bold")
        for text in step.lines:
            yield _indented(text, "bold" if text.lstrip().startswith(_ADVICE) else "")
        for text in str(step.exchange or "").splitlines():
            yield _indented(text, "dim")
    if simulation.curl:
        yield Line("")
        yield Line("The same with curl:", "bold")
    for command in simulation.curl:
        yield Line(command, for_copying=True)


def _indented(text: str, style: str) -> Line:
    words = text.lstrip()
    return Line(words, style, 3 + len(text) - len(words))


def _object(simulation: Simulation, origin: str, method: str) -> dict[str, object]:
    response, decision = simulation.response, simulation.decision
    return {
        "allowed": simulation.allowed,
        "url": simulation.url,
        "origin": origin,
        "method": method,
        "reason": response.reason,
        "fault": None,
        "why": response.why,
        "decision": decision
        and {
            "outcome": decision.outcome.name,
            "reason": decision.reason and decision.reason.name,
            "source": decision.policy_source,
            "location": decision.policy_location,
            # Those that were asked, in order; the last one decided, if any did.
            "policies": [*filter(None, map(name_in_list, decision.policies))],
            "in_front": decision.in_front,
        },
        "steps": [{"title": step.title, "lines": step.lines} for step in simulation.steps],
        "exchanges": [
            {
                "preflight": exchange.preflight,
                "method": exchange.method,
                "url": exchange.url,
                "status": exchange.status,
                "request_headers": list(exchange.request_headers),
                "response_headers": list(exchange.response_headers),
            }
            for exchange in response.exchanges
        ],
        "curl": simulation.curl,
    }
