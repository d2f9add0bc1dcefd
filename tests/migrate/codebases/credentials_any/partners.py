from flask import Flask
from flask_cors import CORS

partners = Flask(__name__)
CORS(partners, resources={r"/*": {"origins": "*"}}, supports_credentials=True)


@partners.get("/orders")
def orders():
    return []
