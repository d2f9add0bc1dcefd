
from flask import Flask
from flask_socketio import SocketIO

from flask_corsguard import CorsGuard

app = Flask("x"); guard = CorsGuard(app, origins=["https://app.example.com"], allow_credentials=True, enforce="unsafe")
import os

SocketIO(app, async_mode="threading", cors_allowed_origins=guard.origin_check(app) if os.environ.get("OC") else None)
