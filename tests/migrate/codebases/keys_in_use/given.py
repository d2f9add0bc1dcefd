from flask import Flask
from flask_cors import CORS


class Config:
    CORS_ORIGINS = ["https://app.example.com"]
    CORS_EXPOSE_HEADERS = "X-Total"


app = Flask("given")
app.config.from_object(Config)
CORS(
    app,
    origins=app.config.get("CORS_ORIGINS"),
    expose_headers=app.config.get("CORS_EXPOSE_HEADERS"),
)


@app.get("/")
def root():
    return "root", 200, {"X-Total": "0"}
