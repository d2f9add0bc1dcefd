"""Checks one extension in a process of its own:
``python -m tests.extensions 'OpenTelemetry instrument_app' 'guard first'``."""

import sys

from .extension import check
from .kinds import EXTENSIONS


def main(title: str, order: str) -> None:
    """Check the one of that title."""
    (extension,) = (each for each in EXTENSIONS if each.title == title)
    check(extension, order)


if __name__ == "__main__":
    main(*sys.argv[1:])
