"""The requests that are played."""

from typing import Any, NamedTuple

from werkzeug.test import EnvironBuilder

ORIGIN = "https://app.example.com"
MADE_UP = "https://evil.example"

Environ = dict[str, Any]


class Request(NamedTuple):
    """A request, not yet in the form that an app takes.

    :ivar headers: by their names in lower case.
    """

    method: str
    headers: dict[str, str]
    path: str = "/items/3"

    def environ(self) -> Environ:
        return EnvironBuilder(self.path, method=self.method, headers=self.headers).get_environ()

    @property
    def is_preflight(self) -> bool:
        return self.method == "OPTIONS"


def get(path: str = "/items/3", **headers: str) -> Request:
    return Request("GET", {name.replace("_", "-"): value for name, value in headers.items()}, path)


def preflight(path: str = "/items/3", **headers: str) -> Request:
    requested = {
        "origin": ORIGIN,
        "access_control_request_method": "GET",
        "access_control_request_headers": "content-type",
    }
    return get(path, **requested | headers)._replace(method="OPTIONS")


REQUESTS = {
    "without Origin": get(),
    "allowed": get(origin=ORIGIN),
    "rejected": get(origin=MADE_UP),
    "preflight": preflight(),
    "without Origin, from an own page": get(sec_fetch_site="same-origin"),
    "without Origin, from another site": get(sec_fetch_site="cross-site"),
}
