"""Every kind of finding, from the smallest module that gives it; and what a run exits with."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from flask_corsguard.migrate import CODES, migrate
from flask_corsguard.migrate.__main__ import main
from flask_corsguard.migrate.patterns import judge

HEAD = "from flask import Flask, Blueprint\nfrom flask_cors import CORS, cross_origin\n"
APP = f"{HEAD}app = Flask(__name__)\n"
VIEW = "@app.route('/x', methods=['GET', 'POST'])\ndef x(): return 'x'\n"
LIST = "origins=['https://app.example.com']"

# code -> modules, with "#!" at the line of each finding
FOUND: dict[str, list[str]] = {
    "unreadable_file": ["from flask_cors import CORS #!\nprint 'x'\n"],
    "misspelt_option": [
        f"{APP}CORS(app, orgins=['https://app.example.com']) #!\n",
        f"{APP}CORS(app, {LIST}, support_credentials=True) #!\n",
        f"{APP}app.config['CORS_ORIGIN'] = 'https://app.example.com' #!\nCORS(app)\n",
        f"{APP}CORS(app, origins={{r'/*': {{'origins': 'https://a.example'}}}}) #!\n",
        f"{APP}@app.get('/x')\n@cross_origin('https://a.example') #!\ndef x(): return 'x'\n",
        f"{APP}app.config['CORS_HEADERS'] = 'Content-Type' #!\nCORS(app)\n",
    ],
    "credentials_any_origin": [
        f"{APP}CORS(app, supports_credentials=True) #!\n",
        f"{APP}CORS(app, origins=['https://app.example.com', '*'], supports_credentials=True) #!\n",
        f"{APP}app.config['CORS_SUPPORTS_CREDENTIALS'] = True\nCORS(app) #!\n",
        f"import os\n{APP}o = os.environ.get('O', '*')\n"
        "CORS(app, origins=o, supports_credentials=True) #!\n",
        f"{APP}o = load()\nif app.debug:\n    o = '*'\n"
        "CORS(app, origins=o, supports_credentials=True) #!\n",
    ],
    "regex_without_end": [
        f"{APP}CORS(app, origins=r'https://app\\.example\\.com') #!\n",
        f"import re\n{APP}CORS(app, origins=re.compile(r'https://app\\.example\\.com')) #!\n",
    ],
    "regex_unescaped_dot": [f"{APP}CORS(app, origins='https://app.example.com$') #!\n"],
    "regex_too_wide": [
        f"{APP}CORS(app, origins=r'https?://.*') #!\n",
        f"{APP}CORS(app, origins=r'https://.*example\\.com$') #!\n",
    ],
    "regex_unclear": [f"{APP}CORS(app, origins=r'^(?!x)$') #!\n"],
    "glob": [
        f"{APP}CORS(app, origins='https://*.example.com') #!\n",
        f"{APP}CORS(app, origins=['http://localhost:*']) #!\n",
        f"{APP}CORS(app, origins='https://pr-*.example.com') #!\n",
        f"{APP}CORS(app, origins='https://*example.com') #!\n",
        f"{APP}x = ['https://a.example']\nx = x + ['https://*.a.example']\n"
        "CORS(app, origins=x) #!\n",
    ],
    "never_matches": [
        f"{APP}CORS(app, origins='https://app.example.com/') #!\n",
        f"{APP}CORS(app, origins=['https://app.example.com', 'file://']) #!\n",
        f"{APP}CORS(app, origins='https://a.example, https://b.example') #!\n",
        f"{APP}CORS(app, allow_headers='Content-Type, X-Token') #!\n",
    ],
    "null_origin": [f"{APP}CORS(app, origins=['https://app.example.com', 'null']) #!\n"],
    "refused": [
        f"{APP}CORS(app, origins='http://app.example.com', supports_credentials=True) #!\n",
        f"{APP}CORS(app, allow_headers=['Access-Control-Allow-Origin']) #!\n",
        f"{APP}CORS(app, {LIST}, supports_credentials='false') #!\n",
    ],
    "resources": [
        f"{APP}CORS(app, resources={{r'/api/*': {{'origins': '*'}}}}) #!\n@app.get('/apikeys')\n"
        "def keys(): return 'x'\n@app.get('/api/x')\ndef x(): return 'x'\n",
        f"{APP}CORS(app, resources=r'/api') #!\n@app.get('/api/x')\ndef x(): return 'x'\n",
        f"{APP}CORS(app, resources=r'/static/*') #!\n{VIEW}",
        f"{APP}CORS(app, resources=r'/api/*') #!\n@app.get('/api/x')\ndef x(): return 'x'\n"
        "@app.get('/<part>/y')\ndef y(part): return 'y'\n",
        f"{APP}CORS(app, resources={{'/api/*': {{'origins': 'https://a.b'}}, '/*': {{}}}}) #!\n"
        "@app.get('/api/x')\ndef x(): return 'x'\n"
        "@app.get('/<path:path>')\ndef page(path): return 'y'\n",
        f"{APP}CORS(app, resources={{}}) #!\n{VIEW}",
        f"{HEAD}app = Flask(__name__, static_url_path='/x/files')\n"
        f"CORS(app, resources=r'/x*') #!\n{VIEW}",
    ],
    "above_route": [f"{APP}CORS(app, {LIST})\n@cross_origin() #!\n{VIEW}"],
    "between": [
        f"{APP}@app.get('/x')\n@checked\n@cross_origin() #!\ndef x(): return 'x'\n",
    ],
    "same_url": [
        f"{APP}@app.get('/x')\ndef one(): return 'x'\n@app.put('/x')\n@cross_origin() #!\n"
        "def two(): return 'x'\n",
        f"{APP}@app.get('/x')\n@cross_origin() #!\ndef one(): return 'x'\n@app.put('/x')\n"
        f"@cross_origin({LIST})\ndef two(): return 'x'\n",
    ],
    "method_decorator": [
        f"{APP}class View:\n    @cross_origin() #!\n    def get(self): return 'x'\n",
        f"{APP}class View:\n    decorators = [cross_origin()] #!\n",
    ],
    "methods_safelisted": [f"{APP}CORS(app, methods=['GET', 'PUT']) #!\n{VIEW}"],
    "methods_wildcard": [f"{APP}CORS(app, methods='*') #!\n"],
    "own_preflight": [f"{APP}@app.get('/x')\n@cross_origin(automatic_options=False) #!\n"
        "def x(): pass\n",
        f"{APP}CORS(app, {LIST})\n@app.before_request #!\ndef f():\n    return 'x', 401\n",
        f"{APP}CORS(app, {LIST})\ndef f():\n    raise OSError\napp.before_request(f) #!\n",
        f"{HEAD}from flask import abort\napp = Flask(__name__)\nCORS(app, {LIST})\n"
        "@app.route('/x', methods=['PUT', 'OPTIONS'])\ndef x(): #!\n"
        "    if request.method == 'OPTIONS':\n        abort(403)\n    return 'x'\n",
        f"{APP}CORS(app, {LIST})\napp.add_url_rule('/x', provide_automatic_options=False) #!\n",
        f"{APP}app.config['PROVIDE_AUTOMATIC_OPTIONS'] = False #!\nCORS(app, {LIST})\n"],
    "header_regex": [f"{APP}CORS(app, allow_headers=['X-.*']) #!\n"],
    "header_by_hand": [
        f"{APP}CORS(app)\n@app.after_request\ndef f(r):\n"
        "    r.headers['Access-Control-Allow-Origin'] = '*' #!\n    return r\n",
        f"{APP}CORS(app)\n@app.after_request\ndef f(r):\n"
        "    r.headers.add('Access-Control-Allow-Headers', 'X') #!\n"
        "    r.headers.add('Access-Control-Allow-Methods', 'PUT')\n    return r\n",
        f"{APP}CORS(app)\ndef f(r):\n    r.access_control_allow_origin = '*' #!\n",
        f"{APP}CORS(app)\ndef f(r):\n    del r.headers['Access-Control-Allow-Origin'] #!\n",
        f"{APP}CORS(app)\ndef f(h):\n    h.startswith('access-control-') #!\n",
        f"{APP}CORS(app)\nNAME = 'Access-Control-Allow-Origin' #!\n",
    ],
    "several_calls": [
        f"{APP}CORS(app)\nCORS(app, {LIST}) #!\n",
        f"{APP}@app.get('/x')\n@cross_origin()\n@cross_origin({LIST}) #!\ndef x(): pass\n",
    ],
    "overlap": [
        f"{APP}bp = Blueprint('b', __name__)\nCORS(app)\nCORS(bp, {LIST}) #!\n",
    ],
    "conditional": [
        f"{APP}if app.debug:\n    CORS(app, {LIST}) #!\n"
        "@app.get('/x')\n@cross_origin()\ndef x(): pass\n",
        f"{APP}def f():\n    CORS(app, {LIST}) #!\nif app.debug:\n    f()\n"
        "@app.get('/x')\n@cross_origin()\ndef x(): pass\n",
    ],
    "config_unclear": [
        f"{APP}app.config.__setitem__('CORS_ORIGINS', 'https://a.example') #!\nCORS(app)\n",
        f"{APP}getattr(app, 'config').update(x()) #!\nCORS(app)\n",
        f"{APP}x = {{'CORS_ORIGINS': 'https://a.example'}} #!\napp.config.update(x)\nCORS(app)\n",
        f"{APP}app.config['CORS_ORIGINS'], x = 'https://a.example', 1 #!\nCORS(app)\n",
        f"{HEAD}class Config:\n    def __init__(self):\n"
        "        self.CORS_ORIGINS = 'https://a.example' #!\n"
        "app = Flask(__name__)\napp.config.from_object(Config())\nCORS(app)\n",
        f"{HEAD}class Config:\n    @property\n    def CORS_ORIGINS(self): return 'x' #!\n"
        "app = Flask(__name__)\napp.config.from_object(Config())\nCORS(app)\n",
        f"{APP}CORS(app)\napp.config['CORS_ORIGINS'] = 'https://app.example.com' #!\n",
        f"{APP}app.config.from_prefixed_env() #!\nCORS(app)\n",
        f"{APP}app.config['CORS_ORIGINS'] = 'https://a.example' #!\n"
        "@app.get('/x')\n@cross_origin()\ndef x(): pass\n",
    ],
    "no_app": [
        f"{HEAD}bp = Blueprint('b', __name__)\n@bp.get('/x')\n@cross_origin() #!\ndef x(): pass\n",
    ],
    "unreadable": [
        f"{APP}CORS(app, {LIST}, supports_credentials=flag()) #!\n",
        f"{APP}CORS(app, **options()) #!\n",
        f"{APP}x = {{'origins': '*'}}\nx['origins'] = 'https://a.example'\nCORS(app, **x) #!\n",
        f"{APP}x = {{}}\nx.update(origins='https://a.example')\nCORS(app, **x) #!\n",
        f"{APP}x = {{'/*': {{'origins': '*'}}}}\nx['/*']['origins'] = 'https://a.example'\n"
        "CORS(app, resources=x) #!\n",
        f"{APP}x = {{'origins': '^https://a\\\\.example$'}}\n"
        "CORS(app, origins=x.get('origins')) #!\n",
        f"{APP}x = ['https://a.example']\nx.append(r'^https://b\\.example$')\n"
        "CORS(app, origins=x) #!\n",
        f"{APP}def f(x):\n    CORS(app, origins=x) #!\nf([r'^https://b\\.example$'])\n",
        f"{APP}CORS(app, origins=(x for x in ['https://a.example'])) #!\n",
    ],
    "unusual_use": [
        f"{APP}make = [CORS] #!\n",
        f"{APP}@app.get('/x')\n@cross_origin #!\ndef x(): pass\n",
        f"{APP}for one in ():\n    CORS(one) #!\n",
    ],
}  # fmt: skip
CASES = [(code, text) for code, texts in FOUND.items() for text in texts]


def test_every_code_is_tried() -> None:
    assert list(FOUND) == list(CODES)


@pytest.mark.parametrize(("code", "text"), CASES)
def test_the_place_is_left_alone(code: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(text)
    migration = migrate(tmp_path)
    lines = text.splitlines()
    wanted = [(code, number) for number, line in enumerate(lines, 1) if line.endswith("#!")]
    assert [(finding.code, finding.line) for finding in migration.findings] == wanted
    after = migration.files[0].after.decode().splitlines() if migration.files else lines
    assert [line for line in lines if line.endswith("#!")] == [
        line for line in after if line.endswith("#!")
    ]
    assert bool(migration.files) == all(finding.local for finding in migration.findings)


BOOKS = "@app.get('/api/x')\ndef x(): return 'x'\n@app.get('/apikeys')\ndef keys(): return 'x'\n"
# Who can do what: the module, and what its findings say of today
WORDS = [
    (
        f"{APP}CORS(app, resources=r'/api/*')\n{BOOKS}",
        ["any site on the web may read /api/x, /apikeys; /static/<path:filename> is closed: no site"
         " can read it."],
    ),
    (
        f"{APP}CORS(app, resources=r'/api*', {LIST}, supports_credentials=True)\n{BOOKS}"
        "@app.get('/y')\ndef y(): return 'y'\n",
        [f"the sites of {LIST.partition('=')[2]}, as whoever is signed in, may read /api/x,"
         " /apikeys; /static/<path:filename>, /y are closed: no site can read them."],
    ),
    (
        f"{APP}CORS(app, resources=r'/books/*')\n",
        ["/static/<path:filename> is closed: no site can read it."],
    ),
    (
        f"{APP}@app.get('/x')\ndef one(): return 'x'\n@app.put('/x')\n@cross_origin()\n"
        "def two(): return 'x'\n",
        ["the view that is registered first answers the preflights for both: a site may send to"
         " either what that one allows (one, which has no CORS: no site can send what needs a"
         " preflight). The guard keeps them apart."],
    ),
    (
        f"{APP}@cross_origin()\n@app.get('/x')\ndef one(): return 'x'\n@app.put('/x')\n"
        "@cross_origin()\ndef two(): return 'x'\n",
        ["the sites that CORS(app) allows may read it; without that, no site may.",
         "the view that is registered first answers the preflights for both: a site may send to"
         " either what that one allows (one, which has no CORS: no site can send what needs a"
         " preflight). The guard keeps them apart."],
    ),
    (
        f"{APP}CORS(app)\n@app.after_request\ndef f(r):\n"
        "    r.headers['Access-Control-Allow-Origin'] = '*'\n    return r\n",
        ["a site that such an Access-Control-Allow-Origin names may read the answers, any site on"
         " the web where it is '*'; no site may where Flask-CORS sends one too."],
    ),
    (
        f"{APP}CORS(app, origins=app.config.get('O', '*'), supports_credentials=True)\n",
        ["if it is '*', any site on the web acts as whoever is signed in, with the user's"
         " cookies."],
    ),
    (
        f"{APP}app.config['CORS_HEADERS'] = 'Content-Type'\nCORS(app)\n",
        ["the sites that may read may send any request header, where allow_headers is not given."],
    ),
    (
        f"{HEAD}bp = Blueprint('b', __name__)\n@bp.get('/y')\n@cross_origin(orgins='x')\n"
        "def y(): pass\n@bp.get('/x')\n@cross_origin('x')\ndef x(): pass\n",
        ["the origins of the decorators may read; with marks and no guard, no site might.",
         "any site on the web may read the answers, as if no origins were given.",
         "any site on the web may read the answers, as if no origins were given."],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "today"), WORDS)
def test_who_can_do_what(text: str, today: list[str], tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(text)
    assert [finding.today for finding in migrate(tmp_path).findings] == today


# What a finding says of an origin is true: entry -> the origin that it names
NAMED = {
    r"https://app\.example\.com": "https://app.example.com.attacker.example",
    r"http://localhost:*": "http://localhost.attacker.example",
    "https://app.example.com$": "https://appxexample.com",
    r"^https://a\.com$|https://b\.com": "https://b.com.attacker.example",
}


@pytest.mark.parametrize("text", NAMED)
def test_the_origin_that_a_finding_names_is_let_in(text: str) -> None:
    assert NAMED[text] in judge(text).today
    assert re.match(text, NAMED[text], re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://App.Example.com", '"https://app.example.com"'),
        (r"^https://.*\.example\.com$", '"https://*.example.com"'),
        (r"https://app\.example\.com:8443\Z", '"https://app.example.com:8443"'),
        (r"http://localhost:\d+", r're.compile(r"http://localhost:\d+")'),
        (
            r"https://[A-Z]+\.example\.com$",
            r're.compile(r"https://[A-Z]+\.example\.com$", re.IGNORECASE)',
        ),
        (r"^https://pr-[a-z0-9-]+\.example\.com$", '"https://pr-*.example.com"'),
        (r"https://[-a-z0-9]+--x\.a\.example\.com\Z", '"https://*--x.a.example.com"'),
        # A wildcard would let in more, or less.
        *(
            (text, f're.compile(r"{text}")')
            for text in (
                r"https://[a-z0-9-]+\.example\.com$",
                r"https://pr-[a-z0-9]+\.example\.com$",
                r"https://pr-\d+\.example\.com$",
                r"http://pr-[a-z0-9-]+\.example\.com$",
            )
        ),
        # It is said to let in too many, as it does; the guard may refuse the wildcard.
        (r"https://pr-[a-z0-9-]+\.github\.io$", ""),
        (r"https://pr-[a-z0-9-]+\.co\.uk$", ""),
        (".*", '"*"'),
    ],
)  # fmt: skip
def test_what_means_the_same(text: str, code: str) -> None:
    assert judge(text).code == code


class TestCommand:
    def test_no_such_path(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["no-such-place"]) == 2
        assert "no-such-place" in capsys.readouterr().err

    def test_without_libcst(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        original = builtins.__import__

        def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.partition(".")[0] == "libcst":
                raise ModuleNotFoundError("No module named 'libcst'", name="libcst")
            return original(name, *args, **kwargs)

        for name in list(sys.modules):
            if name.startswith(("libcst", "flask_corsguard.migrate.")) and not name.endswith(
                "main__"
            ):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(builtins, "__import__", refuse)
        assert main(["."]) == 2
        assert 'pip install "flask-corsguard[migrate]"' in capsys.readouterr().err

    def test_nothing_to_do(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([str(tmp_path), "--write"]) == 0
        assert capsys.readouterr().out == "Nothing uses Flask-CORS here.\n"
