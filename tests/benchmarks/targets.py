"""What the project has set itself, and whether it is met."""

from collections.abc import Iterator

from . import hostile
from .overhead import OURS, SHARE
from .results import Results
from .tables import Table

_MOST = {"without Origin": 1.10, "allowed": 1.12, "preflight": 0.88}
_MANY = 1_000_000

# What it is about, the figure, and the most that it may be.
Target = tuple[str, float, float]


def table(results: Results) -> Table:
    rows = [
        (subject, f"{figure:.2f}", f"{most:.2f}", "met" if figure <= most else "MISSED")
        for subject, figure, most in _targets(results)
    ]
    return Table("Targets", ("", "Figure", "At most", ""), rows)


def _targets(results: Results) -> Iterator[Target]:
    """The targets whose figures are there: a quick run leaves the largest policies out."""
    requests = results["requests"]
    for name, most in _MOST.items():
        yield f"{name}, to bare Flask", requests[name][OURS]["median"], most
    rejected = requests["rejected"]
    yield "rejected, to bare Flask", rejected[OURS]["median"], rejected["Flask-CORS"]["median"]
    yield f"allowed, {SHARE}", requests["allowed"][SHARE]["median"], 0.25
    for row in results["origins"]:
        if row["origins"] == _MANY:
            subject = f"{_MANY:,} {row['kind']} origins to one, asked by {row['asked']}"
            yield subject, row["to_one"]["median"], 1.10
    for live in results["live"]:
        subject = f"{live['origins']:,} rows of a store that {live['store']}"
        yield f"{subject}, asked by {live['asked']}", live["to_static"]["median"], 1.03
    for policy in results["policies"]:
        if policy["origins"] == _MANY:
            subject = f"{_MANY:,} {policy['kind']} origins"
            yield f"{subject}, seconds to compile", policy["seconds"], 3
            yield f"{subject}, bytes an origin", policy["bytes_an_origin"], 400
    yield from _hostile_targets(results["hostile"])
    for routes in results["policy_table"]:
        if routes["routes"] == 2000:
            subject = f"2,000 routes, {routes['policies']}, seconds for the table"
            yield subject, routes["seconds"], 0.5
    for start in results["starting"] or ():
        yield f"instructions, {start['of']}", start["ratio"], 5


def _hostile_targets(rows: list[hostile.Row]) -> Iterator[Target]:
    """The dearest header of each request; and Host, which Flask itself reads in all its length."""
    dearest: dict[str, float] = {}
    for row in rows:
        which = row["header"] if row["header"] == "Host" else "any other header"
        subject = f"{row['request']} with up to 60 kB of {which}, to one without"
        figures = (size["median"] for size in row["to_ordinary"].values())
        dearest[subject] = max(dearest.get(subject, 0), *figures)
    for subject, figure in dearest.items():
        yield subject, figure, 1.5
