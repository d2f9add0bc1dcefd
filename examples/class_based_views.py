"""Policies on a view class and on some of its methods.

``flask --app examples/class_based_views run``

Everyone may read a note. Only the front end may write one, and only the admin page may delete it.
For a preflight, the policy of the requested method counts.
"""

from flask import Flask
from flask.views import MethodView

from flask_corsguard import CorsGuard, cors

app = Flask(__name__)
guard = CorsGuard(app)
notes = {1: "Buy milk"}


@cors(origins=["https://app.example.com"])
class Note(MethodView):
    @cors(origins="*")
    def get(self, number):
        return {"text": notes.get(number, "")}

    def put(self, number):
        return {"text": f"note {number} would be written"}

    @cors(origins=["https://admin.example.com"], max_age=0)
    def delete(self, number):
        return {"text": f"note {number} would be deleted"}


app.add_url_rule("/notes/<int:number>", view_func=Note.as_view("note"))
