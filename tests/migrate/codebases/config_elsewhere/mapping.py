import json
from pathlib import Path

from flask import Flask
from flask_cors import CORS

app = Flask("mapping")
app.config.from_mapping(json.loads(Path(__file__).with_name("settings.json").read_text()))
CORS(app, expose_headers="X-Total")


@app.get("/")
def root():
    return "root"
