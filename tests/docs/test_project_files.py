"""What CONTRIBUTING.md and the files for GitHub and pre-commit name is there."""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
if not (ROOT / ".ci").is_dir():
    pytest.skip("an sdist is without these files", allow_module_level=True)
NAMING_COMMANDS = (
    "CONTRIBUTING.md",
    "docs/contributing.md",
    ".github/PULL_REQUEST_TEMPLATE.md",
    ".github/workflows/ci.yml",
)
YAML = sorted([*ROOT.glob(".*.yaml"), *(ROOT / ".github").rglob("*.yml")])
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]


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
    for script in re.findall(r"\.ci/\w+", text):
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
    versions = [name.removeprefix(prefix) for name in PROJECT["classifiers"] if prefix in name]
    matrix = re.search(r"python: (\[.+\])", read(".github/workflows/ci.yml"))
    assert matrix
    assert json.loads(matrix[1]) == [versions[0], versions[-1]]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert f"for version in {' '.join(versions)}; do" in read("CONTRIBUTING.md")


def test_pre_commit_runs_a_ruff_that_make_lint_may_run() -> None:
    version = re.search(r"ruff-pre-commit\n +rev: v(.+)", read(".pre-commit-config.yaml"))
    requirements = [Requirement(text) for text in PYPROJECT["dependency-groups"]["lint"]]
    assert version
    assert all(ruff.specifier.contains(version[1]) for ruff in requirements if ruff.name == "ruff")


def test_addresses_have_one_organisation() -> None:
    urls = PROJECT["urls"]
    source = urls["Source"]
    assert [name for name, url in urls.items() if source not in url] == ["Documentation"]
    assert f"url: {urls['Security']}\n" in read(".github/ISSUE_TEMPLATE/config.yml")
