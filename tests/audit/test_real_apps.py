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
    "httpbin": "httpbin",
    "moto_s3": "moto",
    "moto_apigateway": "moto",
    "moto_iot": "moto",
    "locust": "locust",
    "locust_with_login": "locust",
    "flask_restx": "flask_restx",
    "flask_smorest": "flask_smorest",
    "flasgger": "flasgger",
    "flask_admin": "flask_admin",
}
# httpbin tells its visitors the address that X-Forwarded-For names, whoever sent that.
ALWAYS = {"httpbin": {"proxy_hides_origin"}}
# They let everybody read every route: with functions of their own, or with Flask-CORS.
SENDS_HEADERS = {"httpbin", "moto_s3", "moto_apigateway", "moto_iot", "locust", "locust_with_login"}
HAS_LOGIN = {"locust", "locust_with_login"}


def audited(name: str, variant: str) -> dict[str, Any]:
    if name == "httpbin" and sys.version_info < (3, 12):
        pytest.skip("needs a greenlet there that no gevent goes with")
    if importlib.util.find_spec(NEEDS[name]) is None:
        reason = f"not installed: {NEEDS[name]}; CORSGUARD_REQUIRE_APPS=1 forbids it"
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "audit" / "real_apps.py", name, variant],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ran"] == 0
    assert told["routes"] >= told["rules"]
    assert told["seconds"] < 10
    return told


def codes(told: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in told["found"]}


@pytest.mark.parametrize("variant", ["strict", "strict_with_credentials"])
@pytest.mark.parametrize("name", NEEDS)
def test_a_strict_policy(name: str, variant: str) -> None:
    """Nothing is wrong with one listed origin, with credentials or without."""
    told = audited(name, variant)
    assert codes(told) == ALWAYS.get(name, set()), told["found"]


@pytest.mark.parametrize("name", NEEDS)
def test_everybody(name: str) -> None:
    """With '*', only a login is."""
    told = audited(name, "for_everybody")
    login = {"any_origin_next_to_login"} if name in HAS_LOGIN else set()
    assert codes(told) == ALWAYS.get(name, set()) | login, told["found"]


@pytest.mark.parametrize("name", NEEDS)
def test_seeded_mistakes(name: str) -> None:
    """Each is found at the endpoint that it was made at, and nowhere else."""
    told = audited(name, "seeded")
    assert told["wrong"]
    found = {
        (finding["code"], endpoint)
        for finding in told["found"]
        for endpoint in finding["endpoints"]
    }
    assert found == {tuple(each) for each in told["wrong"]}, told["found"]
    assert codes(told) - {code for code, _ in found} == ALWAYS.get(name, set())


@pytest.mark.parametrize("name", [name for name in NEEDS if name != "flask_admin"])
def test_an_exempt_route(name: str) -> None:
    """Flask-Admin has bound methods for views: none that a mark could be left on."""
    told = audited(name, "exempted")
    own = {"exempt_sends_own_headers"} if name in SENDS_HEADERS else set()
    assert codes(told) == ALWAYS.get(name, set()) | own, told["found"]
