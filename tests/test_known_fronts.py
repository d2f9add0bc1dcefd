"""What explain(), the command and the inspector say of a request to which something responds in
front of Flask. Here it only looks like the libraries; tests/audit/test_real_fronts.py has them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware

from flask_corsguard import CorsGuard, Outcome
from flask_corsguard.cli import cors as command
from flask_corsguard.inspector.check_form import CheckForm
from flask_corsguard.runtime.state import state_of
from flask_corsguard.simulate import simulate
from tests.audit.look_alikes import (
    ConnexionApp,
    ConnexionJson,
    EngineMiddleware,
    SocketIO,
    SocketServer,
    WhiteNoise,
    in_connexion,
)

SHOP, OTHER = "https://shop.example", "https://other.example"
PATH, FILE = "/socket.io/?EIO=4", "/files/a.js"
BY_ITSELF = "Socket.IO responds here in front of the guard, according to cors_allowed_origins: "
ASKS = "Socket.IO responds here, and asks guard.origin_check"
NO_PUT = "Socket.IO responds here, and accepts only GET and POST"
ITS_CHANGE = ". To have the guard decide: cors_allowed_origins=guard.origin_check(app)"

# Marks of other tests are not marks of the app.

Put = Callable[[Flask, CorsGuard], Any]


def put_in_front(wrap: Callable[[Any], Any]) -> Put:
    return lambda app, guard: setattr(app, "wsgi_app", wrap(app.wsgi_app))


def behind(put: Put, *paths: str) -> Put:
    def put_behind(app: Flask, guard: CorsGuard) -> None:
        put(app, guard)
        app.wsgi_app = guard.wsgi(app.wsgi_app, paths=paths)  # type: ignore[method-assign]

    return put_behind


def with_setting(allowed: Any) -> Put:
    return lambda app, guard: SocketIO(app, allowed)


def asking(app: Flask, guard: CorsGuard) -> None:
    SocketIO(app, guard.origin_check(app))


def with_no_more_than_the_name(app: Flask, guard: CorsGuard) -> None:
    app.wsgi_app = EngineMiddleware(None, app.wsgi_app)  # type: ignore[method-assign]


def asking_under_asgi(app: Flask, guard: CorsGuard) -> None:
    server: Any = EngineMiddleware(SocketServer(guard.origin_check(app)), None)
    guard.asgi(server, paths="/socket.io", app=app)


def asking_for_less(app: Flask, guard: CorsGuard) -> None:
    SocketIO(app, guard.origin_check(app, credentials=False))


def mounting(app: Flask, guard: CorsGuard) -> None:
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/other": Flask("other")})  # type: ignore[method-assign]


def mounting_a_guarded_app(app: Flask, guard: CorsGuard) -> None:
    other = Flask("other")
    guard.init_app(other)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/other": other})  # type: ignore[method-assign]


def sharing(app: Flask, guard: CorsGuard) -> None:
    exports = {"/shared": str(Path(__file__).parent), "/one.py": __file__}
    app.wsgi_app = SharedDataMiddleware(app.wsgi_app, exports)  # type: ignore[method-assign]


def in_a_connexion_app(app: Flask, guard: CorsGuard) -> None:
    in_connexion(app, lambda: "")


def before_connexion_starts(app: Flask, guard: CorsGuard) -> None:
    app.json = ConnexionJson(app)


def behind_asgi(app: Flask, guard: CorsGuard) -> None:
    in_connexion(app, lambda: "")

    guard.asgi(ConnexionApp(), paths="/", app=app)


def made(put: Put, **fields: Any) -> tuple[Flask, CorsGuard]:
    app = Flask("app", static_folder=None)
    given = {"origins": [SHOP], "allow_credentials": True, "allow_headers": ["x-own"], **fields}
    guard = CorsGuard(app, **given)
    app.add_url_rule("/", "index", lambda: "")
    put(app, guard)
    return app, guard


NONE, GUARD = "", "the guard in front of"
FILES = "WhiteNoise responds here in front of the guard, with Access-Control-Allow-Origin: *"
GUARDED_FILES = (
    ". To have the guard decide: app.wsgi_app = guard.wsgi(app.wsgi_app, paths=['/files'])"
)
CONNEXION = "Connexion responds to {} like this one, in front of the guard. To have the guard"
NAME = Path(__file__).name
SHARED = "SharedDataMiddleware responds here in front of the guard, with no CORS headers"
CONNEXION_HIDDEN = "Connexion responds to preflights like this one, in front of the guard, unless "
PUT = {"method": "PUT"}
UPGRADE = {"headers": {"Upgrade": "websocket"}}


@pytest.mark.parametrize(
    ("put", "url", "origin", "asked", "outcome", "in_front"),
    [
        # Its own setting decides there, and the guard does not know about what.
        (with_setting(None), PATH, OTHER, {}, "EXEMPT",
         f"{BY_ITSELF}the app's own pages{ITS_CHANGE}"),
        (with_setting(None), PATH, SHOP, UPGRADE, "EXEMPT", BY_ITSELF),
        (with_setting("*"), PATH, OTHER, {}, "EXEMPT", f"{BY_ITSELF}'*'{ITS_CHANGE}"),
        (with_setting([SHOP]), PATH, SHOP, {}, "EXEMPT", f"{BY_ITSELF}['{SHOP}']"),
        (with_setting("*"), "/socket.io", SHOP, {}, "ALLOWED", NONE),  # not below its path
        (with_setting("*"), "/", SHOP, {}, "ALLOWED", NONE),
        (with_no_more_than_the_name, PATH, SHOP, {}, "ALLOWED", NONE),
        # It asks the guard: by the policy, with credentials, whatever the method.
        (asking, PATH, SHOP, {}, "ALLOWED", ASKS),
        (asking, PATH, SHOP, {"method": "POST", "headers": ["x-else"]}, "ALLOWED", ASKS),
        (asking, PATH, SHOP, PUT, "EXEMPT", NO_PUT),
        (asking, PATH, OTHER, {}, "REJECTED", ASKS),
        (asking, PATH, OTHER, UPGRADE, "REJECTED", ASKS),
        (asking, PATH, "http://localhost", UPGRADE, "SAME_ORIGIN", ASKS),
        (asking, "/", OTHER, {}, "REJECTED", NONE),
        (asking_under_asgi, PATH, SHOP, UPGRADE, "ALLOWED", ASKS),
        (asking_under_asgi, PATH, OTHER, UPGRADE, "REJECTED", ASKS),
        (asking_under_asgi, "/", OTHER, {}, "REJECTED", NONE),
        # Behind guard.wsgi, it decides too if it lets in fewer.
        (behind(with_setting("*"), "/socket.io"), PATH, SHOP, {}, "ALLOWED", NONE),
        (behind(with_setting("*"), "/socket.io"), PATH, OTHER, {}, "REJECTED", GUARD),
        (behind(with_setting(None), "/socket.io"), PATH, SHOP, {}, "EXEMPT", BY_ITSELF),
        (behind(asking, "/socket.io"), PATH, SHOP, {}, "ALLOWED", ASKS),
        (behind(asking, "/socket.io"), PATH, OTHER, {}, "REJECTED", ASKS),
        (behind(with_setting("*"), "/other"), PATH, SHOP, {}, "EXEMPT", BY_ITSELF),
        # Files, and mounted apps.
        (put_in_front(WhiteNoise), FILE, OTHER, {}, "EXEMPT", f"{FILES}{GUARDED_FILES}"),
        (put_in_front(WhiteNoise), "/files/b.js", OTHER, {}, "REJECTED", NONE),
        (behind(put_in_front(WhiteNoise), "/files"), FILE, SHOP, {}, "ALLOWED", NONE),
        (behind(put_in_front(WhiteNoise), "/files"), FILE, OTHER, {}, "REJECTED", GUARD),
        (mounting, "/other/x", OTHER, {}, "EXEMPT", "another app, mounted at /other,"),
        (mounting, "/otherwise", OTHER, {}, "REJECTED", NONE),
        (behind(mounting, "/other"), "/other/x", SHOP, {}, "ALLOWED", NONE),
        (mounting_a_guarded_app, "/other/x", SHOP, {}, "EXEMPT",
         "another app, mounted at /other, responds here, with a guard of its own"),
        (sharing, f"/shared/{NAME}", SHOP, {}, "EXEMPT", SHARED),
        (sharing, "/one.py", SHOP, {}, "EXEMPT", SHARED),
        (sharing, "/shared/none.py", SHOP, {}, "ALLOWED", NONE),
        (sharing, "/shared", SHOP, {}, "ALLOWED", NONE),
        (behind(sharing, "/shared"), f"/shared/{NAME}", SHOP, {}, "ALLOWED", NONE),
        # Connexion responds to preflights of its own routes, and to errors.
        (in_a_connexion_app, "/spec", SHOP, PUT, "EXEMPT", CONNEXION.format("preflights")),
        (in_a_connexion_app, "/spec", SHOP, {}, "ALLOWED", NONE),
        (in_a_connexion_app, "/nowhere", SHOP, {}, "EXEMPT", CONNEXION.format("errors")),
        (in_a_connexion_app, "/", SHOP, {"headers": ["x-own"]}, "ALLOWED", NONE),
        (before_connexion_starts, "/spec", SHOP, PUT, "EXEMPT", f"{CONNEXION_HIDDEN}guard.asgi"),
        (behind_asgi, "/spec", SHOP, PUT, "ALLOWED", NONE),
        (behind_asgi, "/nowhere", SHOP, {}, "ALLOWED", NONE),
    ],
)  # fmt: skip
def test_what_is_said(
    put: Put, url: str, origin: str, asked: Any, outcome: str, in_front: str
) -> None:
    """The same by explain() and by the simulation behind the command and the inspector."""
    app, guard = made(put)
    decision = guard.explain(url, origin=origin, app=app, **asked)
    assert decision.outcome is Outcome[outcome]
    assert decision.in_front.startswith(in_front)
    assert bool(decision.in_front) == bool(in_front)
    text = decision.explain()
    assert not in_front or f"In front: {decision.in_front}." in text
    assert not in_front or "check the URL" not in text
    if outcome == "EXEMPT":
        assert "not for the guard to decide" in text
        assert "Policy" not in text
    base = "http://localhost:5000"
    simulation = simulate(state_of(app), url, origin=origin, base=base, credentials=True, **asked)
    verdict = {"EXEMPT": "not known", "REJECTED": "rejected"}.get(outcome, "allowed")
    if origin != "http://localhost":
        assert simulation.verdict == verdict, simulation.steps
    if outcome == "EXEMPT":
        assert simulation.steps[-1].title == "Whether the page can read or use it is not known"
        assert in_front in " ".join(simulation.steps[-1].lines)


def test_less_is_asked_for(heard: Any) -> None:
    for put, outcome in ((asking, "REJECTED"), (asking_for_less, "ALLOWED")):
        app, guard = made(put, allow_credentials=False)
        assert guard.explain(PATH, origin=SHOP, app=app).outcome.name == outcome
    assert heard == []  # nobody has asked


@pytest.mark.parametrize(
    ("put", "origin", "code", "verdict"),
    [
        (with_setting(None), SHOP, 1, "not known"),
        (asking, SHOP, 0, "allowed"),
        (asking, OTHER, 1, "rejected"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--method", "PUT"), ("--header", "Upgrade: websocket")])
def test_the_command(put: Put, origin: str, code: int, verdict: str, more: Any) -> None:
    app, _ = made(put)
    if "PUT" in more:
        code, verdict = 1, "not known"
    runner = app.test_cli_runner()
    arguments = ["check", PATH, "--origin", origin, "--credentials", *more]
    ran = runner.invoke(command, arguments)
    assert (ran.exit_code, ran.output.partition("\n")[0].rpartition(": ")[2]) == (code, verdict)
    told = json.loads(runner.invoke(command, [*arguments, "--json"]).output)
    assert told["allowed"] is (code == 0)
    assert told["decision"]["in_front"].startswith("Socket.IO responds here")
    assert "has changed the response" not in ran.output


def test_the_form_of_the_inspector() -> None:
    app, _ = made(with_setting("*"))
    form = CheckForm.of({"url": PATH, "origin": SHOP})
    result = form.simulated(state_of(app), "http://localhost:5000")
    assert not isinstance(result, str)
    assert result.steps[-1].title == "Whether the page can read or use it is not known"
