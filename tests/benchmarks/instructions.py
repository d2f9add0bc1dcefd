"""How many instructions the guard adds to a request: ``make instructions``.

A second figure beside the times, and one without noise. It is compared with that of the last
release, ``instructions.json``, and fails when it has grown by more than 5%. ``--record`` puts the
counts down there as those of a release.

What is compared is a share of bare Flask's count in the same run. Another Flask would change that:
if the installed versions are not those of the record, an environment with just those is used.
Another build of the same Python changes the share a little too, and then 10% are allowed.
"""

import argparse
import importlib.metadata
import json
import platform
import re
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import TypedDict

from .tables import Table

RECORDS = Path(__file__).with_name("instructions.json")
MOST_GROWTH, MOST_GROWTH_IN_ANOTHER_BUILD = 1.05, 1.10
_ROOT = Path(__file__).parents[2]
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = ("Flask", "Werkzeug", "blinker", "publicsuffixlist", "Flask-CORS")
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
# Where things lie in memory moves what is added by a percent; the seed of hashes moves them.
_SEEDS = ("0", "1", "2")
# What valgrind writes when a process ends.
_TOTAL = re.compile(r"^==(\d+)== I +refs: +([\d,]+)$", re.MULTILINE)

# By app, and by request.
Counts = dict[str, dict[str, int]]


class Record(TypedDict):
    """What was counted with one minor version of Python, for one request each.

    :ivar build: the build of Python.
    :ivar versions: the versions of what the apps import.
    """

    build: str
    versions: dict[str, str]
    counts: Counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions")
    parser.add_argument("--record", action="store_true", help="put the counts down")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind is not installed", file=sys.stderr)
        return 1
    records: dict[str, Record] = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    if options.record:
        counts = count(Path(sys.executable))
        records[_PYTHON] = {"build": build(), "versions": installed(), "counts": counts}
        RECORDS.write_text(f"{json.dumps(dict(sorted(records.items())), indent=1)}\n")
        print(table(counts, counts).text())
        return 0
    if _PYTHON not in records:
        print(f"nothing is recorded for Python {_PYTHON}", file=sys.stderr)
        return 1
    record = records[_PYTHON]
    counts = count_with(record["versions"])
    print(table(counts, record["counts"]).text())
    is_same_build = record["build"] == build()
    most = MOST_GROWTH if is_same_build else MOST_GROWTH_IN_ANOTHER_BUILD
    grown = [asked for asked, growth in growths(counts, record["counts"]) if growth > most]
    if not is_same_build:
        print(f"This is Python {build()}; recorded was {record['build']}.")
    if grown:
        print(f"Grown by more than {most - 1:.0%}: {', '.join(grown)}", file=sys.stderr)
    return 1 if grown else 0


def build() -> str:
    is_optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    kind = "optimised" if is_optimised else "not optimised"
    return f"{platform.python_version()}, {platform.python_compiler()}, {kind}"


def installed() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def count_with(versions: dict[str, str]) -> Counts:
    """Count with these versions of what the guard stands on."""
    if versions == installed():
        return count(Path(sys.executable))
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        python = Path(directory, "bin", "python")
        wanted = [f"{name}=={version}" for name, version in versions.items()]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        return count(python)


def count(python: Path) -> Counts:
    # Else the first run would compile the modules, and have other things in memory for it.
    subprocess.run([python, "-c", "import tests.benchmarks.forking"], cwd=_ROOT, check=True)
    runs = [count_once(python, seed) for seed in _SEEDS]
    return {
        app: {asked: round(statistics.fmean(run[app][asked] for run in runs)) for asked in of_app}
        for app, of_app in runs[0].items()
    }


def count_once(python: Path, seed: str) -> Counts:
    with tempfile.TemporaryDirectory() as directory:
        result = subprocess.run(
            [*_VALGRIND, f"--log-file={directory}/%p", python, "-m", "tests.benchmarks.forking"],
            cwd=_ROOT,
            # Nothing else: whatever moves things in memory moves the counts a little.
            env={"PYTHONHASHSEED": seed},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        logs = "".join(path.read_text() for path in Path(directory).iterdir())
    totals = {int(process): int(total.replace(",", "")) for process, total in _TOTAL.findall(logs)}
    found = json.loads(result.stdout)
    counts: Counts = {}
    for case in found["cases"]:
        none, all_calls = (totals[process] for process in case["processes"])
        of_app = counts.setdefault(case["app"], {})
        of_app[case["asked"]] = round((all_calls - none) / found["calls"])
    return counts


def cost(counts: Counts, app: str, asked: str) -> float:
    """What is added to bare Flask's count, as a share of it; for a preflight, the whole count."""
    bare = counts["bare Flask"][asked]
    own = counts[app][asked]
    return (own if asked == "preflight" else own - bare) / bare


def growths(counts: Counts, recorded: Counts) -> list[tuple[str, float]]:
    return [
        (asked, cost(counts, "CorsGuard", asked) / cost(recorded, "CorsGuard", asked))
        for asked in counts["CorsGuard"]
    ]


def table(counts: Counts, recorded: Counts) -> Table:
    return Table(
        f"Instructions for a request, Python {_PYTHON}",
        ("", *counts, "CorsGuard costs", "Flask-CORS costs", "CorsGuard, to the last release"),
        [
            (
                asked,
                *(f"{of_app[asked]:,}" for of_app in counts.values()),
                *(f"{cost(counts, app, asked):.1%}" for app in ("CorsGuard", "Flask-CORS")),
                f"{growth:.3f}",
            )
            for asked, growth in growths(counts, recorded)
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
