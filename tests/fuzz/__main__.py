"""Coverage-guided fuzzing: ``python -m tests.fuzz --seconds 60 [target...]``.

Each target runs for that time in a process of its own, with bounded memory. First, a fault is
planted that has to be found. Exits with 1, and prints the input, if anything does not hold.
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
    """The exit status, what the fuzzer wrote, and the input that does not hold, if there is one."""

    code: int
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
        found = next(iter(sorted(place.glob("found-*"))), None)
        return Run(code, log.read_text("utf-8", "replace"), found.read_bytes() if found else None)


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
        # There is no number if it has not come to an end.
        executions = re.findall(r"number_of_executed_units: (\d+)", run.log) or ["?"]
        print(f"{target}: {executions[0]} inputs in {arguments.seconds} s", flush=True)
        if run.code or run.finding is not None:
            failures += 1
            print(ascii(run.log[-3000:]).replace("\\n", "\n"))
            print(f"{target} FAILED (exit status {run.code}) on {(run.finding or b'')[:2000]!r}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
