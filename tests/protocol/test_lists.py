"""Lists of origins and of names: as a list, as one string, and what is said to the rest."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

import pytest
from werkzeug.local import LocalProxy

from flask_corsguard import Policy, PolicyError

A, B = "https://a.com", "https://b.com"
EXAMPLES = {
    "origins": '["https://app.example.com"]',
    "deny_origins": '["https://app.example.com"]',
    "methods": '["PUT", "DELETE"]',
    "allow_headers": '["Content-Type", "Authorization"]',
    "expose_headers": '["X-Total-Count"]',
}


def problems_of(field: str, value: object) -> list[tuple[str, str, str | None]]:
    with pytest.raises(PolicyError) as caught:
        Policy(**{field: value})
    for problem in caught.value.problems:
        assert problem.field == field
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
        ({re.compile("x"), A}, (A, re.compile("x"))),
        (frozenset({B, A}), (A, B)),
    ],
    ids="json spaced commas in-list none blank lines set mixed frozenset".split(),
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


@pytest.mark.parametrize("field", EXAMPLES)
@pytest.mark.parametrize("value", EMPTY.values(), ids=EMPTY)
def test_a_list_of_nothing(field: str, value: Any) -> None:
    """Nobody can say whether it is meant, so it is not taken for an empty list."""
    message = (
        f"{value!r} names nothing: is a variable unset? Give a list, such as {EXAMPLES[field]}, or"
        " [] for none; an environment variable can hold either."
    )
    code = "origin_empty" if "origins" in field else "name_empty"
    assert problems_of(field, value) == [(code, message, None)]


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
        ("methods", ["", *"ABCDEFGHIJ"], json.dumps([*"ABCDEFGHIJ"])),
        ("methods", ["", *"ABCDEFGHIJK"], None),
        ("origins", ["", re.compile("x")], None),
    ],
    ids="last first middle list json methods allow expose ten eleven pattern".split(),
)
def test_an_empty_entry(field: str, value: Any, suggestion: str | None) -> None:
    """The correction is the whole list, unless it is long or not of strings alone."""
    message = f"{value!r} has an empty item: is there a comma too many, or a variable unset?"
    message += f" Write {suggestion}." if suggestion else " Take it out."
    code = "origin_empty" if "origins" in field else "name_empty"
    assert problems_of(field, value) == [(code, message, suggestion)]


RULE = "a list inside a string must be JSON (double quotes, no trailing comma) or separated by"
NOT_JSON = [
    ("origins", f"['{A}']", f'["{A}"]'),
    ("origins", f"[ '{A}', \"{B}\", ]", f'["{A}", "{B}"]'),
    ("origins", f'["{A}",]', f'["{A}"]'),
    ("origins", f"('{A}', '{B}')", f'["{A}", "{B}"]'),
    ("origins", f"{{'{A}'}}", f'["{A}"]'),
    ("origins", f"frozenset({{'{A}'}})", f'["{A}"]'),
    ("origins", f"[{A}, {B}]", f'["{A}", "{B}"]'),
    ("origins", f"['{A}',\n'{B}']", f'["{A}", "{B}"]'),
    ("origins", f"['', '{A}']", f'["{A}"]'),
    ("origins", "()", "[]"),
    ("origins", "set()", "[]"),
    ("deny_origins", f"['{A}']", f'["{A}"]'),
    ("methods", "['PUT', 'DELETE']", '["PUT", "DELETE"]'),
    ("methods", "[PUT, DELETE]", '["PUT", "DELETE"]'),
    ("allow_headers", "['X-A']", '["X-A"]'),
    ("expose_headers", "['X-A']", '["X-A"]'),
]


@pytest.mark.parametrize(("field", "value", "suggestion"), NOT_JSON)
def test_a_list_in_a_string_that_is_not_json(field: str, value: str, suggestion: str) -> None:
    message = f"{value!r}: {RULE} commas, not Python. Write {suggestion}."
    for given in (value, [value], json.dumps([value])):
        assert problems_of(field, given) == [("list_in_string", message, suggestion)]
    assert Policy(**{field: suggestion}) == Policy(**{field: eval(suggestion)})


@pytest.mark.parametrize("field", EXAMPLES)
def test_a_mapping_in_a_string(field: str) -> None:
    for text in ('{"origins": "*"}', "{'origins': '*'}"):
        for given in (text, [text], json.dumps([text])):
            message = (
                f"{text!r}: {RULE} commas, not Python. Give a list, such as {EXAMPLES[field]}."
            )
            assert problems_of(field, given) == [("list_in_string", message, None)]


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


NEITHER = "is neither a string nor a list."
FORM = "is not a string, a compiled pattern, a function or a source."


@pytest.mark.parametrize(
    ("field", "value", "code", "words", "suggestion"),
    [
        ("methods", False, "wrong_type", f"{NEITHER} Write [] for none.", "[]"),
        ("origins", True, "wrong_type",
         f"{NEITHER} List them, such as {EXAMPLES['origins']}; for everybody, write '*'.", None),
        ("methods", True, "wrong_type",
         f"{NEITHER} Give a list, such as {EXAMPLES['methods']}.", None),
        ("allow_headers", b"X-A", "wrong_type", f"{NEITHER} Write 'X-A'.", "'X-A'"),
        ("allow_headers", b"\xff", "wrong_type",
         f"{NEITHER} Give a list, such as {EXAMPLES['allow_headers']}.", None),
        ("expose_headers", {"X-A": 1}, "wrong_type",
         f"{NEITHER} Give a list, such as {EXAMPLES['expose_headers']}.", None),
        ("origins", b"https://a.com", "wrong_type", f"{NEITHER} Write 'https://a.com'.",
         "'https://a.com'"),
        ("origins", [b"https://a.com"], "origin_type", f"{FORM} Write 'https://a.com'.", None),
        ("origins", [None], "origin_type", f"{FORM} Is a variable unset?", None),
        ("origins", [[A]], "origin_type", f"{FORM} Put its items into the list itself.", None),
        ("methods", [None], "wrong_type", "is not a string. Is a variable unset?", None),
        ("allow_headers", [("X-A",)], "wrong_type",
         "is not a string. Put its items into the list itself.", None),
        ("allow_headers", [re.compile("X")], "wrong_type",
         "is not a string. Patterns are only for origins: list each one.", None),
    ],
)  # fmt: skip
def test_neither_a_string_nor_a_list_of_them(
    field: str, value: Any, code: str, words: str, suggestion: str | None
) -> None:
    wrong = value[0] if isinstance(value, list) else value
    assert problems_of(field, value) == [(code, f"{wrong!r} {words}", suggestion)]


class Url:
    pass


class OfEachRequest:
    pass


OfEachRequest.__name__ = "LocalProxy"
BESIDE = (
    ("origins", None,
     f"None: is a variable unset? Give a list, such as {EXAMPLES['origins']}, or [] for none."),
    ("origins", OfEachRequest(),
     "this is a proxy, but a policy is read once. Give the value itself, or a function."),
)  # fmt: skip


@pytest.mark.parametrize(("field", "value", "message"), BESIDE)
def test_no_list_at_all(field: str, value: Any, message: str) -> None:
    assert problems_of(field, value) == [("wrong_type", message, None)]


@pytest.mark.parametrize("form", [lambda value: value, lambda value: [value]], ids=["", "list"])
def test_an_object_that_stands_for_an_origin(form: Any) -> None:
    for value, hint in (
        (PurePosixPath("o.txt"), "Write FileOrigins('o.txt')."),
        (Url(), "Write str(url).rstrip('/')."),
    ):
        [(_, message, _)] = problems_of("origins", form(value))
        assert message.endswith(hint)


def test_an_unhashable_callable() -> None:
    proxy = LocalProxy(lambda: [A])
    assert [code for code, *_ in problems_of("origins", [proxy])] == ["origin_type"]
    assert [code for code, *_ in problems_of("origins", proxy)] == ["wrong_type"]


@pytest.mark.parametrize("word", ["all", "any", "'*'"])
def test_everybody_is_for_origins_only(word: str) -> None:
    message = "list the origins: '*', callables and sources are allowed only in origins."
    assert problems_of("deny_origins", word) == [("origin_type", message, None)]
