"""Sources among the origins of a policy: objects with ``load()``, here without their rows."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from flask_corsguard import Outcome, Policy, PolicyError, Reason
from flask_corsguard.protocol.decision import (
    UNDECIDED,
    CorsRequest,
    Decision,
    Scope,
    decide,
    decide_listed,
    decide_unlisted,
)
from flask_corsguard.protocol.explanation import fields_of, found, policy_summary
from flask_corsguard.protocol.lists import is_source, source_name
from flask_corsguard.protocol.origins import CheckFailedError

A = "https://a.example.com"
B = "https://b.example.com"
ASKED = CorsRequest(A, "GET", "/users")
HERE = Scope("users", "view users", "app.py:7")
BY_PARTNERS = "a row of partners admits the origin"


class Source:
    """A source with some settings."""

    def __init__(self, **settings: object) -> None:
        self.__dict__.update(settings)

    def load(self) -> tuple[int, list[str]]:
        return 1, [A]

    def __repr__(self) -> str:
        return "Source()"


class Rows:
    """What is known of a source's rows."""

    admission = BY_PARTNERS

    def words(self) -> str:
        return "the 3 rows of partners"

    def left_out(self, origin: str) -> str:
        return ""


BY_NO_HEADER = (
    "such as origins_vary=['Host']. If it looks at none, write that too: caches tell hosts apart"
    " anyway, so it changes nothing."
)
PARTNERS, CUSTOMERS = Source(name="partners"), Source(name="customers")


def customers(origin: str) -> bool:
    return origin == A


def refuses(origin: str) -> bool:
    return False


def fails(origin: str) -> bool:
    raise CheckFailedError("it failed")


# Reading them


@pytest.mark.parametrize(
    ("value", "expected"),
    [(PARTNERS, True), (Source, False), (A, False), (customers, False), (object(), False)],
    ids=["a source", "its class", "a string", "a function", "an object"],
)
def test_what_is_a_source(value: object, expected: bool) -> None:
    assert is_source(value) is expected


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"name": "partners"}, "partners"),
        ({}, "Source"),
        ({"name": ""}, "Source"),
        ({"name": 7}, "Source"),
        ({"name": "a\nb"}, r"'a\nb'"),
        ({"name": "x" * 100}, "x" * 100),
        ({"name": "x" * 101}, f"'{'x' * 100}'... (101 characters)"),
    ],
)
def test_what_a_source_is_called(settings: dict[str, Any], name: str) -> None:
    """By its name, escaped and cut, or by its class."""
    assert source_name(Source(**settings)) == name


def test_sources_beside_other_entries() -> None:
    """Each is one entry, once; the policy is told from one with another source."""
    policy = Policy(origins=[B, PARTNERS, customers, CUSTOMERS, PARTNERS])
    assert [*policy.origins] == [B, customers, PARTNERS, CUSTOMERS]
    assert policy.compiled.sources == (PARTNERS, CUSTOMERS)
    assert Policy(origins=PARTNERS) == Policy(origins=[PARTNERS])
    assert Policy(origins=PARTNERS) != Policy(origins=CUSTOMERS)
    assert hash(Policy(origins=PARTNERS)) == hash(Policy(origins=[PARTNERS]))


# origins, other fields -> code and the end of the message
REFUSED: dict[str, tuple[object, dict[str, Any], str, str]] = {
    "beside *": (["*", PARTNERS], {}, "wildcard_not_alone", "or take it out."),
    "its class": ([Source], {}, "origin_type", "It is a class: give an instance, Source(...)."),
    "no seconds": (Source(refresh=0), {}, "source_seconds", "Write refresh=1."),
    "too many": (Source(stale_after=86401), {}, "source_seconds", "Write stale_after=300."),
    "a bool": (Source(deadline=True), {}, "source_seconds", "Write deadline=0.2."),
    "a string": (Source(reload_every="9"), {}, "source_seconds", "Write reload_every=9."),
    "a timedelta": (
        Source(refresh=datetime.timedelta(seconds=5)),
        {},
        "source_seconds",
        "Write refresh=5.",
    ),
    "at start": (Source(at_start="fails"), {}, "source_at_start", "'fail'?"),
    "by": (Source(by="Host"), {"origins_vary": "Host"}, "wrong_type", "request.host."),
    "by, no vary": (Source(by=len), {}, "vary_required", BY_NO_HEADER),
    # The same as none: in what is derived from it, it could be forgotten.
    "by, no headers": (Source(by=len), {"origins_vary": []}, "vary_required", BY_NO_HEADER),
    "vary, no by": (PARTNERS, {"origins_vary": "Host"}, "vary_without_callable", "[]."),
}


