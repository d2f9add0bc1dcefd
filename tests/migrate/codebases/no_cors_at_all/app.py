from flask import Flask

app = Flask(__name__)


@app.get("/")
def root():
    """This text mentions flask_cors and CORS(app), and is none."""
    return "CORS(app)"
