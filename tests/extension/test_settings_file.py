"""The settings file: what it may say, and how it is followed while the app runs."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy, PolicyError, cors
from flask_corsguard.protocol.policy import FIELDS
from flask_corsguard.runtime import state as state_module
from flask_corsguard.runtime.state import state_of
from flask_corsguard.signals import settings_rejected
from flask_corsguard.watched_file import WatchedFile
from tests.raised import FAILURES

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
ADMIN = "https://admin.example"
KEY = "CORSGUARD_SETTINGS_FILE"


class File:
    """A settings file, and the app that follows it.

    :ivar rejected: what the signal was sent with.
    """

    def __init__(self, path):
        self.path = path
        self.rejected = []

    def write(self, content, age=10.0):
        """Write in place, so many seconds ago, and have the app look at its next request."""
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.path.chmod(0o644)
        os.utime(self.path, (time.time() - age,) * 2)
        self.due()

    def replace(self, content):
        """Put another file in its place."""
        path, self.path = self.path, self.path.with_suffix(".new")
        self.write(content)
        self.path = self.path.replace(path)

    def due(self):
        if self.app is not None:
            state_of(self.app).settings_file.next_look = 0.0

    app = None

    def guard(self, app, content=None, **arguments):
        if content is not None:
            self.write(content)
        app.config[KEY] = str(self.path)
        guard = CorsGuard(app, **arguments)
        self.app = app

        def receive(sender, file, problems):
            assert (sender, file) == (app, str(self.path))
            assert isinstance(problems, tuple)
            self.rejected.append([problem.code for problem in problems])

        settings_rejected.connect(receive, app)
        self.receive = receive  # blinker keeps it weakly
        return guard

    @property
    def status(self):
        return state_of(self.app).settings_status()


@pytest.fixture
def file(tmp_path):
    return File(tmp_path / "cors.toml")


def origins(*listed, **fields):
    """TOML of a default policy."""
    return "".join(f"{k} = {json.dumps(v)}\n" for k, v in {"origins": listed, **fields}.items())


# What the file may say


VALUES = {
    "origins": [SHOP, "https://*.shop.example"],
    "deny_origins": [PARTNER],
    "methods": ["GET", "PUT"],
    "allow_headers": ["X-Shop"],
    "expose_headers": ["X-Shop"],
    "allow_credentials": True,
    "max_age": 5,
    "enforce": "unsafe",
    "raw_origins": ["file://"],
    "answer_preflight": False,
    "dangerously_let_views_override": True,
    "allow_private_network": True,
    "dangerously_allow_null_origin": True,
    "dangerously_allow_insecure_origins": True,
    "dangerously_allow_public_suffixes": True,
    "policies": {"own": {"origins": SHOP}, "public": {"origins": "*"}},
    "paths": {"/api": {"max_age": 7}, "/open/": "public", "/both": ["own", "public"]},
    "report_only": {"origins": [], "enforce": "unsafe"},
}
NAMED = {"policies": VALUES["policies"]}
SETTINGS = {
    **{name: {name: value} for name, value in VALUES.items()},
    "paths": {"paths": VALUES["paths"], **NAMED},
    "a name": {"policy": "own", **NAMED},
    "a list": {"policy": ["own", "public"], **NAMED},
    "a list with commas": {"policy": "own, public", **NAMED},
    "a field beside a name": {"policy": "own", "max_age": 6, **NAMED},
    "origins with commas": {"origins": f"{SHOP}, {PARTNER}"},
    "JSON in a string": {"policies": json.dumps(NAMED["policies"]), "policy": "own"},
    "a name for report_only": {"report_only": "own", **NAMED},
    "no report_only": {"report_only": False},
}


def as_toml(values):
    """TOML with a line for each setting, whose value is an inline table where it is one."""

    def source(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {source(v)}" for k, v in value.items()) + "}"
        return json.dumps(value)

    return "".join(f"{key} = {source(value)}\n" for key, value in values.items())


def meaning(app):
    """Every route's policy and the other settings, but not where they come from."""
    state = state_of(app)
    settings, table = state.settings, state.current().table
    marks = table.paths.marks
    return (
        [(route.rule, route.policy, route.source) for route in table.routes()],
        settings.policies,
        settings.report_only and settings.report_only.policy,
        {prefix: (mark.policy, mark.fields) for prefix, mark in marks.items()},
    )


@pytest.mark.parametrize("form", ["toml", "json", "json in .toml"])
@pytest.mark.parametrize("values", SETTINGS.values(), ids=SETTINGS)
def test_a_file_says_what_app_config_says(tmp_path, form, values):
    """At first and later."""
    file = File(tmp_path / f"cors.{form[-4:]}")
    content = as_toml(values) if form == "toml" else json.dumps(values, indent=2)
    configured, started, followed = Flask("shop"), Flask("shop"), Flask("shop")
    for app in (configured, started, followed):
        app.add_url_rule("/api/x", "x", lambda: "ok")
    configured.config.update({f"CORSGUARD_{name.upper()}": value for name, value in values.items()})
    CorsGuard(configured)
    file.guard(started, content)
    assert meaning(started) == meaning(configured)
    if any("dangerously" in name for name in values):
        return
    file.write("# nothing yet" if form == "toml" else "{}")
    file.guard(followed)
    file.write(content)
    followed.test_client().get("/")
    assert meaning(followed) == meaning(configured)
    assert file.rejected == []


def test_every_field_can_be_in_the_file():
    assert {*FIELDS} - {*VALUES} <= {"origins_vary", "dangerously_let_views_override"}


def test_where_it_is_said_to_come_from(app, file, caplog):
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/api/x", "x", lambda: "ok")
    content = f'{origins(SHOP)}report_only = {{origins = []}}\n[paths."/api"]\nmax_age = 5\n'
    guard = file.guard(app, content)
    decision = guard.explain("/", origin=PARTNER)
    assert (decision.policy_source, decision.policy_location) == (
        "default", f"origins in {file.path}",
    )  # fmt: skip
    wanted = f'origins = ["{SHOP}", "{PARTNER}"] (policy: default, origins in {file.path})'
    assert f"To allow it: {wanted}." in decision.explain()
    decision = guard.explain("/api/x", origin=PARTNER)
    assert (decision.policy_source, decision.policy_location) == (
        "path /api", f"paths in {file.path}",
    )  # fmt: skip
    app.test_client().get("/", headers={"Origin": SHOP})
    assert "would be rejected (ORIGIN_NOT_ALLOWED) by the report-only policy (" in caplog.text
    assert f" in {file.path})" in caplog.text


