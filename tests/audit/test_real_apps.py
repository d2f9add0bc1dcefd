"""Apps that were not written for the audit, from the package index, with the guard added. Each is
audited in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
REQUIRED = os.environ.get("CORSGUARD_REQUIRE_APPS") == "1"
# What has to be importable, by the app.
NEEDS = {
    **{name: name for name in ("httpbin", "locust", "flask_restx", "flask_smorest", "flasgger")},
    **dict.fromkeys(("moto_s3", "moto_apigateway", "moto_iot"), "moto"),
    "locust_with_login": "locust",
    "flask_admin": "flask_admin",
}
# httpbin tells its visitors the address that X-Forwarded-For names, whoever sent that.
ALWAYS = {"httpbin": {"proxy_hides_origin"}}
HAS_LOGIN = {"locust", "locust_with_login"}
# What else is found beside each policy, and in which apps.
FOUND: dict[str, tuple[str, set[str]]] = {
    "strict": ("", set()),
    "strict_with_credentials": ("", set()),
    "for_everybody": ("any_origin_next_to_login", HAS_LOGIN),
    # They let everybody read every route: with functions of their own, or with Flask-CORS.
    "exempted": (
        "exempt_sends_own_headers",
        {"httpbin", "moto_s3", "moto_apigateway", "moto_iot", *HAS_LOGIN},
    ),
}
# Flask-Admin has bound methods for views: none that a mark could be left on.
AUDITS = [(n, v) for v in FOUND for n in NEEDS if (n, v) != ("flask_admin", "exempted")]


def audited(name: str, variant: str) -> dict[str, Any]:
    if name == "httpbin" and sys.version_info < (3, 12):
        pytest.skip("needs a greenlet there that no gevent goes with")
    if importlib.util.find_spec(NEEDS[name]) is None:
        reason = f"not installed: {NEEDS[name]}; CORSGUARD_REQUIRE_APPS=1 forbids it"
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    command = [sys.executable, ROOT / "tests" / "audit" / "real_apps.py", name, variant]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ran"] == 0
    assert told["routes"] >= told["rules"]
    assert told["seconds"] < 10
    return told


def codes(told: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in told["found"]}


@pytest.mark.parametrize(("name", "variant"), AUDITS)
def test_what_is_found(name: str, variant: str) -> None:
    """A listed origin is no finding; '*' with a login, or an exempt route with headers, is one."""
    told = audited(name, variant)
    code, apps = FOUND[variant]
    expected = {code} if name in apps else set()
    assert codes(told) == ALWAYS.get(name, set()) | expected, told["found"]


@pytest.mark.parametrize("name", NEEDS)
def test_seeded_mistakes(name: str) -> None:
    """Each mistake is found at the endpoint where it was made, and nowhere else."""
    told = audited(name, "seeded")
    assert told["wrong"]
    found = {(f["code"], endpoint) for f in told["found"] for endpoint in f["endpoints"]}
    assert found == {tuple(each) for each in told["wrong"]}, told["found"]
    assert codes(told) - {code for code, _ in found} == ALWAYS.get(name, set())
