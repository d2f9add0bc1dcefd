from flask import Flask
from flask_cors import CORS

app = Flask("key")
app.config["CORS_ORIGIN"] = "https://app.example.com"
CORS(app)


@app.get("/")
def root():
    return "root"
