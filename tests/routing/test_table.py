"""The policy table itself: its rows, its files, and the argument that holds a file's name."""

from __future__ import annotations

import re

import pytest
from werkzeug.routing import Map, Rule

from flask_corsguard import CorsGuard, Policy, PolicyError, cors
from flask_corsguard.protocol.decision import Scope
from flask_corsguard.routing.table import Entry, Globs, LateRuleError, file_argument
from flask_corsguard.runtime.state import state_of

SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("rule", "argument"),
    [
        ("/", None),
        ("/<name>", "name"),
        ("/<path:filename>", "filename"),
        ("/<lang>/<path:filename>", "filename"),
        ("/<lang>/<path:name>", None),
        ("/<filename>/<path:name>", "filename"),
    ],
)
def test_the_argument_with_a_files_name(rule, argument):
    """It is the only one, or the one that is called ``filename``."""
    bound = Rule(rule)
    Map([bound])
    assert file_argument(bound) == argument


def _entry(name):
    return Entry(Policy(), Scope(name))


CSS, FONTS, OTHERS = map(_entry, ("css", "fonts", "others"))
FILES = ((("css/*",), r"css/.*", CSS), (("*.woff",), r".*\.woff", FONTS))
OTHERS.add_files("name", [(Globs(texts, re.compile(text)), of) for texts, text, of in FILES])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("css/a.css", "css"),
        ("css/a.woff", "css"),
        ("b/a.woff", "fonts"),
        ("a.css", "others"),
        ("x/../css/a", "css"),
        ("css/../a", "others"),
        (".//css/./a", "css"),
        ("", "others"),
        (7, "others"),
        (None, "others"),
    ],
)
def test_the_entry_of_a_file(name, expected):
    """By the name that is opened in the end; the first pattern that matches decides."""
    assert OTHERS.for_arguments({"name": name}).scope.endpoint == expected


def test_the_entry_without_a_files_name():
    for arguments in ({"other": "css/a"}, {}, None):
        assert OTHERS.for_arguments(arguments) is None
        assert FONTS.for_arguments(arguments) is FONTS


def test_whether_a_decision_can_be_kept():
    """Not if it depends on a file's name. What a callable says is asked for later."""
    everyone, asked = Policy(origins="*"), Policy(origins=lambda origin: False)
    for policy in (None, everyone, asked):
        assert Entry(policy, Scope()).is_constant is True
    assert _entry("plain").is_constant is True
    late = Entry(Policy(), Scope(), is_constant=False)
    for entry in (OTHERS, CSS, late):
        assert entry.is_constant is False


def test_a_rule_without_a_file_name(app):
    guard = CorsGuard(app)
    app.add_url_rule("/<a>/<b>", "files", lambda **_: "ok")
    guard.for_files("files", "*.css", origins=SHOP)
    with pytest.raises(PolicyError) as caught:
        guard.routes()
    (problem,) = caught.value.problems
    assert re.match(r".*test_table\.py:\d+$", problem.where)
    assert problem[:5] == (
        "no_file_name",
        "for_files",
        "files",
        "the rule '/<a>/<b>' captures no file name: it needs exactly one argument, or one called"
        " 'filename'.",
        None,
    )


def test_the_attributes_of_a_row(app):
    guard = CorsGuard(app)
    view = cors(origins=SHOP)(lambda filename: "ok")
    app.add_url_rule("/<filename>", "files", view, methods=["PUT", "GET", "DELETE"])
    guard.for_files("files", "*.css", "*.js", max_age=5)
    methods = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT")
    rows = guard.routes()
    assert [tuple(row) for row in rows] == [
        ("/<filename>", methods, Policy(origins=SHOP), "view files"),
        (
            "/<filename>",
            methods,
            Policy(origins=SHOP, max_age=5),
            "files *.css, *.js of endpoint files",
        ),
    ]
    (rule,) = app.url_map.iter_rules()
    assert [(row.endpoint, row.url_rule) for row in rows] == 2 * [("files", rule)]
    assert [len(row.layers) for row in rows] == [1, 2]
    assert [row.location for row in rows] == [row.layers[-1].mark.location for row in rows]


def test_a_rule_that_the_table_does_not_have(site):
    CorsGuard(site)
    table = state_of(site).put_in_force().table
    late = Rule("/late", endpoint="index")
    site.url_map.add(late)
    with pytest.raises(LateRuleError) as caught:
        table.late_entries(late)
    assert caught.value.rule is late
    assert caught.value.args == (late,)


def test_a_rule_of_a_map_that_the_app_made_itself(site):
    """Nothing of it is kept, and so no decision about it either."""
    CorsGuard(site)
    table = state_of(site).put_in_force().table
    own, other = Rule("/own", endpoint="index"), Rule("/other", endpoint="index")
    Map([own, other])
    entries = table.late_entries(own)
    assert {entry.is_constant for entry in entries.values()} == {False}
    assert id(own) not in table.entries
