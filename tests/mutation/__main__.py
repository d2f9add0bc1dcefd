"""Puts every small fault into the modules that decide, and says which no test notices.

Of the mutants of each module, 95 in 100 are to be killed, and the others to be explained in
survivors.toml. Name modules (``protocol/headers``) to do these alone. No file is changed.
"""

from __future__ import annotations

import gc
import os
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.running import is_killed, start

PACKAGE = Path("flask_corsguard")
FOLDERS = ("protocol", "routing", "runtime")
TARGETS = [path for name in FOLDERS for path in sorted((PACKAGE / name).glob("[!_]*.py"))]
# What notices most of a module's mutants, where that is not called after the module.
FIRST = {
    "protocol/compiled": ["decision", "policy"],
    "protocol/fields": ["policy", "messages", "callables"],
    "protocol/origins": ["origins"],
    "protocol/policy": ["policy", "messages"],
    "protocol/publicsuffix": ["publicsuffix", "messages"],
    "protocol/reasons": ["stable_names", "decision"],
}
# Where an app is needed, its tests count as well. The protocol's own have to do for the protocol.
APP_FOLDERS = ("routing", "runtime", "extension")
APP_PLUGINS = ["-p", "pytest_flask.plugin", "-p", "flask_corsguard.testing.plugin"]
LEAST_KILLED = 0.95
SURVIVORS = Path(__file__).with_name("survivors.toml")


def suites_of(target: Path) -> list[list[str]]:
    """What pytest is to run for a module, in steps: a mutant that one step kills is done with."""
    folder = Path("tests", target.parent.name)
    own = [folder / f"test_{name}.py" for name in FIRST.get(name_of(target), [target.stem])]
    first = [str(path) for path in own if path.exists()]
    steps = [first, [str(folder), *(f"--ignore={path}" for path in first)]]
    if folder.name in APP_FOLDERS:
        steps += [[f"tests/{name}"] for name in APP_FOLDERS if name != folder.name]
        steps = [[*APP_PLUGINS, *step] for step in steps if step]
    return [step for step in steps if step]


def survivors_of(target: Path) -> tuple[int, list[Mutant]]:
    """How many mutants a module has, and those that no test notices."""
    source, suites = target.read_text("utf-8"), suites_of(target)
    begun = os.times()
    start(target, source, suites, 600)
    assert not is_killed(os.wait()[1]), f"the tests of {target} fail without a fault"
    seconds = 5 + 3 * int(os.times().children_user - begun.children_user)
    mutants = mutants_of(source)
    waiting, running = mutants[::-1], dict[int, Mutant]()
    survivors: list[Mutant] = []
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            mutant = waiting.pop()
            running[start(target, mutant.source, suites, seconds)] = mutant
        pid, status = os.wait()
        mutant = running.pop(pid)
        if not is_killed(status):
            survivors.append(mutant)
        left = f"\r{target}: {len(waiting)} of {len(mutants)} left "
        print(left, end="", file=sys.stderr, flush=True)
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
    counted = alive = 0
    is_good = True
    for target in TARGETS:
        if names and name_of(target) not in names:
            continue
        count, survivors = survivors_of(target)
        counted, alive = counted + count, alive + len(survivors)
        print(total(name_of(target), count, len(survivors)), flush=True)
        found = {(mutant.was, mutant.now) for mutant in survivors}
        known = explained(target)
        report("no test notices", found - known)
        report("listed, but noticed now", known - found)
        is_good = is_good and found == known and len(survivors) <= count * (1 - LEAST_KILLED)
    print(total("all", counted, alive))
    return 0 if is_good else 1


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
