"""Moves a code base from Flask-CORS to Flask-CorsGuard: ``python -m flask_corsguard.migrate PATH``.

The code is read and never run; ``flask cors migrate`` runs the app as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask_corsguard.migrate.codemod import Codemod
from flask_corsguard.migrate.files import Source, read_tree
from flask_corsguard.migrate.findings import CODES, File, Finding, Migration, joined
from flask_corsguard.migrate.groups import groups_of, root_of, together
from flask_corsguard.migrate.python_file import PythonFile
from flask_corsguard.migrate.uses import OPTION_OF_KEY

__all__ = ["CODES", "File", "Finding", "Migration", "migrate"]

_USES = re.compile(rb"flask_cors\b|flask\.ext\.cors|flask\.ext import.*cors")
# What a file beside those has in it that may belong to the same app: a word, and the pattern around
# it. Python finds the words ten times as fast.
_WANTED = {
    b"CORS_": rb"CORS_[A-Z]",
    b"ontrol": rb"(?i:access[-_]control[-_]allow[-_]origin)",
    b"ONTROL": rb"(?i:access[-_]control[-_]allow[-_]origin)",
    b"before_": rb"before_(app_)?request",
    b"OPTIONS": rb"OPTIONS",
    b"def options": rb"def options",
    b"Flask(": rb"Flask\(",
    b"OpenAPI(": rb"\bOpenAPI\(",
    b".init_app(": rb"\.init_app\(",
    b"register_blueprint": rb"register_blueprint",
    b".config.from_": rb"\.config\.from_",
    b".route(": rb"\.route\(",
    b"cross_origin": rb"cross_origin",
}
_KEY = re.compile("|".join(OPTION_OF_KEY).encode())


def migrate(path: Path | str, recorded: Iterable[Any] = ()) -> Migration:
    """What the code at *path* becomes. Nothing is written.

    :param path: a file or a directory.
    :param recorded: what :mod:`flask_corsguard.migrate.recorder` saw when the app was loaded.
    :raises FileNotFoundError: if there is no such path.
    """
    path = Path(path)
    tree = read_tree(path, _WANTED)
    results = [Migration((), tree.findings, tree.notes, 0)]
    kinds = {(Path(each.path).resolve(), each.line): each.kind for each in recorded}
    groups = groups_of(tree.sources)
    named = {key for key in OPTION_OF_KEY for note in tree.notes if key in note}
    found = _each(groups, path, kinds, named)
    if any(finding.code == "no_app" for one in found for finding in one.findings):
        found = _each(
            together(groups), path, kinds, named
        )  # the app may be imported by other means
    return joined([*results, *found])


def _each(
    groups: list[list[Source]],
    base: Path,
    kinds: dict[tuple[Path, int], str],
    named: set[str],
) -> list[Migration]:
    found: list[Migration] = []
    for group in groups:
        if any(_USES.search(source.data) for source in group):
            elsewhere = named | {
                key.decode()
                for other in groups
                if other is not group
                for source in other
                for key in _KEY.findall(source.data)
            }
            found.append(_migrate(group, base, kinds, elsewhere))
    return found


def _migrate(
    group: list[Source], base: Path, kinds: dict[tuple[Path, int], str], elsewhere: set[str]
) -> Migration:
    files: list[PythonFile] = []
    findings: list[Finding] = []
    for source in group:
        try:
            files.append(PythonFile(source, base))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if _USES.search(source.data):
                findings.append(_unreadable(source.path, error))
    roots = list(dict.fromkeys(root_of(file.path) for file in files))
    result = Codemod(files, roots, kinds, elsewhere).run()
    return joined([result, Migration((), tuple(findings), (), 0)])


def _unreadable(path: Path, error: BaseException) -> Finding:
    why = str(error).partition("\n")[0] or type(error).__name__
    return Finding(
        path, 1, "unreadable_file", f"the file cannot be read: {why}",
        "whatever Flask-CORS lets other sites do there, it goes on doing.",
        ("put it right, and run this again.", "take it away, if nothing needs it."),
    )  # fmt: skip
