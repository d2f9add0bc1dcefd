from flask import Flask

try:
    from flask_cors import CORS
except ImportError:
    CORS = None

app = Flask("maybe")
if CORS is not None:
    CORS(app, origins=["https://app.example.com"])


@app.get("/a")
def a():
    return "a"
