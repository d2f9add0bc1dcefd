"""What the commands print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask_corsguard.migrate.findings import Migration
from flask_corsguard.text import printable


def report_lines(
    migration: Migration,
    written: Sequence[str] | None,
    unwritten: str,
    compared: Sequence[str] = (),
) -> Iterator[str]:
    """The lines about a migration, safe to print.

    :param written: the notes of :func:`~flask_corsguard.migrate.files.write_files`, or None if it
        was not called.
    :param unwritten: why nothing was written, as a sentence.
    :param compared: the lines about a comparison.
    """
    paragraphs = [
        *(file.diff() for file in migration.files),
        *(["\n".join([*compared, ""])] if compared else []),
        *(f"{finding}\n" for finding in migration.findings),
        *(f"note: {note}\n" for note in (*migration.notes, *(written or ()))),
    ]
    summary = migration.summary()
    if migration.files and written is None:
        summary = f"{summary} {unwritten}"
    elif migration.files:
        paragraphs.append("".join(f"Written: {file.path}\n" for file in migration.files))
    elif migration.notes and not migration.findings:
        summary = "No Python file that was read uses Flask-CORS, but see the notes."
    for line in "\n".join([*paragraphs, f"{summary}\n"]).split("\n")[:-1]:
        yield "\t".join(map(printable, line.removesuffix("\r").split("\t")))
