"""What counts as wider, and what as narrower."""

import pytest

from flask_corsguard.compare.changes import TITLES, changes
from flask_corsguard.compare.messages import Seen

READ = Seen(200, False, True, True, frozenset(), "", ())
NOT_READ = READ._replace(readable=False, block="allow_origin_missing")
NOT_SENT = NOT_READ._replace(sent=False, status=403)
PREFLIGHT = READ._replace(readable=False)
REFUSED = NOT_READ._replace(refused=True, status=403)


def exposing(*names: str) -> Seen:
    return READ._replace(exposed=frozenset(names))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (READ, READ, []),
        (NOT_SENT, PREFLIGHT, [("sent", "wider")]),
        (PREFLIGHT, NOT_SENT, [("sent", "narrower")]),
        # Where the request follows, it is said once.
        (NOT_SENT, READ, [("sent", "wider")]),
        (NOT_READ, READ, [("read", "wider")]),
        (READ, NOT_READ, [("read", "narrower")]),
        (NOT_READ, READ._replace(status=404), [("read", "wider")]),
        (READ._replace(status=404), NOT_READ, [("read", "narrower")]),
        (READ, REFUSED, [("read", "narrower")]),
        (REFUSED, READ, [("read", "wider")]),
        (NOT_READ, REFUSED, [("refused", "narrower")]),
        (REFUSED, NOT_READ, [("refused", "wider")]),
        (REFUSED, NOT_READ._replace(status=500), [("refused", "wider")]),
        # It failed before, too.
        (NOT_READ._replace(status=404), REFUSED, []),
        # The status alone.
        (READ, READ._replace(status=500), []),
        (NOT_READ, NOT_READ._replace(status=403), []),
        (exposing("etag"), exposing("etag"), []),
        (exposing(), exposing("etag"), [("headers", "wider")]),
        (exposing("etag"), exposing(), [("headers", "narrower")]),
        (exposing("etag"), exposing("*"), [("headers", "wider")]),
        (exposing("*"), exposing("etag"), [("headers", "narrower")]),
        (exposing("*"), exposing("*", "etag"), []),
        (exposing("a"), exposing("b"), [("headers", "wider"), ("headers", "narrower")]),
        (exposing("a"), NOT_READ, [("read", "narrower")]),
        # Other headers say the same.
        (READ, READ._replace(headers=(("Access-Control-Allow-Origin", "*"),)), []),
        (NOT_READ, NOT_READ._replace(block="allow_origin_mismatch"), []),
    ],
)
def test_changes(before: Seen, after: Seen, expected: list[tuple[str, str]]) -> None:
    assert [*changes(before, after, admitted=False)] == expected


@pytest.mark.parametrize(
    ("status", "admitted", "expected"),
    [(404, True, "error"), (500, True, "error"), (404, False, "wider"), (200, True, "wider")],
)
def test_an_error_where_other_responses_could_be_read(
    status: int, admitted: bool, expected: str
) -> None:
    now = READ._replace(status=status)
    assert [*changes(NOT_READ, now, admitted=admitted)] == [("read", expected)]


def test_each_has_a_title() -> None:
    kinds = {
        (what, kind)
        for what in ("sent", "read", "headers", "refused")
        for kind in ("wider", "narrower")
    }
    assert {*TITLES} == kinds | {("read", "error")}
