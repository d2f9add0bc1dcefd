from flask import Blueprint, Flask
from flask_cors import CORS

app = Flask("both")
app.config["CORS_ORIGINS"] = ["https://admin.example.com"]
api = Blueprint("api", __name__, url_prefix="/api")
CORS(api)
CORS(app)


@api.route("/studies", methods=["GET", "PUT"])
def studies():
    return []


@app.get("/admin")
def admin():
    return "admin"


app.register_blueprint(api)
