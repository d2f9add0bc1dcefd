from flask_cors import cross_origin

from web.app import app


@app.route("/figures", methods=["GET", "POST"])
def figures():
    return []


@app.route("/open-figures")
@cross_origin(origins="*", send_wildcard=True)
def open_figures():
    return []
