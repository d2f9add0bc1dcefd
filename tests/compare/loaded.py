"""An app in this process, for what needs no process of its own."""

from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response

from flask_corsguard.compare.description import describe
from flask_corsguard.compare.differences import Comparison, compare
from flask_corsguard.compare.loaded_app import _asked
from flask_corsguard.compare.messages import Ask


class Loaded:
    """Stands for an :class:`AppProcess`.

    :param cost: the seconds that a list of requests takes.
    """

    def __init__(self, app: Flask, watched: Any = None, cost: float = 0) -> None:
        app.config["PROPAGATE_EXCEPTIONS"] = False
        self.app, self.description = app.name, describe(app, watched)
        self.spent = 0.0
        self._flask, self._cost, self._slow = app, cost, set[str]()

    def ask(self, asks: list[Ask]) -> Iterator[Any]:
        self.spent += self._cost
        return iter([_asked(self._flask, ask, self._slow) for ask in asks])


def made(*setups: Callable[[Flask], object], view: Callable[..., Any] = lambda: "x") -> Flask:
    """An app with one route."""
    app = Flask("shop", static_folder=None)
    for setup in setups:
        setup(app)
    app.add_url_rule("/x", "x", view, methods=["GET", "PUT"])
    return app


def compared(before: Flask, after: Flask, **options: Any) -> Comparison:
    return compare(Loaded(before), Loaded(after), seconds=600, **options)


def found(before: Flask, after: Flask, **options: Any) -> set[str]:
    """The differences, in short: ``wider read GET /x: https://a.example``."""
    return {
        f"{each.kind} {each.what} {', '.join(each.where)}: {', '.join(sorted(each.pages))}"
        + (f" ({each.credentials})" if each.credentials != "any" else "")
        for each in compared(before, after, **options).differences
    }


def by_hand(**headers: str) -> Callable[[Flask], object]:
    """Headers that the app writes itself on each response."""

    def setup(app: Flask) -> None:
        @app.after_request
        def add(response: Response) -> Response:
            response.headers.update({name.replace("_", "-"): v for name, v in headers.items()})
            return response

    return setup