@pytest.mark.parametrize(("origins", "fields", "code", "end"), REFUSED.values(), ids=REFUSED)
def test_sources_that_a_policy_refuses(
    origins: Any, fields: dict[str, Any], code: str, end: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins=origins, **fields)
    assert [problem.code for problem in caught.value.problems] == [code]
    assert caught.value.problems[0].message.endswith(end), caught.value.problems[0].message


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"refresh": 0.5, "deadline": 86400, "at_start": "fail", "reload_every": None}, {}),
        ({"by": len}, {"origins_vary": "Host"}),
        ({"by": None}, {}),
    ],
    ids=["seconds", "by and vary", "no by"],
)
def test_sources_that_a_policy_takes(settings: dict[str, Any], fields: dict[str, Any]) -> None:
    source = Source(**settings)
    assert Policy(origins=source, **fields).compiled.sources == (source,)


# Deciding


def decision_of(policy: Policy, *answers: str | CheckFailedError, asks: bool = True) -> Decision:
    """The decision on a request from A, where the sources answer this."""
    waiting = [*answers]

    def admits_live(asked: Policy, request: CorsRequest) -> str:
        assert (asked, request) == (policy, ASKED)
        answer = waiting.pop(0)
        if isinstance(answer, CheckFailedError):
            raise answer
        return answer

    decision = decide_unlisted(policy, ASKED, HERE, asks=asks, admits_live=admits_live)
    assert not waiting
    return decision


DOWN = CheckFailedError("partners: no answer")
NOT_LISTED, FAILED = Reason.ORIGIN_NOT_ALLOWED, Reason.ORIGIN_CHECK_FAILED
# other entries, what the sources answer, reason, detail
ANSWERS: dict[str, tuple[list[Any], str | CheckFailedError, Reason | None, str]] = {
    "a row": ([], BY_PARTNERS, None, BY_PARTNERS),
    "a row, and a callable that refuses": ([refuses], BY_PARTNERS, None, BY_PARTNERS),
    "no row": ([], "", NOT_LISTED, ""),
    "no row, but a callable": ([customers], "", None, ""),
    "no row, and a callable that refuses": ([refuses], "", NOT_LISTED, ""),
    "no answer": ([], DOWN, FAILED, "partners: no answer"),
    "no answer, but a callable": ([customers], DOWN, None, ""),
    "no answer, and a callable that refuses": ([refuses], DOWN, FAILED, "partners: no answer"),
}


@pytest.mark.parametrize(("others", "answer", "reason", "detail"), ANSWERS.values(), ids=ANSWERS)
def test_who_admits_an_origin(
    others: list[Any], answer: str | CheckFailedError, reason: Reason | None, detail: str
) -> None:
    """One that admits is enough; where none does, one that cannot tell is a failure."""
    decision = decision_of(Policy(origins=[PARTNERS, *others]), answer)
    assert (decision.reason, decision.detail) == (reason, detail)
    assert ("Access-Control-Allow-Origin" in decision.headers) is (reason is None)


def test_a_source_and_a_callable_that_both_fail() -> None:
    decision = decision_of(Policy(origins=[PARTNERS, fails]), DOWN)
    assert decision.reason is FAILED
    assert decision.detail == "partners: no answer; the callable: it failed"


def test_sources_that_nobody_has_read() -> None:
    """They admit nobody, and do not fail where they are not asked."""
    policy = Policy(origins=[B, PARTNERS])
    assert decide(policy, ASKED, asks=False) is UNDECIDED
    decision = decide(policy, ASKED)
    assert (decision.reason, decision.detail) == (FAILED, "the sources have not been read")
    assert decision_of(policy, asks=False).reason is NOT_LISTED
    assert decide(policy, CorsRequest(B, "GET")).outcome is Outcome.ALLOWED


