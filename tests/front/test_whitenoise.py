"""WhiteNoise serves static files before the app sees the request; under the guard, as the policies
of the app's static route say."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client

from flask_corsguard import CorsGuard, Reason
from flask_corsguard.audit import audit
from flask_corsguard.testing import Browser

from ..listening import require
from .served import OTHER, SHOP

ACAO, VARY = "Access-Control-Allow-Origin", "Vary"
PREFLIGHT = {
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "content-type",
}


@pytest.fixture
def site(tmp_path: Path) -> tuple[Flask, CorsGuard]:
    require(["whitenoise"])
    from whitenoise import WhiteNoise

    for name, content in (("app.js", "app"), ("font.woff2", "font"), ("app.js.gz", "packed")):
        (tmp_path / name).write_text(content)
    app = Flask("site", static_folder=str(tmp_path), static_url_path="/static")
    guard = CorsGuard(app, origins=[SHOP])
    guard.for_files("static", "*.woff2", origins="*", enforce="off")
    guard.for_path("/static/private", enforce="all")
    inner: Any = WhiteNoise(app.wsgi_app, root=tmp_path, prefix="static")
    app.wsgi_app = guard.wsgi(inner, paths=["/static"])  # type: ignore[method-assign]
    return app, guard


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "reader", "vary"),
    [
        ("GET", "/static/app.js", {"Origin": SHOP}, 200, SHOP, "Accept-Encoding, Origin"),
        ("GET", "/static/app.js", {"Origin": OTHER}, 200, None, "Accept-Encoding, Origin"),
        ("HEAD", "/static/app.js", {"Origin": SHOP}, 200, SHOP, "Accept-Encoding, Origin"),
        ("GET", "/static/app.js", {"Origin": SHOP, "Range": "bytes=0-1"}, 206, SHOP, ...),
        ("GET", "/static/font.woff2", {"Origin": OTHER}, 200, "*", None),
        ("GET", "/static/font.woff2", {}, 200, "*", None),
        ("OPTIONS", "/static/app.js", {"Origin": SHOP, **PREFLIGHT}, 204, SHOP, ...),
        ("OPTIONS", "/static/app.js", {"Origin": OTHER, **PREFLIGHT}, 403, None, ...),
        ("POST", "/static/app.js", {"Origin": SHOP}, 405, SHOP, ...),
        ("GET", "/static/missing", {"Origin": SHOP}, 404, SHOP, "Origin"),
        ("GET", "/static/private/x", {"Origin": OTHER}, 403, None, ...),
        ("GET", "/static/x/../app.js", {"Origin": SHOP}, 403, None, ...),
        ("GET", "/static//app.js", {}, 403, None, ...),
    ],
)
def test_a_file(
    site: tuple[Flask, CorsGuard],
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    reader: str | None,
    vary: Any,
) -> None:
    app, guard = site
    with Client(app).open(path, method=method, headers=headers) as got:
        got.get_data()
    assert (got.status_code, got.headers.getlist(ACAO)) == (status, [reader] if reader else [])
    assert vary is ... or got.headers.getlist(VARY) == ([vary] if vary else [])
    assert sum(guard.counts(app).values()) == 1


def test_one_warning_of_its_own_header(
    site: tuple[Flask, CorsGuard], caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = site
    for origin in (OTHER, SHOP, OTHER):
        Client(app).get("/static/app.js", headers={"Origin": origin}).close()
    [line] = [each.getMessage() for each in caplog.records if "itself" in each.getMessage()]
    assert "WhiteNoise (" in line


def test_nothing_has_changed(site: tuple[Flask, CorsGuard]) -> None:
    """It may not have: 304, with the policy's headers."""
    app, _ = site
    client = Client(app)
    with client.get("/static/app.js") as first:
        etag = first.headers["ETag"]
    again = client.get("/static/app.js", headers={"Origin": SHOP, "If-None-Match": etag})
    assert (again.status_code, again.headers[ACAO]) == (304, SHOP)
    assert "Origin" in again.headers[VARY]


@pytest.mark.parametrize(("paths", "is_open"), [(["/static"], False), (["/other"], True)])
def test_the_audit(tmp_path: Path, paths: list[str], is_open: bool) -> None:
    require(["whitenoise"])
    from whitenoise import WhiteNoise

    (tmp_path / "app.js").write_text("app")
    app = Flask("site", static_folder=str(tmp_path), static_url_path="/static")
    guard = CorsGuard(app, origins=[SHOP])
    inner: Any = WhiteNoise(app.wsgi_app, root=tmp_path, prefix="static")
    app.wsgi_app = guard.wsgi(inner, paths=paths)  # type: ignore[method-assign]
    codes = [finding.rule.code for finding in audit(app).findings]
    assert codes == (["whitenoise_allows_all"] if is_open else [])


def test_the_simulated_browser_hears_of_it(site: tuple[Flask, CorsGuard]) -> None:
    app, _ = site
    for method in ("GET", "PUT"):
        url = "https://api.example/static/app.js"
        response = Browser(app, page=OTHER).fetch(url, method=method)
        assert not response.readable
        [exchange] = response.exchanges
        assert exchange.decision
        assert exchange.decision.reason is Reason.ORIGIN_NOT_ALLOWED
