"""The API: one Flask app with a policy of each kind, and the inspector."""

from __future__ import annotations

import linecache
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cases import ACCOUNTS, AMOUNT, CASES, LIVE, Origins
from flask import Flask, abort, request, session
from flask.typing import ResponseReturnValue

from flask_corsguard import (
    CorsGuard,
    Decision,
    cors,
    origin_allowed,
    origin_rejected,
    preflight_rejected,
)
from flask_corsguard.sources import FileOrigins

START = 100


def create_api(origins: Origins, readers: Path) -> Flask:
    """Build the API.

    :param readers: the file that lists who may read ``GET /offers``.
    """
    app = Flask("demo_api", static_folder=None)
    app.config["SECRET_KEY"] = secrets.token_hex()
    app.config["SESSION_COOKIE_NAME"] = "corsguard_demo"
    app.config["CORSGUARD_INSPECTOR"] = True
    # Needed outside debug mode. Another site can point its own name to this machine, but then the
    # browser sends that name.
    here = urlsplit(origins.api).netloc
    app.config["CORSGUARD_INSPECTOR_CHECK"] = lambda request: request.host == here
    shop = origins.shop
    CorsGuard(app, origins=shop)
    add_routes(app, readers)
    add_accounts(app)
    add_decisions(app)

    # Another site cannot link to the inspector, but this page can.
    @app.get("/")
    def index() -> ResponseReturnValue:
        return (
            '<!doctype html><title>API</title><a href="/_corsguard/">The inspector</a>',
            {"Refresh": "0; url=/_corsguard/"},
        )

    return app


def add_routes(app: Flask, readers: Path) -> None:
    """Add what the pages call."""

    @app.route("/orders", methods=["GET", "DELETE"])
    def orders() -> ResponseReturnValue:
        return {"orders": 3}

    @app.get("/status")
    @cors(origins="*")
    def status() -> ResponseReturnValue:
        return {"up": True}

    @app.get("/me")
    @cors(allow_credentials=True)
    def me() -> ResponseReturnValue:
        session["visits"] = session.get("visits", 0) + 1
        return {"visits": session["visits"]}

    @app.get("/offers")
    @cors(origins=FileOrigins(readers))
    def offers() -> ResponseReturnValue:
        return {"offers": 2}, {"Cache-Control": "no-store"}


def add_accounts(app: Flask) -> None:
    """Add two accounts that ask for no login, like many tools on an intranet. They can be
    overdrawn, so the form can be sent any number of times.
    """
    balances = {account.id: START for account in ACCOUNTS}

    def withdraw(account: str) -> ResponseReturnValue:
        if request.form.get("amount", type=int) != AMOUNT:
            abort(400)
        balances[account] -= AMOUNT
        return f"Sent {AMOUNT}."

    @app.post("/transfer")
    def transfer() -> ResponseReturnValue:
        return withdraw("plain")

    @app.post("/guarded/transfer")
    @cors(enforce="unsafe")
    def guarded_transfer() -> ResponseReturnValue:
        return withdraw("guarded")

    @app.get("/balances")
    @cors(origins="*")
    def show_balances() -> ResponseReturnValue:
        return balances, {"Cache-Control": "no-store"}


def add_decisions(app: Flask) -> None:
    """Keep the guard's last decision about each case, and let every page read it.

    An API in production should not do this: the decisions describe its policies.
    """
    names = {each.id for each in (*CASES, *ACCOUNTS, LIVE)}
    last: dict[str, dict[str, Any]] = {}

    def was_decided(_sender: Flask, decision: Decision) -> None:
        page, _, name = request.args.get("case", "").partition("-")
        if page in Origins._fields and name in names and decision.endpoint != "decision":
            last[f"{page}-{name}"] = described(decision)

    for signal in (origin_allowed, origin_rejected, preflight_rejected):
        # A signal holds its receivers weakly, and nothing else refers to this one.
        signal.connect(was_decided, app, weak=False)

    @app.get("/decision")
    @cors(origins="*")
    def decision() -> ResponseReturnValue:
        return last.get(request.args.get("case", ""), {}), {"Cache-Control": "no-store"}


def described(decision: Decision) -> dict[str, Any]:
    """A decision as the pages show it: the line of code that set the policy, and why."""
    file, _, line = decision.policy_location.rpartition(":")
    _summary, _policy, *why = decision.explain().splitlines()
    effect = ""
    if decision.blocked:
        effect = "The guard responded with 403, and the view did not run."
    elif decision.reason and decision.preflight:
        effect = f"The preflight was rejected, so the browser never sent the {decision.method}."
    elif decision.reason:
        effect = "The view ran, but the page may not read the response."
    return {
        "reason": decision.reason.name if decision.reason else "",
        "location": decision.policy_location,
        "code": linecache.getline(file, int(line)).strip(),
        "why": [text.strip() for text in why],
        "effect": effect,
    }
