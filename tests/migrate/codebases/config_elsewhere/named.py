from flask import Flask
from flask_cors import CORS

app = Flask("named")
app.config.from_object("live_settings")
CORS(app)


@app.get("/")
def root():
    return "root"
