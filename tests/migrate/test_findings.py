"""Every kind of finding, from the smallest module that gives it; and what is carried over with a
note instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flask_corsguard.migrate import CODES, migrate
from flask_corsguard.migrate.__main__ import main

HEAD = "from flask import Flask, Blueprint\nfrom flask_cors import CORS, cross_origin\n"
APP = f"{HEAD}app = Flask(__name__)\n"
VIEW = "@app.route('/x', methods=['GET', 'POST'])\ndef x(): return 'x'\n"
LIST = "origins=['https://app.example.com']"

# code -> modules, with "#!" at the line of each finding
FOUND: dict[str, list[str]] = {
    "unreadable_file": ["from flask_cors import CORS #!\nprint 'x'\n"],
    "misspelt_option": [
        f"{APP}CORS(app, orgins=['https://app.example.com']) #!\n",
        f"{APP}CORS(app, resource={{r'/api/*': {{'origins': '*'}}}}) #!\n",
        f"{APP}CORS(app, resources={{r'/*': {{'origin': 'https://a.example'}}}}) #!\n",
        f"{APP}@app.get('/x')\n@cross_origin('https://a.example') #!\ndef x(): return 'x'\n",
    ],
    "credentials_any_origin": [
        f"{APP}CORS(app, supports_credentials=True) #!\n",
        f"{APP}CORS(app, origins=['https://app.example.com', '*'], supports_credentials=True) #!\n",
        f"{APP}app.config['CORS_SUPPORTS_CREDENTIALS'] = True\nCORS(app) #!\n",
        f"{APP}@app.get('/x')\n@cross_origin(supports_credentials=True) #!\ndef x(): return 'x'\n",
    ],
    "regex_unescaped_dot": [f"{APP}CORS(app, origins=r'^https://pr-\\d+.example\\.com$') #!\n"],
    "regex_too_wide": [f"{APP}CORS(app, origins=r'https?://.*') #!\n"],
    "glob": [
        f"{APP}CORS(app, origins='https://*.example.com') #!\n",
        f"{APP}CORS(app, origins='https://pr-*.example.com') #!\n",
        f"{APP}CORS(app, origins='https://*example.com') #!\n",
    ],
    "null_origin": [f"{APP}CORS(app, origins=['https://app.example.com', 'null']) #!\n"],
    "refused": [
        f"{APP}CORS(app, origins='http://app.example.com', supports_credentials=True) #!\n",
        f"{APP}CORS(app, origins=r'https://.*example\\.com$') #!\n",
        f"{APP}CORS(app, {LIST}, supports_credentials='false') #!\n",
    ],
    "resources": [f"{APP}CORS(app, resources=7) #!\n"],
    "header_by_hand": [
        f"{APP}@app.after_request\ndef f(r):\n"
        "    del r.headers['Access-Control-Allow-Origin'] #!\n    return r\nCORS(app)\n",
    ],
    "unusual_use": [
        f"{APP}@app.get('/x')\n@cross_origin #!\ndef x(): return 'x'\n",
        f"{APP}@app.get('/x')\n@cross_origin() #!\n@cross_origin({LIST}) #!\n"
        "def x(): return 'x'\n",
        "from flask_cors.core import get_cors_headers #!\n",
    ],
}  # fmt: skip
CASES = [(code, text) for code, texts in FOUND.items() for text in texts]
# What reading the files, or comparing the app before and after, finds: test_files, test_command.
ELSEWHERE = {"left_out", "wider"}


def test_every_code_is_tried() -> None:
    assert [code for code in CODES if code not in ELSEWHERE] == list(FOUND)


@pytest.mark.parametrize(("code", "text"), CASES)
def test_the_place_is_left_alone(code: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(text)
    migration = migrate(tmp_path)
    lines = text.splitlines()
    wanted = [(code, number) for number, line in enumerate(lines, 1) if line.endswith("#!")]
    assert [(finding.code, finding.line) for finding in migration.findings] == wanted
    assert migration.files == ()
    for finding in migration.findings:
        assert finding.today
        assert finding.choices
        assert "\n" not in finding.message


def test_what_else_is_left_alone_is_named(tmp_path: Path) -> None:
    text = (
        f"{APP}{VIEW}CORS(app, resources=7)\n@app.get('/y')\n@cross_origin()\ndef y(): return ''\n"
    )
    (tmp_path / "app.py").write_text(text)
    migration = migrate(tmp_path)
    assert [finding.line for finding in migration.findings] == [6]
    [note] = migration.notes
    assert note.endswith(f"a finding: {tmp_path / 'app.py'}:8.")


COMPAT = "flask_corsguard.compat"
CALL = f"CorsGuard(app, {LIST}, allow_headers=['*', 'Authorization']"
# What becomes of a module: the line of a note about it, what the note says, and the new code
CARRIED = [
    (f"{APP}CORS(app, {LIST}, support_credentials=True)\n", 4, "ignores it", f"{CALL})"),
    (f"{APP}app.config['CORS_HEADERS'] = 'Content-Type'\nCORS(app, {LIST})\n", 0, "", f"{CALL})"),
    (
        f"import os\n{APP}o = os.environ.get('O', '*')\n"
        "CORS(app, origins=o, supports_credentials=True)\n",
        6, COMPAT, "CORS(app, origins=o, supports_credentials=True)",
    ),
    (
        f"{APP}o = load()\nif app.debug:\n    o = '*'\n"
        "CORS(app, origins=o, supports_credentials=True)\n",
        7, COMPAT, "CORS(app, origins=o, supports_credentials=True)",
    ),
    (
        f"{APP}CORS(app, origins=r'https://app\\.example\\.com')\n",
        4, "allows no more", f"{CALL})",
    ),
    (
        f"{APP}CORS(app, origins='^https://app.example.com$')\n", 4, "allows no more", f"{CALL})",
    ),
    (
        f"{APP}CORS(app, origins=['http://localhost:*'])\n",
        4, "allows no more", "origins=['http://localhost:*']",
    ),
    (
        f"{APP}CORS(app, origins=['https://app.example.com', 'https://b.example/'])\n",
        4, "allows nobody today, and is removed", f"{CALL})",
    ),
    (
        f"{APP}CORS(app, origins='https://a.example, https://b.example')\n",
        4, "is a single string", "CorsGuard(app, origins=[], ",
    ),
    (
        f"{APP}CORS(app, {LIST}, allow_headers='Content-Type, X-Token')\n",
        4, "not the name of a header", "allow_headers=[]",
    ),
    (f"{APP}CORS(app, {LIST}, allow_headers=['X-.*'])\n", 4, "not the name", "allow_headers=[]"),
    (
        f"{APP}CORS(app, {LIST}, allow_headers=['Access-Control-Allow-Origin', 'X-Token'])\n",
        4, "is removed", "allow_headers=['X-Token']",
    ),
    (
        f"{APP}CORS(app, resources=r'/api/*', {LIST})\n",
        4, "/apix", f"guard.for_path('/api', {LIST}",
    ),
    (
        f"{APP}CORS(app, resources=r'/api')\n",
        4, "covers that one path", "CORS(app, resources=r'/api')",
    ),
    (
        f"{APP}CORS(app, resources=r'/api/(?!x)')\n",
        4, "no list of path prefixes", "CORS(app, resources=r'/api/(?!x)')",
    ),
    (f"{APP}CORS(app, resources={{}})\n{VIEW}", 0, "", "CorsGuard(app)"),
    (f"{APP}CORS(app, {LIST})\n@cross_origin()\n{VIEW}", 5, "above the route", f"{CALL})"),
    (
        f"{APP}@app.get('/x')\n@checked\n@cross_origin()\ndef x(): return 'x'\n",
        6, "@checked", "@cross_origin()",
    ),
    (
        f"{APP}@app.get('/x')\ndef one(): return 'x'\n@app.put('/x')\n@cross_origin()\n"
        "def two(): return 'x'\n",
        7, "another view is at", "@cross_origin()",
    ),
    (
        f"{APP}class View:\n    @cross_origin()\n    def get(self): return 'x'\n",
        5, "on a method", "@cross_origin()",
    ),
    (f"{APP}class View:\n    decorators = [cross_origin()]\n", 5, COMPAT, "= [cross_origin()]"),
    (f"{APP}CORS(app, methods=['GET', 'PUT'])\n", 4, COMPAT, "CORS(app, methods=['GET', 'PUT'])"),
    (
        f"{APP}CORS(app, {LIST}, methods='*')\n",
        4, "the name of a method", "methods=['GET', 'HEAD', 'POST']",
    ),
    (
        f"{APP}@app.get('/x')\n@cross_origin(automatic_options=False)\ndef x(): return 'x'\n",
        5, COMPAT, "@cross_origin(automatic_options=False)",
    ),
    (
        f"{APP}CORS(app, {LIST})\n@app.before_request\ndef f():\n    return 'x', 401\n",
        5, "may refuse them", f"{CALL}, answer_preflight=False)",
    ),
    (
        f"{APP}CORS(app, {LIST})\ndef f():\n    raise OSError\napp.before_request(f)\n",
        7, "may refuse them", f"{CALL}, answer_preflight=False)",
    ),
    (
        f"{APP}CORS(app, {LIST})\n@app.route('/x', methods=['PUT', 'OPTIONS'])\ndef x(): pass\n",
        5, "respond to OPTIONS", f"{CALL}, answer_preflight=False)",
    ),
    (
        f"{APP}CORS(app, {LIST})\n@app.after_request\ndef f(r):\n"
        "    r.headers['Access-Control-Allow-Origin'] = '*'\n    return r\n",
        7, "by hand",
        f"{CALL}, answer_preflight=False, dangerously_let_views_override=True)",
    ),
    (
        f"{APP}CORS(app, {LIST})\ndef f(r):\n    r.access_control_allow_origin = '*'\n",
        6, "by hand",
        f"{CALL}, answer_preflight=False, dangerously_let_views_override=True)",
    ),
    (
        f"{APP}CORS(app)\nCORS(app, {LIST})\n", 4, "twice", f"CORS(app, {LIST})",
    ),
    (
        f"{APP}bp = Blueprint('b', __name__)\nCORS(app)\nCORS(bp, {LIST})\n",
        6, COMPAT, f"CORS(bp, {LIST})",
    ),
    (
        f"{APP}CORS(app)\napp.config['CORS_ORIGINS'] = 'https://a.example'\n",
        5, "no effect after", "CorsGuard(app, origins='*'",
    ),
    (
        f"{APP}app.config.from_prefixed_env()\nCORS(app)\n",
        0, "CORS_ keys that are not visible here", "compat import CORS, cross_origin",
    ),
    (
        f"{APP}CORS(app, {LIST}, supports_credentials=flag())\n",
        4, COMPAT, f"CORS(app, {LIST}, supports_credentials=flag())",
    ),
    (f"{APP}CORS(app, **options())\n", 4, COMPAT, "CORS(app, **options())"),
    (
        f"{APP}x = {{'origins': '*'}}\nx['origins'] = 'https://a.example'\nCORS(app, **x)\n",
        6, COMPAT, "CORS(app, **x)",
    ),
    (
        f"{APP}x = ['https://a.example']\nx.append('https://b.example')\nCORS(app, origins=x)\n",
        6, COMPAT, "CORS(app, origins=x)",
    ),
    (f"{APP}make = [CORS]\n", 4, COMPAT, "make = [CORS]"),
    (f"{APP}for one in ():\n    CORS(one)\n", 5, COMPAT, "CORS(one)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words", "code"), CARRIED)
def test_it_is_carried_over(text: str, line: int, words: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(text)
    migration = migrate(tmp_path)
    assert migration.findings == ()
    if words:
        place = f"{path}:{line}: " if line else ""
        noted = [note for note in migration.notes if note.startswith(place)]
        assert any(words in note for note in noted), migration.notes
    else:
        assert migration.notes == ()
    after = migration.files[0].after.decode()
    assert level(code) in level(after)
    assert not re.search(r"\bflask_cors\b", after)


def level(code: str) -> str:
    """Without what a formatter decides on."""
    plain = re.sub(r"\s+", " ", code.replace('"', "'"))
    return re.sub(r",? (?=[)\]])", "", plain.replace("( ", "("))


# Who can do what: the module, and what its findings say of today
WORDS = [
    (
        f"{APP}CORS(app, resources=7)\n",
        ["the listed origins may read what it matches; no site may read the rest."],
    ),
    (
        f"{APP}CORS(app, supports_credentials=True)\n",
        ["any site on the web can send requests with the user's cookies and read the responses:"
         " it can act as the signed-in user."],
    ),
    (
        f"{APP}CORS(app, origins=['https://app.example.com/', 'null'])\n",
        ["any site can send it from a sandboxed frame, and read the responses."],
    ),
    (
        f"{HEAD}bp = Blueprint('b', __name__)\n@bp.get('/y')\n@cross_origin(orgins='x')\n"
        "def y(): pass\n@bp.get('/x')\n@cross_origin('x')\ndef x(): pass\n",
        ["any site on the web may read the responses, as if no option were given."] * 2,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "today"), WORDS)
def test_who_can_do_what(text: str, today: list[str], tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(text)
    assert [finding.today for finding in migrate(tmp_path).findings] == today


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (r"^https://pr-\d+.example\.com$", "https://pr-1xexample.com"),
        (r"https?://.*", "https://x.corsguard-audit.invalid"),
    ],
)
def test_the_origin_that_a_finding_names_is_let_in(text: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"{APP}CORS(app, origins={text!r})\n")
    (finding,) = migrate(tmp_path).findings
    assert f"also matches {named}" in finding.message
    assert finding.today.startswith(f"{named} may read")
    assert re.match(text, named, re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://App.Example.com", '"https://app.example.com"'),
        (r"^https://.*\.example\.com$", '"https://*.example.com"'),
        (r"https://app\.example\.com:8443\Z", '"https://app.example.com:8443"'),
        (
            r"https://[A-Z]+\.example\.com$",
            r're.compile(r"https://[A-Z]+\.example\.com$", re.IGNORECASE)',
        ),
        # A wildcard would let in more, or less.
        *(
            (text, f're.compile(r"{text}")')
            for text in (
                r"https://[a-z0-9-]+\.example\.com$",
                r"https://pr-[a-z0-9]+\.example\.com$",
                r"https://pr-\d+\.example\.com$",
            )
        ),
    ],
)  # fmt: skip
def test_what_means_the_same(text: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"{APP}CORS(app, origins={text!r})\n")
    (file,) = migrate(tmp_path).files
    assert f"origins=[{code}]" in file.after.decode()


def test_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--write"]) == 0
    assert capsys.readouterr().out == "Nothing uses Flask-CORS here.\n"