@pytest.mark.parametrize(
    ("config", "arguments", "location"),
    [
        ({}, {}, "origins in FILE"),
        ({"CORSGUARD_MAX_AGE": 5}, {}, "CORSGUARD_MAX_AGE in app.config, origins in FILE"),
        ({}, {"max_age": 5}, "HERE, origins in FILE"),
        ({"CORSGUARD_MAX_AGE": 5}, {"enforce": "unsafe"}, "HERE, origins in FILE"),
    ],
)
def test_settings_in_several_places_add_up(app, file, config, arguments, location):
    app.config.update(config)
    guard = file.guard(app, origins(SHOP), **arguments)
    values = {name[10:].lower(): value for name, value in config.items()}
    decision = guard.explain("/", origin=PARTNER)
    assert decision.policy == Policy(origins=SHOP, **values, **arguments)
    here, _, _ = decision.policy_location.partition(", ")
    assert decision.policy_location == location.replace("FILE", str(file.path)).replace(
        "HERE", here
    )


@pytest.mark.parametrize(
    ("name", "location", "advice"),
    [
        ("cors.toml", "", "allow_private_network = true (policy"),
        ("cors.json", "", '"allow_private_network": true (policy'),
        ("cors.toml", "CORSGUARD_ALLOW_PRIVATE_NETWORK", "WORK=True (in app.config)"),
    ],
)
def test_advice_can_be_pasted_into_the_file(app, tmp_path, name, location, advice):
    file = File(tmp_path / name)
    content = json.dumps({"origins": [SHOP]}) if ".json" in name else origins(SHOP)
    if location:
        app.config[location] = False
    guard = file.guard(app, content)
    headers = {"Access-Control-Request-Private-Network": "true"}
    headers["Access-Control-Request-Method"] = "GET"
    decision = guard.explain("/", origin=SHOP, method="OPTIONS", headers=headers)
    if decision.endpoint is None:
        app.add_url_rule("/x", "x", lambda: "ok")
        decision = guard.explain("/x", origin=SHOP, method="OPTIONS", headers=headers)
    assert advice in decision.explain()


def test_a_path_object(app, file):
    file.write(origins(SHOP))
    app.config[KEY] = file.path
    assert CorsGuard(app).explain("/", origin=SHOP).policy == Policy(origins=SHOP)


def test_without_a_file(app):
    app.config[KEY] = None
    CorsGuard(app, origins=SHOP)
    assert state_of(app).settings_file is None
    status = {"file": None, "when_read": None, "last_mistake": None}
    assert state_of(app).settings_status() == status


# What is an error at the start, and a mistake later


OTHERS = (
    "self_origins", "inspector", "inspector_check", "audit_accept", "log_rejections",
    "settings_file", "origin", "CORSGUARD_ORIGINS", "ORIGINS", "sources", "polices", "path",
    "dangerously_allow_null_orign", "dangerously_allow_insecure", "allow_null_origin", "",
)  # fmt: skip
CONTENT = {
    **{f"the key {name!r}": (f'"{name}" = "x"', "unknown_key", name) for name in OTHERS},
    "an unknown field of a policy": ("[policies.own]\norigin = 'x'", "unknown_field", "origins"),
    "a field in its own place only": ("[policies.own.paths]", "unknown_field", "paths"),
    "an unknown field of a path": ("[paths.'/api']\nmaxage = 5", "unknown_field", "max_age"),
    "an unknown field in report_only": ("[report_only]\nx = 5", "unknown_field", "'x'"),
    "a value": ("max_age = '60'", "wrong_type", "Write 60."),
    "a value of a policy": ("[policies.own]\nmax_age = -1", "max_age_range", "Write 0."),
    "a path": ("[paths.'/api/*']\nmax_age = 5", "path_prefix", "Write '/api'."),
    "a path twice": (
        "[paths]\n'/api' = 'a'\n'/api/' = 'a'\n[policies.a]", "duplicate_path", "'/api'",
    ),
    "an unknown policy": ("policy = 'partner'", "unknown_policy", "partner"),
    "an unknown policy for report_only": ("report_only = 'partner'", "unknown_policy", "partner"),
    "not a table": ("policies = 7", "wrong_type", "Write, for example, {'partners': {'origins': ['https://app.example.com']}}."),
    "not a table for paths": ("paths = []", "wrong_type", "Write, for example, {'/api': {'origins': ['https://app.example.com']}}."),
    "a date": ("max_age = 2026-01-01", "wrong_type", "Give a number"),
    "not a number": ("max_age = nan", "wrong_type", "Give a number"),
    "a combination": (
        "origins = '*'\nallow_credentials = true", "credentials_any_origin", "List the origins",
    ),
    "no name": ("policy = ''", "policies_empty", "own"),
    "no policy, and what it would need": (
        "policy = 7\norigins_vary = 'X-Shop'", "wrong_type", "not 7. Write",
    ),
    "a list and origins": (
        "policy = ['a', 'b']\norigins = '*'\n[policies.a]\n[policies.b]\nmax_age = 5",
        "origins_of_several", "Leave it out",
    ),
    "not TOML": ("origins = [\n", "settings_file_syntax", "it is not TOML: "),
    "Python": (
        "allow_credentials = True\n", "settings_file_syntax",
        "(at line 1, column 21). TOML writes true and false in lower case.",
    ),
    "a path without quotes": (
        "[paths./api]\n", "settings_file_syntax", 'Quote the path, as in [paths."/api"].',
    ),
    "a value without quotes": (
        "origins = https://a.example\n", "settings_file_syntax",
        'Strings need quotes, as in "https://app.example.com".',
    ),
    "a comment of another language": (
        "origins = [] // none\n", "settings_file_syntax", "Comments begin with #.",
    ),
    "null": ("origins = null\n", "settings_file_syntax", "TOML has no null: leave the line out"),
    "curly quotes": ("origins = \u201c*\u201d\n", "settings_file_syntax", "must be straight."),
    "a table around all": (
        "[corsguard]\norigins = '*'", "unknown_key",
        "settings stand at the top level. Leave out [corsguard].",
    ),
    "policy for policies": (
        "[policy.own]\norigins = '*'", "wrong_type", "write it as [policies.partners].",
    ),
    "double brackets": ("[[report_only]]\nmax_age = 5", "wrong_type", "write it as [report_only]."),
    "below a table": (
        "[paths.'/api']\nmax_age = 5\nreport_only = 'own'", "unknown_field",
        "'report_only' is not a field of a policy. Move it to the top level (in TOML, above the"
        " first table).",
    ),
    "nothing": (" \n", "settings_file_unusable", "it is empty, as a failed write would leave it."),
    "a JSON name twice": (
        '{"max_age": 5, "max_age": 6}', "settings_file_syntax",
        "it is not JSON: a name is listed twice: ['max_age', 'max_age'].",
    ),
    "a trailing comma": (
        '{"origins": ["*",]}', "settings_file_syntax", "There is a comma too many, before ] or }.",
    ),
    "a JSON comment": (
        '{"origins": "https://a.example" // ours\n}', "settings_file_syntax",
        "JSON has no comments.",
    ),
    "quotes of Python": ("{'origins': '*'}", "settings_file_syntax", "JSON has double quotes."),
    "a key twice": ("max_age = 5\nmax_age = 6\n", "settings_file_syntax", "line 2"),
    "not JSON": ('{"origins": [', "settings_file_syntax", "it is not JSON: "),
    "not UTF-8": (b"# \n# \xff", "settings_file_syntax", "not UTF-8: invalid start byte in line 2"),
    "a byte order mark": (b"\xef\xbb\xbfmax_age = 5", "settings_file_syntax", "byte order mark"),
    "UTF-16": ("max_age = 5".encode("utf-16"), "settings_file_syntax", "not UTF-8"),
    "zeros": (b"\0" * 100, "settings_file_syntax", "it is not TOML"),
    "a huge number": ("max_age = " + "9" * 5000, "settings_file_syntax", "it is not TOML"),
    "a huge number in JSON": (
        '{"max_age": ' + "9" * 5000 + "}", "settings_file_syntax", "it is not JSON",
    ),
    "lists in lists": ("origins = " + "[" * 50_000, "settings_file_syntax", "nested too deeply"),
    "a long key": ("a" + ".a" * 400_000 + " = 1", "settings_file_syntax", "nested too deeply"),
    "a long name of a table": (
        "[" + "'a' . " * 100_000 + "a]", "settings_file_syntax", "nested too deeply",
    ),
    "objects in objects": ('{"a":' * 50_000, "settings_file_syntax", "nested too deeply"),
}  # fmt: skip


