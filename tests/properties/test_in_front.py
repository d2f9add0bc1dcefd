"""In front of something else, the guard says what its hooks say within the app."""

import asyncio
import functools
from typing import Any

import pytest
from hypothesis import given

from flask_corsguard import CorsGuard
from flask_corsguard.path_prefix import is_alias
from tests.properties.site import ENFORCE, LOG, Site, site
from tests.properties.test_requests import requests
from tests.properties.wire import Answer, Environ, ask, environ_of

_PLAIN = [("Content-Type", "text/plain")]


class Fronts:
    """A site, and the guard of its app in front of what responds ``200 OK`` to everything."""

    def __init__(self, enforce: str) -> None:
        self.site: Site = site(enforce)
        self.runs = 0
        # Another app with the same marks: in one that has a guard in front, the hooks ask that.
        app = site.__wrapped__(enforce).guarded
        self.wsgi_app: Any = CorsGuard().wsgi(self._wsgi, paths="/", app=app)
        self._asgi_app: Any = CorsGuard().asgi(self._asgi, paths="/", app=app)
        self.loop = asyncio.new_event_loop()

    def _wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        self.runs += 1
        start_response("200 OK", _PLAIN)
        return [b"ok"]

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        self.runs += 1
        headers = [(name.lower().encode(), value.encode()) for name, value in _PLAIN]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    def ask_asgi(self, environ: Environ) -> Answer:
        scope = {
            "type": "http",
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
            "scheme": environ["wsgi.url_scheme"],
            "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
            "headers": [
                (name[5:].replace("_", "-").lower().encode(), value.encode("latin-1"))
                for name, value in environ.items()
                if name.startswith("HTTP_")
            ],
        }
        messages: list[Any] = []

        async def send(message: Any) -> None:
            messages.append(message)

        self.loop.run_until_complete(self._asgi_app(scope, None, send))
        start, *rest = messages
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]
        ]
        return Answer(start["status"], headers, b"".join(each["body"] for each in rest), None)

    def check(self, environ: Environ) -> None:
        try:
            bare = ask(self.site.bare, environ)
            for value in environ.values():
                value.encode("latin-1")
        except Exception:
            return  # nothing that a guard could put right, and nothing that ASGI can say
        within = ask(self.site.guarded, environ)
        for in_front in (functools.partial(ask, self), self.ask_asgi):
            before = self.runs
            _check(in_front(environ), within, bare, environ, has_run=self.runs > before)
            assert not LOG.broken, LOG.broken


def _check(
    answer: Answer, within: Answer, bare: Answer, environ: Environ, *, has_run: bool
) -> None:
    cors = {name.lower(): value for name, value in answer.cors.items()}
    if is_alias(environ["PATH_INFO"]):
        assert (answer.status, cors, has_run) == (403, {}, False)
    elif (within.status, within.body) != (bare.status, bare.body):
        assert (answer.status, answer.body, has_run) == (within.status, within.body, False)
        assert sorted((name.lower(), value) for name, value in answer.headers) == sorted(
            (name.lower(), value) for name, value in within.headers
        )
    else:
        assert has_run
        assert answer.status == 200
        if within.headers == bare.headers:  # an exempt route
            assert (cors, answer.vary) == ({}, set())
            return
        if within.cors == bare.cors != {}:  # the view's, which is not there
            assert "origin" in answer.vary
            return
        assert cors == {name.lower(): value for name, value in within.cors.items()}
        assert answer.vary | bare.vary == within.vary


@functools.cache
def fronts(enforce: str) -> Fronts:
    return Fronts(enforce)


@pytest.mark.parametrize("enforce", ENFORCE)
def test_ordinary_requests(enforce: str) -> None:
    tried = fronts(enforce)
    for path in tried.site.table:
        for origin in ("https://shop.example", "https://admin.shop.example", "https://evil.test"):
            for method in ("GET", "HEAD", "PUT", "OPTIONS"):
                tried.check(environ_of(method, path, {"ORIGIN": origin}))
                asked = {"ORIGIN": origin, "ACCESS_CONTROL_REQUEST_METHOD": method}
                tried.check(environ_of("OPTIONS", path, asked))


@given(requests())
def test_odd_requests(request: tuple[str, Environ]) -> None:
    enforce, environ = request
    fronts(enforce).check(environ)
