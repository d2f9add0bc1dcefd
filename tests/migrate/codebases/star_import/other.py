from flask import Flask
from flask_cors.decorator import cross_origin
from flask_cors.extension import CORS

app = Flask("other")
domain = "app.example.com"
CORS(app, origins=[f"https://{domain}"])


@app.get("/")
def root():
    return "root"


@app.get("/marked")
@cross_origin(origins=f"https://{domain}")
def marked():
    return "marked"
