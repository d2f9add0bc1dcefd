"""What an app loads, and when: in a new process, since other tests load everything."""

import json
import subprocess
import sys
from collections.abc import Iterable

import pytest

OTHERS = """
import json, logging, sys
from flask import Flask
from werkzeug.test import Client
"""
IMPORT = f"{OTHERS}from flask_corsguard import CorsGuard, Policy, cors"
APP = """
app = Flask("app")
guard = CorsGuard(app, origins=["https://a.example"], enforce="unsafe")
app.add_url_rule("/", "index", lambda: "")
client = Client(app)  # not Flask's own, which loads click's
"""
ALLOWED = """
assert client.get("/", headers={"Origin": "https://a.example"}).status_code == 200
"""
REJECTED = """
def ask(method, path, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.open(path, method=method, headers=sent)

ask("GET", "/", Origin="https://b.example")
ask("GET", "/", Origin="https://b.example", Upgrade="websocket")
ask("POST", "/nowhere", Origin="null")
ask("OPTIONS", "/", Origin="https://b.example", Access_Control_Request_Method="PUT")
ask("OPTIONS", "/", Origin="https://a.example", Access_Control_Request_Method="PUT")
ask("OPTIONS", "/", Origin="https://a.example", Access_Control_Request_Method="POST")
"""
OWN = "flask_corsguard."
NEVER = [
    "asyncio",
    "httpx",
    "publicsuffixlist",
    "shlex",
    "tomllib",
    "unittest",
    *(
        f"{OWN}{name}"
        for name in (
            "audit",
            "cli",
            "inspector",
            "protocol.explanation",
            "protocol.field_names",
            "protocol.name_errors",
            "protocol.origin_errors",
            "protocol.remedies",
            "runtime.asgi",
            "runtime.debug_notes",
            "runtime.front",
            "runtime.live_origins",
            "runtime.origin_check",
            "settings_file",
            "simulate",
            "sources",
            "testing",
            "watched_file",
        )
    ),
]


def modules_after(code: str) -> set[str]:
    printing = "\nprint(json.dumps([*sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + printing], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("code", [IMPORT, IMPORT + APP + ALLOWED], ids=["import", "first request"])
def test_what_few_apps_need_is_not_loaded(code: str) -> None:
    loaded = modules_after(code) - modules_after(OTHERS)  # old Blinker loads asyncio
    assert loaded.intersection(NEVER) == set()


def of_the_guard(modules: Iterable[str]) -> set[str]:
    return {name for name in modules if name.startswith(OWN)}


def test_after_prepare_no_request_loads_a_module() -> None:
    """The process may have given up its rights by then, or another release may be installed."""
    prepared = IMPORT + APP + "guard.prepare()\n"
    assert of_the_guard(modules_after(prepared + ALLOWED + REJECTED)) == of_the_guard(
        modules_after(prepared)
    )


def test_a_rejection_without_its_words_is_a_response_all_the_same() -> None:
    """As in a chroot, where the files of the package are not to be found."""
    code = """
sys.modules["flask_corsguard.protocol.explanation"] = None
lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(record.getMessage())
logging.getLogger("flask_corsguard").addHandler(handler)
response = client.get("/", headers={"Origin": "https://b.example"})
assert response.status_code == 200, response
assert "Access-Control-Allow-Origin" not in response.headers
assert len(lines) == 1 and lines[0].startswith("saying why a request is rejected failed"), lines
"""
    modules_after(IMPORT + APP + code)
