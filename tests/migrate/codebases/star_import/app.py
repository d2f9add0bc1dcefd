from flask import *
from flask_cors import *

app = Flask(__name__)
CORS(app=app, origins=("https://app.example.com",))

later = Flask("later")
both = CORS(origins={"https://app.example.com"})
both.init_app(app=later, methods=["GET", "POST"])


@app.get("/")
@later.get("/")
def root():
    return "root"
