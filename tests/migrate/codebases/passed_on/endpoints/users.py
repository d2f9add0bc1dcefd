from endpoints import *


@api.route("/users", methods=["GET", "PUT"])
@cross_origin(origins=["https://app.example.com"])
def users():
    return jsonify([])
