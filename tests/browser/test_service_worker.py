"""What a service worker of the app makes of a form that another site sends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from flask_corsguard import CorsGuard

from .browsers import Browser

pytestmark = pytest.mark.browser

WORKER = """
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
    const request = event.request, way = new URL(request.url).pathname;
    if (way === "/left-alone" && request.mode === "navigate" && request.method !== "GET") return;
    if (way === "/passed-on") event.respondWith(fetch(request));
    if (way === "/copied") event.respondWith(fetch(request, {cache: "no-store"}));
    if (way === "/made-anew") event.respondWith(request.text().then(
        (body) => fetch(request.url, {method: "POST", body})
    ));
});
"""
REGISTER = """
const controlled = new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve, {once: true});
});
await navigator.serviceWorker.register("/worker.js");
await controlled;
"""
SUBMIT = """
const form = document.createElement("form");
Object.assign(form, {method: "POST", action: arguments[0]});
document.body.append(form);
form.submit();
"""


def test_only_what_the_browser_sends_itself_is_known_for_what_it_is(
    browser: Browser, serve: Callable[[Flask], str]
) -> None:
    app, stranger, ran = Flask("bank"), Flask("stranger"), list[str]()
    CorsGuard(app, enforce="unsafe")
    page = "<!doctype html><title>page</title><body>"
    app.add_url_rule("/", "page", lambda: page)
    app.add_url_rule("/worker.js", "worker", lambda: (WORKER, {"Content-Type": "text/javascript"}))
    stranger.add_url_rule("/", "page", lambda: page)

    @app.post("/<way>")
    def transfer(way: str) -> str:
        ran.append(way)
        return page

    own = serve(app).replace("localhost", "api.bank.localhost")
    other = serve(stranger).replace("localhost", "evil.localhost")
    browser.open(f"{own}/")
    browser.run(REGISTER)
    for way in ("left-alone", "passed-on", "copied", "made-anew"):
        browser.open(f"{other}/")
        browser.follow(SUBMIT, f"{own}/{way}")
    # Firefox makes the worker's own even of a request that is passed on as it is.
    passed_on = {"chromium": [], "firefox": ["passed-on"]}[browser.name]
    assert ran == [*passed_on, "copied", "made-anew"]
