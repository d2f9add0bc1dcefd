"""The command ``python -m flask_corsguard.migrate``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from flask_corsguard.migrate import migrate
from flask_corsguard.migrate.files import write_files
from flask_corsguard.migrate.report import report_lines
from flask_corsguard.text import printable


def main(arguments: list[str] | None = None) -> int:
    """Show what a code base becomes, and write it if asked to.

    :returns: 0; 1 if something was left alone; 2 if nothing could be done.
    """
    parser = argparse.ArgumentParser(
        prog="python -m flask_corsguard.migrate",
        description="Move a code base from Flask-CORS to Flask-CorsGuard. `flask cors migrate`"
        " does the same, and compares the app before and after.",
        epilog="Exits with 0 if everything was migrated, 1 if something was left for you to"
        " decide, 2 if PATH cannot be read or written.",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="a file or a directory")
    parser.add_argument(
        "--write", action="store_true", help="write the files instead of only printing the diff"
    )
    options = parser.parse_args(arguments)
    try:
        migration = migrate(options.path)
        written = write_files(migration.files) if options.write else None
    except OSError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        return 2
    try:
        for line in report_lines(migration, written, "Nothing has been written: add --write."):
            print(line)  # noqa: T201
        sys.stdout.flush()
    except BrokenPipeError:  # `head`, say, has read enough; Python would fail at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if migration.findings else 0


if __name__ == "__main__":
    sys.exit(main())
