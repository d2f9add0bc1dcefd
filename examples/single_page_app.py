"""A single-page app on another origin that signs in with a cookie.

``flask --app examples/single_page_app run``

The page calls ``fetch(url, {credentials: "include"})``. The browser lets it read the response only
if the policy allows its origin and credentials; ``"*"`` would be an error when the app starts.

CORS does not protect against forms that other sites send; ``enforce="unsafe"`` does.
"""

import os

from flask import Flask, request, session

from flask_corsguard import CorsGuard

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or os.urandom(32)
app.config.update(
    # Lax is enough if page and API are on one site (app.example.com, api.example.com). On two
    # sites, such as localhost and 127.0.0.1, it takes SESSION_COOKIE_SAMESITE="None", and a browser
    # that accepts such cookies.
    SESSION_COOKIE_SAMESITE="Lax",
    SESSION_COOKIE_SECURE=True,
)
guard = CorsGuard(
    app,
    origins=["https://app.example.com"],
    allow_credentials=True,
    enforce="unsafe",
)


@app.post("/session")
def sign_in():
    session["user"] = request.get_json()["user"]
    return {"user": session["user"]}


@app.get("/session")
def who():
    return {"user": session.get("user")}


@app.delete("/session")
def sign_out():
    session.clear()
    return "", 204
