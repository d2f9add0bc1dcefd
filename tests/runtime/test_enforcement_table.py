"""The order of the checks on a route that enforces: tests/data/enforcement.txt, row by row."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask, current_app
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_corsguard import CorsGuard, Outcome, current_decision

TABLE = Path(__file__).parents[1] / "data" / "enforcement.txt"
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]
RUNS = ["before_request", "decorator", "view"]


class Row(NamedTuple):
    origin: str | None
    site: str | None
    method: str
    scheme: str
    host: str
    proxy: tuple[str, ...]
    unsafe: str
    all: str

    def environ(self) -> dict[str, str]:
        found = {"wsgi.url_scheme": self.scheme, "HTTP_HOST": self.host}
        if self.origin is not None:
            found["HTTP_ORIGIN"] = self.origin
        if self.site is not None:
            found["HTTP_SEC_FETCH_SITE"] = self.site
        if self.method == "WS":
            found |= {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}
        if self.proxy[0] in ("fix", "raw"):
            names = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")
            pairs = zip(names, self.proxy[1:], strict=True)
            found |= {name: value for name, value in pairs if value != "-"}
        if self.proxy[0] == "ahead":
            found["HTTP_SEC_PURPOSE"] = "prefetch"
            found |= {"HTTP_REFERER": self.proxy[1]} if self.proxy[1:] else {}
        return found

    def refusal(self, enforce: str) -> str | None:
        """The reason of the refusal, or None."""
        # "report" only tells what "unsafe" would do.
        expected = {"off": "runs", "unsafe": self.unsafe, "report": self.unsafe, "all": self.all}
        return None if expected[enforce] == "runs" else expected[enforce]

    def outcome(self, enforce: str) -> Outcome:
        """The verdict that the view sees, if it runs."""
        if self.origin is None:
            return Outcome.NOT_CORS
        if self.origin == "https://partner.test":
            return Outcome.ALLOWED  # listed exactly, so before anything else
        if self.site in ("same-origin", "none"):
            return Outcome.SAME_ORIGIN
        if self.method == "WS" and self.unsafe != "runs" and enforce == "off":
            return Outcome.UNENFORCED
        if self.all != "runs":
            return Outcome.REJECTED  # it may not read, whatever is enforced
        return Outcome.ALLOWED if ".friends." in self.origin else Outcome.SAME_ORIGIN


def header(text: str) -> str | None:
    return {"-": None, "''": ""}.get(text, text)


def rows() -> Iterator[pytest.ParameterSet]:
    for number, line in enumerate(TABLE.read_text("utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            origin, site, method, url, proxy, unsafe, everything = line.split(" | ")
            scheme, _, host = url.partition("://")
            yield pytest.param(
                Row(
                    header(origin), header(site), method, scheme, host,
                    tuple(proxy.split()), unsafe, everything,
                ),
                id=f"line {number}",
            )  # fmt: skip


ROWS = list(rows())


def test_the_table_is_whole():
    assert len(ROWS) > 100
    assert len({row.values for row in ROWS}) == len(ROWS)
    verdicts = {verdict for row in ROWS for verdict in row.values[0][-2:]}
    origin = {f"ORIGIN_{word}" for word in ("DENIED", "MALFORMED", "NOT_ALLOWED", "NULL")}
    assert verdicts == {"runs", "CROSS_SITE_REQUEST", "SPECULATIVE", *origin}


class Sent(NamedTuple):
    status: str
    headers: dict[str, str]
    body: bytes


def make_app(enforce: str, proxy: tuple[str, ...]) -> Flask:
    """An app that writes down in ``config["ran"]`` what ran."""
    app = Flask("shop", static_folder=None)
    ran = app.config["ran"] = []

    @app.before_request
    def another():
        ran.append("before_request")

    def decorate(view):
        @functools.wraps(view)
        def wrapper():
            ran.append("decorator")
            return view()

        return wrapper

    @decorate
    def index():
        ran.append("view")
        current_app.config["seen"] = current_decision._get_current_object()
        return "done"

    app.add_url_rule("/", "index", index, methods=METHODS, provide_automatic_options=False)
    app.add_url_rule("/", "socket", index, websocket=True)
    CorsGuard(
        app,
        origins=["https://partner.test", "https://*.friends.test"],
        deny_origins="https://bad.friends.test",
        enforce=enforce,
        self_origins=proxy[1] if proxy[0] == "self" else (),
    )
    if proxy[0] == "fix":
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=0, x_host=1)
    return app


def ask(app: Flask, row: Row) -> Sent:
    # Not with a client: some clients read the URL, and some of these hosts make none.
    method = "GET" if row.method == "WS" else row.method
    environ = EnvironBuilder("/", method=method).get_environ() | row.environ()
    body, status, headers = run_wsgi_app(app, environ, buffered=True)
    assert len(headers) == len(dict(headers))
    return Sent(status, dict(headers), b"".join(body))


@functools.cache
def without_enforcement(row: Row) -> Sent:
    return ask(make_app("off", row.proxy), row)


@pytest.mark.parametrize("enforce", ["off", "report", "unsafe", "all"])
@pytest.mark.parametrize("row", ROWS)
def test_row(row, enforce, heard):
    """What runs, what is sent and what is signalled is as in the row."""
    app = make_app(enforce, row.proxy)
    sent = ask(app, row)
    reason = row.refusal(enforce)
    decisions = [(s.name, s.decision.blocked, s.decision.report_only) for s in heard]

    if reason is None or enforce == "report":
        assert app.config["ran"] == RUNS
        expected = without_enforcement(row)
        if enforce == "all":
            vary = expected.headers["Vary"] + ", Sec-Fetch-Site"
            expected = expected._replace(headers={**expected.headers, "Vary": vary})
        assert sent == expected
    else:
        assert app.config["ran"] == []
        assert sent.status == "403 FORBIDDEN"
        if row.method == "HEAD":
            assert sent.body == b""
        else:
            assert json.loads(sent.body) | {"detail": ""} == {
                "title": "Cross-origin request refused",
                "status": 403,
                "code": reason,
                "detail": "",
            }
        upgrade = "Upgrade, " if row.method == "WS" and enforce == "unsafe" else ""
        assert sent.headers == {
            "Content-Type": "application/problem+json",
            "Content-Length": sent.headers["Content-Length"],
            "Cache-Control": "no-store",
            "Vary": f"Origin, Sec-Fetch-Site, {upgrade}Accept",
        }

    if reason is not None:
        is_report = enforce == "report"
        if reason == "SPECULATIVE":
            assert decisions == []
            return
        assert decisions == [("origin-rejected", not is_report, is_report)]
        decision = heard[0].decision
        assert (decision.outcome, decision.reason.name) == (Outcome.REJECTED, reason)
        assert f"({reason})" in decision.explain()
        assert row.method in ("WS", decision.method)
        if is_report:
            assert app.config["seen"] == decision
    else:
        outcome = row.outcome(enforce)
        assert app.config["seen"].outcome is outcome
        name = {Outcome.REJECTED: "origin-rejected", Outcome.ALLOWED: "origin-allowed"}
        expected = [(name[outcome], False, False)] if outcome in name else []
        assert decisions == expected
