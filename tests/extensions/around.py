"""What is put around an app, and hands it on as another kind of app."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import Flask, request

from .extension import EVIL, PARTNER, Extension, Page, Scope


def through_asgi(app: Any) -> Any:
    """A WSGI app that sends each request to an ASGI app, and waits for all of its response."""

    async def exchange(environ: dict[str, Any]) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            await asyncio.sleep(30)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        names = {name: name[5:] for name in environ if name.startswith("HTTP_")}
        names |= {"CONTENT_TYPE": "CONTENT_TYPE", "CONTENT_LENGTH": "CONTENT_LENGTH"}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": environ["REQUEST_METHOD"],
            "scheme": environ["wsgi.url_scheme"],
            "path": environ["PATH_INFO"],
            "raw_path": environ["PATH_INFO"].encode(),
            "root_path": "",
            "query_string": environ["QUERY_STRING"].encode(),
            "headers": [
                (short.replace("_", "-").lower().encode(), environ[name].encode())
                for name, short in names.items()
                if environ.get(name)
            ],
            "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
            "client": ("127.0.0.1", 50000),
        }
        await asyncio.wait_for(app(scope, receive, send), 30)
        return sent

    def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start, *chunks = asyncio.run(exchange(environ))
        headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
        start_response(f"{start['status']} -", headers)
        return [chunk.get("body", b"") for chunk in chunks]

    return wsgi


def streams(app: Flask) -> None:
    app.add_url_rule("/stream", "stream", lambda: (f"{n} " for n in range(3)))
    app.add_url_rule("/echo", "echo", lambda: request.get_data(), methods=["POST"])


def streams_and_takes_a_body(page: Page) -> None:
    assert page.read("GET", "/stream").text == "0 1 2 "
    assert page.read("POST", "/echo", data=b"abc").data == b"abc"


def asgiref(app: Flask) -> Scope:
    from asgiref.wsgi import WsgiToAsgi

    streams(app)
    return {"WsgiToAsgi": WsgiToAsgi}


def a2wsgi(app: Flask) -> Scope:
    import a2wsgi

    streams(app)
    return {"WSGIMiddleware": a2wsgi.WSGIMiddleware}


def proxy_fix(app: Flask) -> Scope:
    from werkzeug.middleware.proxy_fix import ProxyFix

    app.add_url_rule("/url", "url", lambda: request.url_root)
    return {"ProxyFix": ProxyFix}


def knows_its_own_address(page: Page) -> None:
    passed = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example.com"}
    assert page.read("GET", "/url", headers=passed).text == "https://shop.example.com/"
    # An old browser on the app's own page: it says nothing but Origin.
    own = {"Origin": "https://shop.example.com", **passed}
    alone = Page(page.application, None)
    assert alone.send("POST", "/guarded", headers=own).text == "ok"
    alone.send("POST", "/guarded", 403, headers={**own, "Origin": EVIL})


def dispatcher(app: Flask) -> Scope:
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    reports = Flask("reports")
    reports.add_url_rule("/", "index", lambda: "reports", methods=["GET", "PUT"])
    return {"DispatcherMiddleware": DispatcherMiddleware, "reports": reports}


def starlette(app: Flask) -> Scope:
    from asgiref.wsgi import WsgiToAsgi
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    async def reports(request: Any) -> Any:
        return PlainTextResponse("reports")

    route = Route("/", reports, methods=["GET", "PUT"])
    names = {"Starlette": Starlette, "Mount": Mount, "WsgiToAsgi": WsgiToAsgi}
    return {**names, "reports": Starlette(routes=[route])}


def mounts(page: Page) -> None:
    assert page.read("GET", "/item").text == "ok"
    # What is mounted knows nothing of CORS.
    other = Page(page.application, PARTNER)
    other.preflight("/reports/", "PUT")
    assert other.read("GET", "/reports/").text == "reports"
    page.preflight("/reports/", "PUT", status=403)
    assert "Access-Control-Allow-Origin" not in page.send("GET", "/reports/").headers


def with_files() -> Flask:
    """The app, with a file."""
    folder = TemporaryDirectory()
    Path(folder.name, "style.css").write_text("body {}")
    app = Flask("shop", static_folder=folder.name, static_url_path="/static")
    app.extensions["folder"] = folder
    return app


def whitenoise(app: Flask) -> Scope:
    from whitenoise import WhiteNoise

    return {"WhiteNoise": WhiteNoise, "close": app.extensions["folder"].cleanup}


def serves_files(page: Page) -> None:
    file = "/static/style.css"
    response = page.read("GET", file)
    assert (response.text, response.headers["Vary"]) == ("body {}", "Origin")
    assert "max-age" in response.headers["Cache-Control"]  # WhiteNoise's, not Flask's
    for origin in (EVIL, None):
        headers = Page(page.application, origin).send("GET", file).headers
        assert ("Access-Control-Allow-Origin" in headers, headers["Vary"]) == (False, "Origin")
    page.preflight(file, "GET", "Content-Type")
    headers = {"If-Modified-Since": response.headers["Last-Modified"]}
    page.read("GET", file, 304, headers=headers)


EXTENSIONS = [
    Extension("ProxyFix", (), proxy_fix, knows_its_own_address),
    Extension("DispatcherMiddleware", (), dispatcher, mounts),
    Extension("WhiteNoise", ("whitenoise",), whitenoise, serves_files, make=with_files),
    Extension(
        "Starlette",
        ("starlette", "asgiref"),
        starlette,
        mounts,
        served=lambda scope: through_asgi(scope["asgi_app"]),
    ),
    Extension(
        "asgiref",
        ("asgiref",),
        asgiref,
        streams_and_takes_a_body,
        served=lambda scope: through_asgi(scope["asgi_app"]),
    ),
    Extension(
        "a2wsgi",
        ("a2wsgi",),
        a2wsgi,
        streams_and_takes_a_body,
        served=lambda scope: through_asgi(scope["asgi_app"]),
    ),
]
