from flask import Flask, session
from flask_cors import CORS

app = Flask(__name__)
app.secret_key = "change me"
CORS(app, supports_credentials=True)


@app.get("/me")
def me():
    return {"user": session.get("user")}


@app.put("/me")
def rename():
    return {"user": "grace"}
