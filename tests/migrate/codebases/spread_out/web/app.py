import os
import re

from flask import Flask
from flask_cors import CORS

app = Flask("web")
app.config["CORS_ORIGINS"] = os.environ.get("FRONTEND", "https://app.example.com")
app.config["CORS_MAX_AGE"] = 600

CORS(app)