AS_WRITTEN = {
    # What is wrong -> what to write in TOML, and in JSON
    "a bool": ({"allow_credentials": "yes"}, "Write true.", "Write true."),
    "a bool of a policy": ({"policies": {"own": {"allow_credentials": "no"}}},
        "Write false.", "Write false."),
    "another field": ({"origins": "null"},
        "or set dangerously_allow_null_origin = true.",
        'or set "dangerously_allow_null_origin": true.'),
    "of a path": ({"origins": "*", "paths": {"/api": {"allow_credentials": True}}},
        "'*' with allow_credentials = true would let",
        "'*' with \"allow_credentials\": true would let"),
    "a policy": ({"policy": "partners"},
        "Define it: [policies.partners] in the settings file.",
        'Define it: "policies": {"partners": {...}} in the settings file.'),
    "a policy of a path": ({"paths": {"/api": "our own"}},
        'Define it: [policies."our own"] in the settings file.',
        'Define it: "policies": {"our own": {...}} in the settings file.'),
    "a policy of a view": ({"max_age": 5},
        "Define it: [policies.partners] in the settings file.",
        'Define it: "policies": {"partners": {...}} in the settings file.'),
}  # fmt: skip


@pytest.mark.parametrize(("values", "toml", "json_"), AS_WRITTEN.values(), ids=AS_WRITTEN)
@pytest.mark.parametrize("name", ["cors.toml", "cors.json"])
def test_what_to_write_is_in_the_language_of_the_file(tmp_path, name, values, toml, json_):
    def guarded():
        app = Flask("shop")
        if values == {"max_age": 5}:
            app.add_url_rule("/", "own", cors("partners")(lambda: ""))
        guard = file.guard(app, content)
        guard.prepare(app)

    file = File(tmp_path / name)
    content = json.dumps(values) if name == "cors.json" else in_toml(values)
    (problem,) = problems_of(guarded)
    assert (json_ if name == "cors.json" else toml) in problem.message
    assert problem.suggestion not in ("True", "False")


def in_toml(values):
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(lines).replace(": ", " = ")


def problems_of(ask):
    with pytest.raises(PolicyError) as caught:
        ask()
    return caught.value.problems


@pytest.mark.parametrize(("content", "code", "words"), CONTENT.values(), ids=CONTENT)
def test_a_mistake_in_the_file(file, caplog, content, code, words):
    """At first it is raised. Later, the last good settings stay."""
    file.write(content)
    problems = problems_of(lambda: file.guard(Flask("shop")))
    assert {problem.code for problem in problems} == {code}
    assert all(str(file.path) in problem.where for problem in problems)
    assert words in problems[0].message
    assert "dangerously" not in problems[0].message.replace(repr(problems[0].field), "")

    app = Flask("shop")
    guard = file.guard(app, origins(SHOP))
    client = app.test_client()
    client.get("/")
    file.write(content)
    caplog.clear()
    for _ in range(3):
        client.get("/")
        file.due()
    assert file.rejected == [[problem.code for problem in problems]]
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "the last good settings stay" in record.getMessage()
    assert words in record.getMessage()
    assert words in file.status["last_mistake"]
    assert guard.explain("/", origin=SHOP).policy == Policy(origins=SHOP)

    file.write(origins(PARTNER))
    client.get("/")
    assert guard.explain("/", origin=SHOP).policy == Policy(origins=PARTNER)
    assert file.status["last_mistake"] is None
    assert len(caplog.records) == 1


