from flask import Flask, jsonify, request
from flask_cors import CORS

app = Flask(__name__)
CORS(app)

TASKS = [{"id": 1, "title": "Water the plants"}]


@app.route("/tasks", methods=["GET"])
def list_tasks():
    return jsonify(TASKS), 200, {"X-Total": str(len(TASKS))}


@app.route("/tasks", methods=["POST"])
def add_task():
    return jsonify(request.get_json(silent=True)), 201


@app.route("/tasks/<int:number>", methods=["PUT", "DELETE"])
def change_task(number):
    return jsonify(id=number)


if __name__ == "__main__":
    app.run(debug=True, port=5001)
