"""What a browser sees before and after the migration is the same.

Each case is the text of one module. Both versions run, and the simulated browser asks both the
same.
"""

from __future__ import annotations

import logging
import types
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from flask_corsguard.migrate import migrate
from flask_corsguard.migrate.files import write_files
from flask_corsguard.testing import Browser

HEAD = "from flask import Flask, Blueprint, abort\nfrom flask_cors import CORS, cross_origin\n"
APP = HEAD + "app = Flask(__name__)\n"
VIEWS = """
@app.route("/x", methods=["GET", "POST", "PUT"])
def x(): return "x", {"X-Total": "1"}
@app.get("/missing")
def missing(): abort(404)
"""
API = """
@app.route("/api/users", methods=["GET", "POST", "PUT"])
def users(): return "x"
@app.get("/admin")
def admin(): return "x"
"""
BLUEPRINT = """
@api.route("/users", methods=["GET", "PUT"])
def users(): return "x"
@app.get("/admin")
def admin(): return "x"
app.register_blueprint(api, url_prefix="/api")
"""
LIST = '["https://app.example.com", "http://localhost:3000"]'

# name -> the module
MIGRATED = {
    "all": f"{APP}CORS(app){VIEWS}",
    "list": f"{APP}CORS(app, origins={LIST}){VIEWS}",
    "credentials": (
        f"{APP}CORS(app, origins=['https://app.example.com'], supports_credentials=True){VIEWS}"
    ),
    "subdomains": f"{APP}CORS(app, origins=r'^https://.*\\.example\\.com$'){VIEWS}",
    "any port": f"{APP}CORS(app, origins=[r'http://localhost:\\d+$']){VIEWS}",
    "upper case": f"{APP}CORS(app, origins='https://App.Example.com'){VIEWS}",
    "headers": (
        f"{APP}CORS(app, origins={LIST}, allow_headers=['X-Token'], expose_headers='X-Total')"
        f"{VIEWS}"
    ),
    "methods": f"{APP}CORS(app, origins={LIST}, methods=['get', 'post']){VIEWS}",
    "own login_required": (
        f"{APP}def login_required(f):\n    def w(*a, **k): abort(401)\n"
        f"    w.__name__ = f.__name__\n"
        f"    w.required_methods = f.required_methods\n"
        f"    w.provide_automatic_options = False\n    return w\n"
        f"@app.route('/x', methods=['GET', 'PUT'])\n@login_required\n@cross_origin()\n"
        f"def x(): return 'x'\n"
    ),
    "two views at one URL": (
        f"{APP}@app.get('/x')\ndef g(): return 'g'\n"
        f"@app.put('/x')\n@cross_origin()\ndef p(): return 'p'\n"
    ),
    "two views at one URL, by a constant": (
        f"{APP}URL = '/x'\n@app.get(URL)\ndef g(): return 'g'\n"
        f"@app.put('/x')\n@cross_origin()\ndef p(): return 'p'\n"
    ),
    "a key beside resources": (
        f"{APP}app.config['CORS_ORIGINS'] = {LIST}\nCORS(app, resources={{'/api/*': {{}}}}){API}"
    ),
    "a name that another function has": (
        f"{APP}def CORS(app, **options): pass\nCORS(app, origins='*'){VIEWS}"
        "@app.get('/admin')\n@cross_origin()\ndef admin(): return 'x'\n"
    ),
    "a decorator that does not show": (
        f"{APP}CORS(app)\n@app.get('/x')\n"
        f"@cross_origin(origins={LIST} if True else '*')\ndef x(): return 'x'\n"
    ),
    "a decorator that does not show, for GET": (
        f"{APP}D = 'example.com'\nCORS(app)\n@app.get('/x')\n"
        "@cross_origin(origins=f'https://app.{D}', methods='GET')\ndef x(): return 'x'\n"
    ),
    "a header that a view writes beside the decorator": (
        f"{APP}CORS(app)\n@app.get('/x')\n@cross_origin(origins={LIST})\n"
        "def x(): return 'x', {'Access-Control-Allow-Origin': '*'}\n"
    ),
    "origins for each of the resources, and credentials": (
        f"{APP}def own(): return {LIST}\n"
        f"CORS(app, resources={{'/*': {{'origins': own()}}}}, supports_credentials=True){VIEWS}"
    ),
    "star in a list": f"{APP}CORS(app, origins=['https://app.example.com', '*']){VIEWS}",
    "no-ops": f"{APP}CORS(app, send_wildcard=True, vary_header=False, always_send=False){VIEWS}",
    "spread": f"{APP}options = dict(origins={LIST}, max_age=60)\nCORS(app, **options){VIEWS}",
    "all resources": f"{APP}CORS(app, resources={{r'/*': {{'origins': {LIST}}}}}){VIEWS}",
    "views of a path": f"{APP}CORS(app, resources={{r'/api/*': {{'origins': {LIST}}}}}){API}",
    "a view for all other paths": (
        f"{APP}CORS(app, resources={{r'/api/*': {{'origins': {LIST}}}}}){API}"
        "@app.get('/<path:path>')\ndef page(path): return 'x'\n"
    ),
    "list of paths": f"{APP}CORS(app, resources=[r'/api/.*'], origins={LIST}){API}",
    "path over all": (
        f"{APP}CORS(app, resources={{r'/api/*': {{'origins': {LIST}}},"
        " r'/*': {'origins': '*'}})"
        f"{API}"
    ),
    "blueprint of a path": (
        f"{APP}api = Blueprint('api', __name__)\n"
        f"CORS(app, resources={{r'/api/*': {{'origins': {LIST}}}}}){BLUEPRINT}"
    ),
    "blueprint": f"{APP}api = Blueprint('api', __name__)\nCORS(api, origins={LIST}){BLUEPRINT}",
    "view": (
        f"{APP}@app.route('/x', methods=['GET', 'PUT'])\n@cross_origin()\ndef x(): return 'x'\n"
    ),
    "view over app": (
        f"{APP}CORS(app, origins='https://app.example.com', supports_credentials=True, max_age=5)\n"
        f"@app.route('/x', methods=['GET', 'PUT'])\n@cross_origin(origins='https://b.example')\n"
        f"def x(): return 'x'\n@app.get('/admin')\ndef admin(): return 'x'\n"
    ),
    "configuration": (
        f"{APP}app.config['CORS_ORIGINS'] = {LIST}\napp.config['CORS_EXPOSE_HEADERS'] = 'X-Total'\n"
        f"CORS(app){VIEWS}"
    ),
    "configuration and view": (
        f"{APP}app.config.update(CORS_ORIGINS={LIST}, CORS_MAX_AGE=5)\nCORS(app)\n"
        f"@app.get('/x')\n@cross_origin(allow_headers=['X-Token'])\ndef x(): return 'x'\n"
        f"@app.get('/admin')\n@cross_origin()\ndef admin(): return 'x'\n"
    ),
    "configuration, given and view": (
        f"{APP}app.config.update(CORS_ORIGINS={LIST})\nCORS(app, origins='https://b.example')\n"
        f"@app.get('/x')\n@cross_origin(allow_headers=['X-Token'])\ndef x(): return 'x'\n"
        f"@app.get('/admin')\ndef admin(): return 'x'\n"
    ),
    "configuration class": (
        f"{HEAD}class Base:\n    pass\nclass Config(Base):\n    CORS_ORIGINS = {LIST}\n"
        "    CORS_SUPPORTS_CREDENTIALS = False\n    CORS_SEND_WILDCARD = False\n"
        f"app = Flask(__name__)\napp.config.from_object(Config)\ncors = CORS(app){VIEWS}"
    ),
    "configuration that is read": (
        f"{APP}app.config['CORS_ORIGINS'] = {LIST}\ncors = CORS()\n"
        f"cors.init_app(app, origins=app.config['CORS_ORIGINS']){VIEWS}"
    ),
    "condition": f"{APP}if app.debug:\n    CORS(app)\nelse:\n    CORS(app, origins={LIST}){VIEWS}",
    "above the route": (
        f"{APP}CORS(app, origins={LIST})\n@cross_origin()\n@app.route('/x')\ndef x(): return 'x'\n"
    ),
    "constructed and given in one": (
        f"{APP}CORS(origins={LIST}).init_app(app, expose_headers='X-Total'){VIEWS}"
    ),
    "paths given to init_app": (
        f"{HEAD}cors = CORS()\napp = Flask(__name__)\n"
        f"cors.init_app(app, resources={{r'/api/*': {{'origins': {LIST}}}}}){API}"
    ),
    "an import that may fail": (
        f"from flask import Flask, abort\napp = Flask(__name__)\ntry:\n"
        f"    from flask_cors import CORS\n    CORS(app, origins={LIST})\nexcept ImportError:\n"
        f"    pass\n{VIEWS}"
    ),
    "a function a method": (
        f"{APP}@app.get('/x')\n@cross_origin(origins={LIST})\ndef x(): return 'x'\n"
        f"@app.put('/x')\n@cross_origin(origins={LIST})\ndef put(): return 'x'\n"
    ),
    "config of something else": (
        f"{APP}CORS(app)\nclass Other:\n    config = {{}}\n"
        f"    def all(self): return dict(self.config){VIEWS}"
    ),
    "configuration that is not seen": (
        f"{APP}app.config.from_prefixed_env()\napp.config['CORS_' + 'METHODS'] = ['GET', 'POST']\n"
        f"CORS(app, origins={LIST}){VIEWS}"
    ),
    "a variable in a list that is not set": (
        f"import os\n{APP}CORS(app, origins=['https://app.example.com', os.getenv('NOT_SET')])"
        f"{VIEWS}"
    ),
    "an empty list in a variable": (
        f"import os\n{APP}names = os.getenv('NOT_SET', '').split(',')\nCORS(app, origins=names)"
        f"{VIEWS}"
    ),
    "configuration that comes later": (
        f"{APP}CORS(app, origins={LIST})\napp.config.from_prefixed_env(){VIEWS}"
    ),
    "a limit before each request": (
        f"{APP}CORS(app, origins={LIST})\n@app.before_request\ndef limit():\n"
        f"    return ('', 429) if app.testing else None\n{VIEWS}"
    ),
    "configuration that a class has and the code reads": (
        f"{HEAD}class Config:\n    CORS_ORIGINS = {LIST}\napp = Flask(__name__)\n"
        f"app.config.from_object(Config)\nCORS(app, origins=app.config['CORS_ORIGINS']){VIEWS}"
    ),
    "old import": f"import flask_cors\n{APP}flask_cors.CORS(app, origins={LIST}){VIEWS}",
    "names that are taken": (
        f"{APP}cors = CORS(app, origins={LIST})\n@app.get('/x')\n@cross_origin(origins='*')\n"
        "def x(): return 'x'\n"
    ),
    "a dictionary that is changed below its top": (
        f"{APP}x = {{'/*': {{'origins': '*'}}}}\nx['/*']['origins'] = 'https://app.example.com'\n"
        f"CORS(app, resources=x){VIEWS}"
    ),
    "a key that is set by a method": (
        f"{APP}app.config.__setitem__('CORS_ORIGINS', {LIST})\nCORS(app){VIEWS}"
    ),
    "a key that is set with another name": (
        f"{APP}app.config['CORS_ORIGINS'], x = {LIST}, 1\nCORS(app){VIEWS}"
    ),
    "a key that an object sets": (
        f"{HEAD}class Config:\n    def __init__(self):\n        self.CORS_ORIGINS = {LIST}\n"
        f"app = Flask(__name__)\napp.config.from_object(Config())\nCORS(app){VIEWS}"
    ),
    "a key that is a property": (
        f"{HEAD}class Config:\n    @property\n    def CORS_ORIGINS(self): return {LIST}\n"
        f"app = Flask(__name__)\napp.config.from_object(Config())\nCORS(app){VIEWS}"
    ),
    "a key that comes before init_app": (
        f"{HEAD}cors = CORS(origins={LIST})\napp = Flask(__name__)\n"
        f"app.config['CORS_METHODS'] = ['GET', 'POST']\ncors.init_app(app){VIEWS}"
    ),
    "two apps": (
        f"{HEAD}cors = CORS(origins={LIST})\nother = Flask('other')\napp = Flask(__name__)\n"
        f"cors.init_app(other)\ncors.init_app(app, origins='https://b.example'){VIEWS}"
    ),
    "a header by hand, by a name of its own": (
        f"{APP}CORS(app)\nNAME = 'Access-Control-Allow-Origin'\n@app.after_request\ndef f(r):\n"
        f"    r.headers[NAME] = 'https://b.example'\n    return r\n{VIEWS}"
    ),
    "no preflights at one view": (
        f"{APP}CORS(app)\napp.add_url_rule('/x', 'x', lambda: 'x', methods=['PUT', 'GET'],"
        " provide_automatic_options=False)\n"
    ),
    "no preflights at all": (
        f"{APP}app.config['PROVIDE_AUTOMATIC_OPTIONS'] = False\nCORS(app){VIEWS}"
    ),
    "a view that refuses preflights": (
        f"{APP}CORS(app, origins={LIST})\n@app.route('/x', methods=['GET', 'PUT', 'OPTIONS'])\n"
        "def x(): abort(403)\n"
    ),
    "an abort before each request": (
        f"{APP}CORS(app, origins={LIST})\n@app.before_request\ndef f():\n    abort(403)\n{VIEWS}"
    ),
    "a condition and a view": (
        f"{APP}if app.debug:\n    CORS(app, origins={LIST})\n@app.get('/x')\n@cross_origin()\n"
        "def x(): return 'x'\n"
    ),
    "a path that a pattern leaves out": (
        f"{APP}CORS(app, resources={{r'/api/.*': {{'origins': {LIST}}}}}){API}@app.get('/api')\n"
        "def api(): return 'x'\n"
    ),
    "a pattern that no prefix says": (
        f"{APP}CORS(app, resources={{r'/admin.+': {{'origins': {LIST}}}}}){API}"
    ),
    "several patterns": (
        f"{APP}CORS(app, resources={{r'/api/(users|items)': {{'origins': {LIST}}}}}){API}"
    ),
    "a path in a path": (
        f"{APP}CORS(app, resources={{r'/api/users': {{'origins': 'https://b.example'}},"
        f" r'/api/*': {{'origins': {LIST}}}}}){API}"
    ),
    "no view but what a view calls": (
        f"{APP}@cross_origin(origins={LIST})\ndef made(): return 'x'\n@app.get('/x')\n"
        "def x(): return made()\n"
    ),
    "a view that a rule names": (
        f"{APP}@cross_origin(origins={LIST})\ndef made(): return 'x'\n"
        "app.add_url_rule('/x', view_func=made, methods=['GET', 'PUT'])\n"
    ),
    "a view for each method at one URL": (
        f"{APP}@app.get('/x')\n@cross_origin()\ndef x(): return 'x'\n@app.put('/x')\n"
        f"@cross_origin(origins={LIST})\ndef put(): return 'x'\n"
    ),
    "POST alone": f"{APP}CORS(app, origins={LIST}, methods=['POST']){VIEWS}",
    "PUT alone, at a view": (
        f"{APP}@app.route('/x', methods=['GET', 'PUT', 'POST'])\n@cross_origin(methods=['PUT'])\n"
        "def x(): return 'x'\n"
    ),
    "seconds as a string": f"{APP}CORS(app, origins={LIST}, max_age='5'){VIEWS}",
}  # fmt: skip

