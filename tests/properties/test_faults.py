"""The checks object to a guard that is broken: each fault here is planted, and has to be found."""

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from flask_corsguard import Policy
from flask_corsguard.protocol import decision as deciding
from flask_corsguard.protocol import headers as header_lists
from flask_corsguard.protocol import origins as parsing
from flask_corsguard.protocol import policy as policies
from tests.properties import checks, strategies
from tests.properties.lists import POLICIES
from tests.properties.site import site
from tests.properties.test_requests import requests
from tests.properties.wire import check_request

SHOP = "https://shop.example"
_fields = st.sampled_from(list(POLICIES.values()))


class Property(NamedTuple):
    inputs: st.SearchStrategy[Any]
    check: Callable[..., None]


PARSING = Property(st.tuples(strategies.origins()), checks.check_parsing)
ORIGINS = Property(
    st.tuples(_fields, strategies.origins()),
    lambda fields, text: checks.check_origin(Policy(**fields), fields, text),
)
PREFLIGHTS = Property(
    st.tuples(*strategies.asked()),
    lambda fields, *asked: checks.check_preflight(Policy(**fields), fields, *asked),
)
LISTS = Property(st.tuples(strategies.header_lists()), checks.check_requested_headers)
FIELDS = Property(st.tuples(strategies.fields()), checks.check_fields)
REQUESTS = Property(
    st.tuples(st.just("off"), requests().map(lambda request: request[1])),
    lambda enforce, environ: check_request(site(enforce), environ),
)

_parse, _decide = parsing.parse_origin, deciding.decide
_read_list = header_lists.parse_requested_headers


def _parsed_as(change: Callable[[str], str]) -> Callable[[str], parsing.Origin | None]:
    return lambda text: _parse(change(text))


def _asked_as(change: Callable[[str], str]) -> Callable[..., deciding.Decision]:
    """Decides about another origin than the one that asked, and repeats the one that did."""

    def decide(policy: Policy, request: deciding.CorsRequest, *scope: Any) -> deciding.Decision:
        origin = request.origin or ""
        verdict = _decide(policy, request._replace(origin=change(origin)), *scope)
        repeated = {
            name: origin if value == change(origin) else value
            for name, value in verdict.headers.items()
        }
        return verdict._replace(origin=origin[:320], headers=repeated)

    return decide


def _without_denials(policy: Policy, *rest: Any) -> deciding.Decision:
    verdict = _decide(policy.derive(deny_origins=()), *rest)
    return verdict._replace(policy=policy)


def _any_method(policy: Policy, request: deciding.CorsRequest, *rest: Any) -> deciding.Decision:
    return _decide(policy, request._replace(method=request.method.upper()), *rest)


# What is parsed, and what is decided about, instead of the origin that asked.
PARSED_AS: dict[str, Callable[[str], str]] = {
    "upper case is read": str.lower,
    "Unicode is folded": lambda text: unicodedata.normalize("NFKC", text),
    "blanks are stripped": str.strip,
    "any length is read": lambda text: text[:320],
    "a dot may follow": lambda text: text.removesuffix("."),
    "the default port is read": lambda text: text.removesuffix(":443"),
}
ASKED_AS: dict[str, Callable[[str], str]] = {
    "case is ignored": str.lower,
    "what follows a comma is ignored": lambda text: text.partition(",")[0],
    "what follows a host is ignored": lambda text: SHOP if SHOP in text else text,
    "the port is ignored": lambda text: text.removesuffix(":8443") if "shop" in text else text,
    "userinfo is ignored": lambda text: text.replace("user@", ""),
    "null is anybody": lambda text: SHOP if text == "null" else text,
}
FAULTS: dict[str, tuple[Property, object, str, Any]] = {
    **{n: (PARSING, parsing, "parse_origin", _parsed_as(c)) for n, c in PARSED_AS.items()},
    "one character more is read": (PARSING, parsing, "MAX_ORIGIN_LENGTH", 321),
    **{n: (ORIGINS, deciding, "decide", _asked_as(c)) for n, c in ASKED_AS.items()},
    "the deny list is skipped": (ORIGINS, deciding, "decide", _without_denials),
    "methods in any case": (PREFLIGHTS, deciding, "decide", _any_method),
    "one name more": (LISTS, header_lists, "MAX_LIST_NAMES", 129),
    "a longer list": (LISTS, header_lists, "MAX_LIST_LENGTH", 4097),
    "blanks of Unicode": (
        LISTS, header_lists, "parse_requested_headers",
        lambda value: _read_list(value.replace("\xa0", "")),
    ),
    "names keep their case": (
        LISTS, header_lists, "parse_requested_headers",
        lambda value: _read_list(value) and tuple(value.replace(" ", "").split(",")),
    ),
    "dangers are let pass": (FIELDS, policies, "check_combination", lambda values: []),
    "copies differ": (FIELDS, Policy, "__hash__", object.__hash__),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looking_for, target, attribute, faulty = FAULTS[name]
    monkeypatch.setattr(target, attribute, faulty)
    assert_found(looking_for)


def assert_found(looking_for: Property) -> None:
    @settings(max_examples=10_000, phases=[Phase.generate], report_multiple_bugs=False)
    @given(looking_for.inputs)
    def look(inputs: tuple[Any, ...]) -> None:
        looking_for.check(*inputs)

    with pytest.raises(AssertionError):
        look()


Lines = list[tuple[str, str]]
Change = Callable[[dict[str, Any], str, Lines], tuple[str, Lines]]


def _allow_all(environ: dict[str, Any], status: str, lines: Lines) -> tuple[str, Lines]:
    origin = environ.get("HTTP_ORIGIN", "*")
    kept = [line for line in lines if line[0] != "Access-Control-Allow-Origin"]
    return status, [*kept, ("Access-Control-Allow-Origin", origin)]


def _without(header: str) -> Change:
    return lambda environ, status, lines: (status, [line for line in lines if line[0] != header])


_remembered: dict[str, Lines] = {}

CHANGES: dict[str, Change] = {
    "everybody is allowed": _allow_all,
    "twice": lambda environ, status, lines: (
        status, lines + [line for line in lines if line[0] == "Access-Control-Allow-Origin"],
    ),
    "no Vary": _without("Vary"),
    "a header is lost": _without("X-Total"),
    "another status": lambda environ, status, lines: (status.replace("405", "500"), lines),
    "an answer for another": lambda environ, status, lines: (
        status, _remembered.setdefault(environ["REQUEST_METHOD"] + environ["PATH_INFO"], lines),
    ),
    "every method is granted": lambda environ, status, lines: (
        status, [(n, "GET, PUT, DELETE" if n.endswith("Methods") else v) for n, v in lines],
    ),
    "line ends": lambda environ, status, lines: (
        status, [*lines, ("X-Asked", environ.get("HTTP_ORIGIN", ""))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_answer_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = site("off").guarded
    answered = app.wsgi_app

    def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return answered(
            environ, lambda status, lines: start_response(*CHANGES[name](environ, status, lines))
        )

    monkeypatch.setattr(app, "wsgi_app", broken)
    assert_found(REQUESTS)
