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

# Words in code that concerns Flask-CORS, what it works with, or the app.
_WORDS = (
    b"flask_cors", b"flask.ext", b"cross_origin", b"CORS_", b"ccess-Control-", b"OPTIONS",
    b"ccess-control-", b"access_control_", b"before_request", b"before_app_request",
    b"Flask(", b"OpenAPI(", b".init_app(", b"register_blueprint", b".config.from_",
    b"def options", b"rovide_automatic_options", b"PROVIDE_AUTOMATIC_OPTIONS",
    b"url_value_preprocessor", b"preprocess_request", b"full_dispatch_request",
    b"make_default_options_response",
)  # fmt: skip
_Recorded = dict[tuple[Path, int], list[Recorded]]
_KEY = re.compile("|".join(OPTION_OF_KEY).encode())


def migrate(path: Path | str, recorded: Iterable[Recorded] = ()) -> Migration:
    """What the code at *path* becomes. Nothing is written.

    :param path: a file or a directory.
    :param recorded: what :mod:`flask_corsguard.migrate.recorder` saw when the app was loaded.
    :raises FileNotFoundError: if there is no such path.
    """
    path = Path(path)
    tree = read_tree(path, _WORDS)
    calls = _Recorded()
    for call in recorded:
        calls.setdefault((Path(call.path).resolve(), call.line), []).append(call)
    # Copies of these packages themselves stay as they are.
    copies = {"flask_cors", "werkzeug"}
    above = len(path.parts)
    sources = [each for each in tree.sources if copies.isdisjoint(each.path.parts[above:-1])]
    mentioned = {key for key in OPTION_OF_KEY for note in tree.notes if key in note}
    mentioned |= {key.decode() for source in sources for key in _KEY.findall(source.data)}
    with warnings.catch_warnings():  # of the parser, about the code
        warnings.simplefilter("ignore")
        found = [
            _migrate(group, path, calls, mentioned)
            for group in groups_of(sources)
            if any(USES.search(source.data) for source in group)
        ]
    read = {source.path.resolve() for source in sources}
    outside = tuple(
        f"{call.path}:{call.line}: {call.target} is given to Flask-CORS here, outside {path}. It"
        " stays active next to the guard."
        for (place, _), some in calls.items()
        for call in some
        if call.kind != "view" and place not in read
    )
    if path.is_file() and (part := _part_of(path)):
        return Migration((), (part,), tree.notes, 0)
    found = [Migration((), tree.findings, tree.notes, 0), *found]
    return joined([*found, Migration((), (), outside, 0)])


def _part_of(path: Path) -> Finding | None:
    """A finding for a single file, if another that uses Flask-CORS may belong to the same app."""
    for group in groups_of(read_tree(root_of(path), _WORDS).sources):
        others = [s.path for s in group if s.path != path and USES.search(s.data)]
        if others and any(source.path == path for source in group):
            return Finding(
                path, 1, "left_out",
                f"{others[0]} uses Flask-CORS too, and may belong to the same app",
                "the sites that each file names may read the routes that it covers.",
                ("run this on the directory of the whole app.",),
            )  # fmt: skip
    return None


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
