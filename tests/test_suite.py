"""What is true of all tests, and of what is said about them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A path from the top of the repository, and the name of a page. Not what a pattern is written for.
CITED_PATH = re.compile(r"(?<![\w/.<-])(?:tests|docs|examples)/[\w./-]*\w(?![\w{*<-]|/[{*<])")
CITED_PAGE = re.compile(r"(?<![\w/.*}-])[\w-]+\.md\b(?!\[)")


def test_ids_are_the_same_in_every_process(request: pytest.FixtureRequest) -> None:
    """No id of the tests collected with this one contains an object's address. The order of sets is
    checked by pytest-xdist: its workers have different hash seeds, and it compares their tests."""
    assert [i.nodeid for i in request.session.items if " at 0x" in i.nodeid] == []


def test_cited_files_exist() -> None:
    """A module may be named without its ending, as Flask and pytest take it."""
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md")]
    code = [*ROOT.glob("tests/*.py"), *ROOT.glob("tests/*/*.py")]
    code.remove(ROOT / "tests/docs/test_dead_links.py")  # whose files are not there on purpose
    names = {page.name for page in pages} | {"CHANGELOG.md", "CONTRIBUTING.md"}
    missing = set()
    for path in [*pages, *code, *ROOT.glob("examples/**/*.py")]:
        text = path.read_text("utf-8")
        cited = {name for name in CITED_PATH.findall(text) if not (ROOT / name).exists()}
        missing |= {(path.name, name) for name in cited if not (ROOT / f"{name}.py").exists()}
        if path in code:
            missing |= {(path.name, name) for name in set(CITED_PAGE.findall(text)) - names}
    assert missing == set()
