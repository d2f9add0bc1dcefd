from flask import Flask
from flask_cors import CORS

app = Flask("string_open_end")
CORS(app, resources={r"/*": {"origins": [r"https://.*\.example\.com", "http://localhost:5173"]}})


@app.get("/data")
def data():
    return {"value": 1}
