"""What is noticed about an app: the form of a remark, and whose fault it is."""

from __future__ import annotations

from typing import NamedTuple

from flask_corsguard.audit.findings import Level
from flask_corsguard.routing.layers import Layer
from flask_corsguard.routing.table import Route


class Remark(NamedTuple):
    """What was noticed about the app, and the routes that it is about.

    :ivar code: the rule's.
    :ivar routes: the routes concerned; none where it is about the whole app.
    :ivar location: file and line, where that is not the policy's.
    :ivar fields: the fields of the policy that are at fault, where some are.
    """

    code: str
    level: Level
    message: str
    routes: tuple[Route, ...] = ()
    location: str = ""
    fields: tuple[str, ...] = ()


def setter(route: Route, fields: tuple[str, ...]) -> Layer | None:
    """The innermost mark that sets one of some fields of a route's policy; None for the default
    policy."""
    for layer in reversed(route.layers):
        mark = layer.mark
        if mark.policy is not None or not fields or not mark.fields.keys().isdisjoint(fields):
            return layer
    return None
