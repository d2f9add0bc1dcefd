"""Which methods another policy governs at the same URL, by asking each pair of rules."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import product

import pytest
from werkzeug.routing import BaseConverter, Map, Rule

from flask_corsguard.routing import overlap
from flask_corsguard.routing.overlap import Governed, Shape, methods_governed_elsewhere, shape_of

SEGMENTS = ("a", "b", None)
DOMAINS = ("", "api", None)
METHODS = ("GET", "POST", "PUT")
# Every URL that a shape below can have, with one more segment for those that go on.
URLS = [url for length in range(1, 5) for url in product(("a", "b", "x"), repeat=length)]


def is_url_of(shape: Shape, url: tuple[str, ...]) -> bool:
    fixed = shape.segments
    # A variable part that takes any number of segments is the last of them.
    if len(url) < len(fixed) if shape.open_ended else len(url) != len(fixed):
        return False
    return all(want in (None, have) for want, have in zip(fixed, url, strict=False))


def share_a_url(one: Shape, other: Shape) -> bool:
    if None not in (one.domain, other.domain) and one.domain != other.domain:
        return False
    return any(is_url_of(one, url) and is_url_of(other, url) for url in URLS)


def by_pairs(rows: list[Governed]) -> dict[Governed, frozenset[str]]:
    return {
        row: frozenset(
            method
            for other in rows
            if other.policy != row.policy and share_a_url(row.shape, other.shape)
            for method in other.methods
        )
        for row in rows
    }


def made_up_row(random: random.Random) -> Governed:
    segments = random.choices(SEGMENTS, k=random.randint(1, 3))
    is_open_ended = segments[-1] is None and random.random() < 0.3
    shape = Shape(random.choice(DOMAINS), tuple(segments), is_open_ended)
    methods = frozenset(random.sample(METHODS, random.randint(1, 2)))
    return Governed(shape, methods, random.choice(["one", "two", "three"]))


@pytest.mark.parametrize("few", [0, 1, overlap._FEW])
def test_what_other_policies_govern_is_what_pairs_of_rules_say(
    monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """However many nodes are looked at one by one."""
    monkeypatch.setattr(overlap, "_FEW", few)
    for seed in range(200):
        made = random.Random(seed)
        rows = [made_up_row(made) for _ in range(made.randint(1, 12))]
        found = methods_governed_elsewhere(rows)
        expected = by_pairs(rows)
        assert {row: found.get(row, frozenset()) for row in rows} == expected, seed


def test_one_policy_governs_nothing_elsewhere() -> None:
    rows = [Governed(Shape("", (name,), False), frozenset({"GET"}), "one") for name in "ab"]
    assert methods_governed_elsewhere(rows) == {}


def test_two_policies_are_kept_for_each_method() -> None:
    governors = overlap._Governors()
    for policy in range(5):
        governors.add("", "GET", (policy,))
    assert governors._by_domain == {"": {"GET": {0, 1}}}
    assert [list(governors.others("", policy)) for policy in range(5)] == 5 * [["GET"]]


@pytest.mark.parametrize(
    ("paths", "nodes"),
    [
        (["a", "b", "c", "*"], 1 + 4),
        (["a", "b", "c", "d", "*"], 1 + 5 + 1),
        (["a/e", "b/f", "c/g", "d/h", "*/*"], 1 + 10 + 2),
        (["a/e", "b/e", "c/e", "d/e", "*/*"], 1 + 10 + 2),
    ],
)
def test_how_many_nodes_there_are(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], nodes: int
) -> None:
    """One for each beginning of a path; and where there are more than four to go on from, one more
    that stands for all. What only one of them has is not made again."""
    made = []
    original = overlap._Node.__init__

    def count(node: overlap._Node, sources: Sequence[overlap._Node] = ()) -> None:
        made.append(node)
        original(node, sources)

    monkeypatch.setattr(overlap._Node, "__init__", count)
    rows = []
    for path in paths:
        segments = tuple(None if part == "*" else part for part in path.split("/"))
        rows.append(Governed(Shape("", segments, False), frozenset({"GET"}), path))
    assert methods_governed_elsewhere(rows)[rows[-1]] == {"GET"}
    assert len(made) == nodes


class _Own(BaseConverter):
    part_isolating = False
    regex = ".*"


@pytest.mark.parametrize(
    ("rule", "segments", "open_ended"),
    [
        ("/", ("",), False),
        ("/a", ("a",), False),
        ("/a/", ("a",), False),
        ("/Xa/Xa/X", ("Xa", "Xa", "X"), False),
        ("/A/b.c", ("A", "b.c"), False),
        ("/a//b", ("a", "", "b"), False),
        ("/a/<x>", ("a", None), False),
        ("/a/<x>/b", ("a", None, "b"), False),
        ("/<x>/<y>", (None, None), False),
        ("/a/b-<x>.<y>", ("a", None), False),
        ("/<default:x>", (None,), False),
        ("/<string(length=2):x>/a", (None, "a"), False),
        ("/<any(b, c):x>/a", (None, "a"), False),
        ("/<int:x>/a", (None, "a"), False),
        ("/<float:x>/a", (None, "a"), False),
        ("/<uuid:x>/a", (None, "a"), False),
        ("/a/<path:x>", ("a", None), True),
        ("/a/<path:x>/b", ("a", None), True),
        ("/a/b-<path:x>/c/<y>", ("a", None), True),
        ("/a/<x>/<own:y>/b", ("a", None, None), True),
        ("/a/<own('<>'):y>/b", ("a", None), True),
    ],
)
def test_the_shape_of_a_rule(rule, segments, open_ended):
    """A converter whose values may have slashes ends it, and so does one that is not known."""
    bound = Rule(rule)
    Map([bound], converters={"own": _Own})
    assert shape_of(bound) == Shape("", segments, open_ended)


@pytest.mark.parametrize(
    ("options", "domain"),
    [
        ({}, ""),
        ({"subdomain": "api"}, "api"),
        ({"subdomain": "<team>"}, None),
        ({"host": "shop.test"}, "shop.test"),
        ({"host": "<team>.shop.test"}, None),
    ],
    ids=repr,
)
def test_the_domain_of_a_rule(options, domain):
    """One with variable parts is not known."""
    bound = Rule("/a", **options)
    Map([bound], host_matching="host" in options)
    assert shape_of(bound) == Shape(domain, ("a",), False)


@pytest.mark.slow
def test_two_thousand_rules_that_all_meet_take_no_time_by_their_square() -> None:
    def seconds(count: int) -> float:
        shapes = [
            Shape("", (f"r{number}", None) if number % 2 else (None, f"r{number}"), False)
            for number in range(count)
        ]
        rows = [Governed(shape, frozenset({"GET"}), policy) for policy, shape in enumerate(shapes)]
        begin = time.process_time()
        found = methods_governed_elsewhere(rows)
        assert set(found.values()) == {frozenset({"GET"})}
        return time.process_time() - begin

    # 8 times as many: by the square it would be 64 times as long.
    assert min(seconds(2000) for _ in range(3)) < 30 * min(seconds(250) for _ in range(3))


def test_rules_of_very_many_segments() -> None:
    many = ("x",) * 900
    shapes = [Shape("", (*many, None), False), Shape("", (None, *many), False)]
    shapes.append(Shape("", ("y", *many), False))
    rows = [Governed(shape, frozenset({"GET"}), shape.segments[0]) for shape in shapes]
    found = methods_governed_elsewhere(rows)
    assert [bool(found[row]) for row in rows] == [True, True, True]
