"""Apps with code of their own on the way to a view: it may fail, and the audit goes on."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, cors
from flask_corsguard.audit import audit


class Failing(BaseConverter):
    """Looks things up in a database that is not there."""

    def to_python(self, value: str) -> str:
        raise ConnectionError(value)


class Choosy(BaseConverter):
    """Knows nothing of what can be made up."""

    regex = r"[A-Z]{3}-\d{4}"

    def to_python(self, value: str) -> str:
        if value != "ABC-0001":
            raise ValueError(value)
        return value


@pytest.mark.parametrize("converter", [Failing, Choosy])
def test_a_converter_of_the_apps(converter: type[BaseConverter]) -> None:
    app = Flask("shop", static_folder=None)
    app.url_map.converters["own"] = converter
    CorsGuard(app, origins=["https://app.example.com"])

    @app.get("/orders/<own:order>")
    @cors(origins=lambda origin: origin.endswith("example.com"))
    def order(order: str) -> str:
        raise AssertionError("no view is run")

    report = audit(app)
    assert [finding.code for finding in report.findings] == ["neighbour_allowed"]
    assert [str(route) for route in report.findings[0].routes] == [
        "GET,HEAD,OPTIONS /orders/<own:order>"
    ]
