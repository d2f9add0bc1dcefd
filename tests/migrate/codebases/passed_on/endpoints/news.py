from . import api, cross_origin, jsonify


@api.get("/news")
@cross_origin()
def news():
    return jsonify([])
