from flask import Flask
from flask_cors import CORS

app = Flask("built")
DOMAIN = "example.com"
CORS(app, origins="https://{}.{}".format("*", DOMAIN))


@app.get("/")
def root():
    return "root"
