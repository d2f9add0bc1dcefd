"""What a page's speculation rules cause to run in an app that refuses, in Chromium.

For them it says ``Sec-Fetch-Site: none``, whoever's page they are on, as it does for an address
that the user types.
"""

import json
import queue
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from flask import Flask, Response, request

from flask_corsguard import CorsGuard

from .browsers import TIMEOUT, Chromium

pytestmark = pytest.mark.browser

HEAD = "<!doctype html><title>A page</title><link rel=icon href=data:,>"
# Browsers trust loopback names as they trust https; elsewhere they speculate about http less.
BANK, SIBLING, STRANGER = "bank.localhost", "blog.bank.localhost", "evil.localhost"


class Seen(NamedTuple):
    """A request, as the server saw it, and what became of it."""

    path: str
    purpose: str | None
    site: str | None
    cookie: str | None
    status: int


class Bank:
    """An app that refuses whatever another site causes, and keeps a log outside of Flask."""

    def __init__(self, serve: Callable[[Flask], str]) -> None:
        self.log: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self.ran: list[str] = []
        app = Flask("bank", static_folder=None)
        app.debug = True
        app.before_request(lambda: self.ran.append(request.path))
        app.add_url_rule("/page", "page", page)
        app.add_url_rule("/sign-in", "sign_in", self._sign_in)
        app.add_url_rule("/target", "target", self._target)
        CorsGuard(app, enforce="all", inspector=True)
        app.wsgi_app = self._logged(app.wsgi_app)  # type: ignore[method-assign]
        self.port = int(serve(app).rpartition(":")[2])
        self.url = f"http://{BANK}:{self.port}"

    def _sign_in(self) -> Response:
        response = Response(HEAD, mimetype="text/html")
        response.set_cookie("session", "ada", samesite="Lax")
        return response

    def _target(self) -> Response:
        response = Response(f"{HEAD.replace('A page', 'There')}", mimetype="text/html")
        # Chromium uses what <link rel=prefetch> has brought only as long as it is fresh.
        response.headers["Cache-Control"] = "max-age=60"
        return response

    def _logged(self, wsgi_app: Any) -> Any:
        def logged(environ: dict[str, Any], start_response: Any) -> Any:
            def start(status: str, *rest: Any) -> Any:
                names = ("PATH_INFO", "HTTP_SEC_PURPOSE", "HTTP_SEC_FETCH_SITE", "HTTP_COOKIE")
                self.log.put(Seen(*map(environ.get, names), int(status[:3])))  # type: ignore[arg-type]
                return start_response(status, *rest)

            return wsgi_app(environ, start)

        return logged

    def seen(self, path: str) -> Seen:
        """The next request for a path."""
        while True:
            seen = self.log.get(timeout=TIMEOUT)
            if seen.path == path:
                return seen

    def rest(self) -> list[Seen]:
        """What has been asked for since, in order."""
        found: list[Seen] = []
        while not self.log.empty():
            found.append(self.log.get())
        return found


def page() -> Response:
    """A page with the head and the ``Referrer-Policy`` that the URL asks for, and a link."""
    link = f"<a href={request.args['to']}>there</a>"
    response = Response(f"{HEAD}{request.args['head']}{link}", mimetype="text/html")
    response.headers["Referrer-Policy"] = request.args.get("policy", "")
    return response


@pytest.fixture(scope="module")
def bank(serve: Callable[[Flask], str]) -> Bank:
    return Bank(serve)


@pytest.fixture(scope="module")
def others(serve: Callable[[Flask], str]) -> int:
    """The port of the pages of others."""
    app = Flask("others", static_folder=None)
    app.add_url_rule("/page", "page", page)
    return int(serve(app).rpartition(":")[2])


def rules(kind: str, url: str, source: str = "list") -> str:
    which = {"list": {"urls": [url]}, "document": {"where": {"href_matches": "/target"}}}[source]
    rule = {"source": source, **which, "eagerness": "immediate"}
    return f"<script type=speculationrules>{json.dumps({kind: [rule]})}</script>"


def address(host: str, head: str, to: str, policy: str = "") -> str:
    return f"http://{host}/page?{urlencode({'head': head, 'to': to, 'policy': policy})}"


@pytest.mark.parametrize(
    ("host", "policy"),
    [
        (SIBLING, ""),
        (SIBLING, "no-referrer"),
        (SIBLING, "unsafe-url"),
        # Chromium asks another site nothing ahead of time that would learn too much.
        (STRANGER, ""),
        (STRANGER, "no-referrer"),
    ],
)
@pytest.mark.parametrize("path", ["/target", "/_corsguard/"])
@pytest.mark.parametrize("kind", ["prefetch", "prerender"])
def test_the_rules_of_another_site(
    chromium: Chromium, bank: Bank, others: int, host: str, kind: str, path: str, policy: str
) -> None:
    """Nothing of the app runs, not even where the session cookie is sent along. When the user goes
    there, Chromium asks again."""
    url = f"{bank.url}{path}"
    chromium.forget_cookies()
    if host == SIBLING:  # Chromium asks another site nothing ahead of time that has cookies
        chromium.open(f"{bank.url}/sign-in")
    bank.ran.clear()
    bank.rest()
    chromium.open(address(f"{host}:{others}", rules(kind, url), url, policy))
    seen = bank.seen(path)
    assert (seen.site, seen.status, bank.ran) == ("none", 403, [])
    assert seen.purpose == {"prefetch": "prefetch", "prerender": "prefetch;prerender"}[kind]
    assert seen.cookie == ("session=ada" if host == SIBLING else None)
    chromium.run("document.links[0].click()")
    again = bank.seen(path)
    assert (again.purpose, again.status) == (None, 403)  # a link on another site, refused as ever


HEADS = {
    "prefetch, list": rules("prefetch", "/target"),
    "prefetch, document": rules("prefetch", "/target", "document"),
    "prerender, list": rules("prerender", "/target"),
    "prerender, document": rules("prerender", "/target", "document"),
    "link": "<link rel=prefetch href=/target>",
}


@pytest.mark.parametrize("policy", ["", "origin"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_the_rules_of_an_own_page(chromium: Chromium, bank: Bank, head: str, policy: str) -> None:
    """They go on working: one request, before the user goes there, and none then."""
    chromium.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    bank.rest()
    chromium.open(address(f"{BANK}:{bank.port}", head, "/target", policy))
    seen = bank.seen("/target")
    assert (seen.site, seen.status) == ("same-origin" if "link" in head else "none", 200)
    assert seen.purpose
    chromium.run("document.links[0].click()")
    until = time.monotonic() + TIMEOUT
    while chromium.driver.title != "There":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert [each for each in bank.rest() if each.path == "/target"] == []


def test_an_own_page_that_keeps_referer_back(chromium: Chromium, bank: Bank) -> None:
    """It looks like another site's, so it is held back, and the user gets there all the same."""
    chromium.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    head = rules("prefetch", "/target")
    chromium.open(address(f"{BANK}:{bank.port}", head, "/target", "no-referrer"))
    assert bank.seen("/target").status == 403
    chromium.run("document.links[0].click()")
    seen = bank.seen("/target")
    assert (seen.purpose, seen.site, seen.status) == (None, "same-origin", 200)
