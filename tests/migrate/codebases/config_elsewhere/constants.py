from flask import Flask
from flask_cors import CORS

import plain_settings

app = Flask("constants")
app.config.from_object(plain_settings)
CORS(app)


@app.get("/")
def root():
    return "root", 200, {"X-Total": "0"}
