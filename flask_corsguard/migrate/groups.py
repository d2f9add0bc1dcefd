"""Which files may belong to one app."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from flask_corsguard.migrate.files import Source

_IMPORT = re.compile(
    rb"(?:^|[;:])[ \t]*(?:from|import)\b(?:[^\n(\\]|\\\r?\n|\([^)]*\))*|from_object[^\n]*",
    re.MULTILINE,
)
_WORD = re.compile(rb"[A-Za-z_]\w*")
_COMMON = frozenset({b"import", b"from", b"as", b"flask", b"Flask", b"request", b"os", b"sys"})


def root_of(path: Path) -> Path:
    """The folder that a file's modules are imported from: the one above its outermost package."""
    folder = path.parent
    while (folder / "__init__.py").exists() and folder.parent != folder:
        folder = folder.parent
    return folder


def groups_of(sources: Sequence[Source]) -> list[list[Source]]:
    """Groups of files that name one another in imports: rather too large than too small."""
    handles: dict[bytes, list[int]] = {}
    for number, source in enumerate(sources):
        for handle in _handles(source.path):
            handles.setdefault(handle, []).append(number)
    group = list(range(len(sources)))

    def first(number: int) -> int:
        while group[number] != number:
            group[number] = number = group[group[number]]
        return number

    for number, source in enumerate(sources):
        words = {word for part in _IMPORT.findall(source.data) for word in _WORD.findall(part)}
        for word in words - _COMMON:
            for other in handles.get(word, ()):
                group[first(other)] = first(number)
    found: dict[int, list[Source]] = {}
    for number, source in enumerate(sources):
        found.setdefault(first(number), []).append(source)
    return list(found.values())


def _handles(path: Path) -> set[bytes]:
    """The names by which an import may refer to a file."""
    names = {path.parent.name if path.stem == "__init__" else path.stem, path.parent.name}
    folder = path.parent
    while (folder / "__init__.py").exists() and folder.parent != folder:
        names.add(folder.name)
        folder = folder.parent
    return {name.encode("utf-8", "surrogateescape") for name in names if name}
