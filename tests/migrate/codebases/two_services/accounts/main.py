import flask
import flask_cors

app = flask.Flask(__name__)
flask_cors.CORS(app, origins="https://app.example.com", methods=["GET", "PUT"])


@app.route("/me", methods=["GET", "PUT", "DELETE"])
def me():
    return {"name": "Ada"}
