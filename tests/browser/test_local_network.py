"""A page of a public address asks an app on the user's own machine, in Chromium."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from flask_corsguard import CorsGuard

from .browsers import Chromium
from .conftest import require

pytestmark = pytest.mark.browser

ASK = """
const outcomes = [];
for (const method of ["GET", "PUT"]) {
    outcomes.push(await fetch(arguments[0], {method}).then((r) => r.text(), (e) => e.name));
}
return outcomes;
"""


@pytest.mark.parametrize("listed", [True, False])
def test_the_user_is_asked_and_the_server_is_not(
    serve: Callable[[Flask], str], tmp_path: Path, listed: bool
) -> None:
    require("chromium")
    page = serve(Flask("page"))
    app = Flask("printer")
    CorsGuard(app, origins=page if listed else ())
    app.add_url_rule("/", view_func=lambda: "12 sheets", methods=["GET", "PUT"])
    heard: list[tuple[str, bool]] = []
    wsgi_app = app.wsgi_app

    def hear(environ, start_response):
        private = "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK" in environ
        heard.append((environ["REQUEST_METHOD"], private))
        return wsgi_app(environ, start_response)

    app.wsgi_app = hear
    url = serve(app).replace("localhost", "127.0.0.1")
    port = page.rpartition(":")[2]
    public = f"--ip-address-space-overrides=127.0.0.1:{port}=public,[::1]:{port}=public"
    with closing(Chromium(tmp_path, public)) as browser:
        browser.open(f"{page}/404")
        # Nobody says yes.
        assert browser.run(ASK, url) == ["TypeError", "TypeError"]
        assert heard == []
        permission = {"permission": {"name": "loopback-network"}, "setting": "granted"}
        browser.driver.execute_cdp_cmd("Browser.setPermission", permission)
        outcomes = browser.run(ASK, url)
    # What then comes is CORS as it always was.
    if listed:
        assert outcomes == ["12 sheets", "12 sheets"]
        assert heard == [("GET", False), ("OPTIONS", False), ("PUT", False)]
    else:
        assert outcomes == ["TypeError", "TypeError"]
        assert heard == [("GET", False), ("OPTIONS", False)]
