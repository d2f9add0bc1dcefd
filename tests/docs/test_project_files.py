"""What CONTRIBUTING.md and the files for GitHub and pre-commit name is there."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import flask_corsguard
from tests.loading import load_file

ROOT = Path(__file__).parents[2]
if not (ROOT / ".ci").is_dir():
    pytest.skip("an sdist is without these files", allow_module_level=True)
NAMING_COMMANDS = (
    "CONTRIBUTING.md",
    "docs/contributing.md",
    "docs/releasing.md",
    ".github/PULL_REQUEST_TEMPLATE.md",
    ".github/workflows/ci.yml",
    ".github/workflows/release.yml",
)
YAML = sorted([*ROOT.glob(".*.yaml"), *(ROOT / ".github").rglob("*.yml")])
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
TEXT = {"", ".html", ".js", ".md", ".py", ".toml", ".yaml", ".yml"}


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_can_be_read(path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize("path", NAMING_COMMANDS)
def test_commands_and_paths_are_there(path: str) -> None:
    text = read(path)
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for named in re.findall(r"(?:`|run: |^ *)make((?: [a-z-]+)+)", text, re.MULTILINE):
        assert set(named.split()) <= targets, named
    for script in re.findall(r"\.ci/[\w.]*\w", text):
        assert os.access(ROOT / script, os.X_OK), script
    for file in re.findall(r"`((?:docs|tests|flask_corsguard|\.github)/[\w./-]+)`", text):
        assert (ROOT / file).exists(), file


def test_every_folder_of_tests_is_explained() -> None:
    explained = re.findall(r"^\| `tests/(\w+)` \|", read("CONTRIBUTING.md"), re.MULTILINE)
    package = {path.stem for path in (ROOT / "flask_corsguard").iterdir()}
    folders = {path.parent.name for path in (ROOT / "tests").glob("[a-z]*/*")}
    assert explained == sorted(folders - package)


def test_workflow_runs_the_oldest_and_the_newest_python() -> None:
    prefix = "Programming Language :: Python :: "
    versions = [
        name.removeprefix(prefix) for name in PROJECT["classifiers"] if f"{prefix}3." in name
    ]
    matrix = re.search(r"python: (\[.+\])", read(".github/workflows/ci.yml"))
    assert matrix
    assert json.loads(matrix[1]) == [versions[0], versions[-1]]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert f"for version in {' '.join(versions)}; do" in read("docs/releasing.md")


def test_pre_commit_runs_a_ruff_that_make_lint_may_run() -> None:
    version = re.search(r"ruff-pre-commit\n +rev: v(.+)", read(".pre-commit-config.yaml"))
    requirements = [Requirement(text) for text in PYPROJECT["dependency-groups"]["lint"]]
    assert version
    assert all(ruff.specifier.contains(version[1]) for ruff in requirements if ruff.name == "ruff")


def test_addresses_have_one_organisation() -> None:
    urls = PROJECT["urls"]
    elsewhere = [name for name, url in urls.items() if urls["Source"] not in url]
    assert elsewhere == ["Homepage", "Documentation"]


def text_files() -> Iterator[tuple[str, str]]:
    """Every file of the project that has words in it, with its text."""
    folders = (".ci", ".github", "docs", "examples", "flask_corsguard", "tests")
    paths = [*ROOT.iterdir(), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    for path in paths:
        if path.suffix in TEXT and path.is_file() and "_build" not in path.parts:
            yield str(path.relative_to(ROOT)), path.read_text("utf-8", "replace")


def test_placeholder_is_in_one_file() -> None:
    """But for those that say what to do about it."""
    saying = {".ci/release_check.py", "docs/releasing.md", "tests/docs/test_project_files.py"}
    found = {name for name, text in text_files() if "ORGANISATION" in text}
    assert found - saying <= {"pyproject.toml"}


def test_extras_are_quoted() -> None:
    """For zsh, brackets without quotes are a pattern. cmd.exe knows only double quotes."""
    bare = re.compile(r"""\bpip install (?:-\S+ )*(?!")\S+\[""")
    assert [name for name, text in text_files() if bare.search(text)] == []


