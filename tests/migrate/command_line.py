"""Running the tool, and reading what it writes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import flask_corsguard

PROGRAM = str(Path(flask_corsguard.__file__).parent / "migrate" / "__main__.py")
FINDING = re.compile(
    r"(?P<path>[^\s:+-][^:\n]*\.py):(?P<line>\d+): (?P<code>[\w-]+): (?P<what>\S.*)"
)


class Finding(NamedTuple):
    """One paragraph of the tool's output."""

    path: Path
    line: int
    code: str
    what: str
    details: str

    @property
    def text(self) -> str:
        return f"{self.code} {self.what} {self.details}"


class Run(NamedTuple):
    """What the tool made of a path."""

    status: int
    output: str
    errors: str
    findings: list[Finding]

    @property
    def changed(self) -> list[str]:
        """The lines that the diff adds and takes away, with their sign, sorted."""
        return sorted(
            line.rstrip("\r")
            for line in self.output.split("\n")
            if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")
        )

    @property
    def summary(self) -> str:
        return self.output.rstrip().splitlines()[-1]


def migrate(directory: Path, *arguments: str) -> Run:
    """``python -m flask_corsguard.migrate`` in a directory, without a process of its own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    argv, sys.argv = sys.argv, ["flask_corsguard.migrate", *arguments]
    status: object = 0
    try:
        with (
            contextlib.chdir(directory),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            runpy.run_path(PROGRAM, run_name="__main__")
    except SystemExit as exit_:
        status = exit_.code or 0
    finally:
        sys.argv = argv
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    assert isinstance(status, int), f"exits with {status!r}"
    return Run(status, *texts, read_findings(directory, texts[0]))


def read_findings(directory: Path, output: str) -> list[Finding]:
    found = []
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if matched := FINDING.fullmatch(line):
            details = []
            for further in lines[number + 1 :]:
                if not further.startswith(" ") or not further.strip():
                    break
                details.append(further.strip())
            path = (directory / matched["path"]).resolve().relative_to(directory.resolve())
            found.append(
                Finding(
                    path, int(matched["line"]), matched["code"], matched["what"], " ".join(details)
                )
            )
    return found


def tree(directory: Path) -> dict[str, str]:
    """Every file with a hash of what is in it."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
