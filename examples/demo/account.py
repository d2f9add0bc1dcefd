"""An account that takes transfers from a form: one app, with and without enforcement."""

from __future__ import annotations

import threading
from typing import Literal

from api import Listener, add_reasons
from flask import Flask, abort, request
from flask.typing import ResponseReturnValue
from shared import Decisions, Shared

from flask_corsguard import CorsGuard, cors

START = 100
MOST = 100


class Account:
    """An account. It can be overdrawn, so that the demo can be run any number of times."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._balance = START

    @property
    def balance(self) -> int:
        """The money that is left."""
        with self._lock:
            return self._balance

    def withdraw(self, amount: int) -> None:
        """Take money out."""
        with self._lock:
            self._balance -= amount


def create_account(
    page_origin: str, enforce: Literal["off", "unsafe"], listener: Listener, shared: Shared
) -> Flask:
    """Build the app of one account.

    It asks for no login, like many tools on an intranet: whoever reaches it is let in.

    :param page_origin: the origin that its policy allows.
    :param enforce: the only difference between the two accounts.
    :param listener: see :func:`api.create_api`.
    :param shared: where its decisions are kept.
    """
    app = Flask(f"demo_account_{enforce}", static_folder=None)
    # The listener shows them; the log would only repeat them.
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    CorsGuard(app, origins=page_origin, enforce=enforce)
    account = Account()

    @app.post("/transfer")
    def transfer() -> ResponseReturnValue:
        amount = request.form.get("amount", type=int)
        if amount is None or not 1 <= amount <= MOST:
            abort(400)
        account.withdraw(amount)
        return f"Sent {amount}.\n", {"Content-Type": "text/plain"}

    @app.get("/balance")
    @cors(origins="*")
    def balance() -> ResponseReturnValue:
        # Open, so that either page of the demo can show the balance.
        return {"balance": account.balance}, {"Cache-Control": "no-store"}

    add_reasons(app, listener, Decisions(shared.decisions))
    return app
