"""What is recorded of an app that uses Flask-CORS."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_cors.core
import pytest

from flask_corsguard.compare.app_process import AppProcess
from flask_corsguard.migrate.recorder import Recorded, Unknown

DEFAULTS = dict(flask_cors.core.DEFAULT_OPTIONS)
WATCH = "flask_corsguard.migrate.recorder:watch"
HEAD = "from flask import Flask, Blueprint\nfrom flask_cors import CORS, cross_origin\n"
APP = "app = Flask('shop', static_folder=None)\n"


def recorded(directory: Path, code: str) -> list[Recorded]:
    """What is recorded of an app whose code begins in line 3."""
    (directory / "shop.py").write_text(f"{HEAD}{code}")
    with AppProcess(str(directory / "shop.py"), watch=WATCH) as process:
        calls = process.description.watched
    assert {call.path for call in calls} <= {str(directory / "shop.py")}
    return calls


def changed(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are not the defaults."""
    assert options.keys() >= DEFAULTS.keys()
    return {k: v for k, v in options.items() if k not in DEFAULTS or v != DEFAULTS[k]}


@pytest.mark.parametrize(
    ("code", "line", "kind", "target", "options", "given"),
    [
        ("CORS(app)", 4, "app", "shop", {}, {}),
        ("CORS(app, origins='https://a')", 4, "app", "shop", {"origins": "https://a"}, {"origins": "https://a"}),
        ("\nCORS(\n    app=app,\n)", 5, "app", "shop", {}, {}),
        (
            "app.config |= {'CORS_ORIGINS': 'https://c', 'CORS_MAX_AGE': None}\n"
            "app.config['CORS_HEADERS'] = 'A'\nCORS(app)",
            6, "app", "shop", {"origins": "https://c"}, {},
        ),
        # The call counts more than the configuration.
        (
            "app.config['CORS_ORIGINS'] = 'https://c'\nCORS(app, origins=['https://a'])",
            5, "app", "shop", {"origins": ["https://a"]}, {"origins": ["https://a"]},
        ),
        (
            "api = Blueprint('api', 'shop')\nCORS(api, max_age=5)\napp.register_blueprint(api)",
            5, "blueprint", "api", {"max_age": 5}, {"max_age": 5},
        ),
        (
            "class Mine(CORS):\n    def __init__(self, app):\n"
            "        super().__init__(app, max_age=5)\nMine(app)",
            6, "app", "shop", {"max_age": 5}, {"max_age": 5},
        ),
        (
            "@app.get('/')\n@cross_origin(\n    origins='https://v')\ndef view(): return ''",
            5, "view", "shop.view", {"origins": "https://v"}, {"origins": "https://v"},
        ),
        # The view reads the configuration in each request.
        (
            "@app.get('/')\n@cross_origin()\ndef view(): return ''\napp.config['CORS_MAX_AGE'] = 7",
            5, "view", "shop.view", {"max_age": 7}, {},
        ),
        (
            "allowed = cross_origin(max_age=5)\n"
            "class Views:\n    @allowed\n    def view(): return ''",
            4, "view", "shop.Views.view", {"max_age": 5}, {"max_age": 5},
        ),
    ],
)  # fmt: skip
def test_one_call(
    tmp_path: Path,
    code: str,
    line: int,
    kind: str,
    target: str,
    options: Mapping[str, Any],
    given: Mapping[str, Any],
) -> None:
    (call,) = recorded(tmp_path, f"{APP}{code}\n")
    assert (call.line, call.kind, call.target, call.constructed) == (line, kind, target, None)
    assert (changed(call.options), call.given) == (options, given)


