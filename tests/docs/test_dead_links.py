"""``make docs`` fails on a link that leads nowhere, and on a page that nobody links to."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("furo")
pytest.importorskip("myst_parser")
pytest.importorskip("sphinx_copybutton")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
DOCS = URLS["Documentation"]
SOURCE = URLS["Source"]

ALIVE = {
    "docs/index.md": [
        "[page](page.md)",
        "[heading](page.md#a-heading)",
        "[file](../examples/quickstart.py)",
        f"[address]({DOCS}page.html#a-heading)",
        f"[file]({SOURCE}/blob/main/examples/quickstart.py)",
    ],
    "docs/page.md": ["[here](#a-heading)", "[index](index.md)", '<a href="index.html">index</a>'],
    "README.md": [
        "[here](#readmemd)",
        "[page](docs/page.md#a-heading)",
        "[file](examples/quickstart.py)",
        "[other](SECURITY.md#securitymd)",
        f"[documentation]({DOCS})",
        f"[newest]({DOCS}en/latest/page.html#a-heading)",
        f"[file]({SOURCE}/blob/main/SECURITY.md#securitymd)",
        f"[folder]({SOURCE}/tree/main/examples)",
        "[elsewhere](https://flask.palletsprojects.com/nothing)",
        "`[code](nothing.md)`",
    ],
    "SECURITY.md": ["[page](docs/page.md)"],
}
# A link for each way to lead nowhere, and what the build says of it.
DEAD = [
    ("docs/index.md", "[page](pages.md)", "target not found: 'pages.md'"),
    ("docs/index.md", "[anchor](page.md#heading)", "local id not found in doc 'page': 'heading'"),
    ("docs/page.md", "[anchor](#heading)", "target not found: 'heading'"),
    ("docs/index.md", "[file](../examples/quick.py)", "target not found: '../examples/quick.py'"),
    ("docs/page.md", '<a href="indices.html">index</a>', "page.html: dead link: indices.html"),
    ("docs/page.md", f"[page]({DOCS}pages.html)", f"page.html: dead link: {DOCS}pages.html"),
    ("README.md", "[page](docs/pages.md)", "README.md: dead link: docs/pages.md"),
    ("README.md", "[anchor](docs/page.md#heading)", "README.md: dead link: docs/page.md#heading"),
    ("README.md", "[file](examples/quick.py)", "README.md: dead link: examples/quick.py"),
    ("README.md", "[here](#heading)", "README.md: dead link: #heading"),
    ("README.md", f"[anchor]({DOCS}page.html#x)", f"README.md: dead link: {DOCS}page.html#x"),
    ("README.md", f"[page]({DOCS}en/1/x.html)", f"README.md: dead link: {DOCS}en/1/x.html"),
    ("README.md", f"[file]({SOURCE}/blob/main/x)", f"README.md: dead link: {SOURCE}/blob/main/x"),
    ("README.md", "![picture](docs/x.png)", "README.md: dead link: docs/x.png"),
    ("SECURITY.md", "[anchor](README.md#x)", "SECURITY.md: dead link: README.md#x"),
    (".github/HELP.md", "[page](../docs/pages.md)", ".github/HELP.md: dead link: ../docs/pages.md"),
]  # fmt: skip


def build(project: Path) -> subprocess.CompletedProcess[str]:
    """As ``make docs`` does."""
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", "-b", "html"]
    return subprocess.run(
        [*command, "docs", "html"], cwd=project, capture_output=True, text=True, check=False
    )


def write(project: Path, links: dict[str, list[str]], *, toctree: bool = True) -> None:
    for name, lines in links.items():
        path = project / name
        path.parent.mkdir(exist_ok=True)
        parts = [f"# {name}", *(["## A heading"] if name == "docs/page.md" else []), *lines]
        if toctree and name == "docs/index.md":
            parts.append("```{toctree}\n:hidden:\n\npage\n```")
        path.write_text("\n\n".join(parts) + "\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small one, with the configuration of this one."""
    return make(tmp_path)


def make(project: Path) -> Path:
    for name in ("docs/_ext", "docs/_static", "examples"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("docs/conf.py", "pyproject.toml"):
        shutil.copy(ROOT / name, project / name)
    return project


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a build says of all dead links, line by line."""
    project = make(tmp_path_factory.mktemp("dead"))
    links = {name: list(lines) for name, lines in ALIVE.items()}
    for name, link, _ in DEAD:
        links.setdefault(name, []).insert(0, link)
    write(project, links)
    result = build(project)
    assert result.returncode == 1
    return result.stderr.splitlines()


@pytest.mark.parametrize(("name", "link", "line"), DEAD)
def test_a_dead_link_is_a_warning(said: list[str], name: str, link: str, line: str) -> None:
    assert [found for found in said if line in found] != []


def test_nothing_else_is_a_warning(said: list[str]) -> None:
    # Those of MyST are found in what it has written too.
    [*_, last] = (line for line in said if "myst.xref_missing" in line)
    by_myst = said.index(last) + 1
    assert len(said) == len(DEAD) + by_myst, "\n".join(said)


def test_links_that_lead_somewhere(project: Path) -> None:
    write(project, ALIVE)
    result = build(project)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_page_in_no_toctree(project: Path) -> None:
    write(project, ALIVE, toctree=False)
    result = build(project)
    assert result.returncode == 1
    assert "page.md: WARNING: document isn't included in any toctree" in result.stderr


def test_a_page_in_the_sidebar_alone(project: Path) -> None:
    write(project, {**ALIVE, "docs/index.md": []})
    result = build(project)
    assert result.returncode == 1
    assert "page.html: the text of no other page links here" in result.stderr


def test_a_page_that_is_gone(project: Path) -> None:
    """What an earlier build has left is not taken for a page."""
    write(project, ALIVE)
    build(project)
    (project / "docs" / "page.md").unlink()
    write(project, {"docs/index.md": [], "README.md": [], "SECURITY.md": [f"[x]({DOCS}page.html)"]},
          toctree=False)  # fmt: skip
    result = build(project)
    assert result.returncode == 1
    assert f"SECURITY.md: dead link: {DOCS}page.html" in result.stderr
