"""The migration of a file or a directory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flask_corsguard.migrate.findings import File, Finding, Migration
from flask_corsguard.migrate.names import Names
from flask_corsguard.migrate.sources import Module, python_files
from flask_corsguard.migrate.translation import Translation

_DEPENDENCY_FILES = (
    "requirements*.txt",
    "requirements/*.txt",
    "pyproject.toml",
    "setup.cfg",
    "Pipfile",
)
_NAMED = re.compile(r"^[\s\"']*flask[-_.]cors\b", re.IGNORECASE | re.MULTILINE)


def migrate(path: Path) -> Migration:
    """What the code at *path* becomes.

    :raises FileNotFoundError: if there is no such path.
    """
    modules: list[Module] = []
    findings: list[Finding] = []
    for file in python_files(path):
        data = file.read_bytes()
        try:
            modules.append(Module(file, data))
        except ValueError as error:
            if b"flask_cors" in data or b"flask.ext.cors" in data:
                findings.append(_unreadable(file, error))
    names = Names(modules)
    files: list[File] = []
    notes: list[str] = []
    places = 0
    for group in _groups(modules, names):
        translation = Translation(group, names)
        findings += translation.findings
        drafts = translation.drafts()
        files += [draft.finish() for draft in drafts]
        if drafts:
            places += translation.count()
            notes += translation.notes
        elif translation.count():
            notes.append(_left(translation))
    notes += _dependencies(path)
    findings.sort(key=lambda finding: (finding.path, finding.line, finding.code))
    return Migration(tuple(files), tuple(findings), tuple(notes), places)


def _unreadable(file: Path, error: ValueError) -> Finding:
    return Finding(
        file, 1, "unreadable_file", f"the file cannot be read: {error}",
        "what it says.", ("put it right, and run this again.",),
    )  # fmt: skip


def _left(translation: Translation) -> str:
    where = ", ".join(sorted({str(f.path) for f in translation.findings if not f.local}))
    return (
        f"places left alone with the findings in {where}: {translation.count()}, because they"
        " belong to the same app. Beside the guard, Flask-CORS would count for nothing."
    )


def _groups(modules: list[Module], names: Names) -> Iterator[list[Module]]:
    """Modules that have to do with each other: those that import one another."""
    group_of = {module: [module] for module in modules}
    for module in modules:
        for other in names.imports(module):
            one, two = group_of[module], group_of[other]
            if one is not two:
                one += two
                for moved in two:
                    group_of[moved] = one
    seen: set[int] = set()
    for module in modules:
        group = group_of[module]
        if id(group) not in seen:
            seen.add(id(group))
            yield sorted(group, key=modules.index)


def _dependencies(path: Path) -> Iterator[str]:
    folder = path if path.is_dir() else path.parent
    for pattern in _DEPENDENCY_FILES:
        for file in sorted(folder.glob(pattern)):
            if _NAMED.search(file.read_text("utf-8", "replace")):
                yield f"{file} names flask-cors: write flask-corsguard when nothing needs it."
