from flask import Flask
from flask_cors import CORS

app = Flask("exposed")
CORS(
    app,
    origins=["https://app.example.com"],
    expose_headers="*",
    supports_credentials=True,
)


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
