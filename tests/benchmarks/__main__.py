"""Measures what the guard costs: ``make bench``.

Prints the figures, and writes those of the documentation: ``docs/figures/bench.json``, the chart
beside it and the tables of ``docs/speed.md``.
"""

import argparse
import json

from . import chart, document, results, starting, targets


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--quick", action="store_true", help="rough figures; writes nothing")
    parser.add_argument(
        "--start",
        action="store_true",
        help="measure the import and the first request again; the other figures stay",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    options = parser.parse_args()
    found: results.Results
    if options.start:
        found = {**json.loads(document.JSON.read_text("utf-8")), "starting": starting.measure()}
    else:
        found = results.measure(results.QUICK if options.quick else results.FULL)
    tables = results.tables(found)
    text = f"{json.dumps(found, indent=1)}\n"
    if options.json:
        print(text, end="")
    else:
        for table in (*tables.values(), targets.table(found)):
            print(f"{table.text()}\n")
    if not options.quick:
        document.FIGURES.mkdir(exist_ok=True)
        document.JSON.write_text(text, "utf-8")
        chart.draw(found["requests"], document.CHART)
        page = document.PAGE.read_text("utf-8")
        document.PAGE.write_text(document.filled(page, tables), "utf-8")


if __name__ == "__main__":
    main()
