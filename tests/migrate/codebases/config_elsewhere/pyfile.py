from flask import Flask
from flask_cors import CORS

app = Flask("pyfile")
app.config.from_pyfile("settings.cfg")
CORS(app)


@app.get("/")
def root():
    return "root"
