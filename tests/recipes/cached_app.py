"""The app behind the cache of test_caches.py: each kind of answer that depends on who asks.

Bodies say whom they were made for.
"""

import re

from flask import Flask, Request, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from flask_corsguard import CorsGuard, Policy, cors

SHOP = "https://shop.example"
PARTNER = "https://partner.example"

app = Flask(__name__)
app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 600
app.config["CORSGUARD_POLICIES"] = {
    "own": {"origins": SHOP, "allow_credentials": True, "expose_headers": "X-Own"},
    "partners": {"origins": PARTNER, "deny_origins": "https://attacker.example"},
    "public": {"origins": "*"},
    "but-one": {"origins": "*", "deny_origins": "https://attacker.example"},
}
guard = CorsGuard(app, origins=[SHOP, PARTNER], expose_headers=["X-Total"])
guard.for_files("static", "*.woff2", "*.css", origins="*")


def _made_for_whom() -> str:
    return f"for {request.headers.get('Origin')}"


app.add_url_rule("/list", "put", _made_for_whom, methods=["PUT"])
for name in ("list", "pattern", "callable", "denied", "credentials", "strict"):
    app.add_url_rule(f"/{name}", name, _made_for_whom)
guard.for_endpoint("pattern", origins=[re.compile(r"https://(shop|partner)\.example")])
guard.for_endpoint("callable", origins=lambda origin: origin in (SHOP, PARTNER))
guard.for_endpoint("denied", origins="*", deny_origins="https://attacker.example")
guard.for_endpoint("credentials", allow_credentials=True)
guard.for_endpoint("strict", enforce="all")

# Several policies for one route: each origin by another one.
for name, policies in {
    "star": ["own", "public"],
    "star-denied": ["own", "partners", "public"],
    "but-one": ["own", "but-one"],
    "closed": ["own", "partners"],
}.items():
    app.add_url_rule(
        f"/several/{name}", f"several-{name}", cors(policies)(lambda: _made_for_whom())
    )


def is_of_tenant(origin: str, request: Request) -> bool:
    """Each tenant has one origin, and says in a header who it is."""
    return origin == f"https://{request.headers.get('X-Tenant')}.example"


def _made_for_tenant() -> str:
    return f"{_made_for_whom()}, {request.headers.get('X-Tenant')}"


TENANTS = {"origins": is_of_tenant, "origins_vary": ["X-Tenant"]}
app.add_url_rule("/tenants/list", "tenants", _made_for_tenant)
app.add_url_rule(
    "/tenants/streamed", "tenants-streamed", lambda: Response(iter((_made_for_tenant(),)))
)
app.add_url_rule("/tenants/moved", "tenants-moved", lambda: redirect("/list"))
app.add_url_rule(
    "/tenants/strict", "tenants-strict", cors(enforce="all")(lambda: _made_for_tenant())
)
app.add_url_rule("/tenants/broken", "tenants-broken", lambda: broken())
app.add_url_rule(
    "/tenants/several", "tenants-several", cors([Policy(**TENANTS), "public"])(_made_for_tenant)
)
guard.for_path("/tenants", **TENANTS)
# The same, but for what it looks at.
app.add_url_rule("/unnamed", "unnamed", cors(origins=is_of_tenant)(lambda: _made_for_tenant()))


@app.get("/several/unknown")
@cors(["own", "public"])
def several_unknown() -> str:
    abort(404, _made_for_whom())


@app.get("/several/moved")
@cors(["own", "public"])
def several_moved() -> AnyResponse:
    return redirect("/list")


@app.get("/all")
@cors(origins="*")
def everybody() -> str:
    return "for everybody"


@app.get("/refused")
def refused() -> str:
    abort(403, _made_for_whom())


def broken() -> str:
    raise RuntimeError("broken")


app.add_url_rule("/broken", view_func=broken)
app.add_url_rule("/all/broken", "all-broken", broken)
guard.for_endpoint("all-broken", origins="*")


@app.get("/moved")
def moved() -> AnyResponse:
    return redirect("/list")


@app.get("/streamed")
def streamed() -> Response:
    return Response(iter((_made_for_whom(), ".")))


@app.get("/vary/twice")
def vary_twice() -> Response:
    """Two lines, of which some caches read only one."""
    response = Response(_made_for_whom())
    response.headers.add("Vary", "Accept-Language")
    response.headers.add("Vary", "Accept")
    return response


@app.get("/soon")
def soon() -> AnyResponse:
    """An answer that is to be asked for again after a second."""
    response = Response(_made_for_whom(), headers={"Cache-Control": "max-age=1"})
    response.set_etag("one")
    return response.make_conditional(request)
