"""The fixtures of pytest-flask work as they are, in the request context that they push too."""

import urllib.request

import pytest
from flask import Flask, g

from flask_corsguard import CorsGuard, cors, current_decision

SHOP = "https://shop.example"


@pytest.fixture(scope="session")
def app():
    app = Flask("shop", static_folder=None)
    app.config["SERVER_NAME"] = "localhost"  # live_server adds its port; Flask 3.0 insists on it
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: current_decision.outcome.value)
    app.add_url_rule("/open", "open", cors(origins="*")(lambda: "open"))
    return app


def test_client(client, http):
    for path, origin, vary in (("/", SHOP, {"Vary": "Origin"}), ("/open", "*", {})):
        response = client.get(path, headers={"Origin": SHOP})
        found = {k: v for k, v in response.headers if k == "Vary" or k.startswith("Access-")}
        assert found == {"Access-Control-Allow-Origin": origin, **vary}
    assert client.get("/", headers={"Origin": SHOP}).text == "allowed"
    assert client.get("/").text == "not-cors"
    assert not list(g)


def test_cors_browser(cors_browser, client, app):
    url = f"http://{app.config['SERVER_NAME']}"
    assert cors_browser(SHOP).fetch(f"{url}/").assert_readable().text == "allowed"
    cors_browser("https://evil.example").fetch(f"{url}/").assert_blocked()
    assert cors_browser().fetch(f"{url}/open").assert_readable().text == "open"
    assert client.get("/").text == "not-cors"  # the request context that pytest-flask pushed stays
    assert not list(g)


def test_live_server(live_server):
    for origin, outcome in ((SHOP, "allowed"), ("https://evil.example", "rejected")):
        request = urllib.request.Request(live_server.url("/"), headers={"Origin": origin})
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.read().decode() == outcome
            assert response.headers.get_all("Vary") == ["Origin"]
            allowed = response.headers.get_all("Access-Control-Allow-Origin")
            assert allowed == ([SHOP] if outcome == "allowed" else None)
