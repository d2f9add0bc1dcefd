"""What the README's common cases let pages do, and where its links lead on a package index.

The conftest above runs its blocks.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from flask_corsguard import __version__
from flask_corsguard.testing import Browser, Response
from tests.docs.markdown import section

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
APP, OTHER, LOCAL = "https://app.example.com", "https://other.example.net", "http://localhost:5173"


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each of the cases: the words in bold, and what it and those before it have defined."""
    scope: dict[str, Any] = {"__name__": "app"}
    exec(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0], scope)
    _, *parts = re.split(r"^\*\*(.+?)\*\*", section(README, "Common cases"), flags=re.MULTILINE)
    for title, part in zip(parts[::2], parts[1::2], strict=True):
        for block in re.findall(r"```python\n(.*?)```", part, re.DOTALL):
            exec(block, scope)
        yield title, dict(scope)


CASES = dict(cases())


def ask(app: Flask, url: str, page: str = APP, **options: Any) -> Response:
    return Browser(app, page=page).fetch(f"https://api.example.com{url}", **options)


def test_these_are_the_cases() -> None:
    assert len(CASES) == 5


def test_cookies() -> None:
    app = CASES["Cookies."]["app"]
    app.add_url_rule("/me", view_func=lambda: dict(request.cookies))
    ask(app, "/me", credentials="include").assert_readable()
    ask(app, "/me", OTHER, credentials="include").assert_blocked()


def test_jwt() -> None:
    app = CASES["A JWT in the `Authorization` header."]["app"]
    app.add_url_rule("/me", view_func=lambda: str(request.authorization), methods=["POST"])
    sent = {"method": "POST", "headers": {"Authorization": "Bearer abc"}, "json": {"a": 1}}
    assert ask(app, "/me", **sent).assert_readable().text == "Bearer abc"
    ask(app, "/me", OTHER, **sent).assert_blocked()


@pytest.mark.parametrize(
    ("url", "page", "readable"),
    [
        ("/status", OTHER, True),
        ("/api/unknown", APP, True),
        ("/api/unknown", OTHER, False),
        ("/public/unknown", OTHER, True),
        ("/unknown", APP, False),
    ],
)
def test_blueprint_path_and_view(url: str, page: str, readable: bool) -> None:
    app = CASES["One view."]["app"]
    assert app is CASES["Blueprints and paths."]["app"]
    assert ask(app, url, page).readable is readable


def test_environment_and_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    [(name, value)] = re.findall(r'`(FLASK_\w+)="(.+)"`', README)
    monkeypatch.setenv(name, value)
    app = CASES["Environment variables and app factories."]["create_app"]()
    assert [ask(app, "/", page).readable for page in (APP, LOCAL, OTHER)] == [True, True, False]


def test_links_lead_somewhere_on_a_package_index() -> None:
    """As hatch-fancy-pypi-readme writes them, none is relative, and each leads to the same file."""
    links = r"\]\(([^)]+)\)"
    text = README
    for rule in PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"][
        "substitutions"
    ]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    text = text.replace("$HFPR_VERSION", __version__)
    urls = PYPROJECT["project"]["urls"]
    docs, source = f"{urls['Documentation']}en/stable/", f"{urls['Source']}/blob/v{__version__}/"
    for before, after in zip(re.findall(links, README), re.findall(links, text), strict=True):
        if before.startswith("docs/"):
            assert after == docs + before.removeprefix("docs/").replace(".md", ".html")
        elif not before.startswith("https://"):
            assert after == source + before
