"""SECURITY.md names tests that there are, and every test of an advisory."""

import ast
import re
from pathlib import Path

import pytest

import flask_corsguard
from tests.docs.markdown import section, table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")

IDENTIFIER = re.compile(r"CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3}|[\w/ -]+ issue \d+")


PROMISES = table(section(PAGE, "What is promised"))
ADVISORIES = table(section(PAGE, "Advisories as tests"))


def happened_by_test() -> dict[str, str]:
    """What happened, by the name of the test."""
    return {
        node.name: (ast.get_docstring(node) or "").partition("\n")[0]
        for path in (ROOT / "tests" / "advisories").glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_promise_is_tested() -> None:
    assert PROMISES
    for promise, tested_in in PROMISES:
        named = re.findall(r"`(tests/[^`]+)`", tested_in)
        assert named, promise
        for name in named:
            path = ROOT / name
            assert path.is_file() or any(path.glob("*.py")), name


def test_advisories_are_the_tests_that_there_are() -> None:
    listed = {test.strip("`"): happened for _, happened, test in ADVISORIES}
    assert listed == happened_by_test()
    assert len(listed) == len(ADVISORIES)


@pytest.mark.parametrize(("advisory", "_", "test"), ADVISORIES, ids=lambda cell: cell.strip("`"))
def test_tests_are_called_by_the_advisory(advisory: str, _: str, test: str) -> None:
    first = IDENTIFIER.match(advisory)
    assert first, advisory
    words = re.findall(r"[a-z0-9]+", first[0].lower().replace(" extensions", "-ext"))
    assert test == f"`test_{'_'.join(word for word in words if word != 'issue')}`"


def test_every_name_of_an_advisory_is_listed_once() -> None:
    names = re.findall(IDENTIFIER, "\n".join(row[0] for row in ADVISORIES))
    assert len(names) == len(set(names))


def test_supported_version() -> None:
    series = flask_corsguard.__version__.rpartition(".")[0]
    assert f"**Supported versions**: {series}.x." in PAGE


def test_links_lead_to_headings() -> None:
    for path, anchor in re.findall(r"\]\(([^)#]+)#([^)]+)\)", PAGE):
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
        assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


def test_no_code_that_is_not_run() -> None:
    assert "```" not in PAGE
