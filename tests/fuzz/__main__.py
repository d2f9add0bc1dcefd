"""Coverage-guided fuzzing: ``python -m tests.fuzz --seconds 60 [target...]``.

Each target runs for that time in a process of its own, with bounded memory. First, a fault is
planted that has to be found. Exits with 1, and prints the input, where anything does not hold.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.seeds import SEEDS, dictionary

_OPTIONS = ["-rss_limit_mb=1024", "-timeout=20", "-max_len=5000", "-print_final_stats=1"]


class Run(NamedTuple):
    """What came of fuzzing one target.

    :ivar executions: how many inputs were tried, or "?" where it did not come to an end.
    :ivar log: what the fuzzer wrote.
    :ivar finding: the input that does not hold, or None.
    """

    code: int
    executions: str
    log: str
    finding: bytes | None


def fuzz(target: str, seconds: int) -> Run:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        corpus, log = place / "corpus", place / "log"
        corpus.mkdir()
        for number, seed in enumerate(SEEDS["origins" if target == "planted" else target]):
            (corpus / f"seed{number}").write_bytes(seed)
        (place / "words").write_text(dictionary(), "ascii")
        options = [f"-max_total_time={seconds}", f"-dict={place / 'words'}"]
        command = [sys.executable, "-m", "tests.fuzz.child", target, *_OPTIONS, *options]
        with log.open("wb") as stream:
            code = subprocess.run(
                [*command, f"-artifact_prefix={place}/found-", str(corpus)],
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=seconds + 300,
                check=False,
            ).returncode
        text = log.read_text("utf-8", "replace")
        executions = re.search(r"number_of_executed_units: (\d+)", text)
        found = next(iter(sorted(place.glob("found-*"))), None)
        return Run(
            code, executions[1] if executions else "?", text, found.read_bytes() if found else None
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(SEEDS))
    arguments = parser.parse_args()
    failures = 0
    if fuzz("planted", 60).finding is None:
        print("the planted fault was not found: the fuzzer does not work")
        failures += 1
    for target in arguments.targets or SEEDS:
        run = fuzz(target, arguments.seconds)
        print(f"{target}: {run.executions} inputs in {arguments.seconds} s", flush=True)
        if run.code or run.finding is not None:
            failures += 1
            print(ascii(run.log[-3000:]).replace("\\n", "\n"))
            print(f"{target} FAILED (exit status {run.code}) on {(run.finding or b'')[:2000]!r}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
