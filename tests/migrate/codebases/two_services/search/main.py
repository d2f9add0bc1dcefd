from flask import Flask, request
from flask_cors import CORS

search = Flask(__name__)
CORS(search, send_wildcard=True)


@search.get("/search")
def find():
    return {"q": request.args.get("q", "")}


@search.post("/reindex")
def reindex():
    return "", 202
