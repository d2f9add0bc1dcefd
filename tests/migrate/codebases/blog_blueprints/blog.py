from flask import Flask

from views.comments import bp as comments
from views.pages import pages_bp
from views.posts import posts


def make_app():
    app = Flask(__name__)
    app.register_blueprint(posts)
    app.register_blueprint(comments, url_prefix="/comments")
    app.register_blueprint(pages_bp)
    return app
