"""Puts every small fault into the modules that decide, and says which no test notices.

Of all mutants, 95 in 100 are to be killed, and the others to be explained in survivors.toml.
Name modules (``protocol/headers``) to do these alone. No file is changed.
"""

from __future__ import annotations

import gc
import os
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.running import is_killed

PACKAGE = Path("flask_corsguard")
TARGETS = [
    *sorted((PACKAGE / "protocol").glob("[!_]*.py")),
    PACKAGE / "routing.py",
    PACKAGE / "enforcement.py",
]
# Tests for each module, in steps: a mutant that one step kills is done with. For the protocol all
# the other tests without an app are one step more.
TESTS: dict[str, list[str]] = {
    "decision": ["decision"],
    "explanation": ["explanation"],
    "fields": ["policy messages callables"],
    "headers": ["headers stable_names"],
    "origins": ["origins"],
    "policy": ["policy messages"],
    "publicsuffix": ["publicsuffix messages"],
    "reasons": ["stable_names decision"],
    "repair": ["repair messages"],
    "tuples": ["decision origins"],
    "routing": [
        "policy_table routing work_done",
        "startup errors odd_input",
        "tools_on_guard marks",
        "memory",
        "origins wire preflight_methods",
        "signals log report_only settling",
    ],
    "enforcement": [
        "enforcement_table same_origin settling",
        "enforcement",
        "report_only wire",
        "websockets",
    ],
}
FLASK_PLUGINS = ["-p", "pytest_flask.plugin", "-p", "flask_corsguard.testing.plugin"]
LEAST_KILLED = 0.95
SURVIVORS = Path(__file__).with_name("survivors.toml")


def suites_of(target: Path) -> list[list[str]]:
    """What pytest is to run for a module, in some steps."""
    folder = f"tests/{target.parent.name}"
    steps = [[f"{folder}/test_{name}.py" for name in names.split()] for names in TESTS[target.stem]]
    if target.parent == PACKAGE:
        return [[*FLASK_PLUGINS, *files] for files in steps]
    return [*steps, [folder, *(f"--ignore={file}" for file in steps[0])]]


def survivors_of(target: Path) -> tuple[int, list[Mutant]]:
    """How many mutants a module has, and those that no test notices."""
    source, suites = target.read_text("utf-8"), suites_of(target)
    start = os.times()
    assert not is_killed(target, source, suites, 600), f"the tests of {target} fail without a fault"
    seconds = 5 + 3 * int(os.times().children_user - start.children_user)
    mutants = mutants_of(source)
    survivors: list[Mutant] = []
    for done, mutant in enumerate(mutants):
        if done % 20 == 0:
            print(f"\r{target}: {done} of {len(mutants)}", end="", file=sys.stderr, flush=True)
        if not is_killed(target, mutant.source, suites, seconds):
            survivors.append(mutant)
    print("\r\033[K", end="", file=sys.stderr)
    return len(mutants), survivors


def explained(target: Path) -> set[tuple[str, str]]:
    """The survivors that the list has a reason for."""
    groups = tomllib.loads(SURVIVORS.read_text("utf-8")).get(name_of(target), [])
    return {(was, now) for group in groups for was, *all_ in group["mutants"] for now in all_}


def name_of(target: Path) -> str:
    """What the list calls a module."""
    return target.relative_to(PACKAGE).with_suffix("").as_posix()


def main(names: list[str]) -> int:
    """Run, and print a line for each module."""
    gc.freeze()  # what is there already need not be looked at in each process
    targets = [target for target in TARGETS if not names or name_of(target) in names]
    counted = alive = 0
    is_explained = True
    for target in targets:
        count, survivors = survivors_of(target)
        counted, alive = counted + count, alive + len(survivors)
        print(total(name_of(target), count, len(survivors)), flush=True)
        found = {(mutant.was, mutant.now) for mutant in survivors}
        known = explained(target)
        report("no test notices", found - known)
        report("listed, but noticed now", known - found)
        is_explained = is_explained and found == known
    print(total("all", counted, alive))
    return int(alive > counted * (1 - LEAST_KILLED) or not is_explained)


def total(name: str, count: int, alive: int) -> str:
    """A line of the result."""
    killed = count - alive
    share = f"{killed / count:.1%}"
    return f"{name:22} {count:5} mutants {killed:5} killed {alive:4} survived {share:>6}"


def report(what: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Print some mutants, as the list writes them."""
    for was, now in sorted(pairs):
        print(f"  {what}:\n    ['''{was}''', '''{now}'''],", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
