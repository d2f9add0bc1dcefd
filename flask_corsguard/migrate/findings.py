"""What is left alone, and why, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from flask_corsguard.text import counted

#: Code -> what it says.
CODES: Mapping[str, str] = {
    "unreadable_file": "A file cannot be read or parsed",
    "left_out": "Code that uses Flask-CORS was not read",
    "misspelt_option": "An option has a name that Flask-CORS does not know",
    "credentials_any_origin": "Any site may act as the signed-in user",
    "regex_unescaped_dot": "A dot in a pattern matches any character",
    "regex_too_wide": "A pattern allows more than it seems to",
    "glob": "A glob is written where a regular expression is expected",
    "null_origin": "The origin 'null' is allowed, which any site can send",
    "refused": "The guard does not accept the policy",
    "resources": "Resources cannot be translated",
    "header_by_hand": "CORS headers are changed by hand after Flask-CORS",
    "unusual_use": "Flask-CORS is used in a way that cannot be translated",
    "wider": "After the migration, a page could do more than before",
}


class Finding(NamedTuple):
    """One place that is left alone.

    :ivar path: the file.
    :ivar line: the line, from 1.
    :ivar code: one of :data:`CODES`.
    :ivar message: what was found.
    :ivar today: what any site on the web can do today, or what does not work today.
    :ivar choices: what can be done about it now, with Flask-CORS still in place.
    """

    path: Path
    line: int
    code: str
    message: str
    today: str
    choices: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.path}:{self.line}: {self.code}: {self.message}",
            f"    Today: {self.today}",
        ]
        lines += [f"    Choice: {choice}" for choice in self.choices]
        return "\n".join(lines)


class File(NamedTuple):
    """One file that changes.

    :ivar before: its content as it is.
    :ivar after: its content as it should be.
    :ivar encoding: how to read both.
    """

    path: Path
    before: bytes
    after: bytes
    encoding: str

    def diff(self) -> str:
        """The change, as a unified diff."""
        old, new = (
            data.decode(self.encoding).splitlines(keepends=True)
            for data in (self.before, self.after)
        )
        name = self.path.as_posix().lstrip("/")
        lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        )


class Migration(NamedTuple):
    """What a code base becomes.

    :ivar files: the files that change.
    :ivar findings: the places that are left alone.
    :ivar notes: what else is worth knowing.
    :ivar places: how many places are migrated.
    """

    files: tuple[File, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    places: int = 0

    def summary(self) -> str:
        """The migration in one line."""
        if not self.files and not self.findings:
            return "Nothing uses Flask-CORS here."
        done = f"{counted(self.places, 'place')} migrated in {counted(len(self.files), 'file')}"
        return f"{done}, {counted(len(self.findings), 'finding')}."


def joined(migrations: Iterable[Migration]) -> Migration:
    """Several migrations as one, with each finding and each note once."""
    files, findings, notes, places = zip(*migrations, strict=True)
    every = {finding for some in findings for finding in some}
    return Migration(
        tuple(file for some in files for file in some),
        tuple(sorted(every, key=lambda found: (str(found.path), found.line, found.code))),
        tuple(dict.fromkeys(note for some in notes for note in some)),
        sum(places),
    )