VERSION = flask_corsguard.__version__
HEADING = f"## [{VERSION}] - 2030-01-31"
# The files that a tag is checked against, as they are when it may be pushed.
RELEASED = {
    "CHANGELOG.md": f"# Changelog\n\n{HEADING}\n\n### Added\n",
    "README.md": "# Flask-CorsGuard\n",
    "docs/index.md": "# Flask-CorsGuard\n",
    "pyproject.toml": 'Source = "https://github.com/example/flask-corsguard"\n',
    "flask_corsguard/__init__.py": f'__version__ = "{VERSION}"\n',
}


@pytest.mark.parametrize(
    ("tag", "changed", "said"),
    [
        (f"v{VERSION}", {}, None),
        ("v9.9.9", {}, f"Tag v{VERSION}, or change __version__"),
        (VERSION, {}, f"Tag v{VERSION}"),
        (f"v{VERSION}", {"CHANGELOG.md": "## [Unreleased]\n"}, f"'## [{VERSION}] - YEAR-"),
        (f"v{VERSION}", {"CHANGELOG.md": f"## [Unreleased]\n\n{HEADING}\n"}, "does not begin"),
        (f"v{VERSION}", {"CHANGELOG.md": f"## [{VERSION}]\n"}, "does not begin with version"),
        (
            f"v{VERSION}",
            {"pyproject.toml": read("pyproject.toml")},
            "perl -pi -e s/ORGANISATION/name/",
        ),
        (f"v{VERSION}", {"README.md": read("README.md")}, "Delete that sentence and the next"),
        (f"v{VERSION}", {"docs/index.md": read("docs/index.md")}, "Delete that sentence and"),
    ],
)
def test_release_check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tag: str,
    changed: dict[str, str],
    said: str | None,
) -> None:
    if (
        said
        and said.startswith(("perl", "Delete"))
        and "ORGANISATION" not in read("pyproject.toml")
    ):
        pytest.skip("the first release has been made")
    for folder in ("docs", "flask_corsguard"):
        (tmp_path / folder).mkdir()
    for name, text in {**RELEASED, **changed}.items():
        (tmp_path / name).write_text(text, "utf-8")
    found = list(load_file(ROOT / ".ci" / "release_check.py", monkeypatch).problems(tag, tmp_path))
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_release_check_as_it_is_run() -> None:
    """It ends with 1 and says what to do, one problem a line."""
    command = [sys.executable, ".ci/release_check.py"]
    for tag, said in (("v0.0.0", f"Tag v{VERSION}"), (None, "make release-check TAG=")):
        arguments = [tag] if tag else []
        result = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (1, "")
        assert said in result.stderr


def test_actions_are_pinned_alike() -> None:
    """Every action has the hash of a commit, and the same one in every workflow."""
    used = re.findall(r"uses: (\S+)@(\S+)(.*)", read(".github/workflows/ci.yml"))
    used += re.findall(r"uses: (\S+)@(\S+)(.*)", read(".github/workflows/release.yml"))
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for _, commit, _ in used)
    assert all(re.fullmatch(r" # v\d+\.\d+\.\d+", comment) for _, _, comment in used)
    assert len(set(used)) == len({action for action, _, _ in used})


def test_release_is_checked_before_it_is_published() -> None:
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load(read(".github/workflows/release.yml"))
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # "on" is a boolean in YAML
    assert workflow["permissions"] == {}
    build, publish = workflow["jobs"].values()
    commands = [step["run"] for step in build["steps"] if "run" in step]
    assert commands[0] == '.ci/release_check.py "$GITHUB_REF_NAME"'
    assert commands[-1] == "make dist"
    assert publish["needs"] == "build"
    assert publish["permissions"] == {"id-token": "write"}
    page = read("docs/releasing.md")
    assert f"an environment called `{publish['environment']['name']}`" in page
    assert "the workflow `release.yml`" in page
