"""Moves a code base from Flask-CORS to Flask-CorsGuard: ``python -m flask_corsguard.migrate PATH``.

The code is read with libcst and never run.
"""

from __future__ import annotations

from pathlib import Path

from flask_corsguard.migrate.findings import CODES, File, Finding, Migration

__all__ = ["CODES", "File", "Finding", "Migration", "migrate"]


def migrate(path: Path | str) -> Migration:
    """What the code at *path* becomes. Nothing is written.

    :param path: a file or a directory.
    :raises ModuleNotFoundError: without libcst, which the extra ``migrate`` installs.
    :raises FileNotFoundError: if there is no such path.
    """
    # Imported late: without libcst, the rest of the package has to be importable.
    from flask_corsguard.migrate.run import migrate as run

    return run(Path(path))
