"""Moves a code base from Flask-CORS to Flask-CorsGuard: ``python -m flask_corsguard.migrate PATH``.

The code is read and never run; ``flask cors migrate`` runs the app as well.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path

from flask_corsguard.migrate.codemod import Codemod
from flask_corsguard.migrate.files import USES, Source, read_tree
from flask_corsguard.migrate.findings import CODES, File, Finding, Migration, joined
from flask_corsguard.migrate.groups import groups_of, root_of
from flask_corsguard.migrate.python_file import PythonFile
from flask_corsguard.migrate.recorder import Recorded
from flask_corsguard.migrate.uses import OPTION_OF_KEY

__all__ = ["CODES", "File", "Finding", "Migration", "migrate"]

# What has to do with Flask-CORS, with what stands around it, or with the app.
_WORDS = (
    b"flask_cors", b"flask.ext", b"cross_origin", b"CORS_", b"ccess-Control-", b"OPTIONS",
    b"ccess-control-", b"access_control_", b"before_request", b"before_app_request",
    b"Flask(", b"OpenAPI(", b".init_app(", b"register_blueprint", b".config.from_",
    b"def options", b"rovide_automatic_options", b"PROVIDE_AUTOMATIC_OPTIONS",
    b"url_value_preprocessor", b"preprocess_request", b"full_dispatch_request",
    b"make_default_options_response",
)  # fmt: skip
_WANTED = {word: re.escape(word) for word in _WORDS}
_Recorded = dict[tuple[Path, int], list[Recorded]]
_KEY = re.compile("|".join(OPTION_OF_KEY).encode())


def migrate(path: Path | str, recorded: Iterable[Recorded] = ()) -> Migration:
    """What the code at *path* becomes. Nothing is written.

    :param path: a file or a directory.
    :param recorded: what :mod:`flask_corsguard.migrate.recorder` saw when the app was loaded.
    :raises FileNotFoundError: if there is no such path.
    """
    path = Path(path)
    tree = read_tree(path, _WANTED)
    results = [Migration((), tree.findings, tree.notes, 0)]
    calls = _Recorded()
    for call in recorded:
        calls.setdefault((Path(call.path).resolve(), call.line), []).append(call)
    # Copies of these packages themselves stay as they are.
    copies = {"flask_cors", "werkzeug"}
    above = len(path.parts)
    sources = [each for each in tree.sources if copies.isdisjoint(each.path.parts[above:-1])]
    groups = groups_of(sources)
    named = {key for key in OPTION_OF_KEY for note in tree.notes if key in note}
    with warnings.catch_warnings():  # of the parser, about the code
        warnings.simplefilter("ignore")
        found = _each(groups, path, calls, named)
    read = {source.path.resolve() for source in sources}
    outside = tuple(
        f"{call.path}:{call.line}: {call.target} is given to Flask-CORS here, outside of {path}. It"
        " stays active next to the guard."
        for (place, _), some in calls.items()
        for call in some
        if call.kind != "view" and place not in read
    )
    if path.is_file() and (part := _part_of(path)):
        return Migration((), (part,), tree.notes, 0)
    return joined([*results, *found, Migration((), (), outside, 0)])


def _part_of(path: Path) -> Finding | None:
    """What is said of a single file if others that use Flask-CORS may be of the same app."""
    for group in groups_of(read_tree(root_of(path), _WANTED).sources):
        others = [source.path for source in group if USES.search(source.data)]
        if any(source.path == path for source in group) and [
            each for each in others if each != path
        ]:
            other = next(each for each in others if each != path)
            return Finding(
                path, 1, "left_out", f"{other} uses Flask-CORS too, and may belong to the same app",
                "the sites that each file names may read the routes that it covers.",
                ("run this on the directory of the whole app.",),
            )  # fmt: skip
    return None


def _each(
    groups: list[list[Source]],
    base: Path,
    recorded: _Recorded,
    named: set[str],
) -> list[Migration]:
    found: list[Migration] = []
    for group in groups:
        if any(USES.search(source.data) for source in group):
            mentioned = {
                key.decode()
                for some in groups
                for source in some
                for key in _KEY.findall(source.data)
            }
            found.append(_migrate(group, base, recorded, named | mentioned))
    return found


def _migrate(
    group: list[Source], base: Path, recorded: _Recorded, mentioned: set[str]
) -> Migration:
    files: list[PythonFile] = []
    findings: list[Finding] = []
    for source in group:
        try:
            files.append(PythonFile(source, base))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if USES.search(source.data):
                findings.append(_unreadable(source.path, error))
    roots = list(dict.fromkeys(root_of(file.path) for file in files))
    try:
        result = Codemod(files, roots, recorded, mentioned).run()
    except RecursionError as error:
        users = [file.path for file in files if USES.search(file.source.data)]
        result = Migration((), tuple(_unreadable(path, error) for path in users), (), 0)
    return joined([result, Migration((), tuple(findings), (), 0)])


def _unreadable(path: Path, error: BaseException) -> Finding:
    why = str(error).partition("\n")[0] or type(error).__name__
    return Finding(
        path, 1, "unreadable_file", f"the file cannot be read: {why}",
        "other sites may still do there what Flask-CORS allows.",
        ("fix it, and run this again.", "delete it, if nothing needs it."),
    )  # fmt: skip
