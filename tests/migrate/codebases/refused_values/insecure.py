from flask import Flask
from flask_cors import CORS

app = Flask("insecure")
CORS(
    app,
    origins=["http://app.example.com", "http://localhost:3000"],
    supports_credentials=True,
)


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
