from flask import Flask, session
from flask_cors import CORS

app = Flask(__name__)
app.secret_key = "change me"
app.config.update(SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_SECURE=True)

CORS(app, supports_credentials=True, origins=[
    "https://app.example.com",
    "https://admin.example.com"
])


@app.post("/login")
def login():
    session["user"] = "ada"
    return {"ok": True}


@app.get("/me")
def me():
    return {"user": session.get("user")}
