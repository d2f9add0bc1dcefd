"""2,000,000 made-up requests through one app: what the process and the guard keep.

``make soak`` writes docs/figures/soak.json and soak.svg, and fails if something grows.
``ARGS='--requests 100000'`` asks less, and writes nothing.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.strength.soaking import Soak
from tests.strength.traffic import PATHS

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
REQUESTS = 2_000_000
SAMPLES = 100
MIB = 1 << 20

# Bytes that the process may grow by for each request, in the second half. To keep anything of each
# takes more.
MOST_GROWTH = 1.0
# Entries that anything may have.
MOST_ENTRIES = 4096
# What the log remembers, nearly from the first.
MOST_LOGGED = 1024

# Readable on light and on dark pages.
GREY = "#808080"
BLUE, ORANGE = "#3b8ed0", "#d9772b"
# Parts of the app's state, by the names in their places.
PARTS = {"_cache": ("each decision cache", BLUE), "log": ("the memory of the log", ORANGE)}


class Samples(NamedTuple):
    """What was looked at, again and again.

    :ivar requests: how many requests there had been.
    :ivar memory: the resident memory of the process, in bytes.
    :ivar entries: how much was in each container that changes or is large, by its place.
    """

    requests: list[int]
    memory: list[int]
    entries: dict[str, list[int]]

    @property
    def growth(self) -> float:
        """Bytes of memory for each request, by least squares over the second half."""
        half = len(self.requests) // 2
        return statistics.linear_regression(self.requests[half:], self.memory[half:]).slope


def run(soak: Soak, total: int) -> Samples:
    """Ask *total* times, and look at everything now and then."""
    process = psutil.Process()
    step = total // SAMPLES
    soak.go_on(step)
    found = soak.kept()
    samples = Samples([], [], {place: [] for place in found.containers})
    for number in range(1, SAMPLES + 1):
        if number > 1:
            soak.go_on(step)
        samples.requests.append(number * step)
        samples.memory.append(process.memory_info().rss)
        for place, entries in found.entries.items():
            samples.entries[place].append(entries)
    shown = {p: n for p, n in samples.entries.items() if len(set(n)) > 1 or n[0] >= MOST_LOGGED}
    return samples._replace(entries=shown)


def problems(samples: Samples, at_last: dict[str, int]) -> list[str]:
    """Everything that has grown."""
    found = []
    if samples.growth > MOST_GROWTH:
        found.append(f"memory grows by {samples.growth:.2f} bytes a request")
    largest = {place: max(entries) for place, entries in samples.entries.items()}
    for place, entries in (largest | at_last).items():
        if max(entries, largest.get(place, 0)) > MOST_ENTRIES:
            found.append(f"{place} has had more than {MOST_ENTRIES} entries")
    return found


def draw(samples: Samples, path: Path) -> None:
    """Write the chart. The same samples give the same file."""
    # Not before: it would be part of the memory that is looked at.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The text is drawn by the reader's own fonts.
    settings = {"svg.hashsalt": "soak", "svg.fonttype": "none", "font.family": "sans-serif"}
    for part in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"):
        settings[part] = GREY
    with mpl.rc_context(settings):
        figure = Figure(figsize=(8, 5), layout="constrained")
        above, below = figure.subplots(2, sharex=True)
        millions = [number / 1e6 for number in samples.requests]
        above.plot(millions, [memory / MIB for memory in samples.memory], color=BLUE)
        above.set_ylim(0, max(samples.memory) / MIB * 1.2)
        above.set_ylabel("memory of the process, MiB")
        for part, (label, colour) in PARTS.items():
            shown = [n for place, n in samples.entries.items() if f".{part}." in place]
            dots = below.plot(millions, list(zip(*shown, strict=True)), ".", color=colour)
            dots[0].set_label(label)
        label = "the most that anything may have"
        below.axhline(MOST_ENTRIES, color=GREY, linestyle=":", linewidth=1, label=label)
        below.set_ylim(0, MOST_ENTRIES * 1.1)
        below.set_ylabel("entries")
        below.set_xlabel("requests, millions")
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(path, transparent=True, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="how many, at least 1000")
    total: int = parser.parse_args().requests
    soak = Soak(PATHS, has_report_only=True)
    begun = time.perf_counter()
    with soak.watched():
        samples = run(soak, total)
    seconds = time.perf_counter() - begun
    found = problems(samples, soak.kept().entries)
    figures: dict[str, Any] = {
        "requests": samples.requests[-1],
        "growth in bytes a request": round(samples.growth, 3),
        "memory in MiB": {
            "after 1%": round(samples.memory[0] / MIB, 1),
            "half way": round(samples.memory[SAMPLES // 2] / MIB, 1),
            "at the end": round(samples.memory[-1] / MIB, 1),
        },
        "most entries": {place: max(entries) for place, entries in samples.entries.items()},
        "answers": dict(sorted(soak.statuses.items())),
        "signals": dict(sorted(soak.heard.items())),
        "log lines": soak.lines,
    }
    print(json.dumps(figures, indent=2))
    print(f"{seconds:.0f} s", *found, sep="\n")
    if total == REQUESTS:
        FIGURES.mkdir(exist_ok=True)
        figures["samples"] = samples._asdict()
        (FIGURES / "soak.json").write_text(json.dumps(figures) + "\n", "utf-8")
        draw(samples, FIGURES / "soak.svg")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
