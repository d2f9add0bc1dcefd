"""The page that the tests hold to what they run: its rows, and the lines that these show."""

import ast
import functools
import re
from itertools import dropwhile
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "beside-other-extensions.md"


def header_names() -> set[str]:
    """The request and response headers that the page says go with extensions."""
    table = PAGE.read_text("utf-8").partition("\n| header ")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


class Row(NamedTuple):
    """A row: the name of an extension, and the code to write.

    :ivar fields: those of the policy.
    :ivar before: lines that set the app up, before the guard and the extension.
    :ivar lines: those that put the extension on the app, or the app into it.
    :ivar of_the_guard: from the first line that calls the guard on: after both.
    """

    name: str
    fields: dict[str, Any]
    before: tuple[str, ...]
    lines: tuple[str, ...]
    of_the_guard: tuple[str, ...]


@functools.cache
def rows() -> dict[str, Row]:
    """Every row of the page's tables, by its name."""
    found: dict[str, Row] = {}
    for table in PAGE.read_text("utf-8").split("\n| extension ")[1:]:
        for line in table.partition("\n\n")[0].splitlines()[2:]:
            name, code, _ = (cell.strip() for cell in line.strip("|").split(" | "))
            assert name not in found, name
            found[name] = _read(name, re.findall(r"`([^`]+)`", code))
    return found


def _read(name: str, spans: list[str]) -> Row:
    fields: dict[str, Any] = {}
    lines: list[str] = []
    for span in spans:
        if re.match(r"[a-z_]+=", span):
            call = ast.parse(f"f({span})", mode="eval").body
            assert isinstance(call, ast.Call)
            fields |= {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        else:
            lines.append(span)
    before = [line for line in lines if line.startswith("app.config")]
    after = [line for line in lines if line not in before]
    of_the_guard = [*dropwhile(lambda line: "guard." not in line, after)]
    put = after[: len(after) - len(of_the_guard)]
    return Row(name, fields, tuple(before), tuple(put), tuple(of_the_guard))