ORIGINS = (
    "https://app.example.com",
    "http://localhost:3000",
    "http://localhost:4000",
    "https://b.example",
    "https://a.b.example.com",
    "https://example.com",
    "https://app.example.com.attacker.example",
    "https://xexample.com",
)
REQUESTS: tuple[dict[str, object], ...] = (
    {},
    {"headers": {"X-Token": "1"}},
    {"headers": {"Authorization": "Bearer 1"}},
    {"credentials": "include"},
    {"method": "PUT"},
    {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"},
)
PATHS = ("/x", "/missing", "/api", "/api/users", "/admin", "/static/none")


def load(text: str) -> Flask:
    module = types.ModuleType(f"case_{uuid.uuid4().hex}")
    exec(compile(text, "app.py", "exec"), module.__dict__)
    app = module.app
    assert isinstance(app, Flask)
    return app


def verdicts(app: Flask) -> Iterator[tuple[object, ...]]:
    known: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        known.setdefault(rule.rule, set()).update(rule.methods or ())
    for origin in ORIGINS:
        for path in PATHS:
            if path not in known and path != "/static/none":
                continue
            for request in REQUESTS:
                if request.get("method", "GET") not in known.get(path, "GET"):
                    continue  # the guard refuses the preflight, instead of showing the 405
                answer = Browser(app, page=origin).fetch(f"https://api.test{path}", **request)  # type: ignore[arg-type]
                readable = answer.type == "cors"
                seen = sorted(answer.headers) if readable else None
                yield origin, path, str(request), readable, seen


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "flask_corsguard")


@pytest.mark.parametrize("name", MIGRATED)
def test_a_browser_sees_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(MIGRATED[name])
    migration = migrate(path)
    assert migration.findings == ()
    write_files(migration.files)
    again = migrate(path)
    assert (again.files, again.findings) == ((), ())
    assert list(verdicts(load(path.read_text()))) == list(verdicts(load(MIGRATED[name])))
