from flask import Flask
from flask_cors import CORS

app = Flask(__name__)
app.config["CORS_HEADERS"] = "Content-Type"
CORS(app)


def register_headers(response):
    response.headers["Access-Control-Allow-Origin"] = "https://app.example.com"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type, X-Custom"
    return response


app.after_request(register_headers)


@app.route("/servers", methods=["GET", "PUT"])
def servers():
    return {"servers": []}
