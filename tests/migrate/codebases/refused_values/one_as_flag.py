from flask import Flask
from flask_cors import CORS

app = Flask("one_as_flag")
CORS(app, origins=["https://app.example.com"], supports_credentials=1, vary_header="yes")


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
