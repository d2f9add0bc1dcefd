"""The lines that most people need. ``flask --app examples/quickstart run``"""

from flask import Flask

from flask_corsguard import CorsGuard

app = Flask(__name__)
guard = CorsGuard(app, origins=["https://app.example.com"])


@app.get("/api/users")
def users():
    return ["Ada", "Grace"]
