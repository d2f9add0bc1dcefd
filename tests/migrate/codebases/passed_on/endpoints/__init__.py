from flask import Blueprint, jsonify
from flask_cors import CORS, cross_origin

api = Blueprint("api", __name__, url_prefix="/api")
