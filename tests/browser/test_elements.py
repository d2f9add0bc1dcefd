"""Pictures and scripts of another origin, with the attribute ``crossorigin`` and without."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request

from flask_corsguard import CorsGuard

from .browsers import Browser

pytestmark = pytest.mark.browser

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

LOAD = """
const [name, url, crossorigin] = arguments;
const element = document.createElement(name);
if (crossorigin !== null) element.crossOrigin = crossorigin;
const loaded = await new Promise((resolve) => {
    element.onload = () => resolve(true);
    element.onerror = () => resolve(false);
    element.src = url;
    document.body.append(element);
});
if (name !== "img" || !loaded) return [loaded, null];
const context = document.createElement("canvas").getContext("2d");
context.drawImage(element, 0, 0);
try {
    context.getImageData(0, 0, 1, 1);
    return [loaded, "read"];
} catch (error) {
    return [loaded, error.name];
}
"""


@pytest.fixture(scope="module")
def origins(serve: Callable[[Flask], str]) -> dict[str, str]:
    page = serve(Flask("page"))

    def made(**policy: Any) -> str:
        app = Flask("media")
        CorsGuard(app, **policy)
        bodies = {"/img": (PIXEL, "image/gif"), "/script": (b"1", "text/javascript")}

        @app.get("/img")
        @app.get("/script")
        def file() -> Any:
            body, mimetype = bodies[request.path]
            return body, {"Content-Type": mimetype}

        return serve(app)

    return {
        "page": page,
        "closed": made(),
        "open": made(origins="*"),
        "listed": made(origins=page, allow_credentials=True),
    }


@pytest.mark.parametrize(
    ("server", "crossorigin", "image"),
    [
        ("closed", None, [True, "SecurityError"]),
        ("closed", "anonymous", [False, None]),
        ("closed", "use-credentials", [False, None]),
        ("open", None, [True, "SecurityError"]),
        ("open", "anonymous", [True, "read"]),
        ("open", "use-credentials", [False, None]),
        ("listed", "anonymous", [True, "read"]),
        ("listed", "use-credentials", [True, "read"]),
    ],
)
def test_elements(
    browser: Browser, origins: dict[str, str], server: str, crossorigin: str | None, image: Any
) -> None:
    """Pictures and scripts load or not, and their pixels can be read or not, as in the table."""
    browser.open(f"{origins['page']}/404")
    url = origins[server]
    assert browser.run(LOAD, "img", f"{url}/img", crossorigin) == image
    assert browser.run(LOAD, "script", f"{url}/script", crossorigin) == [image[0], None]
