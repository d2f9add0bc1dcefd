from flask import Flask
from flask_cors import CORS

app = Flask("looped")
for key, value in {"CORS_ORIGINS": ["https://app.example.com"]}.items():
    app.config[key] = value
CORS(app)


@app.get("/")
def root():
    return "root"
