from flask import Flask
from flask_cors import CORS
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

site = Flask("site")
api = Flask("api")
CORS(api, origins=["https://app.example.com"], supports_credentials=True)


@site.get("/")
def home():
    return "home"


@api.get("/items")
def items():
    return []


@api.post("/items")
def add():
    return "", 201


@api.errorhandler(404)
def nothing(error):
    return {"error": "nothing here"}, 404


api.wsgi_app = ProxyFix(api.wsgi_app, x_host=1)
site.wsgi_app = DispatcherMiddleware(site.wsgi_app, {"/api": api})
application = site
