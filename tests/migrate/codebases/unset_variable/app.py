import os

from flask import Flask
from flask_cors import CORS


class Config:
    CORS_ORIGINS = os.environ.get("FRONTEND_URL")


app = Flask(__name__)
app.config.from_object(Config)
CORS(app)

signed_in = Flask("signed_in")
CORS(signed_in, origins=os.environ.get("FRONTEND_URL", "*"), supports_credentials=True)


@app.get("/")
@signed_in.get("/")
def root():
    return "root"
