"""``flask cors verify``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from flask.cli import ScriptInfo, pass_script_info

from flask_corsguard.cli.loading import UnusableError, guarded_app, read_sources
from flask_corsguard.cli.terminal import Line, console, progress, write

if TYPE_CHECKING:
    from flask_corsguard.testing.urls import Url
    from flask_corsguard.verify.deployment import DeploymentFinding, Verification

# In seconds: how long a run must be for its length to be announced.
_SECONDS_UNANNOUNCED = 10
_MOST_PLACES = 5
_RATE = click.FloatRange(0.01, 1000)
_LIMIT = click.IntRange(1)


@click.command("verify")
@click.argument("url")
@click.option(
    "--get",
    "paths",
    metavar="PATH",
    multiple=True,
    help="A path to send a GET request to, which runs its view. May be given more than once.",
)
@click.option("--status", metavar="URL", help="A URL, or a path, that returns guard.status().")
@click.option("--rate", type=_RATE, default=5, show_default=True, help="Requests per second.")
@click.option(
    "--limit", type=_LIMIT, default=1000, show_default=True, help="The maximum number of requests."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
@pass_script_info
def verify(
    info: ScriptInfo,
    context: click.Context,
    url: str,
    paths: tuple[str, ...],
    status: str | None,
    rate: float,
    limit: int,
    as_json: bool,
) -> None:
    """Ask the deployment whose root is at URL whether it follows the policies.

    Sends preflights for every route and method, and nothing else unless told: no cookies, no
    faster than --rate. Exits with 0 if all responses follow the policies, with 1 if not.
    """
    try:
        from flask_corsguard.verify.deployment import Deployment
    except ModuleNotFoundError as error:
        message = f'{error.name} is not installed: pip install "flask-corsguard[cli]"'
        raise UnusableError(message) from error

    base = _url("URL", url)
    base = base._replace(path=base.path.rstrip("/"))
    if base.query:
        raise UnusableError("URL: the app's root has no query. Write https://example.com/app")
    gets = [_url("--get", path, base) for path in paths]
    if any(each.origin != base.origin for each in gets):
        raise UnusableError("--get: a path below URL, on the same host. Write /users/7")
    probe = None if status is None else _url("--status", status, base)
    with guarded_app(info) as state:
        read_sources(state)
        deployment = Deployment(state, base, gets, probe, limit)
        seconds = deployment.requests / rate
        if seconds > _SECONDS_UNANNOUNCED:
            words = f"{deployment.requests:,} requests, {rate:g} per second: about {seconds:.0f} s"
            click.echo(words, err=True)
        with progress("Asking the deployment") as advance:
            verification = deployment.verify(rate, advance)
    if as_json:
        findings = [finding._asdict() for finding in verification.findings]
        told = {"url": f"{base}/", **verification._asdict(), "findings": findings}
        click.echo(json.dumps(told, indent=2))
    else:
        write(_lines(str(base), verification), console(sys.stdout))
    context.exit(1 if verification.findings else 0)


def _url(name: str, text: str, base: Url | None = None) -> Url:
    """A whole URL, or a path below the app's root."""
    from flask_corsguard.testing.urls import parse_url

    url = parse_url(f"{base}{text}" if base and text.startswith("/") else text)
    if url is None or url.origin is None or url.userinfo or "#" in text:
        path = " or a path below it, /users/7," if base else ""
        meant = None if "://" in text or "@" in text or "#" in text else text.lstrip("/")
        hint = f". Did you mean {('/' if base else 'https://') + meant}?" if meant else ""
        raise UnusableError(
            f"{name}: write https://example.com,{path} without a user name, a password or #{hint}"
        )
    return url


def _lines(url: str, verification: Verification) -> Iterator[Line]:
    for finding in verification.findings:
        yield Line(finding.code, "bold red")
        yield from _about(finding)
        yield Line("")
    for sentence in verification.not_tried:
        yield Line(f"not tried: {sentence}", "dim")
    if verification.not_tried:
        yield Line("")
    found = len(verification.findings)
    words = "nothing found" if not found else "1 finding" if found == 1 else f"{found} findings"
    tried = f"{verification.places:,} routes and paths, {verification.requests:,} requests"
    yield Line(f"{url}/: {tried}: {words}.", "bold" if found else "bold green")


def _about(finding: DeploymentFinding) -> Iterator[Line]:
    yield Line(f"{finding.title}.", indent=2)
    more = len(finding.where) - _MOST_PLACES
    named = "; ".join(finding.where[:_MOST_PLACES])
    yield Line(f"Where: {named}" + (f"; and {more:,} more" if more > 0 else ""), indent=2)
    for name in ("sent", "received", "policy"):
        first, *others = getattr(finding, name)
        yield Line(f"{name.title()}: {first}", indent=2)
        yield from (Line(text, "dim", indent=4) for text in others)
    yield Line(f"Cause: {finding.cause}", indent=2)
    yield Line(f"Change: {finding.change}", indent=2)
