"""Puts every small fault into the modules that decide, and says which no test notices.

Of the mutants of each module, 95 in 100 must be killed, and the others explained in survivors.toml.
Name modules (``protocol/headers``) to run only these. No file is changed.
"""

import gc
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.running import killed_by, start, wait

PACKAGE = Path("flask_corsguard")
FOLDERS = ("protocol", "routing", "runtime")
TARGETS = [path for name in FOLDERS for path in sorted((PACKAGE / name).glob("[!_]*.py"))]
# If a module needs an app, all tests of apps count. For the protocol, only its own tests do.
APP_FOLDERS = ("routing", "runtime", "extension")
APP_PLUGINS = ["-p", "pytest_flask.plugin", "-p", "flask_corsguard.testing.plugin"]
LEAST_KILLED = 0.95
SURVIVORS = Path(__file__).with_name("survivors.toml")


def tests_of(target: Path) -> list[str]:
    """The files of tests for a module, beginning with those that are called after it."""
    folder = target.parent.name
    folders = sorted(APP_FOLDERS, key=folder.__ne__) if folder in APP_FOLDERS else [folder]
    files = [path for name in folders for path in sorted(Path("tests", name).glob("test_*.py"))]
    return [str(file) for file in sorted(files, key=lambda f: target.stem not in f.stem)]


def survivors_of(target: Path) -> tuple[int, list[Mutant]]:
    """How many mutants a module has, and those that no test notices."""
    plugins = APP_PLUGINS if target.parent.name in APP_FOLDERS else []
    source, files = target.read_text("utf-8"), tests_of(target)
    begun = os.times()
    start(target, source, plugins, files, 600)
    failing = killed_by(wait()[1])
    assert failing is None, f"{files[failing]} fails without a fault in {target}"
    seconds = 5 + 3 * int(os.times().children_user - begun.children_user)
    mutants = mutants_of(source)
    waiting, running = mutants[::-1], dict[int, tuple[Mutant, list[str]]]()
    survivors: list[Mutant] = []
    kills: Counter[str] = Counter()
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            mutant = waiting.pop()
            # Those first that have noticed most.
            order = sorted(files, key=lambda file: -kills[file])
            running[start(target, mutant.source, plugins, order, seconds)] = mutant, order
        pid, status = wait()
        mutant, order = running.pop(pid)
        number = killed_by(status)
        if number is None:
            survivors.append(mutant)
        else:
            kills[order[number]] += 1
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
