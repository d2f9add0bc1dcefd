"""The page that the tests hold to what they run: its rows, and the lines that these show."""

import ast
import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "beside-other-extensions.md"


class Row(NamedTuple):
    """A row: the name of an extension, and the code to write.

    :ivar fields: those of the policy.
    :ivar before: lines that set the app up, before the guard and the extension.
    :ivar lines: those that put the extension on the app, or the app into it.
    :ivar of_the_guard: lines that call the guard, after both.
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
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| beside "):
            name, code, _ = (cell.strip() for cell in line.strip("| ").split(" | "))
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
    kinds: dict[str, list[str]] = {"before": [], "lines": [], "of_the_guard": []}
    for line in lines:
        is_first = line.startswith("app.config")
        kinds["before" if is_first else "of_the_guard" if "guard." in line else "lines"] += [line]
    return Row(name, fields, **{kind: tuple(found) for kind, found in kinds.items()})
