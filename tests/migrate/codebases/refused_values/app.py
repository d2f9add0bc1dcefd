from datetime import timedelta

from flask import Flask
from flask_cors import CORS

long = Flask("long")
CORS(long, origins=["https://app.example.com"], max_age=timedelta(days=10))

text = Flask("text")
CORS(text, origins=["https://app.example.com"], max_age="3600")

insecure = Flask("insecure")
CORS(
    insecure,
    origins=["http://app.example.com", "http://localhost:3000"],
    supports_credentials=True,
)

response_headers = Flask("response_headers")
CORS(
    response_headers,
    origins=["https://app.example.com"],
    methods=["get", "put", "OPTIONS"],
    allow_headers=["Content-Type", "Authorization", "Origin", "Access-Control-Allow-Origin"],
    expose_headers=["Content-Type", "X-Total", "Access-Control-Allow-Origin", "Set-Cookie"],
)

exposed = Flask("exposed")
CORS(
    exposed,
    origins=["https://app.example.com"],
    expose_headers="*",
    supports_credentials=True,
)

tunnel = Flask("tunnel")
CORS(tunnel, origins=["https://app.example.com"], methods=["GET", "PUT", "TRACE"])


@long.route("/", methods=["GET", "PUT"])
@text.route("/", methods=["GET", "PUT"])
@insecure.route("/", methods=["GET", "PUT"])
@response_headers.route("/", methods=["GET", "PUT"])
@exposed.route("/", methods=["GET", "PUT"])
@tunnel.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
