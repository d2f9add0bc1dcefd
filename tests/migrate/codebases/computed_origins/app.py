import os

from flask import Flask
from flask_cors import CORS

app = Flask("shown")
app.config["FRONTENDS"] = os.getenv("FRONTENDS", "").split(",")
CORS(app, origins=app.config["FRONTENDS"], supports_credentials=True)


@app.route("/profile", methods=["GET", "PUT"])
def profile():
    return {"name": "A"}
