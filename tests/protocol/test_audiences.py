"""Several policies for one route: which one decides, and what cannot be combined."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from flask_corsguard import Outcome, Policy, PolicyError, Reason
from flask_corsguard.protocol.audiences import (
    Audiences,
    origins_beside,
    policies_of,
    read_policy,
    resolve,
)
from flask_corsguard.protocol.decision import (
    UNDECIDED,
    CorsRequest,
    Scope,
    decide,
    decide_unlisted,
)
from flask_corsguard.protocol.remedies import to_allow, to_refuse, to_send_credentials

A, B, C = "https://a.example", "https://b.example", "https://c.example"


def _fails(_origin: str) -> bool:
    raise RuntimeError("the database is gone")


def _listing(*origins: str) -> Callable[[str], bool]:
    return lambda origin: origin in origins


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


OWN = Policy(origins=A, allow_credentials=True, methods="PUT", max_age=60)
PARTNERS = Policy(origins=[B, "https://*.b.example"], methods="DELETE", expose_headers="X-B")
PUBLIC = Policy(origins="*", methods=[], max_age=5)
ASKS = Policy(origins=_listing(B))
FAILS = Policy(origins=_fails)
DENIES = Policy(origins=A, deny_origins=[C, re.compile(r"https://evil\..+")])
BUT_C = Policy(origins="*", deny_origins=C)

LISTS = {
    "own": [OWN, PUBLIC],
    "three": [OWN, PARTNERS, PUBLIC],
    "closed": [OWN, PARTNERS],
    "asks": [OWN, ASKS, PUBLIC],
    "asks first": [ASKS, OWN, PUBLIC],
    "fails": [OWN, FAILS, PUBLIC],
    "denies": [DENIES, PUBLIC],
    "denies last": [OWN, BUT_C],
}

# list, Origin -> the number of the policy that ends the search, the reason, and what is sent
DECIDED: dict[str, tuple[str, str, int, Reason | None, str | None]] = {
    "the first that lists it": ("three", A, 1, None, A),
    "the second": ("three", B, 2, None, B),
    "by a wildcard": ("three", "https://x.b.example", 2, None, "https://x.b.example"),
    "the last, *": ("three", C, 3, None, "*"),
    "null, by *": ("three", "null", 3, None, "*"),
    "odd, by *": ("three", "ODD:", 3, None, "*"),
    "nobody": ("closed", C, 2, Reason.ORIGIN_NOT_ALLOWED, None),
    "null, by nobody": ("closed", "null", 2, Reason.ORIGIN_NULL, None),
    "odd, by nobody": ("closed", "ODD:", 2, Reason.ORIGIN_MALFORMED, None),
    "a callable admits": ("asks", B, 2, None, B),
    "a callable does not": ("asks", C, 3, None, "*"),
    "a callable is not asked": ("asks", A, 1, None, A),
    "null is not asked about": ("asks", "null", 3, None, "*"),
    "a callable before": ("asks first", A, 2, None, A),
    "a callable fails": ("fails", C, 2, Reason.ORIGIN_CHECK_FAILED, None),
    "before one that fails": ("fails", A, 1, None, A),
    "null before one that fails": ("fails", "null", 3, None, "*"),
    "denied": ("denies", C, 1, Reason.ORIGIN_DENIED, None),
    "denied by a pattern": ("denies", "https://evil.example", 1, Reason.ORIGIN_DENIED, None),
    "not denied": ("denies", B, 2, None, "*"),
    "denied last": ("denies last", C, 2, Reason.ORIGIN_DENIED, None),
    "* but one": ("denies last", B, 2, None, B),
    "* but one, null": ("denies last", "null", 2, Reason.ORIGIN_NULL, None),
    "* but one, odd": ("denies last", "ODD:", 2, Reason.ORIGIN_MALFORMED, None),
}


@pytest.mark.parametrize(
    ("name", "origin", "number", "reason", "sent"), DECIDED.values(), ids=DECIDED
)
def test_which_one_decides(
    name: str, origin: str, number: int, reason: Reason | None, sent: str | None
) -> None:
    """An ordinary request, as without a cache and as with one."""
    policies = LISTS[name]
    audiences = Audiences(policies, [""] * len(policies))
    request = CorsRequest(origin, "GET", "/x")
    decision = decide(audiences, request)
    assert (decision.reason, decision.policy) == (reason, policies[number - 1])
    assert decision.policies == tuple(policies[:number])
    assert decision.headers.get("Access-Control-Allow-Origin") == sent
    assert decision.headers["Vary"] == "Origin"
    kept = decide(audiences, request, asks=False)
    if kept is UNDECIDED:
        kept = decide_unlisted(audiences, request, Scope(), asks=True)
    assert kept == decision


@pytest.mark.parametrize("name", LISTS)
def test_without_origin(name: str) -> None:
    """Nobody is asked, and ``*`` is not sent: a cache would give it to the other audiences."""
    audiences = Audiences(LISTS[name], [""] * len(LISTS[name]))
    decision = decide(audiences, CorsRequest(None, "GET"), asks=False)
    assert decision.outcome is Outcome.NOT_CORS
    assert dict(decision.headers) == {"Vary": "Origin"}


def test_of_an_own_page_no_callable_is_asked() -> None:
    audiences = Audiences([FAILS, OWN], ["", ""])
    decision = decide_unlisted(audiences, CorsRequest(B, "GET"), Scope(), asks=False)
    assert decision.reason is Reason.ORIGIN_NOT_ALLOWED


# Origin, requested method -> allowed, Access-Control-Allow-Methods, -Credentials, -Max-Age
PREFLIGHTS = {
    "own": (A, "PUT", None, "PUT", "true", "60"),
    "own, another's method": (A, "DELETE", Reason.METHOD_NOT_ALLOWED, None, None, None),
    "partners": (B, "DELETE", None, "DELETE", None, "600"),
    "partners, another's method": (B, "PUT", Reason.METHOD_NOT_ALLOWED, None, None, None),
    "public": (C, "GET", None, None, None, "5"),
    "public, another's method": (C, "PUT", Reason.METHOD_NOT_ALLOWED, None, None, None),
}


@pytest.mark.parametrize(
    ("origin", "method", "reason", "methods", "credentials", "max_age"),
    PREFLIGHTS.values(),
    ids=PREFLIGHTS,
)
def test_one_decides_alone(
    origin: str,
    method: str,
    reason: Reason | None,
    methods: str | None,
    credentials: str | None,
    max_age: str | None,
) -> None:
    """Also about methods, credentials and how long a preflight is remembered."""
    audiences = Audiences(LISTS["three"], ["own", "", ""])
    of_each = tuple(each.compiled.headers.allow_methods(None, frozenset()) for each in audiences)
    scope = Scope(allow_methods=of_each)
    sent = decide(audiences, CorsRequest(origin, method, preflight=True), scope)
    assert sent.reason is reason
    assert (
        sent.headers.get("Access-Control-Allow-Methods"),
        sent.headers.get("Access-Control-Allow-Credentials"),
        sent.headers.get("Access-Control-Max-Age"),
    ) == (methods, credentials, max_age)
    assert sent.headers["Vary"].startswith("Origin, Access-Control-Request-Method")


def test_what_else_is_wrong_is_said_of_the_last_where_nobody_decides() -> None:
    """What is advised is to list the origin there, and then the rest has to be in order too."""
    audiences = Audiences([OWN, PARTNERS], ["", "partners"])
    decision = decide(audiences, CorsRequest(C, "PATCH", preflight=True))
    assert decision.reason is Reason.ORIGIN_NOT_ALLOWED
    assert decision.further_reasons == (Reason.METHOD_NOT_ALLOWED,)
    also = "; also, by policy 'partners' (2 of 2): PATCH is not one of the methods"
    assert also in decision.explain()


def test_a_callable_that_takes_the_request_makes_browsers_forget_all_preflights() -> None:
    """It may admit the origin for another method, and then another policy decides."""
    asks = Policy(origins=lambda _origin, request: request.method == "PUT", methods="PUT")
    audiences = Audiences([asks, Policy(origins="*", methods=["PUT", "PATCH"])], ["", ""])
    sent = decide(audiences, CorsRequest(A, "PATCH", preflight=True, context=CorsRequest(A, "X")))
    assert sent.headers["Access-Control-Max-Age"] == "0"
    assert sent.headers["Access-Control-Allow-Methods"] == "PATCH"


@pytest.mark.parametrize("origin", [None, A, B, C], ids=["no Origin", "first", "second", "last"])
@pytest.mark.parametrize("preflight", [False, True], ids=["request", "preflight"])
def test_what_any_callable_looks_at_is_in_vary(origin: str | None, preflight: bool) -> None:
    """Whichever policy decides; and browsers need not forget."""
    audiences = Audiences(
        [
            Policy(origins=lambda origin, request: origin == A, origins_vary=["X-A", "X-B"]),
            Policy(origins=lambda origin, request: origin == B, origins_vary=["x-b", "X-C"]),
            PUBLIC,
        ],
        ["", "", ""],
    )
    sent = decide(audiences, CorsRequest(origin, "POST", preflight=preflight)).headers
    assert sent["Vary"].endswith(", X-A, X-B, X-C")
    assert sent.get("Access-Control-Max-Age") != "0"


EXPLAINED: dict[str, tuple[str, str | None, str, str]] = {
    "the one that decided": ("three", B, "GET", "Policy: default, policy 2 of 3."),
    "by its name": ("three", A, "GET", "Policy: default, policy 'own' (1 of 3)."),
    "all that did not": (
        "closed",
        C,
        "GET",
        "Policy: default, policy 'own' (1 of 2), policy 2 of 2.\n"
        "  Found: policy 'own' (1 of 2): the origin matches none of 'https://a.example'; policy 2"
        " of 2: the origin matches none of 'https://b.example', 'https://*.b.example'.",
    ),
    "null, once for all": (
        "closed",
        "null",
        "GET",
        "policy 2 of 2.\n  Found: the origin is opaque:",
    ),
    "odd, once for all": ("closed", "ODD:", "GET", "\n  Found: browsers never send an origin like"),
    "the one that failed": ("fails", C, "GET", "Policy: default, policy 2 of 3."),
    "the one that denied": ("denies", C, "GET", "Policy: default, policy 'own' (1 of 2)."),
    "a method": ("three", B, "PUT", "Policy: default, policy 2 of 3."),
    "all, where there is no Origin": (
        "closed",
        None,
        "GET",
        "Policy: default, policy 'own' (1 of 2), policy 2 of 2.",
    ),
}


@pytest.mark.parametrize(("name", "origin", "method", "said"), EXPLAINED.values(), ids=EXPLAINED)
def test_the_explanation_names(name: str, origin: str | None, method: str, said: str) -> None:
    names = ["own", *[""] * (len(LISTS[name]) - 1)]
    audiences = Audiences(LISTS[name], names)
    request = CorsRequest(origin, method, "/x", preflight=method != "GET")
    assert said in decide(audiences, request, Scope("view")).explain()


REMEDIES = {
    "another origin": (
        [OWN, PARTNERS],
        CorsRequest(C, "GET"),
        'origins=["https://b.example", "https://*.b.example", "https://c.example"] (policy:'
        " default, policy 2 of 2); if you list it in an earlier policy, that one decides.",
    ),
    "another origin, and what the last would refuse then": (
        [OWN, PARTNERS.derive(origins=B)],
        CorsRequest(C, "PUT", preflight=True, requested_headers="x-a"),
        f'origins=["{B}", "{C}"], methods=["DELETE", "PUT"], allow_headers=["Content-Type", "X-A"]'
        " (policy: default, policy 2 of 2); if you list it in an earlier policy, that one decides.",
    ),
    "another origin, and a method that no page can send": (
        [OWN, PARTNERS.derive(origins=B)],
        CorsRequest(C, "TRACE", preflight=True),
        f'origins=["{B}", "{C}"] (policy: default, policy 2 of 2); if you list it in an earlier'
        " policy, that one decides; have the page use another method: no policy can allow TRACE.",
    ),
    "another origin, and the methods of the routes": (
        [OWN, Policy(origins=B)],
        CorsRequest(C, "PUT", preflight=True),
        f'origins=["{B}", "{C}"] (policy: default, policy 2 of 2);',
    ),
    "a raw origin, and a header": (
        [OWN, Policy(origins=B)],
        CorsRequest("file://", "PUT", preflight=True, requested_headers="x-a"),
        'allow_headers=["Content-Type", "X-A"], raw_origins=["file://"] (policy:',
    ),
    "nothing, and a header": (
        [OWN, Policy(origins=B)],
        CorsRequest("ODD:", "PUT", preflight=True, requested_headers="x-a"),
        "no setting can, because no page in a browser",
    ),
    "a method": (
        [OWN, PUBLIC],
        CorsRequest(A, "PATCH", preflight=True),
        'methods=["PUT", "PATCH"] (policy: default, policy \'own\' (1 of 2)).',
    ),
    "denied, before another": (
        [OWN.derive(deny_origins=[C]), PUBLIC],
        CorsRequest(C, "GET"),
        "deny_origins=[] (policy: default, policy 'own' (1 of 2)); if this policy does not list"
        " the origin, a later one may then admit it.",
    ),
    "denied, by the last": (
        [OWN, PARTNERS.derive(origins=B, deny_origins=[C])],
        CorsRequest(C, "GET"),
        f'origins=["{B}", "{C}"], deny_origins=[] (policy: default, policy 2 of 2);',
    ),
    "enforce": (
        [OWN.derive(enforce="unsafe"), PUBLIC.derive(enforce="unsafe")],
        CorsRequest(C, "DELETE", preflight=True),
        f'list "{C}" in an earlier policy, one with methods=["DELETE"] (policy: default, policy 2'
        " of 2); only if every site may cause such requests",
    ),
    "enforce, for a raw origin": (
        [OWN.derive(enforce="unsafe"), PUBLIC.derive(enforce="unsafe")],
        CorsRequest("file://", "POST", preflight=True),
        'raw_origins=["file://"] (policy: default, policy 2 of 2); only if',
    ),
    "enforce, for null": (
        [OWN.derive(enforce="unsafe"), PUBLIC.derive(enforce="unsafe")],
        CorsRequest("null", "POST", preflight=True),
        'mark this view with @cors(enforce="off"); other sites can then',
    ),
}


@pytest.mark.parametrize(("policies", "request_", "said"), REMEDIES.values(), ids=REMEDIES)
def test_what_to_change(policies: list[Policy], request_: CorsRequest, said: str) -> None:
    decision = decide(Audiences(policies, ["own", ""]), request_, Scope("view"))
    assert f"To allow it: {said}" in decision.explain()


BESIDE_STAR = {
    "https": (C, f'list "{C}" in an earlier policy, one with allow_credentials=True (policy:'),
    "http": (
        "http://c.example",
        "first fix this: 'http://c.example' with allow_credentials=True: whoever",
    ),
    "null": ("null", "serve the page from an origin of its own"),
}


def test_what_the_earlier_policy_needs() -> None:
    """What the page asks for too, which the policy for everybody may allow."""
    public = PUBLIC.derive(enforce="unsafe", methods=["PUT"], allow_headers=["X-A"], max_age=1)
    own = OWN.derive(enforce="unsafe")
    request = CorsRequest(C, "PUT", preflight=True, requested_headers="x-a,x-b")
    decision = decide(Audiences([own, public], ["", ""]), request, Scope("view"))
    assert to_allow(decision, credentials=True) == (
        f'list "{C}" in an earlier policy, one with methods=["PUT"], allow_headers=["X-A", "X-B"],'
        " allow_credentials=True (policy: default, policy 2 of 2)"
    )
    long = public.derive(allow_headers=[f"X-{n}" for n in range(99)])
    decision = decide(Audiences([own, long], ["", ""]), request, Scope("view"))
    assert 'one with methods=["PUT"], allow_headers=["X-A", "X-B"], allow' in to_allow(
        decision, credentials=True
    )
    longer = public.derive(methods=[*(f"METHOD-{n}" for n in range(99)), "PUT"])
    decision = decide(Audiences([own, longer], ["", ""]), request, Scope("view"))
    assert to_allow(decision, credentials=True) == (
        f'list "{C}" in an earlier policy, one that allows what the page asks for (policy: default,'
        " policy 2 of 2)"
    )
    denied = public.derive(deny_origins=C)
    decision = decide(Audiences([own, denied], ["", ""]), request, Scope("view"))
    assert "deny_origins" not in to_allow(decision, credentials=True)


@pytest.mark.parametrize(("origin", "said"), BESIDE_STAR.values(), ids=BESIDE_STAR)
def test_credentials_where_everybody_may_read(origin: str, said: str) -> None:
    """That policy stays as it is: with credentials, it would let every site act as the user."""
    decision = decide(Audiences([OWN, PUBLIC], ["", ""]), CorsRequest(origin, "GET"), Scope("view"))
    assert to_send_credentials(decision).startswith(said)


# What cannot be combined: what is read, the fields beside it, and the problem with a part of it
REFUSED: dict[str, tuple[object, dict[str, Any], str, str]] = {
    "* not last": ([PUBLIC, OWN], {}, "any_origin_not_last", "policy 1 of 2 lets everybody"),
    "* with names": (["public", "own"], {}, "any_origin_not_last", "'public' (1 of 2)"),
    "* twice": ([PUBLIC, PUBLIC], {}, "any_origin_not_last", "Put it last"),
    "* with credentials": (
        [OWN, PUBLIC],
        {"allow_credentials": True},
        "credentials_any_origin",
        "every site",
    ),
    "the same twice": ([OWN, PARTNERS, OWN], {}, "policy_twice", "same as policy 1 of 3"),
    "enforce of one": (
        [OWN.derive(enforce="unsafe"), PUBLIC],
        {},
        "enforce_of_several",
        "'unsafe' in policy 1 of 2, 'off' in policy 2 of 2",
    ),
    "enforce all of *": ([OWN, PUBLIC], {"enforce": "all"}, "enforce_all_any_origin", "'unsafe'"),
    "origins beside": ([OWN, PUBLIC], {"origins": C}, "origins_of_several", "one of the policies"),
    "unknown name": (["own", "publik"], {}, "unknown_policy", "Did you mean 'public'?"),
    "unknown name alone": ("owm", {}, "unknown_policy", "Did you mean 'own'?"),
    "a host for a name": ("app.example.com", {}, "unknown_policy", "'https://app.example.com'"),
    "empty": ([], {}, "policies_empty", "decides nothing"),
    "an origin": (["own", A], {}, "wrong_type", f"Policy(origins='{A}')"),
    "a list in it": ([OWN, [PUBLIC]], {}, "wrong_type", "neither a policy nor the name"),
    "fields in it": ([OWN, {"origins": B}], {}, "wrong_type", f"Write Policy(origins='{B}')"),
    "* in it": (["own", "*"], {}, "wrong_type", "Write Policy(origins='*')"),
    "a pattern": ([OWN, re.compile("x")], {}, "wrong_type", "Policy(origins=re.compile('x'))"),
    "a number in it": ([OWN, 7], {}, "wrong_type", "neither a policy nor the name"),
    "no name": ("", {}, "unknown_policy", "there is no policy ''"),
    "commas": ("own, public", {}, "unknown_policy", "Write ['own', 'public']"),
    "JSON": ('["own", "public"]', {}, "unknown_policy", "Write ['own', 'public']"),
    "commas, and unknown": ("own, publik", {}, "unknown_policy", "there is no policy"),
    "None in it": ([OWN, None], {}, "wrong_type", "neither a policy nor the name"),
    "no policy": (7, {}, "wrong_type", "7 is not a policy"),
    "a wrong field": ([OWN, PUBLIC], {"max_age": -1}, "max_age_range", "Write 0"),
}  # fmt: skip
NAMED = {"own": OWN, "partners": PARTNERS, "public": PUBLIC}


@pytest.mark.parametrize(("value", "fields", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_combined(
    value: object, fields: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        resolve(read_policy("policy", value, {}), NAMED, fields)
    problems = caught.value.problems
    assert code in [problem.code for problem in problems]
    assert len(set(map(str, problems))) == len(problems)
    assert said in str(caught.value)


def test_what_cannot_be_combined_is_said_at_once_beside_a_list() -> None:
    with pytest.raises(PolicyError, match="origins_of_several"):
        read_policy("policy", [OWN, PUBLIC], {"origins": C})
    assert not [*origins_beside(OWN, {"origins": C})]
    assert read_policy("policy", [OWN], {"origins": C}) is OWN


def test_one_alone_is_no_list() -> None:
    assert resolve(read_policy("policy", ["own"], {}), NAMED, {}) == OWN
    assert resolve("own", NAMED, {"max_age": 5}) == OWN.derive(max_age=5)
    assert resolve(OWN, {}, {}) == OWN


def test_names_are_escaped_and_cut() -> None:
    """As everything is that goes into a line of the log."""
    audiences = Audiences([OWN, PARTNERS], ["\u202eb\xf6se'\n", "n" * 200])
    said = decide(audiences, CorsRequest(C, "GET"), Scope("view")).explain()
    assert r"policy '\u202eb\xf6se\x27\n' (1 of 2)" in said
    assert f"policy '{'n' * 100}'... (200 characters) (2 of 2)" in said
    assert said.replace("\n", "").isprintable()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, _pickled])
def test_copies(copied: Callable[[Any], Any]) -> None:
    several = resolve(("own", PARTNERS), NAMED, {})
    assert isinstance(several, Audiences)
    made = copied(several)
    assert type(made) is Audiences
    assert (made, made.names) == (several, ("own", ""))
    assert [p.compiled.audience for p in made] == [p.compiled.audience for p in several]


def test_one_of_a_list_can_stand_alone() -> None:
    """As ``*`` does then: without Vary, and on every response."""
    last = Audiences([OWN, PUBLIC], ["", ""])[-1]
    for alone in (resolve(last, {}, {}), resolve("last", {"last": last}, {})):
        assert isinstance(alone, Policy)
        sent = decide(alone, CorsRequest(None, "GET")).headers
        assert dict(sent) == {"Access-Control-Allow-Origin": "*"}


def test_fields_change_each() -> None:
    several = resolve(("own", PARTNERS), NAMED, {"max_age": 7})
    assert isinstance(several, Audiences)
    assert [policy.max_age for policy in several] == [7, 7]
    assert several.names == ("own", "")
    again = several.derive(expose_headers=["X-A"], enforce="unsafe")
    assert [policy.expose_headers for policy in again] == [("X-A",)] * 2
    assert again.names == several.names


def test_who_may_read_is_not_changed_in_each() -> None:
    several = Audiences([OWN, PARTNERS], ["", ""])
    with pytest.raises(PolicyError, match=r"as in @cors\(Policy\(origins=\.\.\.\)\)"):
        several.derive(origins=C)


def test_equality_and_repr() -> None:
    """A list is what its policies are; being in one changes no policy."""
    several = Audiences([OWN, PUBLIC], ["own", ""])
    assert several == Audiences([OWN, PUBLIC], ["", ""]) == (OWN, PUBLIC)
    assert hash(several) == hash(Audiences([OWN, PUBLIC], ["", ""]))
    assert several != Audiences([OWN, PARTNERS], ["", ""])
    assert several != OWN
    assert repr(several) == f"[{OWN!r}, {PUBLIC!r}]"
    assert dict(PUBLIC.compiled.headers.not_cors) == {"Access-Control-Allow-Origin": "*"}


def test_policies_of() -> None:
    several = Audiences([OWN, PUBLIC], ["", ""])
    assert [policies_of(each) for each in (None, OWN, several)] == [(), (OWN,), (OWN, PUBLIC)]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))]
)
def test_a_copy_decides_alike(copied: Callable[[Audiences], Audiences]) -> None:
    audiences = Audiences([OWN, PARTNERS], ["own", ""])
    again = copied(audiences)
    assert (again, again.names) == (audiences, audiences.names)
    for request in (CorsRequest(A, "GET"), CorsRequest(C, "GET"), CorsRequest(None, "GET")):
        assert decide(again, request).explain() == decide(audiences, request).explain()


def test_what_keeps_any_of_them_from_being_in_force_is_said() -> None:
    suffix = Policy(origins="https://*.github.io")
    decision = decide(Audiences([suffix, PARTNERS], ["", ""]), CorsRequest(C, "GET"))
    assert to_refuse(decision).startswith("first fix this: 'https://*.github.io' with enforce")
    decision = decide(Audiences([OWN, PARTNERS], ["", ""]), CorsRequest(C, "GET"), Scope("view"))
    assert to_refuse(decision) == 'enforce="unsafe" (policy: default, beside the list)'
