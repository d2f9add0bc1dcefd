from flask import Blueprint, Flask
from flask_cors import CORS


def allow(target):
    CORS(target, origins=["https://app.example.com"])


public = Blueprint("public", __name__, url_prefix="/public")
public.add_url_rule("/", "root", lambda: "public")
allow(public)
app = Flask("given")
app.register_blueprint(public)