def test_many_mistakes(app, file, caplog):
    """The log line and the status have the first ones, cut."""
    file.guard(app, origins(SHOP))
    file.write("".join(f"{'x' * 2000}{number} = 1\n" for number in range(100)))
    app.test_client().get("/")
    assert file.rejected == [["unknown_key"] * 100]
    (record,) = caplog.records
    for text in (record.getMessage(), file.status["last_mistake"]):
        assert text.endswith("...; and 50 more")
        assert len(text) < 60_000


def test_an_origin_with_many_labels(app, file):
    origin = f"https://{'a.' * 120}example"
    guard = file.guard(app, origins(*[origin] * 100))
    assert guard.explain("/", origin=origin).policy == Policy(origins=origin)


def test_json_that_is_no_object(tmp_path):
    file = File(tmp_path / "cors.json")
    (problem,) = problems_of(lambda: file.guard(Flask("shop"), "[]"))
    assert problem.message == 'it must be an object, such as {"origins": []}.'


def test_everything_that_is_wrong_is_said_at_once(app, file, caplog):
    content = "orgins = []\nmax_age = '5'\n[policies.own]\nmax_age = -1\n[paths.api]\nmax_age = 5\n"
    codes = ["unknown_key", "wrong_type", "max_age_range", "path_prefix"]
    app.config["CORSGUARD_MAXAGE"] = 5
    found = [problem.code for problem in problems_of(lambda: file.guard(app, content))]
    assert found == ["unknown_key", *codes]
    del app.config["CORSGUARD_MAXAGE"]
    file.guard(app, origins(SHOP))
    file.write(content)
    app.test_client().get("/")
    assert file.rejected == [codes]
    (record,) = caplog.records
    assert all(f"[{code}]" in record.getMessage() for code in codes)
    assert "\n" not in record.getMessage()


CONFLICTS = {
    "a field of the constructor": (origins(SHOP), {"origins": PARTNER}, {}, "origins"),
    "a policy of the constructor": ("max_age = 5", {"policy": Policy()}, {}, "max_age"),
    "a name of the constructor": (
        "policy = 'a'", {"policy": "a", "policies": {"a": {}}}, {}, "policy",
    ),
    "a named policy of the constructor": (
        "[policies.a]\nmax_age = 5", {"policies": {"a": {}}}, {}, "policies",
    ),
    "report_only of the constructor": (
        "[report_only]", {"report_only": {"max_age": 5}}, {}, "report_only",
    ),
    "report_only=False": ("[report_only]", {"report_only": False}, {}, "report_only"),
    "a field in app.config": (origins(SHOP), {}, {"ORIGINS": PARTNER}, "origins"),
    "the same value": (origins(SHOP), {}, {"ORIGINS": [SHOP]}, "origins"),
    "a policy in app.config": (
        "policy = 'a'", {}, {"POLICY": "a", "POLICIES": {"a": {}}}, "policy",
    ),
    "a named policy in app.config": (
        "[policies.a]\nmax_age = 5", {}, {"POLICIES": {"a": {}}}, "policies",
    ),
    "a path in app.config": (
        "[paths.'/api/']\nmax_age = 5", {}, {"PATHS": {"/api": {"max_age": 6}}}, "paths",
    ),
    "report_only in app.config": (
        "[report_only]", {}, {"REPORT_ONLY": {"max_age": 5}}, "report_only",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "arguments", "config", "field"), CONFLICTS.values(), ids=CONFLICTS
)
def test_what_is_set_twice(file, content, arguments, config, field):
    config = {f"CORSGUARD_{name}": value for name, value in config.items()}
    app, other = Flask("shop"), Flask("shop")
    for each in (app, other):
        each.config.update(config)
    (problem,) = problems_of(lambda: file.guard(app, content, **arguments))
    assert (problem.code, problem.field, problem.where) == ("set_twice", field, str(file.path))
    place = next(iter(config), "test_settings_file.py:")
    assert place in problem.message
    assert problem.message.endswith(" too. Set it in one place.")

    file.guard(other, "# nothing yet", **arguments)
    before = meaning(other)
    file.write(content)
    other.test_client().get("/")
    assert file.rejected == [["set_twice"]]
    assert meaning(other) == before


def test_null_sets_nothing(app, tmp_path):
    file = File(tmp_path / "cors.json")
    guard = file.guard(app, '{"policy": null, "report_only": null}', policy=Policy(origins=SHOP))
    assert guard.explain("/", origin=SHOP).policy == Policy(origins=SHOP)


def test_a_path_that_is_marked_too(app, file):
    guard = file.guard(app, "# nothing yet")
    guard.for_path("/api", max_age=6)
    file.write("[paths.'/api']\nmax_age = 5")
    app.test_client().get("/")
    assert file.rejected == [["duplicate_path"]]


@pytest.mark.parametrize("value", ["", " ", 7, True, b"/etc/shop/cors.toml", ["a"]])
def test_what_is_no_path(app, value):
    app.config[KEY] = value
    (problem,) = problems_of(lambda: CorsGuard(app))
    assert (problem.code, problem.where) == ("wrong_type", KEY)
    assert "Write one, such as '/etc/shop/cors.toml'." in problem.message


