"""Runs below valgrind for ``starting``: an app's first request, in a child of its own.

The app, the request and the extension are named on the command line. What is printed are the
process that made no request and the one that made the first; they begin in the same state.
"""

import gc
import sys
from collections.abc import Callable

import flask_cors
from flask import Blueprint, Flask

from flask_corsguard import CorsGuard, cors

from . import apps
from .forking import child
from .processes import quiet
from .requests import ORIGIN, get

ROUTES, BLUEPRINTS = 2000, 20
# One view in so many has a mark.
MARKED = 10


def plain(_mark: Callable[..., object]) -> tuple[Flask, str]:
    """Routes that have the default policy, and the path of one."""
    app = Flask("plain")
    for number in range(ROUTES):
        app.add_url_rule(f"/r{number}/items/<int:number>", f"r{number}", view_of(number))
    return app, "/r7/items/3"


def marked(mark: Callable[..., object]) -> tuple[Flask, str]:
    """Routes in blueprints, some of which have a policy of their own."""
    app = Flask("marked")
    for group in range(BLUEPRINTS):
        blueprint = Blueprint(f"b{group}", __name__)
        for number in range(ROUTES // BLUEPRINTS):
            view = view_of(number)
            if number % MARKED == 0:
                mark(view, origins=[f"https://t{group}.example"])
            blueprint.add_url_rule(f"/r{number}/items/<int:number>", f"r{number}", view)
        app.register_blueprint(blueprint, url_prefix=f"/b{group}")
    return app, "/b3/r7/items/3"


def view_of(number: int) -> Callable[..., str]:
    return lambda **_: str(number)


LAYOUTS: dict[str, Callable[[Callable[..., object]], tuple[Flask, str]]] = {
    "one policy": plain,
    "20 blueprints, and marks on a tenth of the views": marked,
}
EXTENSIONS: dict[str, Callable[[Flask], object]] = {
    "bare Flask": lambda app: None,
    "Flask-CORS": lambda app: flask_cors.CORS(app, origins=[ORIGIN]),
    "CorsGuard": lambda app: CorsGuard(app, origins=[ORIGIN]),
}


def main(layout: str, extension: str) -> None:
    quiet()
    is_guarded = extension == "CorsGuard"
    mark = (lambda view, **fields: cors(**fields)(view)) if is_guarded else (lambda *_, **__: None)
    app, path = LAYOUTS[layout](mark)
    EXTENSIONS[extension](app)
    play = apps.player(app)
    environ = get(path, origin=ORIGIN).environ()
    gc.collect()
    print(*(child(play, environs) for environs in ([], [environ])))


if __name__ == "__main__":
    main(*sys.argv[1:])
