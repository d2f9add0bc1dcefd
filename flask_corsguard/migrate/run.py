"""The migration of a file or a directory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from flask_corsguard.migrate.findings import Finding, Migration
from flask_corsguard.migrate.names import Names
from flask_corsguard.migrate.places import Places
from flask_corsguard.migrate.rewriting import Draft, imports_flask_cors
from flask_corsguard.migrate.sources import Module, python_files
from flask_corsguard.migrate.translation import translate_places
from flask_corsguard.migrate.units import units
from flask_corsguard.migrate.values import Reader
from flask_corsguard.migrate.work import Work

_DEPENDENCY_FILES = (
    "requirements*.txt",
    "requirements/*.txt",
    "pyproject.toml",
    "setup.cfg",
    "Pipfile",
)
_OURS = re.compile(rb"flask_cors|flask\.ext\.cors|CORS_")
_NAMES = re.compile(rb"flask|blueprint|cors_|access.control", re.IGNORECASE)
_WORDS = re.compile(rb"\w+")
_IMPORT = re.compile(
    rb"(?:^|[;:])[ \t]*(?:from|import)\b(?:[^\n(\\]|\\\r?\n|\([^)]*\))*", re.MULTILINE
)
_TEXT = re.compile(rb"[\"'][\w.]+[\"']")
_NAMED = re.compile(r"^[\s\"']*flask[-_.]cors\b", re.IGNORECASE | re.MULTILINE)


def migrate(path: Path) -> Migration:
    """What the code at *path* becomes.

    :raises FileNotFoundError: if there is no such path.
    """
    files = list(python_files(path))
    beside = _beside(path)
    modules, findings = _read(_needed([*files, *beside]))
    names = Names(modules)
    result = Migration((), tuple(findings), tuple(_dependencies(path)), 0)
    for group in _groups(modules, names):
        if not beside:
            result = result.joined(_migrate(group, names))
        elif any(module.path == path for module in group):
            if any(imports_flask_cors(module) for module in group if module.path != path):
                result = result.joined(_part(path))
            else:
                found = _migrate(group, names)
                is_own = all(file.path == path for file in found.files)
                result = result.joined(found if is_own else _part(path))
    return result


def _needed(files: list[Path]) -> list[Path]:
    """The files that have to be parsed, which is dear: those that name Flask or CORS, and those
    that they import."""
    texts = {file: file.read_bytes() for file in files}
    if not any(_OURS.search(text) for text in texts.values()):
        return []
    needed: set[Path] = set()
    new = {file for file, text in texts.items() if _NAMES.search(text)}
    by_name: dict[bytes, list[Path]] = {}
    for file in files:
        by_name.setdefault(_module_name(file).encode(), []).append(file)
    while new:
        needed |= new
        new = {named for file in new for named in _imported(file, texts[file], by_name)} - needed
    return [file for file in files if file in needed]


def _imported(file: Path, text: bytes, by_name: Mapping[bytes, list[Path]]) -> Iterator[Path]:
    """The files that *file* may import: in a package that it names, or in a folder around it."""
    words = set(_named_in(text))
    for word in words:
        for named in by_name.get(word, ()):
            folder = named.parent.parent if named.stem == "__init__" else named.parent
            if folder.name.encode() in words or folder in file.parents:
                yield named


def _named_in(text: bytes) -> list[bytes]:
    """The words in a file that may name another one."""
    parts = _IMPORT.findall(text)
    if b"from_object" in text:
        parts += _TEXT.findall(text)
    return [word for part in parts for word in _WORDS.findall(part)]


def _module_name(file: Path) -> str:
    return file.parent.name if file.stem == "__init__" else file.stem


def _beside(path: Path) -> list[Path]:
    """The files that may belong to the same app as a single one."""
    if not path.is_file():
        return []
    others = [file for file in python_files(path.parent) if file != path]
    return others if any(b"flask_cors" in file.read_bytes() for file in others) else []


def _part(path: Path) -> Migration:
    finding = Finding(
        path, 1, "no_app", "the file is a part of an app that uses Flask-CORS in other files too",
        "the sites that either file names may read what it is for; a guard would replace both.",
        ("run this on the directory of the whole app.",),
    )  # fmt: skip
    return Migration((), (finding,), (), 0)


def _read(files: list[Path]) -> tuple[list[Module], list[Finding]]:
    modules: list[Module] = []
    findings: list[Finding] = []
    for file in files:
        data = file.read_bytes()
        try:
            modules.append(Module(file, data))
        except ValueError as error:
            if b"flask_cors" in data or b"flask.ext.cors" in data:
                findings.append(_unreadable(file, error))
    return modules, findings


def _migrate(group: list[Module], names: Names) -> Migration:
    """Migrate modules that have to do with each other."""
    works = [translate_places(unit) for unit in units(Places(group, names, Reader(names)))]
    drafts = {module: Draft(module, names) for module in group}
    findings: list[Finding] = []
    notes: list[str] = []
    done: set[tuple[Path, int]] = set()
    for work in works:
        findings += work.findings
        if work.is_blocked:
            notes += _left(work)
            for module in work.modules():
                drafts[module].keeps_flask_cors = True
        else:
            done.update(work.done_places())
            notes += work.notes
            for draft in work.drafts.values():
                drafts[draft.module].take(draft)
    if not any(work.is_blocked for work in works):
        for draft in drafts.values():
            draft.drop_unused()
    files = tuple(draft.finish() for draft in drafts.values() if draft.is_changed())
    return Migration(files, tuple(findings), tuple(notes), len(done))


def _unreadable(file: Path, error: ValueError) -> Finding:
    return Finding(
        file, 1, "unreadable_file", f"the file cannot be read: {error}",
        "whatever Flask-CORS lets other sites do there, it goes on doing.",
        ("put it right, and run this again.", "take it away, if nothing needs it."),
    )  # fmt: skip


def _left(work: Work) -> Iterator[str]:
    places = work.done_places()
    if places:
        listed = ", ".join(f"{file}:{line}" for file, line in places)
        yield (
            f"left alone with the findings, because they belong to the same app: {listed}. On one"
            " app, Flask-CORS beside the guard would count for nothing."
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
