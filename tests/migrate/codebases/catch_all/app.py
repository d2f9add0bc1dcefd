from flask import Flask
from flask_cors import CORS

app = Flask(__name__)
CORS(app, resources={r"/api/.*": {"origins": ["https://app.example.com"]}})


@app.get("/api/books")
def books():
    return []


@app.route("/", defaults={"path": ""})
@app.route("/<path:path>")
def frontend(path):
    return f"the page for {len(path)}"
