from flask import Flask
from flask_cors import CORS

slash = Flask("slash")
CORS(slash, origins=["https://app.example.com/", "https://admin.example.com"])

joined = Flask("joined")
CORS(joined, origins="https://app.example.com,https://admin.example.com")

upper = Flask("upper")
CORS(upper, origins=["https://App.Example.com"])

bare = Flask("bare")
CORS(bare, origins=["app.example.com", "https://admin.example.com:443"])

null = Flask("null")
CORS(null, origins=["null", "https://app.example.com"])


@slash.get("/")
@joined.get("/")
@upper.get("/")
@bare.get("/")
@null.get("/")
def root():
    return "root"
