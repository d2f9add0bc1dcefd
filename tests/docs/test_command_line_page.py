"""The page about the command line lists every option and every key."""

import json
import re
from pathlib import Path

import click
import pytest

from flask_corsguard.audit.findings import RULES, Finding, Level, Report
from flask_corsguard.cli import cors
from flask_corsguard.cli.formats import as_json
from flask_corsguard.verify.deployment import DeploymentFinding, Verification
from tests.cli.command_line import run
from tests.docs.markdown import section

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "command-line.md").read_text("utf-8")
CONTEXT = click.Context(cors)
COMMANDS = {name: cors.get_command(CONTEXT, name) for name in cors.list_commands(CONTEXT)}


def first_cells(command: str) -> list[list[str]]:
    """The first column of each table in a command's section, without the head."""
    text = section(PAGE, f"`flask cors {command}`")
    tables = re.findall(r"^\|.*\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [re.findall(r"^\| `([^`]+)`", table, re.MULTILINE) for table in tables]


@pytest.mark.parametrize("name", COMMANDS)
def test_options(name: str) -> None:
    listed = [cell.split()[0] for cell in first_cells(name)[0]]
    there = [
        parameter.opts[0] if isinstance(parameter, click.Option) else str(parameter.metavar or "")
        for parameter in COMMANDS[name].params
        if not getattr(parameter, "hidden", False)
    ]
    assert listed == [option or "URL" for option in there]


@pytest.mark.parametrize("arguments", ["routes", "check / --origin https://a.example"])
def test_keys(arguments: str) -> None:
    """The page lists the keys of the first object that is printed."""
    told = json.loads(run(f"{arguments} --json").out)
    keys = list(told[0] if isinstance(told, list) else told)
    assert first_cells(arguments.split()[0])[1] == keys


def test_keys_of_the_audit() -> None:
    found = Finding(next(iter(RULES.values())), Level.NOTE, "Found.")
    told = json.loads(as_json(Report((found,), (), (), 1, 1)))
    assert first_cells("audit")[1:] == [list(told), list(told["findings"][0])]


def test_keys_of_verify() -> None:
    keys = [["url", *Verification._fields], [*DeploymentFinding._fields]]
    assert first_cells("verify")[1:] == keys


def test_commands() -> None:
    """The page and `flask cors` say the same of each command, on a line that is not cut."""
    listed = re.findall(r"^\| \[`flask cors (\w+)`\]\(.+?\) \| (.+) \|$", PAGE, re.MULTILINE)
    printed = run("--help").out
    assert [name for name, _ in listed] == list(COMMANDS)
    commands = printed.partition("See who")[2]
    assert re.findall(r"^  (\w+) {2,}(.+)$", commands, re.MULTILINE) == listed
    assert max(map(len, printed.splitlines())) <= 80
