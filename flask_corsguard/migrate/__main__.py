"""The command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flask_corsguard.cli.terminal import printable

_UNWRITTEN = " Nothing is written yet: that takes --write."


def main(arguments: list[str] | None = None) -> int:
    """Show what a code base becomes, and write it if asked to.

    :returns: 0, or 1 where something was left alone, or 2 where nothing could be done.
    """
    parser = argparse.ArgumentParser(
        prog="python -m flask_corsguard.migrate",
        description="Move a code base from Flask-CORS to Flask-CorsGuard.",
        epilog="Exits with 0 if all is migrated, 1 if a place was left alone for you to"
        " decide, 2 if PATH cannot be read or written.",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="a file or a directory")
    parser.add_argument("--write", action="store_true", help="write the files, not only the diff")
    options = parser.parse_args(arguments)
    try:
        # Imported late: libcst may be missing, and that is to be said in words.
        from flask_corsguard.migrate import migrate

        migration = migrate(options.path)
        if options.write:
            from flask_corsguard.migrate.files import write_files

            write_files(migration.files)
    except ModuleNotFoundError as error:
        if error.name != "libcst":
            raise
        return _fail('libcst is missing: pip install "flask-corsguard[migrate]"')
    except OSError as error:
        return _fail(str(error))
    paragraphs = [
        *(file.diff() for file in migration.files),
        *(f"{finding}\n" for finding in migration.findings),
        *(f"note: {note}\n" for note in migration.notes),
        f"{migration.summary()}{'' if options.write or not migration.files else _UNWRITTEN}\n",
    ]
    for line in "\n".join(paragraphs).split("\n")[:-1]:
        print("\t".join(map(printable, line.removesuffix("\r").split("\t"))))  # noqa: T201
    return 1 if migration.findings else 0


def _fail(message: str) -> int:
    sys.stderr.write(f"{printable(message)}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
