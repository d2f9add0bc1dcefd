"""What the guard costs before the first response: the import, and the first request, which builds
the policy table. In instructions, counted with valgrind: times depend on other processes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypedDict

from . import beginnings
from .tables import Table, short

ROOT = Path(__file__).parents[2]
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
# What valgrind writes when a process ends.
_TOTAL = re.compile(r"^==(\d+)== I +refs: +([\d,]+)$", re.MULTILINE)
# What is imported after Flask.
IMPORTS = {
    "nothing": "",
    "Flask-CORS": "import flask_cors",
    "CorsGuard": "from flask_corsguard import CorsGuard, Policy, cors",
    "CorsGuard, every public name": "from flask_corsguard import *",
}


class Row(TypedDict):
    """A ratio of two counts.

    :ivar of: what was counted.
    :ivar ratio: to Flask-CORS's import, or to bare Flask's first request.
    :ivar flask_cors: Flask-CORS's ratio, None for an import.
    """

    of: str
    ratio: float
    flask_cors: float | None


def measure() -> list[Row] | None:
    """None without valgrind."""
    if shutil.which("valgrind") is None:
        return None
    return [*import_rows(), *(first_request_row(layout) for layout in beginnings.LAYOUTS)]


def import_rows() -> list[Row]:
    counts = {who: count_import(code) for who, code in IMPORTS.items()}
    theirs = counts["Flask-CORS"] - counts["nothing"]
    return [
        {
            "of": IMPORTS[who],
            "ratio": round((counts[who] - counts["nothing"]) / theirs, 2),
            "flask_cors": None,
        }
        for who in counts
        if who.startswith("CorsGuard")
    ]


def first_request_row(layout: str) -> Row:
    counts = {who: count_first_request(layout, who) for who in beginnings.EXTENSIONS}
    bare = counts["bare Flask"]
    return {
        "of": f"first request, 2,000 routes, {layout}",
        "ratio": round(counts["CorsGuard"] / bare, 2),
        "flask_cors": round(counts["Flask-CORS"] / bare, 2),
    }


def count_import(code: str) -> int:
    (total,) = counted("-c", f"import flask\n{code}")[1].values()
    return total


def count_first_request(layout: str, extension: str) -> int:
    printed, totals = counted("-m", f"{__package__}.beginnings", layout, extension)
    without, with_it = (totals[int(process)] for process in printed.split())
    return with_it - without


def counted(*arguments: str) -> tuple[str, dict[int, int]]:
    """What a run of Python prints, and how many instructions each of its processes took."""
    with tempfile.TemporaryDirectory() as directory:
        # Nothing else: whatever moves things in memory moves the counts a little.
        environ = {
            "PATH": os.defpath,
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": f"{directory}/bytecode",
        }

        def run(*before: str) -> str:
            return subprocess.run(
                [*before, sys.executable, *arguments],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout

        run()  # so that the next run finds the bytecode
        logs = Path(directory, "logs")
        logs.mkdir()
        printed = run(*_VALGRIND, f"--log-file={logs}/%p")
        texts = [path.read_text() for path in logs.iterdir()]
    found = (match for text in texts for match in _TOTAL.findall(text))
    return printed, {int(process): int(total.replace(",", "")) for process, total in found}


def table(rows: list[Row] | None) -> Table:
    return Table(
        "Instructions before the first response",
        ("", "CorsGuard", "Flask-CORS"),
        [
            (
                row["of"],
                short(row["ratio"]),
                "" if row["flask_cors"] is None else short(row["flask_cors"]),
            )
            for row in rows or []
        ],
    )


def main() -> None:
    print(table(measure()).text())


if __name__ == "__main__":
    main()
