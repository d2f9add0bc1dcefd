from flask import Blueprint, Flask
from flask_cors import CORS

tools = Blueprint("tools", __name__, url_prefix="/tools")


@tools.after_request
def open_tools(response):
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@tools.get("/list")
def listed():
    return []


app = Flask("before")
CORS(app, origins=["https://admin.example.com"], supports_credentials=True)
app.register_blueprint(tools)


@app.route("/users", methods=["GET", "DELETE"])
def users():
    return []
