import os

from flask import Flask
from flask_cors import CORS

LOCAL = [r"^http://localhost(:[0-9]+)?$"]


def origins():
    named = os.environ.get("FRONTENDS")
    return (named.split(",") if named else []) + LOCAL


app = Flask("patterns")
CORS(app, origins=origins())


@app.route("/runs", methods=["GET", "DELETE"])
def runs():
    return []
