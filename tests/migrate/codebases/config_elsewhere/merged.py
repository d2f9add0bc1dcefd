from flask import Flask
from flask_cors import CORS

app = Flask("merged")
app.config |= {"CORS_ORIGINS": ["https://app.example.com"]}
CORS(app)


@app.get("/")
def root():
    return "root"