def missing(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def too_long(path):
    path.write_bytes(b"#" * 1_000_001)


def writable(path):
    path.chmod(0o664)


UNUSABLE = {
    missing: "there is no such file",
    folder: "is a folder",
    pipe: "is not a regular file",
    too_long: "at most 1,000,000",
    writable: "chmod go-w ",
}


@pytest.mark.parametrize("change", UNUSABLE)
def test_a_file_that_cannot_be_used(app, file, caplog, change):
    """At first it is an error. Later, the last good settings stay, and that is said once."""
    words = UNUSABLE[change]
    guard = file.guard(app, origins(SHOP))
    client = app.test_client()
    client.get("/")
    change(file.path)
    (problem,) = problems_of(lambda: File(file.path).guard(Flask("other")))
    assert (problem.code, problem.where) == ("settings_file_unusable", str(file.path))
    assert words in problem.message
    for _ in range(3):
        file.due()
        client.get("/")
    assert file.rejected == [["settings_file_unusable"]]
    (record,) = caplog.records
    assert words in record.getMessage()
    assert words in file.status["last_mistake"]
    assert guard.explain("/", origin=SHOP).policy == Policy(origins=SHOP)

    if change is folder:
        file.path.rmdir()
    else:
        file.path.unlink(missing_ok=True)
    file.write(origins(SHOP))
    client.get("/")
    assert file.status["last_mistake"] is None
    file.write(origins(PARTNER))
    client.get("/")
    assert guard.explain("/", origin=SHOP).policy == Policy(origins=PARTNER)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_that_is_emptied(app, file, content):
    """As a write to a full disk leaves it."""
    guard = file.guard(app, origins(SHOP))
    file.write(content)
    app.test_client().get("/")
    assert file.rejected == [["settings_file_unusable"]]
    assert guard.explain("/", origin=SHOP).policy == Policy(origins=SHOP)
    file.write("origins = []")
    app.test_client().get("/")
    assert guard.explain("/", origin=SHOP).policy == Policy()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda file: file.write(origins(SHOP, f"{PARTNER}/")),
            f"origins: '{PARTNER}/': an origin has no trailing slash. Write '{PARTNER}'."
            " [origin_trailing_slash]",
        ),
        (
            lambda file: (file.write(origins(SHOP, PARTNER)), file.path.chmod(0o666)),
            "it can be changed by its group or by everybody (its mode is 0666): chmod go-w {path}",
        ),
        (
            lambda file: (file.path.unlink(), file.due()),
            "there is no such file. Create it, or correct the path.",
        ),
    ],
    ids=["another row", "mode", "missing"],
)
def test_rejections_say_that_the_file_cannot_be_used(app, file, caplog, change, words):
    """What the page needs may be in it already."""
    app.debug = True
    app.add_url_rule("/named", "named", cors("own")(lambda: "ok"))
    app.add_url_rule("/code", "code", cors(Policy(origins=ADMIN))(lambda: "ok"))
    own = '[policies.own]\norigins = ["https://own.example"]\n'
    guard = file.guard(app, origins(SHOP) + own)
    client, headers = app.test_client(), {"Origin": PARTNER}
    client.get("/", headers=headers)
    assert "the settings file" not in caplog.text
    change(file)
    caplog.clear()
    client.get("/named", headers=headers)
    ignored = "the change of the settings file, which cannot be used as it is now: "
    words = words.replace("{path}", str(file.path))
    line, rejection = caplog.messages
    kept, _, why = line.partition(" in force. ")
    assert kept == (
        f"The settings file '{file.path}' cannot be used as it is now; the last good settings stay"
    )
    assert why.removeprefix("settings_file: ").startswith(words)
    assert f". Ignored: {ignored}{words}" in rejection
    assert ". To allow it: correct the settings file, which may then allow it; otherwise" in (
        rejection
    )
    for path in ("/", "/nowhere", "/named"):
        said = guard.explain(path, origin=PARTNER).explain()
        assert f"\n  Ignored: {ignored}{words}" in said
    assert "settings file" not in guard.explain("/code", origin=PARTNER).explain()
    assert "settings file" not in guard.explain("/", origin=SHOP).explain()
    file.write(origins(SHOP) + own)
    client.get("/")
    assert "settings file" not in guard.explain("/named", origin=PARTNER).explain()
    assert len(file.rejected) == 1


def test_another_mistake_is_said_again(app, file, caplog):
    file.guard(app, origins(SHOP))
    for content in ("max_age = -1", "max_age = -2", origins(SHOP), "max_age = -1"):
        file.write(content)
        app.test_client().get("/")
    assert file.rejected == [["max_age_range"]] * 3
    assert len(caplog.records) == 3


def test_a_mistake_stays_one_while_the_file_is_gone(app, file):
    file.guard(app, origins(SHOP))
    client = app.test_client()
    file.write("max_age = -1")
    client.get("/")
    mistaken = file.path.rename(file.path.with_name("moved"))
    file.due()
    client.get("/")
    assert "there is no such file" in file.status["last_mistake"]
    mistaken.replace(file.path)
    file.due()
    client.get("/")
    assert "[max_age_range]" in file.status["last_mistake"]
    assert file.rejected == [["max_age_range"], ["settings_file_unusable"]]


# Fields that lift a check


NULL = "dangerously_allow_null_origin"
LIFTED = {
    "default policy": f"{NULL} = true\n",
    "policy 'own'": f"[policies.own]\n{NULL} = true\n",
    "path '/api'": f"[paths.'/api']\n{NULL} = true\n",
    "report_only": f"[report_only]\n{NULL} = true\n",
}


@pytest.mark.parametrize(("place", "there"), [*itertools.product(LIFTED, [None, *LIFTED])], ids=str)
def test_a_check_is_lifted_only_where_it_was_at_the_start(app, file, caplog, place, there):
    guard = file.guard(app, LIFTED.get(there, "# nothing"))
    before = meaning(app)
    file.write(LIFTED[place])
    client = app.test_client()
    client.get("/")
    if place == there:
        assert file.rejected == []
        file.write("max_age = 5")
        client.get("/")
        file.write(LIFTED[place] + "# on again")
        client.get("/")
        assert file.rejected == []
        assert meaning(app) == before
        return
    assert file.rejected == [["restart_needed"]]
    assert meaning(app) == before
    assert f" in force. {place}: {NULL}: " in caplog.text
    assert "restart the app" in caplog.text
    assert guard.explain("/", origin="null").policy != Policy(origins="null", **{NULL: True})


@pytest.mark.parametrize(
    "content",
    ["policy = 'legacy'", "report_only = 'legacy'", "paths = {'/api' = ['own', 'legacy']}"],
)
def test_a_policy_of_the_code_that_lifts_a_check(app, file, content):
    """The file cannot have it hold elsewhere."""
    legacy = Policy(origins="null", dangerously_allow_null_origin=True)
    own = Policy(origins=SHOP)
    file.guard(app, "# nothing yet", policies={"legacy": legacy, "own": own})
    before = meaning(app)
    file.write(content)
    app.test_client().get("/")
    assert file.rejected == [["restart_needed"]]
    assert meaning(app) == before


