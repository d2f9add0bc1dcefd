"""How rows are read: as entries of a list, each by itself."""

import pytest

from flask_corsguard import Policy
from flask_corsguard.sources.snapshot import MOST_NAMED, Rows, Rules, Snapshot

A = "https://a.example"
STRICT = Rules.of(Policy(origins=(), allow_credentials=True))
LOOSE = Rules.of(Policy())


def read(*rows: object, rules: Rules = LOOSE, by_tenant: bool = False) -> Snapshot:
    reader = Rows(rules, by_tenant=by_tenant)
    reader.add(rows)
    return reader.finished()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("*", "a source cannot allow everybody"),
        ("null", "a source cannot allow 'null'"),
        ("https://A.example", "browsers send origins in lower case"),
        ("https://a.example/", "an origin"),
        ("shop https://a.example", "'shop' looks like a tenant, but the source has no by"),
        ("https://a.example,https://b.example", "a row must be one origin"),
        ('["https://a.example"]', ""),
        ("[https://a.example]", ""),
        ("https://*", ""),
        ("file://", ""),
        ("a.example", "an origin starts with its scheme"),
        ("https://a.example\nhttps://b.example", ""),
        ("https://" + "a" * 5000, ""),
        ("https://shop-*.co.uk", "anybody"),
        (b"https://a.example", "a row must be a string"),
        (None, "a row must be a string"),
        (5, "a row must be a string"),
        (("https://a.example",), "a row must be a string"),
        (("t", "https://a.example"), "a row must be a string"),
        (len, "a row must be a string"),
    ],
    ids=repr,
)
def test_a_bad_row_is_left_out_alone(row: object, why: str) -> None:
    snapshot = read("https://first.example", row, "https://last.example")
    good = {"https://first.example", "https://last.example"}
    assert {origin for _, origin in snapshot} == good
    assert (snapshot.rows, snapshot.bad_rows, len(snapshot.bad)) == (2, 1, 1)
    ((shown, said),) = snapshot.bad.items()
    assert shown.isprintable()
    assert why in said
    assert len(shown) <= 330


@pytest.mark.parametrize(
    ("row", "rules", "is_good"),
    [
        ("http://a.example", LOOSE, True),
        ("http://a.example", STRICT, False),
        ("http://localhost:3000", STRICT, True),
        ("https://*.github.io", LOOSE, True),
        ("https://*.github.io", STRICT, False),
        ("https://*.github.io", Rules.of(Policy(enforce="unsafe")), False),
        ("moz-extension://*", LOOSE, True),
        ("moz-extension://*", STRICT, False),
    ],
)
def test_rows_are_held_to_the_checks_of_the_policy(row: str, rules: Rules, is_good: bool) -> None:
    snapshot = read(row, rules=rules)
    assert (snapshot.rows, snapshot.bad_rows) == ((1, 0) if is_good else (0, 1))


def test_space_around_a_row_is_no_mistake() -> None:
    assert read(" https://a.example \n").admits(None, "https://a.example")


def test_tenants() -> None:
    rows = [("t", "https://a.example"), ["u", "https://*.b.example"], (1, "https://c.example")]
    snapshot = read(*rows, "https://d.example", ("t",), ([], "x"), (None, A), by_tenant=True)
    assert (snapshot.rows, snapshot.bad_rows) == (3, 4)
    asked = {
        (tenant, origin): snapshot.admits(tenant, origin)
        for tenant in ("t", "u", 1, "", None)
        for origin in ("https://a.example", "https://x.b.example", "https://c.example")
    }
    assert [pair for pair, admitted in asked.items() if admitted] == [
        ("t", "https://a.example"),
        ("u", "https://x.b.example"),
        (1, "https://c.example"),
    ]
    assert [snapshot.knows(tenant) for tenant in ("t", "u", 1, "x", None)] == [True] * 3 + [
        False
    ] * 2


def test_many_bad_rows_are_counted_and_some_named() -> None:
    snapshot = read(*(f"bad{number}" for number in range(3000)), "https://a.example")
    assert (snapshot.rows, snapshot.bad_rows, len(snapshot.bad)) == (1, 3000, MOST_NAMED)


def test_a_change_counts_rows_and_bad_ones() -> None:
    before = read("https://a.example", "https://*.b.example", "bad", "worse")
    after = before.changed(
        ["https://c.example", "https://a.example", "worst"],
        ["https://*.b.example", "bad", "https://never.example"],
        Rows(LOOSE, by_tenant=False),
    )
    assert (after.rows, after.bad_rows, [*after.bad]) == (2, 2, ["'worse'", "'worst'"])
    assert (before.rows, before.bad_rows) == (2, 2)
    assert not after.admits(None, "https://x.b.example")
    assert before.admits(None, "https://x.b.example")
