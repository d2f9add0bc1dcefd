"""``flask cors verify``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from flask.cli import ScriptInfo, pass_script_info

from flask_corsguard.cli.loading import UnusableError, guarded_app, read_sources
from flask_corsguard.cli.terminal import (
    Line,
    console,
    first_few,
    named_lines,
    progress,
    write,
)
from flask_corsguard.testing.urls import Url, parse_url
from flask_corsguard.text import counted

if TYPE_CHECKING:
    from flask_corsguard.verify.deployment import DeploymentFinding, Verification

# In seconds. The length of a longer run is announced.
_SECONDS_UNANNOUNCED = 10
_LOOPBACK = ("localhost", "127.")
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

    Sends preflights for every route and method, and nothing else unless told to: no cookies, no
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
        raise UnusableError("--get: give a path below URL, on the same host. Write /users/7")
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
        result = {"url": f"{base}/", **verification._asdict(), "findings": findings}
        click.echo(json.dumps(result, indent=2))
    else:
        write(_lines(str(base), verification), console(sys.stdout))
    context.exit(1 if verification.findings else 0)


def _url(name: str, text: str, base: Url | None = None) -> Url:
    """Read a full URL, or a path below the app's root."""
    url = parse_url(f"{base}{text}" if base and text.startswith("/") else text)
    if url is None or url.origin is None or url.userinfo or "#" in text:
        path = " or a path below it, /users/7," if base else ""
        meant = None if "://" in text or "@" in text or "#" in text else text.lstrip("/")
        if meant and not base:
            scheme = "http" if meant.startswith(_LOOPBACK) else "https"
            raise UnusableError(f"{name}: {meant} has no scheme. Write {scheme}://{meant}")
        hint = f". Did you mean /{meant}?" if meant else ""
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
    if verification.same_settings:
        yield Line("The settings are the same as here: the fingerprints match.")
    if verification.not_tried or verification.same_settings:
        yield Line("")
    found = len(verification.findings)
    words = counted(found, "finding") if found else "nothing found"
    tried = f"{verification.places:,} routes and paths, {verification.requests:,} requests"
    yield Line(f"{url}/: {tried}: {words}.", "bold" if found else "bold green")


def _about(finding: DeploymentFinding) -> Iterator[Line]:
    yield Line(f"{finding.title}.", indent=2)
    yield Line(f"Where: {first_few(finding.where)}", indent=2)
    yield from named_lines("Sent", finding.sent)
    yield from named_lines("Received", finding.received)
    yield from named_lines("Policy", finding.policy)
    yield Line(f"Cause: {finding.cause}", indent=2)
    yield Line(f"Change: {finding.change}", indent=2)
