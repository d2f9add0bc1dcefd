"""What is said of a string that isn't the name of a method or a header."""

from __future__ import annotations

import pytest

from flask_corsguard.protocol.name_errors import diagnose_name

PATTERN = ", and names cannot be patterns: list each one, or '*' alone for all."
UNSET = ": it is a variable that was never replaced by its value."
PATTERNS = r"X-Acme-* X-.* X-* *-Id X-.+ ^X-A X-A$ X-[A-Z]+ X-(A) X-\w X-{id} X? | ' `"
TABLE = [
    *((name, PATTERN, None) for name in PATTERNS.split()),
    *((name, UNSET, None) for name in "$NAMES ${NAMES} $(NAMES) %NAMES% {{names}}".split()),
    ("X-A X-B", ': commas separate names. Write ["X-A", "X-B"].', '["X-A", "X-B"]'),
    ("X-A; X-B", ': commas separate names. Write ["X-A", "X-B"].', '["X-A", "X-B"]'),
    ("X-A|X-B", ': commas separate names. Write ["X-A", "X-B"].', '["X-A", "X-B"]'),
    ("* X-B", ': commas separate names. Write ["*", "X-B"].', '["*", "X-B"]'),
    ("X-A;", ': commas separate names. Write ["X-A"].', '["X-A"]'),
    ("X-* X-B", PATTERN, None),
    ("'X-A'", ": it has quotes. Write 'X-A'.", "'X-A'"),
    ('"X-A"', ": it has quotes. Write 'X-A'.", "'X-A'"),
    ("`X-A", ": it has quotes. Write 'X-A'.", "'X-A'"),
    ('"*"', ": it has quotes. Write '*'.", "'*'"),
    ("X-A: 1", ": it has a colon. Write 'X-A'.", "'X-A'"),
    ("X-A: b:c", ": it has a colon. Write 'X-A'.", "'X-A'"),
    ("X-A:", ": it has a colon. Write 'X-A'.", "'X-A'"),
    ("X-\xe4", ".", None),
    ("X,", ".", None),
    ("X" * 21, ".", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ending", "suggestion"), TABLE, ids=[row[0] for row in TABLE])
def test_diagnosis(name: str, ending: str, suggestion: str | None) -> None:
    found = diagnose_name(name, "a name", 20)
    assert found == (f"{name!r} is not a name{ending}", suggestion)


@pytest.mark.parametrize("name", ["*", "X-A", "x.y", "a'b", "$x-y", "X_1", "A" * 20, "#", "x+y"])
def test_good_names(name: str) -> None:
    assert diagnose_name(name, "a name", 20) is None