def test_a_constructor_and_init_app(tmp_path: Path) -> None:
    code = f"cors = CORS(max_age=5, origins='https://a')\n{APP}cors.init_app(app, max_age=6)\n"
    (call,) = recorded(tmp_path, code)
    assert (call.line, call.given) == (5, {"max_age": 6})
    constructed = {"max_age": 5, "origins": "https://a"}
    assert call.constructed == (call.path, 3, constructed)
    assert changed(call.options) == {"max_age": 6, "origins": "https://a"}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ("", [("/*", {})]),
        ("resources='/api/*'", [("/api/*", {})]),
        ("resources=['/a', re.compile('/b')]", [("/a", {}), (re.compile("/b"), {})]),
        (
            "resources={r'/a/.*': {'origins': 'https://a'}, '/b': {}}",
            [(r"/a/.*", {"origins": "https://a"}), ("/b", {})],
        ),
    ],
)
def test_resources(
    tmp_path: Path, resources: str, expected: list[tuple[Any, dict[str, Any]]]
) -> None:
    """Each has all of its options, after the call's."""
    (call,) = recorded(tmp_path, f"import re\n{APP}CORS(app, max_age=5, {resources})\n")
    found = [(pattern, changed(options)) for pattern, options in call.resources]
    for _, options in found:
        options.pop("resources", None)
    assert found == [(pattern, {"max_age": 5, **options}) for pattern, options in expected]


def test_values(tmp_path: Path) -> None:
    """Those that cannot be handed to another process are in words, and the app keeps its own."""
    code = (
        "from datetime import timedelta\nfrom enum import StrEnum\nimport re\n"
        "class Site(StrEnum):\n    A = 'https://a'\n"
        "class Odd:\n    def __iter__(self): return iter(['https://o'])\n"
        "    def __repr__(self): return 'Odd()'\n"
        f"{APP}"
        "def three(): yield 'https://3'\n"
        "CORS(app, origins=[Site.A, re.compile('x')], max_age=timedelta(1), methods=Odd(),\n"
        "     expose_headers=three(), allow_headers={'A'}, resources={'/': {'origins': three()}})\n"
        "app.config['READ'] = app.after_request_funcs[None][0] is not None\n"
    )
    (call,) = recorded(tmp_path, code)
    assert call.options["origins"] == ["https://a", re.compile("x")]
    assert [type(each) for each in call.options["origins"]] == [str, re.Pattern]
    assert call.options["max_age"] == timedelta(1)
    assert call.options["methods"] == Unknown("Odd()")
    assert call.options["allow_headers"] == {"A"}
    assert call.options["expose_headers"].text.startswith("<generator object three at ")
    assert isinstance(call.resources[0][1]["origins"], Unknown)


def test_what_fails_in_the_recording_is_not_noticed(tmp_path: Path) -> None:
    code = (
        "class Failing(dict):\n    def items(self): raise RuntimeError\n"
        f"{APP}CORS(app, unknown=Failing(), origins='https://a')\n"
        "assert app.test_client().get('/').headers['Access-Control-Allow-Origin'] == 'https://a'\n"
        "class View:\n    def __call__(self): return ''\n"
        "cross_origin()(View())\n"
    )
    assert recorded(tmp_path, code) == []


def test_what_fails_in_flask_cors_fails_as_before(tmp_path: Path) -> None:
    code = (
        f"{APP}\ntry:\n    CORS(app, resources=5)\nexcept ValueError:\n    app.config['OK'] = 1\n"
    )
    recorded(tmp_path, f"{code}assert app.config['OK']\n")


def test_a_copy_of_flask_cors_in_the_app(tmp_path: Path) -> None:
    """It is the one that is watched, as it is the one that is imported."""
    package = tmp_path / "flask_cors"
    package.mkdir()
    for file in Path(flask_cors.__file__).parent.glob("*.py"):
        (package / file.name).write_text(file.read_text("utf-8"), "utf-8")
    code = f"import flask_cors; assert flask_cors.__file__.startswith({str(tmp_path)!r})\n"
    (call,) = recorded(tmp_path, f"{code}{APP}CORS(app)\n")
    assert (call.line, call.kind) == (5, "app")


def test_without_flask_cors(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        f"import sys\nfrom flask import Flask\n{APP}assert 'flask_cors' not in sys.modules\n"
    )
    with AppProcess(str(tmp_path / "shop.py"), watch=WATCH) as process:
        assert process.description.watched == []