def test_a_row_that_was_looked_up_elsewhere() -> None:
    policy = Policy(origins=PARTNERS)
    decision = decide_listed(policy, ASKED, HERE, BY_PARTNERS)
    assert decision == decision_of(policy, BY_PARTNERS)
    assert dict(decision.headers) == {"Access-Control-Allow-Origin": A, "Vary": "Origin"}


# In words


@pytest.mark.parametrize(
    ("live", "words"),
    [
        ((Rows(),), "it is among the 3 rows of partners"),
        ((), BY_PARTNERS),
        ((Rows(), Rows()), BY_PARTNERS),
    ],
    ids=["one source", "no rows are known", "two of one name"],
)
def test_who_admitted_an_origin_in_words(live: tuple[Rows, ...], words: str) -> None:
    policy = Policy(origins=PARTNERS)
    policy.compiled.live = live
    decision = decision_of(policy, BY_PARTNERS)
    assert found(decision) == f"the origin may read the response: {words}"


SET = "(policy: view users, app.py:7)"
FIX = "('flask cors sources' says what is wrong), or list the origin itself in origins"
CALLABLE = "fix the callable so that it returns True or False"
# entries, what the sources answer, what was found, what to change
EXPLAINED: dict[str, tuple[list[Any], str | CheckFailedError, str, str]] = {
    "no row": (
        [PARTNERS], "", "the origin is not among the 3 rows of partners",
        f'add "{A}" to partners, or list it in origins {SET}',
    ),
    "no row, nor another entry": (
        [B, PARTNERS, CUSTOMERS], "",
        f"the origin matches none of '{B}', and is not among the 3 rows of partners",
        f'add "{A}" to partners or customers, or list it in origins {SET}',
    ),
    "no row, nor a callable": (
        [PARTNERS, refuses], "",
        "the origin is not among the 3 rows of partners, and refuses() returned False",
        f'have refuses return True for "{A}", or list the origin beside it in origins {SET}',
    ),
    "no answer": (
        [PARTNERS, CUSTOMERS], DOWN,
        "it is not known whether the origin may read: partners: no answer",
        f"make partners and customers readable again {FIX}",
    ),
    "no answer, nor of a callable": (
        [PARTNERS, refuses], DOWN,
        "it is not known whether the origin may read: partners: no answer",
        f"make partners readable again {FIX}; {CALLABLE}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "answer", "was_found", "change"), EXPLAINED.values(), ids=EXPLAINED
)
def test_what_to_change(
    entries: list[Any], answer: str | CheckFailedError, was_found: str, change: str
) -> None:
    policy = Policy(origins=entries)
    policy.compiled.live = (Rows(),)
    assert decision_of(policy, answer).explain().splitlines()[2:] == [
        f"  Found: {was_found}.",
        f"  To allow it: {change}.",
    ]


def test_a_row_that_is_left_out_is_what_to_correct(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Policy(origins=[PARTNERS])
    policy.compiled.live = (Rows(),)
    monkeypatch.setattr(Rows, "left_out", lambda rows, origin: "it has a slash")
    said = decision_of(policy, "").explain()
    assert "and its row is left out: it has a slash" in said
    assert "To allow it: correct its row in partners, or list it in origins" in said


def test_sources_in_summaries_and_in_json() -> None:
    """Their name stands for them."""
    policy = Policy(origins=[PARTNERS, customers])
    assert fields_of(policy)["origins"] == [{"callable": "customers"}, {"source": "partners"}]
    assert "partners" in policy_summary(policy)


def test_rows_in_place_of_sources() -> None:
    """A policy with the rows is equal to the one that it is a copy of, and lists them."""
    policy = Policy(origins=PARTNERS, allow_headers="X-A")
    rows = Policy(origins=[A, B]).origins
    assert rows != "*"
    listing = policy.with_origins(rows)
    assert listing == policy
    assert ([*listing.origins], listing.allow_headers) == ([A, B], ("X-A",))
    assert decide(listing, ASKED).outcome is Outcome.ALLOWED
