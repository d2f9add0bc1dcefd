from flask import Flask
from flask_cors import CORS, cross_origin

app = Flask(__name__)
app.config["CORS_HEADERS"] = "Content-Type"
app.config["CORS_ORIGINS"] = ["https://app.example.com"]
app.config.update(
    CORS_SUPPORTS_CREDENTIALS=True,
    JSON_SORT_KEYS=False,
)
CORS(app, expose_headers="X-Total")


@app.route("/inbox", methods=["GET", "PUT"])
def inbox():
    return [], 200, {"X-Total": "0"}


@app.route("/widget", methods=["GET", "PUT"])
@cross_origin(origins="https://admin.example.com")
def widget():
    return [], 200, {"X-Total": "0"}
