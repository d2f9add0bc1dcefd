"""What the project has set itself, and whether it is met."""

from typing import NamedTuple

from . import hostile
from .overhead import OURS, SHARE
from .results import Results
from .tables import Table

_MOST = {"without Origin": 1.10, "allowed": 1.12, "rejected": 1.13, "preflight": 0.88}
_MANY = 1_000_000


class Target(NamedTuple):
    """A figure that is to be at most so much."""

    subject: str
    figure: float
    limit: float

    @property
    def is_met(self) -> bool:
        return self.figure <= self.limit


def targets(results: Results) -> list[Target]:
    """Those whose figures are there: a quick run leaves the largest policies out."""
    requests = results["requests"]
    found = [
        Target(f"{name}, to bare Flask", requests[name][OURS]["median"], limit)
        for name, limit in _MOST.items()
    ]
    found.append(Target(f"allowed, {SHARE}", requests["allowed"][SHARE]["median"], 0.25))
    for row in results["origins"]:
        if row["origins"] == _MANY:
            subject = f"{_MANY:,} {row['kind']} origins to one, asked by {row['asked']}"
            found.append(Target(subject, row["to_one"]["median"], 1.10))
    for policy in results["policies"]:
        if policy["origins"] == _MANY:
            subject = f"{_MANY:,} {policy['kind']} origins"
            found.append(Target(f"{subject}, seconds to compile", policy["seconds"], 3))
            found.append(Target(f"{subject}, bytes an origin", policy["bytes_an_origin"], 400))
    found += hostile_targets(results["hostile"])
    for table in results["policy_table"]:
        if table["routes"] == 2000:
            subject = f"2,000 routes, {table['policies']}, seconds for the table"
            found.append(Target(subject, table["seconds"], 0.5))
    return found


def hostile_targets(rows: list[hostile.Row]) -> list[Target]:
    """The dearest header of each request; and Host, which Flask itself reads in all its length."""
    dearest: dict[str, Target] = {}
    for row in rows:
        which = row["header"] if row["header"] == "Host" else "any other header"
        subject = f"{row['request']} with up to 60 kB of {which}, to one without"
        figure = max(size["median"] for size in row["to_ordinary"].values())
        if subject not in dearest or figure > dearest[subject].figure:
            dearest[subject] = Target(subject, figure, 1.5)
    return list(dearest.values())


def table(found: list[Target]) -> Table:
    return Table(
        "Targets",
        ("", "Figure", "At most", ""),
        [
            (
                target.subject,
                f"{target.figure:.2f}",
                f"{target.limit:.2f}",
                "met" if target.is_met else "MISSED",
            )
            for target in found
        ],
    )
