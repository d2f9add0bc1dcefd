"""Takes the documentation's picture of the inspector: python -m tests.browser.inspector_picture

Needs Pillow, which comes with matplotlib.
"""

import base64
import logging
import threading
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from werkzeug.serving import make_server

from .browsers import Chromium, emulate

PICTURE = Path(__file__).parents[2] / "docs" / "_static" / "inspector.png"
APP = """
from flask import Flask
from flask_corsguard import CorsGuard, cors, cors_exempt

app = Flask("shop", static_folder=None)
app.debug = True
guard = CorsGuard(app, inspector=True, origins=["https://shop.example.com", "http://localhost:5173"])

@app.get("/api/products")
def products(): return []

@app.get("/api/products/<int:id>")
def product(id): return {}

@app.put("/api/products/<int:id>")
@cors(origins="https://staff.example.com", allow_credentials=True, enforce="unsafe")
def edit_product(id): return {}

@app.route("/api/orders", methods=["GET", "POST"])
@cors(origins="https://shop.example.com", allow_credentials=True, enforce="unsafe")
def orders(): return []

@app.get("/api/orders.csv")
@cors(origins=["https://shop.example.com", "https://*.partner.example"])
def export(): return ""

@app.get("/api/status")
@cors(origins="*")
def status(): return {}

def is_tenant(origin): return False

@app.get("/api/tenants/<name>")
@cors(origins=["https://staff.example.com", is_tenant])
def tenant(name): return {}

@app.post("/hooks/payments")
@cors_exempt
def payments(): return ""
"""


def main() -> None:
    names: dict[str, object] = {"__name__": "app"}
    exec(compile(APP, "app.py", "exec"), names)
    app = names["app"]
    for origin in ("https://shop.example.org", "null"):
        app.test_client().get("/api/products", headers={"Origin": origin})
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("localhost", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with TemporaryDirectory() as profile:
        browser = Chromium(Path(profile))
        emulate(browser.driver, 1190, 700, deviceScaleFactor=2, scheme="light")
        browser.open(f"http://localhost:{server.server_port}/_corsguard/")
        height = browser.run("return document.querySelector('main').offsetHeight")
        clip = {"x": 0, "y": 0, "width": 1134, "height": height, "scale": 1}
        taken = browser.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True}
        )
        browser.driver.quit()
    with Image.open(BytesIO(base64.b64decode(taken["data"]))) as picture:
        # With few colours, because the file would have three times the size.
        picture.convert("RGB").quantize(128).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
