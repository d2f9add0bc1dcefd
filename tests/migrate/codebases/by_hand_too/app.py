from flask import Flask, jsonify
from flask_cors import CORS


def create_app():
    app = Flask(__name__)
    CORS(app, resources={r"/*": {"origins": "*"}})

    @app.after_request
    def after_request(response):
        response.headers.add("Access-Control-Allow-Headers", "Content-Type,Authorization,true")
        response.headers.add("Access-Control-Allow-Methods", "GET,PATCH,POST,DELETE,OPTIONS")
        return response

    @app.route("/categories")
    def categories():
        return jsonify([])

    @app.route("/questions/<int:number>", methods=["DELETE"])
    def delete_question(number):
        return jsonify(deleted=number)

    return app
