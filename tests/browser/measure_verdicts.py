"""Measures the verdicts: ``make browser-verdicts``.

ENGINE=webkit, GROUP=cookies and IDS=400-420 choose what is played; the rest of the file stays.
Every case is played twice, at other URLs and in the opposite order. If the two plays differ, a
third one is no help: the case, or the way it is played, has to be made to say one thing.
"""

import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from . import verdicts
from .browsers import ENGINES, Browser, Chromium, Firefox, WebKit
from .player import Player
from .raw_server import Servers
from .verdicts import Case


def start(name: str, profile: Path) -> Browser:
    if name == "webkit":
        return WebKit()
    return (Chromium if name == "chromium" else Firefox)(profile)


def chosen(case: Case) -> bool:
    first, _, last = os.environ.get("IDS", "").partition("-")
    in_range = not first or int(first) <= case["id"] <= int(last or first)
    return in_range and os.environ.get("GROUP", case["group"]) == case["group"]


def main(path: Path = verdicts.FILE) -> int:
    data = verdicts.load(path)
    cases = [case for case in data["cases"] if chosen(case)]
    unsteady = changed = 0
    for engine in os.environ.get("ENGINE", " ".join(ENGINES)).split():
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
            Servers(data["servers"]) as servers,
            closing(start(engine, Path(profile))) as browser,
        ):
            print(f"{engine} {browser.version}: {len(cases)} cases", flush=True)
            data["engines"][engine] = browser.version
            player = Player(browser, servers)
            first = {case["id"]: player.play(case) for case in cases}
            for case in reversed(cases):
                seen = first[case["id"]]
                before = case.setdefault("seen", {}).get(engine)
                second = player.play(case, again="b")
                if seen != second:
                    unsteady += 1
                    print(f"UNSTEADY {engine} {case['id']}:\n  {seen}\n  {second}", flush=True)
                elif before not in (None, seen):
                    changed += 1
                    print(f"CHANGED {engine} {case['id']}:\n  {before}\n  {seen}", flush=True)
                case["seen"][engine] = seen
        verdicts.save(data, path)
    print(f"{changed} changed, {unsteady} unsteady")
    return 1 if unsteady else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
