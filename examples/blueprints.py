"""A policy for each blueprint. ``flask --app examples/blueprints run``

- ``/api/...``: the company's own front end, by the blueprint's policy.
- ``/api/export``: partners only; a named policy replaces the blueprint's policy.
- ``/public/...``: everyone, even at a URL without a route (a 404).
- ``/hooks/...``: the guard leaves it alone; the blueprint handles CORS itself, or not at all.
- everywhere else: no other origin, because the guard has no default policy.
"""

from flask import Blueprint, Flask

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt

api = Blueprint("api", __name__, url_prefix="/api")
public = Blueprint("public", __name__, url_prefix="/public")
hooks = Blueprint("hooks", __name__, url_prefix="/hooks")

# To mark a blueprint, call the decorator before you register the blueprint.
cors(origins=["https://app.example.com"])(api)
cors(origins="*")(public)
cors_exempt(hooks)


@api.get("/users")
def users():
    return ["Ada", "Grace"]


@api.get("/export")
@cors("partners")
def export():
    return {"rows": []}


@public.get("/status")
def status():
    return {"status": "ok"}


@hooks.post("/payment")
def payment():
    return "", 204


app = Flask(__name__)
guard = CorsGuard(app, policies={"partners": Policy(origins=["https://*.partner.example"])})
for blueprint in (api, public, hooks):
    app.register_blueprint(blueprint)
