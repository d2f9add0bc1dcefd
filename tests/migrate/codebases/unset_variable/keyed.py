import os

from flask import Flask
from flask_cors import CORS


class Config:
    CORS_ORIGINS = os.environ.get("FRONTEND_URL")


app = Flask("keyed")
app.config.from_object(Config)
CORS(app)


@app.get("/")
def root():
    return "root"
