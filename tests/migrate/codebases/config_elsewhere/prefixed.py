from flask import Flask
from flask_cors import CORS

app = Flask("prefixed")
app.config.from_prefixed_env()
CORS(app)


@app.get("/")
def root():
    return "root"
