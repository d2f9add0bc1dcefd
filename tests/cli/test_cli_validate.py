"""``flask cors validate``."""

import json
import re
from pathlib import Path

import pytest
from flask import Flask

from flask_corsguard import CorsGuard
from tests.cli.command_line import flask, run

APP = """\
from flask import Flask
from flask_corsguard import CorsGuard, cors

app = Flask("shop")
app.config.update(CONFIG)
guard = CorsGuard(app, ARGUMENTS)
app.add_url_rule("/own", "own", cors("own")(lambda: "ok"))
PREPARE
"""
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
CONFIGURED = "CORSGUARD_SETTINGS_FILE='/not/on/this/machine.toml'"
GOOD = """\
origins = ["https://app.example.com"]

[policies.own]
origins = "https://own.example"
"""


@pytest.fixture
def validate(tmp_path, monkeypatch):
    """Runs the command on a file with this content, for a module or for an app."""
    monkeypatch.chdir(tmp_path)

    def ran(content, *options, config=CONFIGURED, arguments="", prepare="", app=None, mode=0o644):
        source = APP.replace("CONFIG", config).replace("ARGUMENTS", arguments)
        (tmp_path / "app.py").write_text(source.replace("PREPARE", prepare))
        file = tmp_path / "new.toml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(mode)
        return run(["validate", *options, "new.toml"], app or "app")

    return ran


def test_nothing_is_wrong(validate):
    assert validate(GOOD) == (0, "new.toml: no problems.\n", "")


@pytest.mark.parametrize("prepare", ["", "guard.prepare()"])
@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            GOOD + "max_age = '60'\n",
            "new.toml, policy 'own': max_age: '60' is not a whole number of seconds or a"
            " timedelta. Write 60. [wrong_type]",
        ),
        (
            "inspector_check = 'x'\n" + GOOD,
            "new.toml: inspector_check: there is no setting 'inspector_check'. It is for the"
            " whole app, not for one policy: app.config['CORSGUARD_INSPECTOR_CHECK'] = ..."
            " [unknown_key]",
        ),
        (
            GOOD.replace("own]", "public]"),
            "view own (app.py:7): policy: there is no policy 'own'. Known: public."
            " [unknown_policy]",
        ),
        (
            "origins = [",
            "new.toml: settings_file: it is not TOML: Invalid value (at end of document)."
            " [settings_file_syntax]",
        ),
        (
            b"#" * 2_000_000,
            "new.toml: settings_file: it has more than 1,000,000 bytes. [settings_file_syntax]",
        ),
    ],
)
def test_a_problem(validate, content, line, prepare):
    """Wherever it shows: when the app is loaded, by its own prepare(), or by the command."""
    assert validate(content, prepare=prepare) == (1, f"{line}\nnew.toml: 1 problem.\n", "")


def test_every_problem(validate):
    content = "orgins = []\nmax_age = -1\n" + GOOD
    ran = validate(content, arguments="max_age=5")
    assert ran.code == 1
    assert ran.out.count("\nnew.toml: ") == 3
    assert ran.out.endswith("\nnew.toml: 3 problems.\n")
    assert "app.py:6 sets it too. Set it in one place. [set_twice]" in ran.out


EMPTY = "it is empty, as a failed write would leave it. To allow nobody, write origins = []."


@pytest.mark.parametrize("prepare", ["", "guard.prepare()"])
@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file(validate, content, prepare):
    line = f"new.toml: settings_file: {EMPTY} [settings_file_unusable]"
    expected = (1, f"{line}\nnew.toml: 1 problem.\n", "")
    assert validate(content, prepare=prepare) == expected
    app = Flask("shop")
    file = Path("cors.toml")
    file.write_text(GOOD)
    file.chmod(0o644)
    app.config["CORSGUARD_SETTINGS_FILE"] = "cors.toml"
    CorsGuard(app)
    assert validate(content, app=app) == expected  # of an app that was there before the command


def test_owner_and_mode(validate, tmp_path):
    """They are part of a file in its place; a new file may be one of a checkout by CI systems."""
    words = "can be changed by its group or by everybody (its mode is 0666): chmod go-w "
    ran = validate(GOOD, mode=0o666)
    assert ran.code == 0
    assert re.fullmatch(
        rf"new.toml: as it is here, a worker would refuse it: .*{re.escape(words)}.*new.toml\n"
        r"new.toml: no problems.\n",
        ran.out,
    )
    assert words in json.loads(validate(GOOD, "--json", mode=0o666).out)["refused"]
    (tmp_path / "link.toml").symlink_to("new.toml")
    ran = validate(GOOD, config="CORSGUARD_SETTINGS_FILE='link.toml'", mode=0o666)
    assert ran.code == 1
    assert ran.out.endswith("new.toml [settings_file_unusable]\nnew.toml: 1 problem.\n")
    assert words in ran.out
    told = json.loads(run("validate --json new.toml", "app").out)
    assert (told["refused"], told["problems"][0]["code"]) == (None, "settings_file_unusable")


