from flask import Flask, current_app
from flask_cors import CORS

app = Flask(__name__)
app.config.update(
    CORS_ORIGINS=["https://app.example.com"],
    CORS_MAX_AGE=60,
    CORS_BLOCKED_MSG="not from here",
)
CORS(app)


@app.get("/origins")
def origins():
    return {"origins": current_app.config["CORS_ORIGINS"], "age": app.config.get("CORS_MAX_AGE")}


@app.put("/orders")
def order():
    return current_app.config["CORS_BLOCKED_MSG"]
