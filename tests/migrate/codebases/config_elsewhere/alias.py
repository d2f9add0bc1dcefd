from flask import Flask
from flask_cors import CORS

app = Flask("alias")
settings = app.config
settings["CORS_ORIGINS"] = ["https://app.example.com"]
CORS(app)


@app.get("/")
def root():
    return "root"
