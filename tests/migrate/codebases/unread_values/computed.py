from flask import Flask
from flask_cors import CORS


def allowed():
    return "*"


app = Flask("computed")
CORS(app, origins=allowed(), supports_credentials=True)


@app.get("/")
def root():
    return "root"