def test_json(validate):
    assert json.loads(validate(GOOD, "--json").out) == {
        "file": "new.toml", "problems": [], "restart": [], "refused": None,
    }  # fmt: skip
    ran = validate("orgins = []\n" + GOOD, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["problems"] == [
        {
            "code": "unknown_key",
            "where": "new.toml",
            "field": "orgins",
            "message": "there is no setting 'orgins'. Did you mean 'origins'?",
            "suggestion": "origins",
        }
    ]


def test_a_field_that_lifts_a_check(validate):
    """It is in order; but an app that runs does not take it."""
    content = GOOD + "origins = 'null'\ndangerously_allow_null_origin = true\n"
    content = content.replace('origins = "https://own.example"\n', "")
    ran = validate(content)
    words = "dangerously_allow_null_origin: takes effect only when the app is restarted."
    assert ran.out == f"new.toml, policy 'own': {words}\nnew.toml: no problems.\n"
    assert ran.code == 0
    assert json.loads(validate(content, "--json").out)["restart"] == [
        {"where": "new.toml, policy 'own'", "field": "dangerously_allow_null_origin"}
    ]


@pytest.mark.parametrize("config", ["", "CORSGUARD_MAX_AGE=5"])
def test_an_app_without_a_settings_file(validate, config):
    ran = validate(GOOD, config=config, arguments="policies={'own': {}}")
    assert (ran.code, ran.out) == (2, "")
    assert "the app follows no settings file. Set CORSGUARD_SETTINGS_FILE = '/etc" in ran.err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arguments": "orgins='*'"}, "unknown_field"),
        ({"config": "CORSGUARD_SETTINGS_FILE=7"}, "wrong_type"),
        ({"prepare": "1 / 0"}, "ZeroDivisionError"),
        ({"prepare": "del app"}, "Failed to find Flask application"),
    ],
)
def test_an_app_that_cannot_be_used(validate, changes, words):
    """With any file."""
    ran = validate(GOOD, **changes)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_a_file_that_is_not_there(validate):
    validate(GOOD)
    ran = run(["validate", "missing.toml"], "app")
    assert (ran.code, ran.out) == (2, "")
    assert "'missing.toml': No such file or directory" in ran.err


def test_an_app_that_was_made_before(validate, tmp_path):
    """As ``app.test_cli_runner()`` has it: it has read its own file by then."""
    own = tmp_path / "own.toml"
    own.write_text("max_age = 5\n")
    own.chmod(0o644)
    app = Flask("shop")
    app.config["CORSGUARD_SETTINGS_FILE"] = own
    CorsGuard(app)
    assert validate(GOOD, app=app).code == 0
    ran = validate("max_age = -1\n", app=app)
    assert ran.code == 1
    assert ran.out.startswith("new.toml: max_age: -1 is outside 0 to 86400")


@pytest.mark.slow
def test_in_a_process_of_its_own(tmp_path):
    """Configured by the environment."""
    source = APP.replace("app.config.update(CONFIG)", "app.config.from_prefixed_env()")
    source = source.replace("ARGUMENTS", "").replace("PREPARE", "")
    (tmp_path / "app.py").write_text(source)
    (tmp_path / "new.toml").write_text(GOOD)
    variables = {"FLASK_CORSGUARD_SETTINGS_FILE": "/not/on/this/machine.toml"}
    ran = flask(tmp_path, "cors", "validate", "new.toml", **variables)
    assert ran == (0, "new.toml: no problems.\n", "")


@pytest.mark.parametrize("page", ["configuration", "command-line"])
def test_the_examples_of_the_pages(validate, page):
    text = (REFERENCE / f"{page}.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    printed = re.findall(
        r"^\$ flask --app app cors validate new.toml\n(.*?)^```$", text, re.M | re.S
    )
    example += "" if printed else "[policies.own]\n"
    ran = validate(example)
    assert ran.out == ("".join(printed) or "new.toml: no problems.\n")
    assert ran.code == bool(printed)
