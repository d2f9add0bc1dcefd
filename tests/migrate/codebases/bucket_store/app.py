from flask import Flask, request
from flask_cors import CORS

METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
RULES = {"shared": "https://app.example.com"}


def bucket(name):
    allowed = RULES.get(name)
    headers = {}
    if allowed is not None and request.headers.get("Origin") == allowed:
        headers["Access-Control-Allow-Origin"] = allowed
        headers["Access-Control-Allow-Methods"] = "PUT"
    if request.method == "OPTIONS":
        return "", 200 if headers else 403, headers
    return f"in {name}", 200, headers


def create_backend_app():
    app = Flask(__name__)
    CORS(app, origins=["https://admin.example.com"])
    app.add_url_rule("/<name>", "bucket", bucket, methods=METHODS, provide_automatic_options=False)
    return app
