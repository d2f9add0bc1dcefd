"""Lists of origins and of names: as a list, as one string, and what is said to the rest."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError

A, B = "https://a.com", "https://b.com"
LISTS = "origins deny_origins methods allow_headers expose_headers".split()


def problems_of(field: str, value: object) -> list[tuple[str, str, str | None]]:
    with pytest.raises(PolicyError) as caught:
        Policy(**{field: value})
    return [(p.code, p.message, p.suggestion) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (f'["{A}", "{B}"]', (A, B)),
        (f' [ "{A}" ,\n"{B}" ]\n', (A, B)),
        (f'["{A}, {B}"]', (A, B)),
        ([f'["{A}"]', B], (A, B)),
        ("[]", ()),
        ("[ ]", ()),
        (f"{A},\n {B}", (A, B)),
        ({B, A}, (A, B)),
        (frozenset({B, A}), (A, B)),
    ],
    ids="json spaced commas-in-json json-in-list none none-spaced lines set frozenset".split(),
)
def test_a_list_in_a_string_or_set(given: Any, read: tuple[str, ...]) -> None:
    """JSON is read as a list; a set has the same order in every process."""
    assert Policy(origins=given).origins == read


def test_json_for_names() -> None:
    policy = Policy(methods='["PUT"]', allow_headers="[]", expose_headers='["X-A", "X-B"]')
    assert (policy.methods, policy.allow_headers, policy.expose_headers) == (
        ("PUT",),
        (),
        ("X-A", "X-B"),
    )


EMPTY = {
    "empty": "",
    "blank": " ",
    "comma": ",",
    "commas": " , ,",
    "list": ["", " "],
    "json": '[""]',
}


@pytest.mark.parametrize("field", LISTS)
@pytest.mark.parametrize("value", EMPTY.values(), ids=EMPTY)
def test_a_list_of_nothing(field: str, value: Any) -> None:
    """Nobody can say whether it is meant, so it is not taken for an empty list."""
    ((code, message, suggestion),) = problems_of(field, value)
    assert code == ("origin_empty" if "origins" in field else "name_empty")
    assert message.startswith(f"{value!r} names nothing: is a variable unset? Give a list, such as")
    assert message.endswith("or [] for none; both can stand in an environment variable.")
    assert suggestion is None


@pytest.mark.parametrize(
    ("field", "value", "suggestion"),
    [
        ("origins", f"{A},", f'["{A}"]'),
        ("origins", f",{A}", f'["{A}"]'),
        ("deny_origins", f"{A},,{B}", f'["{A}", "{B}"]'),
        ("deny_origins", [A, ""], f'["{A}"]'),
        ("origins", f'["{A}", ""]', f'["{A}"]'),
        ("methods", "PUT, ", '["PUT"]'),
        ("allow_headers", ["X-A", " "], '["X-A"]'),
        ("expose_headers", ",X-A", '["X-A"]'),
        ("origins", ["", *(f"https://a{n}.com" for n in range(11))], None),
        ("origins", ["", re.compile("x")], None),
    ],
    ids="last first middle list json methods allow expose many pattern".split(),
)
def test_an_empty_entry(field: str, value: Any, suggestion: str | None) -> None:
    """The correction is the whole list, unless it is long or not of strings alone."""
    ((code, message, suggested),) = problems_of(field, value)
    assert code == ("origin_empty" if "origins" in field else "name_empty")
    advice = f" Write {suggestion}." if suggestion else " Take it out."
    question = " has an empty entry: a comma too many, or an unset variable?"
    assert message.endswith(f"{question}{advice}")
    assert suggested == suggestion


RULE = "a list inside a string is JSON (double quotes, no comma at the end), not Python; or just"
NOT_JSON = [
    ("origins", f"['{A}']", f'["{A}"]'),
    ("origins", f"[ '{A}', \"{B}\", ]", f'["{A}", "{B}"]'),
    ("origins", f'["{A}",]', f'["{A}"]'),
    ("origins", f"('{A}', '{B}')", f'["{A}", "{B}"]'),
    ("origins", f"{{'{A}'}}", f'["{A}"]'),
    ("origins", f"frozenset({{'{A}'}})", f'["{A}"]'),
    ("origins", f"[{A}, {B}]", f'["{A}", "{B}"]'),
    ("origins", "()", "[]"),
    ("deny_origins", f"['{A}']", f'["{A}"]'),
    ("methods", "['PUT', 'DELETE']", '["PUT", "DELETE"]'),
    ("methods", "[PUT, DELETE]", '["PUT", "DELETE"]'),
    ("allow_headers", "['X-A']", '["X-A"]'),
    ("expose_headers", "['X-A']", '["X-A"]'),
]


@pytest.mark.parametrize(("field", "value", "suggestion"), NOT_JSON)
def test_a_list_in_a_string_that_is_not_json(field: str, value: str, suggestion: str) -> None:
    message = f"{value!r}: {RULE} has commas. Write {suggestion}."
    assert problems_of(field, value) == [("list_in_string", message, suggestion)]
    assert Policy(**{field: suggestion}) == Policy(**{field: eval(suggestion)})


def test_a_mapping_in_a_string() -> None:
    message = ' Give a list, such as ["https://app.example.com"].'
    for text in ('{"origins": "*"}', "{'origins': '*'}"):
        ((code, said, suggestion),) = problems_of("origins", text)
        assert (code, said.endswith(message), suggestion) == ("list_in_string", True, None)


def test_what_is_wrong_with_the_entries_is_said_too() -> None:
    codes = [code for code, *_ in problems_of("origins", "['https://a.com/']")]
    assert codes == ["list_in_string", "origin_trailing_slash"]


@pytest.mark.parametrize("text", ["[::1]", "[::1]:80", "[a-z]+://x[a-z]", r"(https://a|https://b)"])
def test_what_only_looks_like_a_list(text: str) -> None:
    assert "list_in_string" not in [code for code, *_ in problems_of("origins", text)]


DEEP = "[" * 100_000
LONG = '["' + "x" * 100_000


@pytest.mark.parametrize("text", [DEEP, DEEP + "]" * 100_000, LONG, LONG + "']"], ids=len)
def test_hostile_json_is_refused_in_words(text: str) -> None:
    assert problems_of("origins", text)


@pytest.mark.parametrize(
    ("field", "value", "code", "ending", "suggestion"),
    [
        ("origins", None, "wrong_type", "Write [] for none.", "[]"),
        ("methods", False, "wrong_type", "Write [] for none.", "[]"),
        ("origins", True, "wrong_type", "everybody is '*'.", None),
        ("deny_origins", True, "wrong_type", 'such as ["https://app.example.com"].', None),
        ("allow_headers", b"X-A", "wrong_type", "Write 'X-A'.", "'X-A'"),
        ("expose_headers", {"X-A": 1}, "wrong_type", 'such as ["X-Total-Count"].', None),
        ("origins", [None], "origin_type", "Is a variable unset?", None),
        ("methods", [None], "wrong_type", "Is a variable unset?", None),
        ("origins", [[A]], "origin_type", "Put what is in it into the list itself.", None),
        ("allow_headers", [("X-A",)], "wrong_type", "into the list itself.", None),
        ("allow_headers", re.compile("X-.*"), "wrong_type", "no patterns: list each.", None),
        ("expose_headers", [re.compile("X")], "wrong_type", "no patterns: list each.", None),
        ("deny_origins", "all", "origin_type", "are for origins only.", None),
    ],
)
def test_neither_a_string_nor_a_list_of_them(
    field: str, value: Any, code: str, ending: str, suggestion: str | None
) -> None:
    ((found, message, suggested),) = problems_of(field, value)
    assert (found, suggested) == (code, suggestion)
    assert message.endswith(ending)
