from flask import Flask
from flask_cors import CORS

app = Flask("unended"); CORS(app, origins="https://app.example.com")
app.add_url_rule("/", "root", lambda: "root")