# Following


def test_a_change_is_in_force_at_the_next_request(site, http, file):
    """In the request that finds it, and in no earlier one."""
    file.guard(site, origins(SHOP))
    assert http.readers(site, "/") == [SHOP]
    file.write(origins(SHOP, PARTNER))
    assert http.send(site, "/", PARTNER) == http.allowed(PARTNER)
    file.write(origins(PARTNER))
    assert http.send(site, "/", SHOP) == http.refused()
    assert http.readers(site, "/") == [PARTNER]


@pytest.mark.parametrize("ends_first", [False, True])
def test_how_often_the_file_is_looked_at(site, http, file, monkeypatch, ends_first):
    """Once a second at most, and on requests only."""
    guard = file.guard(site, origins(SHOP))
    if ends_first:
        guard.run_first(lambda: "stopped")
    opened, now = [], [time.monotonic() + 10]
    real = os.open

    def counting(path, *arguments):
        opened.append(path)
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", counting)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(5):
        http.send(site, "/", SHOP)
    assert opened == [str(file.path)]
    now[0] += 0.9
    http.send(site, "/", SHOP)
    assert len(opened) == 1
    now[0] += 0.2
    http.send(site, "/", SHOP)
    assert len(opened) == 2


@pytest.mark.parametrize("written", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("ahead", [0.0, 100.0])
@pytest.mark.parametrize("step", [0.1, 2.0])
def test_two_seconds_later(site, http, file, monkeypatch, written, ahead, step):
    """In a worker with nothing to do, one request is enough; if the file's times are ahead of this
    machine's, two are needed."""
    file.guard(site, origins(SHOP))
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000 + now[0])
    http.send(site, "/", SHOP)
    file.path.write_text(origins(PARTNER))
    begin = 1000 + written
    os.utime(file.path, (1_000_000_000 + begin + ahead,) * 2)
    after = []
    while not after or now[0] < begin + 3:
        now[0] = begin + step * (len(after) + 1)
        after.append(http.send(site, "/", PARTNER) == http.allowed(PARTNER))
    first = step * (after.index(True) + 1)
    assert first == 4 if ahead and step == 2 else 0.9 < first < (2.5 if ahead else 2.01)
    assert all(after[after.index(True) :])
    if step < 1 and not ahead:
        assert first < 1.4


def test_half_of_a_file(site, http, file):
    """It is valid TOML without its last lines, and is not taken before it is old enough."""
    content = origins(SHOP, PARTNER) + f"deny_origins = ['{PARTNER}']\n"
    file.guard(site, content)
    for end in range(0, len(content), 10):
        file.write(content[:end], age=0)
        assert http.send(site, "/", PARTNER) == http.refused()
    file.write(content + "max_age = 5\n")
    assert http.preflight(site, "/", SHOP) == http.granted(SHOP, max_age="5")
    assert file.rejected == []


