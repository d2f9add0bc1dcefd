from flask import Flask
from flask_cors import CORS

app = Flask(__name__)
app.config.from_pyfile("settings.cfg")
CORS(app)

prefixed = Flask("prefixed")
prefixed.config.from_prefixed_env()
CORS(prefixed)


@app.get("/")
@prefixed.get("/")
def root():
    return "root"
