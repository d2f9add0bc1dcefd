"""The page about metrics: what it lists, and the files that it shows."""

import ast
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry

from flask_corsguard import CorsGuard
from flask_corsguard.metrics import register
from flask_corsguard.runtime.counts import DecisionKind
from tests.docs.markdown import section, table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "metrics.md").read_text("utf-8")
FILES = {
    block.partition("\n")[0].removeprefix("# "): block
    for block in re.findall(r"```python\n(# .*?)```", PAGE, re.DOTALL)
}


def names_and_labels() -> dict[str, tuple[str, ...]]:
    registry = CollectorRegistry()
    app = Flask("shop")
    CorsGuard(app)
    register(app, registry)
    [metrics] = registry._collector_to_names
    suffix = {"counter": "_total"}
    return {each._name + suffix.get(each._type, ""): each._labelnames for each in metrics._all()}  # type: ignore[attr-defined]


def test_every_series_is_listed() -> None:
    rows = table(section(PAGE, "What each metric means"))
    metrics = {cells[0].strip("`"): cells[1] for cells in rows if len(cells) == 3}
    assert sorted(metrics) == sorted(names_and_labels())
    for name, labels in names_and_labels().items():
        if labels != DecisionKind._fields:
            assert tuple(re.findall(r"`(\w+)`", metrics[name])) == labels
    assert [cells[0].strip("`") for cells in rows if len(cells) == 2] == [*DecisionKind._fields]


def test_alerts_are_about_what_there_is() -> None:
    rules = section(PAGE, "Alerts").partition("```yaml\n")[2].partition("```")[0]
    known = names_and_labels()
    used = set(re.findall(r"\bcorsguard_\w+", rules))
    assert used <= known.keys()
    assert len(used) == 4
    labels = {label for names in known.values() for label in names} | {"instance", "job"}
    grouped = re.findall(r"\b(?:by|on) \((.*?)\)", rules)
    matched = re.findall(r"[{,](\w+)=", rules)
    assert {name for names in grouped for name in names.split(", ")} | {*matched} <= labels


def test_gunicorns_settings_are_those_of_the_example() -> None:
    """That is run by the tests of the examples."""

    def settings(text: str) -> list[str]:
        text = re.sub(r'prefix="\w+-"', 'prefix=""', text).replace("_server", "server")
        nodes = [ast.unparse(node) for node in ast.parse(text).body]
        other = ("'Serves ", "from pathlib", "chdir = ", "wsgi_app = ")
        return [node for node in nodes if not node.startswith(other)]

    example = (ROOT / "examples" / "gunicorn.conf.py").read_text("utf-8")
    assert settings(FILES["gunicorn.conf.py"]) == settings(example)


def test_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for OpenTelemetry's API, which calls back when it exports."""
    created: dict[str, Any] = {}
    meter = types.SimpleNamespace(create_observable_counter=created.__setitem__)
    module: Any = types.ModuleType("opentelemetry.metrics")
    module.get_meter = lambda name: meter
    module.Observation = lambda number, labels: (number, labels)
    monkeypatch.setitem(sys.modules, "opentelemetry", types.ModuleType("opentelemetry"))
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", module)
    own: Any = types.ModuleType("app")
    monkeypatch.setitem(sys.modules, "app", own)
    own.app = app = Flask("shop")
    own.guard = CorsGuard(app, origins="https://app.example.com")

    exec(compile(FILES["telemetry.py"], "telemetry.py", "exec"), {})
    for headers in ({}, {}, {"Origin": "https://other.example"}):
        app.test_client().get("/", headers=headers)

    [callback] = created["corsguard.decisions"]
    usual = {"policy": "default", "preflight": False, "blocked": False}
    assert [*callback(None)] == [
        (2, {"outcome": "NOT_CORS", **usual}),
        (1, {"outcome": "REJECTED", "reason": "ORIGIN_NOT_ALLOWED", **usual}),
    ]
    lines = [line for line in FILES["telemetry.py"].splitlines() if line and line[0] != "#"]
    assert len(lines) <= 10