def test_a_mounted_configmap(site, http, tmp_path):
    """A new folder of files takes the place of the old one."""

    def publish(number, *listed):
        new = tmp_path / f"..{number}"
        new.mkdir()
        (new / "cors.toml").write_text(origins(*listed))
        (new / "cors.toml").chmod(0o644)
        os.utime(new / "cors.toml", (1, 1))
        (tmp_path / "..data_tmp").symlink_to(new.name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    publish(1, SHOP)
    (tmp_path / "cors.toml").symlink_to("..data/cors.toml")
    tmp_path.chmod(0o777)
    file = File(tmp_path / "cors.toml")
    file.guard(site)
    assert http.readers(site, "/") == [SHOP]
    publish(2, PARTNER)
    shutil.rmtree(tmp_path / "..1")
    file.due()
    assert http.readers(site, "/") == [PARTNER]


def test_a_named_policy_that_a_mark_needs(site, http, file):
    file.guard(site, f"[policies.own]\norigins = '{SHOP}'")
    site.add_url_rule("/own", "own", cors("own")(lambda: "ok"))
    assert http.readers(site, "/own") == [SHOP]
    file.write(f"[policies.own]\norigins = '{PARTNER}'")
    assert http.readers(site, "/own") == [PARTNER]
    file.write("[policies.other]")
    assert http.readers(site, "/own") == [PARTNER]
    assert file.rejected == [["unknown_policy"]]


def test_paths_come_and_go(site, http, file):
    file.guard(site, origins(SHOP))
    file.write(origins(SHOP) + f"[paths.'/nothing']\norigins = '{PARTNER}'\n")
    assert http.readers(site, "/nothing/here", status=404) == [PARTNER]
    assert http.readers(site, "/") == [SHOP]
    file.write(origins(SHOP))
    assert http.readers(site, "/nothing/here", status=404) == [SHOP]


def test_report_only_comes_and_goes(site, http, file, heard):
    file.guard(site, origins("*"))
    file.write(origins("*") + "[report_only]\norigins = []\n")
    http.send(site, "/", SHOP)
    assert [each.decision.report_only for each in heard] == [False, True]
    file.write(origins("*"))
    heard.clear()
    http.send(site, "/", SHOP)
    assert [each.decision.report_only for each in heard] == [False]


def test_reconfigure_stands_until_the_file_changes(site, http, file):
    guard = file.guard(site, origins(SHOP), max_age=5)
    assert http.readers(site, "/") == [SHOP]
    guard.reconfigure(origins=ADMIN, max_age=7, app=site)
    file.write(origins(SHOP))  # the same, written again
    assert http.readers(site, "/") == [ADMIN]
    file.write("max_age = 5")  # a mistake
    assert http.readers(site, "/") == [ADMIN]
    file.write(origins(PARTNER))
    assert http.readers(site, "/") == [PARTNER]
    assert http.preflight(site, "/", PARTNER) == http.granted(PARTNER, max_age="5")


def test_app_config_is_not_read_again(site, http, file):
    """Nor what it has of that can be read only once."""
    site.config["CORSGUARD_DENY_ORIGINS"] = (each for each in [PARTNER])
    listed = site.config["CORSGUARD_EXPOSE_HEADERS"] = ["X-A"]
    guard = file.guard(site, origins(SHOP))
    http.send(site, "/")
    listed.append("X-B")
    site.config["CORSGUARD_MAX_AGE"] = 5
    file.write(origins(SHOP, PARTNER))
    assert http.send(site, "/", PARTNER) == http.refused()
    expected = Policy(origins=[SHOP, PARTNER], deny_origins=PARTNER, expose_headers="X-A")
    assert guard.routes(site)[0].policy == expected


def test_a_file_that_changes_before_the_first_request(site, http, file):
    """A mistake leaves the app with what it has started with."""
    file.guard(site, origins(SHOP))
    file.write("[policies.own")
    assert http.readers(site, "/") == [SHOP]
    assert file.rejected == [["settings_file_syntax"]]


def test_a_correction_of_what_keeps_the_app_from_working(site, http, file):
    """A mark without its policy is an error of the first request; the file can put it right."""
    file.guard(site, origins(SHOP))
    site.add_url_rule("/own", "own", cors("own")(lambda: "ok"))
    client = site.test_client()
    assert client.get("/own").status_code == 500
    file.write(f"[policies.own]\norigins = '{PARTNER}'")
    assert http.readers(site, "/own") == [PARTNER]


def test_a_request_that_something_ends_before_the_guard(site, http, file):
    guard = file.guard(site, origins(SHOP))
    guard.run_first(lambda: "stopped")
    assert http.send(site, "/", SHOP) == http.allowed(SHOP)
    file.write(origins(PARTNER))
    assert http.send(site, "/", PARTNER) == http.allowed(PARTNER)


def test_a_prepared_app(site, http, file):
    """As with --preload: it goes on from what it has started with."""
    file.guard(site, origins(SHOP)).prepare()
    file.write(origins(PARTNER))
    assert http.readers(site, "/") == [PARTNER]


def test_status(site, http, file):
    before = time.time()
    file.guard(site, origins(SHOP))
    first = file.status
    assert before <= first["when_read"] <= time.time()
    assert first == {"file": str(file.path), "when_read": first["when_read"], "last_mistake": None}
    file.write("max_age = -1")
    http.send(site, "/")
    mistaken = file.status
    assert mistaken["when_read"] == first["when_read"]
    assert "[max_age_range]" in mistaken["last_mistake"]
    file.write(origins(PARTNER))
    http.send(site, "/")
    assert file.status["when_read"] > first["when_read"]


def test_one_file_for_two_apps(file, http):
    first, second = Flask("first"), Flask("second")
    others = File(file.path)
    file.guard(first, origins(SHOP))
    others.guard(second)
    file.write(origins(PARTNER))
    others.due()
    for app in (first, second):
        assert http.readers(app, "/", status=404) == [PARTNER]


# While others are at work


@pytest.fixture
def during(monkeypatch):
    """Calls a function once, in the middle of the next table that is made."""

    def call(function):
        real, functions = state_module.PolicyTable, [function]

        def table(*arguments):
            made = real(*arguments)
            if functions:
                functions.pop()()
            return made

        monkeypatch.setattr(state_module, "PolicyTable", table)

    return call


def test_others_go_on_with_the_old_settings(site, http, file, during):
    """One thread makes the new table, and nobody waits for it for long."""
    file.guard(site, origins(SHOP))
    http.send(site, "/")
    seen = []

    def others():
        def ask():
            file.due()
            seen.append(http.send(site, "/", SHOP))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    file.write(origins(PARTNER))
    during(others)
    assert http.send(site, "/", PARTNER) == http.allowed(PARTNER)
    assert seen == [http.allowed(SHOP)] * 3
    assert http.send(site, "/", SHOP) == http.refused()


def test_the_first_requests_after_a_pause(site, http, file, during):
    """They wait a little for the one that makes the new table: the change was long ago."""
    file.guard(site, origins(SHOP))
    http.send(site, "/")
    file.write(origins(PARTNER))
    is_made = threading.Event()

    def take_time():
        is_made.set()
        time.sleep(0.1)

    during(take_time)
    first = threading.Thread(target=http.send, args=[site, "/"])
    first.start()
    assert is_made.wait(10)
    assert http.send(site, "/", SHOP) == http.refused()
    first.join()


def test_reconfigure_while_a_change_is_put_in_force(site, http, file, during):
    """In a signal handler: it comes later, so it stands."""
    guard = file.guard(site, origins(SHOP))
    http.send(site, "/")
    file.write(origins(PARTNER, max_age=5))
    during(lambda: guard.reconfigure(origins=ADMIN, app=site))
    assert http.readers(site, "/") == [ADMIN]
    assert guard.routes(site)[0].policy.max_age == 5
    file.due()
    assert http.readers(site, "/") == [ADMIN]
    file.write(origins(SHOP))
    assert http.readers(site, "/") == [SHOP]


def test_reconfigure_by_another_thread_while_a_change_is_put_in_force(site, http, file, during):
    guard = file.guard(site, origins(SHOP))
    http.send(site, "/")
    file.write(origins(PARTNER, max_age=5))
    thread = threading.Thread(target=guard.reconfigure, kwargs={"origins": ADMIN, "app": site})
    during(thread.start)
    http.send(site, "/")
    thread.join(30)
    assert http.readers(site, "/") == [ADMIN]
    assert guard.routes(site)[0].policy.max_age == 5


def test_a_late_rule_while_a_change_is_put_in_force(site, http, file, during):
    """The rule gets its policy from the newer settings."""
    file.guard(site, origins(SHOP))
    http.send(site, "/")
    file.write(origins(PARTNER))
    site.url_map.add(site.url_rule_class("/late", endpoint="index"))
    during(lambda: None)
    assert http.readers(site, "/late") == [PARTNER]
    assert http.readers(site, "/") == [PARTNER]


def test_a_change_while_a_late_rule_is_added(site, http, file, during):
    file.guard(site, origins(SHOP))
    http.send(site, "/")
    site.url_map.add(site.url_rule_class("/late", endpoint="index"))

    def change():
        file.write(origins(PARTNER))
        http.send(site, "/")

    during(change)
    http.send(site, "/late")
    assert http.readers(site, "/late") == [PARTNER]
    assert http.readers(site, "/") == [PARTNER]


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES)
def test_a_change_that_is_cut_short(site, http, file, during, error):
    """By a time-out of the server, say. The next look makes it again."""
    file.guard(site, origins(SHOP))
    http.send(site, "/")
    file.write(origins(PARTNER))
    raised = error()

    def fail():
        raise raised

    during(fail)
    with pytest.raises(type(raised)):
        site.test_client().get("/")
    file.due()
    assert http.readers(site, "/") == [PARTNER]


