"""Several extensions on one app, in both orders; each still does its job."""

import random
from itertools import chain, combinations

import pytest

from .extension import (
    ORDERS,
    Extension,
    Page,
    built,
    check_headers,
    merged,
    nightly_only,
    warnings_of_the_guard,
)
from .kinds import EXTENSIONS

# What other packages warn of is not the guard's.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore", "error:::flask_corsguard"),
]
# Of those that make an app's views under the same paths, an app has one.
LOGINS = ("Flask-Login", "Flask-JWT-Extended", "Flask-HTTPAuth", "Flask-Principal", "Authlib")
APIS = ("flask-smorest", "Flask-RESTX", "Flask-RESTful", "Strawberry")
OTHERS = (
    "Flask-WTF",
    "Flask-Session",
    "Flask-Limiter",
    "Flask-Talisman",
    "Flask-Caching",
    "Flask-Compress",
    "Flask-Admin",
    "Flask-DebugToolbar",
    "Flask-Babel",
    "Dash",
    "Flask-Sock",
    "Flask-SocketIO",
    "prometheus-flask-exporter",
    "ProxyFix",
    "DispatcherMiddleware",
)
# Whose jobs another one prevents, with and without a guard: every POST without its token, every
# request over http; and the toolbar does not await a view.
PREVENTS = {
    "Flask-DebugToolbar": {"Dash"},
    "Flask-WTF": {*LOGINS, *APIS, *OTHERS} - {"Flask-WTF"},
    "Flask-Talisman": {"Flask-Sock", "Flask-SocketIO"},
}
BY_NAME = {extension.name: extension for extension in EXTENSIONS}


def together() -> list[tuple[str, ...]]:
    """Sets of seven, in which each pair that can be together is, once at least."""
    missing = {
        frozenset(pair)
        for pair in combinations((*LOGINS, *APIS, *OTHERS), 2)
        if not any({*pair} <= {*group} for group in (LOGINS, APIS))
    }
    chance, found = random.Random(7), []
    while missing:
        tried = [
            (chance.choice(LOGINS), chance.choice(APIS), *chance.sample(OTHERS, 5))
            for _ in range(50)
        ]
        best = max(tried, key=lambda names: len(pairs(names) & missing))
        missing -= pairs(best)
        found.append(best)
    return found


def pairs(names: tuple[str, ...]) -> set[frozenset[str]]:
    return set(map(frozenset, combinations(names, 2)))


@pytest.mark.parametrize("names", together(), ids=", ".join)
def test_together(names: tuple[str, ...]) -> None:
    extensions: list[Extension] = [BY_NAME[name] for name in names]
    prevented: set[str] = set().union(*(PREVENTS.get(name, ()) for name in names))
    nightly_only()
    for order in ORDERS:
        scope = built(extensions, order)
        fields = merged(extension.row.fields for extension in extensions)
        prefixes = ["", "/api"] if any(extension.api for extension in extensions) else [""]
        vary = frozenset(chain.from_iterable(extension.vary for extension in extensions))
        with warnings_of_the_guard() as warnings:
            check_headers(scope, scope["app"], fields, prefixes, vary)
            for extension in extensions:
                if extension.name not in prevented:
                    extension.job(Page(scope["app"]))
        assert warnings == []
