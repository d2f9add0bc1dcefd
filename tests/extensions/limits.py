"""What counts, caches, compresses, and writes headers."""

import gzip
import itertools

from flask import Flask, make_response

from .extension import APP, EVIL, PARTNER, Extension, Page, Scope


def flask_limiter(app: Flask) -> Scope:
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address

    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")

    # Named: that is what the limiter counts by.
    @app.get("/search")
    @limiter.limit("2 per hour")
    def search() -> str:
        return "found"

    @app.get("/full")
    @limiter.limit("0 per hour")
    def full() -> str:
        return "never"

    return {"limiter": limiter}


def limits(page: Page) -> None:
    for _ in range(5):
        page.preflight("/search", "GET")  # not counted
    for left in (1, 0):
        assert page.read("GET", "/search").headers["X-RateLimit-Remaining"] == str(left)
    response = page.read("GET", "/search", 429)
    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    for name in ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
        assert name in response.headers
        assert name in exposed


def flask_talisman(app: Flask) -> Scope:
    from flask_talisman import Talisman

    return {"talisman": Talisman(app)}


def protects(page: Page) -> None:
    response = page.read("GET", "/item")
    assert response.headers["Strict-Transport-Security"].startswith("max-age=")
    assert response.headers["Content-Security-Policy"] == "default-src 'self'; object-src 'none'"
    # Over plain http it redirects, but not a preflight: browsers follow none.
    headers = {"Origin": APP, "Access-Control-Request-Method": "PUT"}
    preflight = page.options("/item", base_url="http://api.example.com", headers=headers)
    assert preflight.status_code == 204
    response = page.get("/item", base_url="http://api.example.com", headers=headers)
    assert response.location == "https://api.example.com/item"
    assert response.headers["Access-Control-Allow-Origin"] == APP


def flask_caching(app: Flask) -> Scope:
    from flask_caching import Cache

    cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    times = itertools.count()
    app.add_url_rule("/text", "text", cache.cached(60)(lambda: str(next(times))))
    # One with headers of its own, which the cache keeps whole.
    whole = cache.cached(60)(lambda: make_response(str(next(times)), {"X-Kept": "1"}))
    app.add_url_rule("/whole", "whole", whole)
    return {"cache": cache}


def caches(page: Page) -> None:
    asked = ((APP, APP), (EVIL, None), (APP, APP), (PARTNER, None), (None, None))
    # The second is kept when an origin asks that may not read it.
    for path, order in (("/text", asked), ("/whole", asked[1:])):
        texts = set()
        for origin, allowed in order:
            response = Page(page.application, origin).send("GET", path)
            texts.add(response.text)
            # Never what was written for another origin.
            assert response.headers.get("Access-Control-Allow-Origin") == allowed
            assert "Origin" in response.headers["Vary"].split(", ")
        assert len(texts) == 1


def flask_compress(app: Flask) -> Scope:
    from flask_compress import Compress

    app.config["COMPRESS_ALGORITHM"] = "gzip"
    app.add_url_rule("/long", "long", lambda: "a long text " * 200)
    return {"compress": Compress(app)}


def compresses(page: Page) -> None:
    response = page.read("GET", "/long", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.data) == b"a long text " * 200
    assert {*response.headers["Vary"].split(", ")} >= {"Origin", "Accept-Encoding"}
    assert page.read("GET", "/long").data == b"a long text " * 200


EXTENSIONS = [
    Extension("Flask-Limiter", ("flask_limiter",), flask_limiter, limits, (("GET", "/full", 429),)),
    Extension("Flask-Talisman", ("flask_talisman",), flask_talisman, protects),
    Extension("Flask-Caching", ("flask_caching",), flask_caching, caches),
    Extension(
        "Flask-Compress",
        ("flask_compress",),
        flask_compress,
        compresses,
        vary=frozenset({"Accept-Encoding"}),
    ),
]
