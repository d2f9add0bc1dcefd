"""What is left alone, and why, in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

#: Code -> what is the case, in general.
CODES: Mapping[str, str] = {
    "unreadable_file": "A file cannot be read or parsed",
    "misspelt_option": "An option has a name that Flask-CORS does not know",
    "credentials_any_origin": "Any site may act as the user who is signed in",
    "regex_without_end": "A pattern has no end, so that what comes after it is free",
    "regex_unescaped_dot": "A dot in a pattern stands for any character",
    "regex_too_wide": "A pattern lets in more than it seems to say",
    "regex_unclear": "It cannot be told whom a pattern means",
    "glob": "A glob is written where a regular expression is expected",
    "never_matches": "An entry can never match",
    "null_origin": "The origin 'null' is allowed, which any site can send",
    "refused": "The guard refuses the policy",
    "resources": "Some routes are open and the rest is closed, by a pattern of paths",
    "above_route": "A decorator stands above the route, where it does nothing",
    "between": "A decorator stands between the route and @cross_origin",
    "same_url": "Two views share a URL, and with it their preflights",
    "method_decorator": "A decorator stands on or in a class",
    "methods_safelisted": "A list of methods leaves out one that the standard always lets pass",
    "methods_wildcard": "'*' is given for the methods, which Flask-CORS does not know",
    "own_preflight": "The app answers or refuses preflights itself",
    "header_regex": "A pattern stands among the allowed headers",
    "header_by_hand": "CORS headers are written by hand beside Flask-CORS",
    "several_calls": "One app is given to Flask-CORS more than once",
    "overlap": "A blueprint and its app are both given to Flask-CORS",
    "conditional": "Whether the app has CORS at all depends on a condition",
    "config_unclear": "It cannot be told which app, or whether any, a setting is for",
    "no_app": "The app that the guard belongs to cannot be seen",
    "unreadable": "An option cannot be read without running the code",
    "unusual_use": "Flask-CORS is used in a way that has no translation",
}


class Finding(NamedTuple):
    """One place that is left alone.

    :ivar path: the file.
    :ivar line: the line, from 1.
    :ivar code: one of :data:`CODES`.
    :ivar message: what is the case.
    :ivar today: what any site on the web can do today, or what does not work today.
    :ivar choices: what can be done about it.
    :ivar local: whether the rest of the app can be migrated without it.
    """

    path: Path
    line: int
    code: str
    message: str
    today: str
    choices: tuple[str, ...]
    local: bool = False

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
    :ivar notes: what is worth knowing, but leaves nothing alone.
    :ivar places: how many places are migrated.
    """

    files: tuple[File, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    places: int

    def joined(self, other: Migration) -> Migration:
        """Both, with each finding and each note once."""
        findings = {*self.findings, *other.findings}
        return Migration(
            self.files + other.files,
            tuple(sorted(findings, key=_order)),
            tuple(dict.fromkeys((*self.notes, *other.notes))),
            self.places + other.places,
        )

    def write(self) -> None:
        """Write the files that change."""
        for file in self.files:
            file.path.write_bytes(file.after)

    def summary(self) -> str:
        """One line about all of it."""
        if not self.files and not self.findings:
            return "Nothing uses Flask-CORS here."
        done = f"{_count(self.places, 'place')} migrated in {_count(len(self.files), 'file')}"
        return f"{done}, {_count(len(self.findings), 'finding')}."


def _order(finding: Finding) -> tuple[bool, str, int, str]:
    # Without the app, all that follows may be wrong.
    return finding.code != "no_app", str(finding.path), finding.line, finding.code


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
