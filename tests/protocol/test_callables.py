"""Callables in ``origins``: which are taken, and what each is called with."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError, Reason
from flask_corsguard.protocol.decision import CorsRequest, decide
from tests.raised import FAILURES, SHUTDOWNS

A = "https://a.example.com"
REQUEST = object()


def is_alone(*arguments: object) -> bool:
    return arguments == (A,)


def comes_with_the_request(*arguments: object) -> bool:
    return arguments == (A, REQUEST)


class Instance:
    def __call__(self, origin: str, request: object) -> bool:
        return comes_with_the_request(origin, request)

    def method(self, origin: str) -> bool:
        return is_alone(origin)


TAKEN: dict[str, Callable[..., Any]] = {
    "origin": lambda origin: is_alone(origin),
    "any name": lambda o: is_alone(o),
    "positional only": lambda origin, /: is_alone(origin),
    "any number": is_alone,
    "an optional one beside": lambda origin, cache=None: is_alone(origin) and cache is None,
    "optional ones beside": lambda origin, a=None, request=None: is_alone(origin) and not request,
    "by name only": lambda origin, *, request=None: is_alone(origin) and request is None,
    "origin and request": lambda origin, request: comes_with_the_request(origin, request),
    "two of any name": lambda a, b: comes_with_the_request(a, b),
    "an optional request": lambda origin, request=None: comes_with_the_request(origin, request),
    "all optional": lambda origin="", request=None: comes_with_the_request(origin, request),
    "two and an optional one": lambda a, b, c=None: comes_with_the_request(a, b) and c is None,
    "an instance": Instance(),
    "a bound method": Instance().method,
    "a partial function": functools.partial(lambda c, origin: is_alone(origin), 1),
    "a partial function with a request": functools.partial(
        lambda c, origin, request: comes_with_the_request(origin, request), 1
    ),
    "without a signature": operator.methodcaller("startswith", "https://a."),
    "of a set": {A}.__contains__,
    "of a dict": {A: True}.get,
}


@pytest.mark.parametrize("check", TAKEN.values(), ids=TAKEN)
def test_what_a_callable_is_called_with(check: Callable[..., Any]) -> None:
    """A callable gets the origin, or the origin and the request; no other origin is let in."""
    policy = Policy(origins=check)
    assert decide(policy, CorsRequest(A, "GET", context=REQUEST)).reason is None
    other = decide(policy, CorsRequest("https://b.example.com", "GET", context=REQUEST))
    assert other.reason in (Reason.ORIGIN_NOT_ALLOWED, Reason.ORIGIN_CHECK_FAILED)


@pytest.mark.parametrize("name", TAKEN)
def test_a_policy_knows_whether_its_callable_takes_the_request(name: str) -> None:
    takes_it = {
        "origin and request", "two of any name", "an optional request", "all optional",
        "two and an optional one", "an instance", "a partial function with a request",
    }  # fmt: skip
    assert Policy(origins=[A, TAKEN[name]]).compiled.asks_request is (name in takes_it)
    assert not Policy(origins="*").compiled.asks_request


class Unhashable:
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, origin: str) -> bool:
        return origin == A


REFUSED: dict[str, tuple[object, str]] = {
    "nothing taken": (lambda: True, "origin_callable"),
    "too many": (lambda a, b, c: True, "origin_callable"),
    "the request alone": (lambda request: True, "origin_callable"),
    "the request first": (lambda request, origin: True, "origin_callable"),
    "a match": (re.compile("x").match, "origin_callable"),
    "one by name only": (lambda a, *, b: True, "origin_callable"),
    "a request and one by name only": (lambda a, request, *, b: True, "origin_callable"),
    "a class": (Instance, "origin_type"),
    "a type": (bool, "origin_type"),
    "no hash": (Unhashable(), "origin_type"),
    "not a callable": (object(), "wrong_type"),
}


@pytest.mark.parametrize(("check", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_a_callable_for_origins(check: Any, code: str) -> None:
    """What is no callable for ``origins`` is refused when the policy is made, not when asked."""
    with pytest.raises(PolicyError) as caught:
        Policy(origins=check)
    assert [problem.code for problem in caught.value.problems] == [code]


DEAD = [r"app\.a\.com$", r"^a\.com|b\.com", r"a.b\.com", r"[a-z0-9-]+\.a\.com(:\d+)?"]
ALIVE = [
    "x", ".", r".*\.a\.com", r"[^.]+\.com", r"\S+\.com", r"[!-~]+\.a", r"[--9a-z:]+\.a", r"\x2f\.a",
    r"(.)+\.com", r"https://a\.com", r"(a?.)+\.com",
]  # fmt: skip


@pytest.mark.parametrize("pattern", DEAD)
def test_a_pattern_that_can_match_no_origin(pattern: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins=re.compile(pattern))
    (problem,) = caught.value.problems
    assert problem.code == "origin_regex"
    (meant,) = Policy(origins=eval(problem.suggestion or "")).origins
    assert isinstance(meant, re.Pattern)
    assert any(meant.fullmatch(f"https://{host}") for host in ("app.a.com", "a.com", "axb.com"))


@pytest.mark.parametrize("pattern", ALIVE)
def test_a_pattern_that_may_match_one(pattern: str) -> None:
    assert Policy(origins=re.compile(pattern)).origins


def test_one_callable_beside_other_entries() -> None:
    policy = Policy(origins=["https://b.example.com", is_alone])
    assert decide(policy, CorsRequest(A, "GET")).reason is None
    assert decide(policy, CorsRequest("https://b.example.com", "GET")).reason is None
    assert Policy(origins=[is_alone, is_alone]) == Policy(origins=is_alone)


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (1, "1"),
        (None, "None"),
        ("yes", "'yes'"),
        ("a\n\u202e'", r'"a\n\u202e\'"'.replace("\\'", "'")),
        ("y" * 58, f"'{'y' * 58}'"),
        ("y" * 59, f"'{'y' * 59}..."),
    ],
)
def test_what_is_said_of_a_result_that_is_not_a_bool(result: object, shown: str) -> None:
    """A result that is not a bool lets nobody in, and is quoted, escaped and cut."""
    decision = decide(Policy(origins=lambda origin: result), CorsRequest(A, "GET"))
    assert decision.reason is Reason.ORIGIN_CHECK_FAILED
    assert decision.detail == f"it returned {shown} where True or False was expected"


def raising(error: Callable[[], BaseException]) -> Callable[[str], bool]:
    def check(origin: str) -> bool:
        raise error()

    return check


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES)
def test_a_callable_that_raises_what_is_no_exception(error: Callable[[], BaseException]) -> None:
    """A time-out or a cancellation lets nobody in, like any other failure, and is described."""
    decision = decide(Policy(origins=raising(error)), CorsRequest(A, "GET"))
    assert decision.reason is Reason.ORIGIN_CHECK_FAILED
    assert decision.detail.startswith(f"{type(error()).__name__} '")
    assert decision.detail.isprintable()


@pytest.mark.parametrize("error", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_a_callable_does_not_hold_back_a_shutdown(error: Callable[[], BaseException]) -> None:
    with pytest.raises(type(error())):
        decide(Policy(origins=raising(error)), CorsRequest(A, "GET"))


class Odd:
    """Says that it is a bool, and cannot be printed."""

    def __init__(self, error: Callable[[], BaseException]) -> None:
        self.error = error

    @property
    def __class__(self) -> Any:
        return bool

    def __repr__(self) -> str:
        raise self.error()


@pytest.mark.parametrize("error", [*FAILURES.values(), ValueError], ids=[*FAILURES, "an error"])
def test_an_odd_result_lets_nobody_in(error: Callable[[], BaseException]) -> None:
    decision = decide(Policy(origins=lambda origin: Odd(error)), CorsRequest(A, "GET"))
    assert decision.reason is Reason.ORIGIN_CHECK_FAILED
    assert decision.detail == "it returned <Odd> where True or False was expected"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_shutdown_while_a_result_is_printed(error: type[BaseException]) -> None:
    with pytest.raises(error):
        decide(Policy(origins=lambda origin: Odd(error)), CorsRequest(A, "GET"))
