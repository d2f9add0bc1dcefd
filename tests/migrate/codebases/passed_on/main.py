from endpoints import CORS, api
from flask import Flask

import endpoints.news
import endpoints.users  # noqa: F401

app = Flask(__name__)
CORS(app, resources={r"/public/*": {"origins": "*"}})
app.register_blueprint(api)


@app.get("/public/logo")
def logo():
    return "logo"