def test_code_that_fails(site, http, file, during, caplog):
    """The last good settings stay."""
    file.guard(site, origins(SHOP))
    http.send(site, "/")
    file.write(origins(PARTNER))
    during(lambda: 1 / 0)
    assert http.readers(site, "/") == [SHOP]
    assert file.rejected == [["settings_file_unusable"]]
    assert "ZeroDivisionError" in caplog.text


def test_one_thread_looks(site, http, file, monkeypatch):
    file.guard(site, origins(SHOP))
    http.send(site, "/")
    real, looks = WatchedFile.look, []

    def look(watched):
        looks.append(threading.current_thread())
        if len(looks) == 1:
            file.due()
            thread = threading.Thread(target=http.send, args=[site, "/", SHOP])
            thread.start()
            thread.join(30)
        return real(watched)

    monkeypatch.setattr(WatchedFile, "look", look)
    file.write(origins(PARTNER))
    assert http.readers(site, "/") == [PARTNER]
    assert {*looks} == {threading.current_thread()}


def test_reconfigure_before_a_fork(site, http, file, monkeypatch):
    """In a new process the file is looked at anew, but it has not changed."""
    guard = file.guard(site, origins(SHOP))
    http.send(site, "/")
    guard.reconfigure(origins=ADMIN, app=site)
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    file.due()
    assert http.readers(site, "/") == [ADMIN]
    file.write(origins(PARTNER))
    assert http.readers(site, "/") == [PARTNER]


def test_a_working_directory_that_is_gone(site, http, file, monkeypatch):
    """An old release has been removed when a worker is forked."""
    file.guard(site, origins(SHOP))
    http.send(site, "/")
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    monkeypatch.setattr(os, "getcwd", lambda: os.stat("/there/is/nothing"))
    file.write(origins(PARTNER))
    assert http.readers(site, "/") == [PARTNER]


def test_receivers_that_fail(site, http, file):
    file.guard(site, origins(SHOP))
    http.send(site, "/")

    def fail(*_arguments, **_values):
        raise ValueError("x")

    settings_rejected.connect(fail, site)
    file.write("max_age = -1")
    assert http.readers(site, "/") == [SHOP]


@pytest.mark.parametrize("threads", [4])
def test_each_request_is_decided_by_old_or_new_settings(site, file, threads):
    """Many threads, while the file changes again and again."""
    pages = [f"https://n{number}.example" for number in range(20)]
    file.guard(site, origins(pages[0], expose_headers=["X-0"]))
    seen, stop = [], threading.Event()

    def ask():
        client, number = site.test_client(), 0
        while not stop.is_set():
            number = (number + 1) % len(pages)
            headers = client.get("/", headers={"Origin": pages[number]}).headers
            if "Access-Control-Allow-Origin" in headers:
                exposed = headers["Access-Control-Expose-Headers"]
                seen.append((headers["Access-Control-Allow-Origin"], exposed))

    workers = [threading.Thread(target=ask) for _ in range(threads)]
    for worker in workers:
        worker.start()
    client = site.test_client()
    for number, page in enumerate(pages):
        # Another thread must not find it empty.
        file.replace(origins(page, expose_headers=[f"X-{number}"]))
        client.get("/")
        while state_of(site).settings.default.origins != (page,):
            file.due()
            client.get("/")
    stop.set()
    for worker in workers:
        worker.join(30)
    assert {*seen} <= {(page, f"X-{number}") for number, page in enumerate(pages)}
    assert file.rejected == []


FORK = """
    import json, os, sys, threading
    from pathlib import Path
    from flask import Flask
    from flask_corsguard import CorsGuard
    from flask_corsguard.runtime import state
    path = Path(sys.argv[1])
    def write(*origins):
        path.write_text(f"origins = {json.dumps(origins)}")
        path.chmod(0o644)
        os.utime(path, (1, 1))
    def due():
        state.state_of(app).settings_file.next_look = 0.0
    def reader():
        origins = ("https://a.example", "https://b.example", "https://c.example")
        sent = (client.get("/", headers={"Origin": origin}).headers for origin in origins)
        return "".join(h.get("Access-Control-Allow-Origin", "")[8:9] for h in sent)
    write("https://a.example")
    app = Flask("shop")
    app.add_url_rule("/", "index", lambda: "")
    app.config["CORSGUARD_SETTINGS_FILE"] = str(path)
    guard = CorsGuard(app)
    guard.prepare()
    client = app.test_client()
    assert reader() == "a"
    real = state.PolicyTable
    busy, done = threading.Event(), threading.Event()
    children = []
    def table(*arguments):
        busy.set()
        if sys.argv[2] == "thread":
            done.wait(30)
        else:
            children.append(os.fork())
        return real(*arguments)
    state.PolicyTable = table
    write("https://b.example")
    due()
    if sys.argv[2] == "thread":
        thread = threading.Thread(target=client.get, args=["/"])
        thread.start()
        busy.wait(30)
        children.append(os.fork())
    else:
        client.get("/")
    state.PolicyTable = real
    if not children[0]:
        due()  # in a second
        found = [reader()]
        guard.reconfigure(origins="https://c.example", app=app)
        due()
        found.append(reader())
        os._exit(found != ["b", "c"])
    done.set()
    if sys.argv[2] == "thread":
        thread.join()
    assert reader() == "b"
    assert os.waitpid(children[0], 0)[1] == 0
    print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("by", ["thread", "handler"])
def test_a_fork_while_a_change_is_put_in_force(tmp_path, by):
    """By another thread, or by a signal handler of the one that does it. The child, in which nobody
    goes on with that, has the change in force after its own next look; and it makes no change
    twice, so that reconfigure() stands."""
    script = textwrap.dedent(FORK)
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "cors.toml"), by]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
