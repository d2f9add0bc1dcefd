"""What counts as wider, and what as narrower."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from flask_corsguard.compare.messages import Seen

Kind = Literal["wider", "narrower", "error"]
What = Literal["sent", "read", "headers", "refused"]

TITLES: dict[tuple[What, Kind], str] = {
    ("sent", "wider"): "A browser sends a request that it did not send",
    ("sent", "narrower"): "A browser no longer sends a request",
    ("read", "wider"): "A page can read a response that it could not read",
    ("read", "narrower"): "A page can no longer read a response",
    ("read", "error"): "A page can read only an error where it could read other responses",
    ("headers", "wider"): "JavaScript can read more headers of a response",
    ("headers", "narrower"): "JavaScript can read fewer headers of a response",
    ("refused", "wider"): "A request that the guard refused now runs the view",
    ("refused", "narrower"): "The guard now refuses a request that ran the view",
}


def changes(before: Seen, after: Seen, *, admitted: bool) -> Iterator[tuple[What, Kind]]:
    """What has become wider or narrower for one request. Neither the time for which a preflight is
    remembered nor a different status alone counts.

    :param admitted: whether the origin could read a success at this URL before, or send a request
        that needs a preflight. If it can now read an error, that is a kind of its own.
    """
    if before.sent != after.sent:
        yield "sent", "wider" if after.sent else "narrower"
    elif before.readable != after.readable:
        is_error = admitted and after.status >= 400
        yield "read", "narrower" if before.readable else "error" if is_error else "wider"
    elif before.refused != after.refused and (before.refused or before.status < 400):
        yield "refused", "wider" if before.refused else "narrower"
    if before.readable and after.readable:
        if _exceeds(after.exposed, before.exposed):
            yield "headers", "wider"
        if _exceeds(before.exposed, after.exposed):
            yield "headers", "narrower"


def _exceeds(names: frozenset[str], others: frozenset[str]) -> bool:
    return "*" not in others and not names <= others
