"""What to change: the whole value, everything at once, and nothing that a policy would refuse."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from flask_corsguard import Outcome, Policy, PolicyError, Reason
from flask_corsguard.protocol.audiences import Audiences, policies_of
from flask_corsguard.protocol.decision import CorsRequest, Decision, Scope, decide
from flask_corsguard.protocol.fields import is_raw
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.remedies import (
    set_by,
    to_allow,
    to_expose,
    to_refuse,
    to_send_credentials,
)
from tests import advice_pasted

A = "https://a.example"
B = "https://b.example"
ACCEPTED = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "PROPFIND", "METHOD-1"})
HERE = Scope("users", "view users", "app.py:7", ACCEPTED)
SET = "(policy: view users, app.py:7)"


def customers(origin: str) -> bool:
    return False


class Customers:
    def __call__(self, origin: str) -> bool:
        return False


def ask(origin: str = A, method: str = "GET", names: str = "", **more: Any) -> CorsRequest:
    is_simple = not names and method in ("GET", "POST")
    return CorsRequest(origin, method, "/users", not is_simple, names, **more)


def pasted(text: str) -> dict[str, Any]:
    """The policy fields in an advice, as Python reads them."""
    return next((fields for policies, fields in advice_pasted.pasted(text) if not policies), {})


def words(fields: dict[str, Any], request: CorsRequest, **more: Any) -> str:
    return to_allow(decide(Policy(**fields), request, HERE), **more)


# Taking the advice

LONG_NAMES = ",".join(f"x-{n:02}" for n in range(15))
ONE_ROUND: dict[str, tuple[dict[str, Any], CorsRequest]] = {
    "nothing allowed": ({}, ask()),
    "another origin": ({"origins": B}, ask()),
    "a pattern": ({"origins": [re.compile("https://[bc].example", re.I), B]}, ask()),
    "a wildcard": ({"origins": "https://*.a.example"}, ask()),
    "a port": ({"origins": "http://localhost:3000"}, ask("http://127.0.0.1:5173")),
    "an extension": ({"origins": A}, ask("chrome-extension://abcdef")),
    "http": ({"origins": A}, ask("http://a.example")),
    "http of the own machine, credentials": (
        {"origins": A, "allow_credentials": True}, ask("http://localhost:3000")
    ),
    "credentials": ({"origins": B, "allow_credentials": True}, ask()),
    "denied": ({"origins": [A, B], "deny_origins": [A, "https://evil.example"]}, ask()),
    "denied with others": (
        {"origins": "*", "deny_origins": ["https://*.example", re.compile("https://a.*")]}, ask(),
    ),
    "denied and not listed": ({"origins": B, "deny_origins": [A, B]}, ask()),
    "denied, but a pattern lists it": (
        {"origins": re.compile("https://[ab].example"), "deny_origins": A}, ask()
    ),
    "a method": ({"origins": A, "methods": "POST"}, ask(method="PUT")),
    "an odd method": ({"origins": A, "methods": ()}, ask(method="x-'`~x")),
    "a header": ({"origins": A}, ask(names="authorization")),
    "an odd header": ({"origins": A}, ask(names="x-'`~x")),
    "headers": ({"origins": A, "allow_headers": "X-One"}, ask(names="x-one,x-two,content-type")),
    "no headers": ({"origins": A, "allow_headers": ()}, ask(names="authorization,content-type")),
    "many headers": ({"origins": A}, ask(names=LONG_NAMES)),
    "every header": ({"origins": A, "allow_headers": "*"}, ask(names="authorization,x-a")),
    "every header, credentials": (
        {"origins": A, "allow_headers": ["*", "X-A"], "allow_credentials": True},
        ask(names="authorization,x-a,x-b"),
    ),
    "a private network": ({"origins": A}, ask(method="PUT", private_network=True)),
    "origin and header": ({"origins": B}, ask(names="authorization")),
    "everything": (
        {"origins": B, "methods": "POST", "allow_headers": "X-One", "deny_origins": A},
        ask(method="PUT", names="authorization", private_network=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_ROUND)
def test_one_round(name: str) -> None:
    """What is advised, pasted, allows the request."""
    fields, request = ONE_ROUND[name]
    policy = Policy(**fields)
    advice = to_allow(decide(policy, request, HERE))
    changed = policy.derive(**pasted(advice))
    assert decide(changed, request, HERE).outcome is Outcome.ALLOWED, advice
    # What was there is still there, but for what denied the origin.
    for field in pasted(advice):
        if field != "deny_origins" and policy.values[field]:
            assert set(policy.values[field]) <= set(changed.values[field]), field


ORIGINS = [
    A, B, "https://*.shop.example", "https://pr-*.shop.example", "http://localhost:*",
    "moz-extension://*", "app://x", "http://plain.example", re.compile(r"https://[xy]\.example"),
]  # fmt: skip
ASKING = [
    *"https://a.example https://c.example https://pr-.shop.example https://y.z.shop.example".split(),
    *"http://127.0.0.1:3 moz-extension://abc moz-extension://a:1 chrome-extension://abc".split(),
    *"file:// app://. app://x wss://h.example:443 ws://h.example:80 HTTPS://A.example".split(),
    *"http://plain.example https://é.example https://a.example/ evil null".split(),
    *("app://" + "y" * 313, "app://" + "y" * 314, "app://q\"'\\"),
]
ANY: dict[str, list[Any]] = {
    "origins": ["*", [], *([one, other] for one in ORIGINS for other in ORIGINS[::4])],
    "deny_origins": [["https://c.example"], ["https://*.shop.example", re.compile(".*y.*"), A]],
    "raw_origins": [["file://"], ["app://.", "HTTPS://A.example"], ["wss://h.example:443"]],
    "allow_credentials": [True],
    "methods": [["PUT"], [], "*", ["DELETE", "PATCH"]],
    "allow_headers": [[], "*", ["X-A"], ["*", "X-A"]],
    "allow_private_network": [True],
    "dangerously_allow_insecure_origins": [True],
}
NOT_BY_FIELDS = re.compile(
    "first fix this|no setting can|serve the page|add a route|have the page|take |remove "
    '|add "'
    "|if this policy does not list|return True for"
)


def policies_at_random(chance: random.Random, enforce: str) -> Policy | Audiences:
    """A policy, or a list, that can be configured."""
    while True:
        fields = [
            {name: chance.choice(values) for name, values in ANY.items() if chance.random() < 0.4}
            for _ in range(chance.randint(1, 3))
        ]
        try:
            policies = [Policy(**each, enforce=enforce) for each in fields]
            names = ["own", "", "public"]
            return Audiences(policies, names[: len(policies)]) if policies[1:] else policies[0]
        except PolicyError:
            continue


def taken(advice: str, policy: Policy | Audiences, at: int) -> Iterator[Policy | Audiences]:
    """The policies that an advice leads to.

    :param at: the place in a list of the policy that it is about.
    """
    found = advice_pasted.pasted(advice)
    fields = next((fields for policies, fields in found if not policies), {})
    if isinstance(policy, Policy):
        if fields:
            yield policy.derive(**fields)
        for policies, beside in found:
            if policies:
                members = [each.derive(**beside) for each in policies[0]]
                yield Audiences(members, ["", ""])
        return
    of_all: dict[str, Any] = {}
    if enforce := re.search(r'enforce=("\w+") \(policy: [^)]*, beside the list\)', advice):
        of_all = {"enforce": json.loads(enforce[1])}
        fields.pop("enforce", None)
    earlier = advice_pasted.listed_earlier(advice)
    own = [policy[at].derive(**fields)]
    if earlier is not None:
        of_all = {"enforce": policy[at].enforce}
        own = [earlier, policy[at]]
    members = [*policy[:at], *own, *policy[at + 1 :]]
    names = ["own", "other", "third", "public"][: len(members)]
    yield Audiences([each.derive(**of_all) for each in members], names)


@pytest.mark.parametrize("seed", range(12))
def test_one_round_for_whoever_asks(seed: int) -> None:
    """What is advised, pasted where it says, allows the request, or words say what else to do; also
    in lists. What is for everybody refuses no less to others, where the origin can be listed."""
    chance = random.Random(seed)
    number = 0
    while number < 250:
        policy = policies_at_random(chance, chance.choice(["off", "unsafe", "report"]))
        names = chance.choice(["", "x-a", "authorization,x-b", "content-type"])
        method = chance.choice(["GET", "PUT", "DELETE", "patch"])
        request = ask(chance.choice(ASKING), method, names, private_network=chance.random() < 0.2)
        scope = HERE._replace(methods=ACCEPTED | {"DELETE"})
        decision = decide(policy, request, scope)
        if decision.outcome is Outcome.ALLOWED:
            continue
        credentials = chance.random() < 0.3
        advice = to_allow(decision, credentials=credentials)
        if NOT_BY_FIELDS.search(advice):
            continue
        number += 1
        changes = [*taken(advice, policy, len(decision.policies) - 1)]
        assert changes, advice
        for changed in changes:
            again = decide(changed, request, scope)
            assert again.outcome is Outcome.ALLOWED, advice
            assert again.policy is not None
            assert again.policy.allow_credentials or not credentials, advice
            if can_be_listed(request.origin or ""):
                enforce = policies_of(changed)[0].enforce
                assert enforce == policies_of(policy)[0].enforce, advice


def can_be_listed(origin: str) -> bool:
    return is_raw(origin) or (origin != "null" and parse_origin(origin) is not None)


def test_a_list_of_strings_is_json_too() -> None:
    """The same value can stand in a Python file and in an environment variable."""
    advice = words({"origins": B}, ask(names="authorization"))
    for field, value in pasted(advice).items():
        assert f"{field}={json.dumps(value)}" in advice


@pytest.mark.parametrize(
    ("policy", "method", "changed"),
    [
        ({"enforce": "all"}, "GET", {"enforce": "unsafe"}),
        ({"enforce": "all"}, "HEAD", {"enforce": "unsafe"}),
        ({"enforce": "all"}, "POST", {"enforce": "off"}),
        ({"enforce": "unsafe"}, "GET", {"enforce": "off"}),  # a WebSocket
        ({"enforce": "unsafe"}, "POST", {"enforce": "off"}),
    ],
)
def test_the_weakest_change_that_lets_a_request_of_another_site_pass(
    policy: dict[str, Any], method: str, changed: dict[str, Any]
) -> None:
    decision = decide(Policy(**policy), ask(method=method), HERE)
    advice = to_allow(decision._replace(reason=Reason.CROSS_SITE_REQUEST, origin=None))
    assert pasted(advice) == changed


ONLY_IF = '; only if every site may cause such requests, set enforce="off" for this view instead'
# The fields of a policy for everybody, the request, and the policies that let only this one past.
BEFORE_EVERYBODY: dict[str, tuple[dict[str, Any], CorsRequest, str]] = {
    "the origin": (
        {}, ask(method="PUT"),
        f'write [Policy(origins=["{A}"]), Policy(origins="*")], enforce="unsafe" {SET}{ONLY_IF}',
    ),
    "and a header": (
        {"allow_headers": ["X-B"], "max_age": 60, "deny_origins": re.compile("x")},
        ask(method="PUT", names="x-a"),
        f'write [Policy(origins=["{A}"], allow_headers=["X-B", "X-A"]),'
        " Policy(origins=\"*\", allow_headers=[\"X-B\"])], deny_origins=[re.compile('x')],"
        f' max_age=60, enforce="unsafe" {SET}{ONLY_IF}',
    ),
    "raw": (
        {"raw_origins": ["file://"]}, ask("app://.", "PUT"),
        f'raw_origins=["file://", "app://."] {SET}{ONLY_IF}',
    ),
    "too long to paste": (
        {"methods": [f"METHOD-{n}" for n in range(100)]}, ask(method="METHOD-1", names="x-a"),
        'make it a list of policies, with enforce="unsafe": one with'
        f' origins=["{A}"], allow_headers=["Content-Type", "X-A"], then the present one {SET}'
        f"{ONLY_IF}",
    ),
    "null": (
        {}, ask("null", "PUT"), f'enforce="off" {SET}; other sites can then cause such requests'
    ),
    "no browser's": (
        {}, ask("evil", "PUT"), f'enforce="off" {SET}; other sites can then cause such requests'
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BEFORE_EVERYBODY)
def test_past_enforce_where_everybody_may_read(name: str) -> None:
    """Whatever can be listed is listed, and ``enforce`` stays."""
    fields, request, advice = BEFORE_EVERYBODY[name]
    decision = decide(Policy(origins="*", enforce="unsafe", **fields), request, HERE)
    assert to_allow(decision._replace(reason=Reason.CROSS_SITE_REQUEST)) == advice


@pytest.mark.parametrize(
    ("source", "location"),
    [
        ("default", "CORSGUARD_ORIGINS, CORSGUARD_ENFORCE in app.config"),
        ("default", "app.py:7, CORSGUARD_ENFORCE in app.config"),
        ("path /api", "CORSGUARD_PATHS in app.config"),
        ("default", "origins, enforce in /etc/cors.toml"),
        ("report_only", "app.py:7"),
    ],
)
def test_in_words_where_no_list_with_fields_can_be_written(source: str, location: str) -> None:
    decision = decide(Policy(origins="*", enforce="unsafe"), ask(method="PUT"), HERE)
    decision = decision._replace(policy_source=source, policy_location=location)
    words = 'make it a list of policies, with enforce="unsafe": one with'
    where = f"(policy: {source}, {location})"
    assert to_allow(decision) == f'{words} origins=["{A}"], then the present one {where}{ONLY_IF}'
    assert to_allow(decision, credentials=True).endswith(
        f' {words} origins=["{A}"], allow_credentials=True, then the present one'
    )


@pytest.mark.parametrize(
    ("source", "endpoint", "advice"),
    [
        ("default", "users", 'mark this view with @cors(enforce="off")'),
        ("blueprint api", "users", 'mark this view with @cors(enforce="off")'),
        ("path /api", "users", 'mark this view with @cors(enforce="off")'),
        ("path /api", None, 'enforce="off" (policy: path /api, app.py:7)'),
        ("path /api over report_only", "users",
         'enforce="off" (policy: path /api over report_only, app.py:7)'),
        ("report_only", "users", 'enforce="off" (policy: report_only, app.py:7)'),
        ("endpoint users", "users", 'enforce="off" (policy: endpoint users, app.py:7)'),
        ("method POST of view users", "users",
         'enforce="off" (policy: method POST of view users, app.py:7)'),
    ],
)  # fmt: skip
def test_enforce_is_given_up_for_one_view_alone(
    source: str, endpoint: str | None, advice: str
) -> None:
    """Not for every view that a policy is for."""
    decision = decide(Policy(enforce="unsafe"), ask(method="POST"), HERE)._replace(
        reason=Reason.CROSS_SITE_REQUEST, origin=None, policy_source=source, endpoint=endpoint,
        in_front="it responds",
    )  # fmt: skip
    assert to_allow(decision) == f"{advice}; other sites can then cause such requests"


# Where no value helps

NOT_NULL = (
    "serve the page from an origin of its own (a file: with 'python -m http.server'), with another"
    " Referrer-Policy; if a redirect from"
    " another origin led here, respond there with this URL in JSON, for the page to fetch, or with"
    " 401 if this is a sign-in page; do not allow 'null', which every site can send"
)
HTTP = ask("http://a.example")
CREDENTIALS = {"origins": B, "allow_credentials": True}
IN_WORDS: dict[str, tuple[dict[str, Any], CorsRequest, str]] = {
    "http with credentials": (
        CREDENTIALS, HTTP,
        "serve the page over https and list that origin: with allow_credentials=True, whoever"
        ' controls the network could pose as "http://a.example" and act as the user',
    ),
    "http with credentials, https is listed": (
        CREDENTIALS | {"origins": [B, A]}, HTTP,
        "serve the page over https, which is listed: with allow_credentials=True, whoever controls"
        ' the network could pose as "http://a.example" and act as the user',
    ),
    "http with credentials, and a header": (
        CREDENTIALS, ask("http://a.example", names="x-a"),
        f'allow_headers=["Content-Type", "X-A"] {SET}; serve the page over https and list that'
        " origin: with allow_credentials=True, whoever controls the network could pose as"
        ' "http://a.example" and act as the user',
    ),
    "with credentials, beside all headers": (
        {"origins": A, "expose_headers": "*"}, ask("https://[::1]"),
        f'origins=["{A}", "https://[::1]"] {SET}',
    ),
    "no browser's": ({}, ask("about://blank"), f'raw_origins=["about://blank"] {SET}'),
    "raw, too": (
        {"raw_origins": ["file://"], "methods": ()}, ask("app://.", "PUT"),
        f'methods=["PUT"], raw_origins=["file://", "app://."] {SET}',
    ),
    "raw without TLS": (
        {"origins": B, "allow_credentials": True}, ask("ws://a.example:80"),
        "first fix this: 'ws://a.example:80' with allow_credentials=True: whoever controls the"
        " network in between can pose as that origin and act as the user. Make it use TLS and list"
        " what it sends then, or set dangerously_allow_insecure_origins=True; then set"
        f' raw_origins=["ws://a.example:80"] {SET}',
    ),
    "perhaps cut": (
        {}, ask("app://" + "a" * 400),
        "no setting can, because no page in a browser sends this origin"
    ),
    "malformed": (
        {}, ask("https://a.example/", names="x-a"),
        "no setting can, because no page in a browser sends this origin; in explain(), pass"
        " origin='https://a.example'",
    ),
    "null": (
        {"origins": "*", "deny_origins": "null", "dangerously_allow_null_origin": True},
        ask("null"),
        NOT_NULL,
    ),
    "a callable": (
        {"origins": customers}, ask(), f'have customers return True for "{A}" {SET}'
    ),
    "a callable that says what it looks at": (
        {"origins": customers, "origins_vary": "X-Tenant"}, ask(),
        f'have customers return True for "{A}" {SET}',
    ),
    "a callable beside a list": (
        {"origins": [B, customers]}, ask(),
        f'have customers return True for "{A}", or list it: origins=["{B}", customers, "{A}"]'
        f" {SET}",
    ),
    "a lambda beside a list": (
        {"origins": [B, lambda origin: False]}, ask(),
        f'have <lambda> return True for "{A}", or list the origin beside it in origins {SET}',
    ),
    "a callable, and a header": (
        {"origins": customers}, ask(names="x-a"),
        f'allow_headers=["Content-Type", "X-A"]; have customers return True for "{A}" {SET}',
    ),
    "a long list": (
        {"origins": [f"https://{n}.example" for n in range(5000)]}, ask(),
        f'add "{A}" to origins, which has 5,000 items {SET}',
    ),
    "long entries": (
        {"origins": [f"https://{'x' * 60}.{n}.example" for n in range(10)]}, ask(),
        f'add "{A}" to origins, which has 10 items {SET}',
    ),
    "many headers": (
        {"origins": A}, ask(names=",".join(f"x-{n:02}" for n in range(30))),
        'add "X-00", "X-01", "X-02", "X-03", "X-04" and 25 more to allow_headers, which has 1'
        f" item {SET}",
    ),
    "denied by many": (
        {"origins": A, "deny_origins": [A, *(f"https://{n}.example" for n in range(30))]}, ask(),
        f"remove the item that covers the origin from deny_origins {SET}",
    ),
    "denied, and a pattern lists it": (
        {"origins": re.compile(".*"), "deny_origins": [A, B]}, ask(), f'deny_origins=["{B}"] {SET}',
    ),
    "denied, and a pattern does not list it": (
        {"origins": re.compile("x"), "deny_origins": A}, ask(),
        f"""origins=[re.compile('x'), "{A}"], deny_origins=[] {SET}""",
    ),
    "denied with others": (
        {"origins": A, "deny_origins": "https://*.example"}, ask(),
        f"deny_origins=[] {SET}; note that 'https://*.example' denied other origins too",
    ),
    "denied twice": (
        {"origins": A, "deny_origins": ["https://*.example", re.compile(".*")]}, ask(),
        f"deny_origins=[] {SET}; note that 'https://*.example' and re.compile('.*') denied other"
        " origins too",
    ),
    "denied by one of 20": (
        {"origins": A, "deny_origins": [A, *(f"https://{n}.example" for n in range(19))]}, ask(),
        f"deny_origins={json.dumps([f'https://{n}.example' for n in range(19)])} {SET}",
    ),
    "http in the name of the host": (
        CREDENTIALS | {"origins": "https://http.example"}, ask("http://http.example"),
        "serve the page over https, which is listed: with allow_credentials=True, whoever controls"
        ' the network could pose as "http://http.example" and act as the user',
    ),
    "a callable beside long entries": (
        {"origins": [*(f"https://{'x' * 60}.{n}.example" for n in range(10)), customers]}, ask(),
        f'have customers return True for "{A}", or list the origin beside it in origins {SET}',
    ),
    "no route takes the method": (
        {"origins": A}, ask(method="DELETE", names="x-a"),
        "add a route that accepts DELETE at this URL",
    ),
    "a method in lower case": (
        {"origins": A, "methods": "PUT"}, ask(method="patch"),
        f"""methods=["PUT", "PATCH"] {SET}; have the page call fetch(url, {{method: 'PATCH'}})""",
    ),
    "a method that no page can send": (
        {"origins": A, "methods": "PUT"}, ask(method="TRACE"),
        "have the page use another method: no policy can allow TRACE",
    ),
    "a response header": (
        {"origins": A}, ask(names="access-control-allow-origin,access-control-allow-methods,x-a"),
        f'allow_headers=["Content-Type", "X-A"] {SET}; take Access-Control-Allow-Origin,'
        " Access-Control-Allow-Methods out of the page's fetch() or axios headers: they are"
        " response headers",
    ),
    "one response header": (
        {"origins": A}, ask(names="access-control-allow-origin"),
        "take Access-Control-Allow-Origin out of the page's fetch() or axios headers: it is a"
        " response header",
    ),
    "headers that no page can send": (
        {"origins": A}, ask(names="cookie,host"),
        "take Cookie, Host out of the headers: no policy can allow that",
    ),
    "20 names": (
        {"origins": A, "allow_headers": [f"X-{n}" for n in range(18)]}, ask(names="x-a,x-b"),
        f"allow_headers={json.dumps([*(f'X-{n}' for n in range(18)), 'X-A', 'X-B'])} {SET}",
    ),
    "21 names": (
        {"origins": A, "allow_headers": [f"X-{n}" for n in range(18)]}, ask(names="x-a,x-b,x-c"),
        f'add "X-A", "X-B", "X-C" to allow_headers, which has 18 items {SET}',
    ),
    "a callable beside many": (
        {"origins": [*(f"https://{n}.example" for n in range(19)), customers]}, ask(),
        f'have customers return True for "{A}", or list the origin beside it in origins {SET}',
    ),
    "an instance beside a list": (
        {"origins": [B, Customers()]}, ask(),
        f'have Customers return True for "{A}", or list the origin beside it in origins {SET}',
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "method", "credentials", "is_public"),
    [
        ({"origins": A}, "GET", False, True),
        ({"origins": A}, "PUT", False, True),
        ({"origins": A, "enforce": "unsafe"}, "HEAD", False, True),
        ({"origins": A, "enforce": "unsafe"}, "PUT", False, False),
        ({"origins": A, "enforce": "all"}, "GET", False, False),
        ({"origins": A}, "GET", True, False),
        ({"origins": A, "allow_credentials": True}, "GET", False, False),
        ({"origins": "*", "deny_origins": A}, "GET", False, False),
        ({"origins": "*", "deny_origins": A}, "GET", True, False),
    ],
)
def test_an_opaque_origin(
    fields: dict[str, Any], method: str, credentials: bool, is_public: bool
) -> None:
    """Neither credentials nor ``enforce`` are given for it."""
    public = '; mark a view that everybody may read without credentials with @cors(origins="*")'
    advice = words(fields, ask("null", method), credentials=credentials)
    assert advice == f"{NOT_NULL}{public if is_public else ''}"


def test_everybody_but_a_page_over_http_with_credentials() -> None:
    said = words({"origins": "*"}, ask("http://a.example", names="x-a"), credentials=True)
    assert "first fix this: " in said


def test_an_opaque_origin_that_is_allowed() -> None:
    fields = {"origins": "null", "dangerously_allow_null_origin": True}
    assert words(fields, ask("null", names="x-a"), credentials=True) == (
        f'allow_headers=["Content-Type", "X-A"], allow_credentials=True {SET}'
    )


@pytest.mark.parametrize("name", IN_WORDS)
def test_in_words(name: str) -> None:
    """Where no value helps, or it is too long to be pasted, the advice says what else to do."""
    fields, request, advice = IN_WORDS[name]
    assert words(fields, request) == advice


def test_a_url_without_a_route() -> None:
    """A misspelt URL is no reason to open the default policy."""
    for request in (ask(), ask(method="PUT", names="authorization")):
        advice = to_allow(decide(Policy(), request, Scope(location="app.py:7")))
        assert advice == (
            "check the URL, the method and the trailing slash: no route of the app matches this"
            " request (policy: default, app.py:7; it matters only to a page that must read the"
            " error)"
        )


NO_ROUTE = "add a route that accepts DELETE at this URL"


@pytest.mark.parametrize(
    ("source", "fields", "preflight", "advice"),
    [
        ("view users", {"origins": "*", "enforce": "unsafe"}, True, NO_ROUTE),
        ("view users", {"origins": "*", "enforce": "unsafe"}, False, NO_ROUTE),
        ("method GET of view users", {"origins": B}, False, NO_ROUTE),
        ("endpoint users", {"origins": B}, True, NO_ROUTE),
        ("files *.css of endpoint users", {"origins": B}, True, NO_ROUTE),
        ("view users", {"origins": B, "methods": "PUT"}, True, NO_ROUTE),
        ("default", {"origins": B}, True,
         f'origins=["{B}", "{A}"] (policy: default, app.py:7); {NO_ROUTE}'),
        ("blueprint api", {"origins": B}, False,
         f'origins=["{B}", "{A}"] (policy: blueprint api, app.py:7); {NO_ROUTE}'),
        ("path /api", {"origins": A, "methods": "PUT"}, True,
         f'methods=["PUT", "DELETE"] (policy: path /api, app.py:7); {NO_ROUTE}'),
        ("path /api", {"origins": A}, True, NO_ROUTE),
    ],
)  # fmt: skip
def test_a_url_without_a_route_for_the_method(
    source: str, fields: dict[str, Any], preflight: bool, advice: str
) -> None:
    """The policy of the other methods there need not be that of a new route, unless it is that of
    many views."""
    request = CorsRequest(A, "DELETE", "/users", preflight)
    decision = decide(Policy(**fields), request, HERE._replace(source=source))
    if decision.reason is None:  # as the server refuses it
        decision = decision._replace(outcome=Outcome.REJECTED, reason=Reason.CROSS_SITE_REQUEST)
    assert to_allow(decision) == advice
    assert to_allow(decision, credentials=True).endswith(NO_ROUTE)
    assert decision.explain().count("no route at this URL accepts DELETE") == 1


@pytest.mark.parametrize(
    ("method", "methods", "advice"),
    [
        ("propfind", None, "have the page call fetch(url, {method: 'PROPFIND'})"),
        ("Propfind", [], f"""methods=["PROPFIND"] {SET}; have the page call fetch(url, {{method:"""
         " 'PROPFIND'})"),
        ("patch", None, "have the page call fetch(url, {method: 'PATCH'})"),
        ("delete", None, "have the page call fetch(url, {method: 'DELETE'}), which a route at this"
         " URL must accept"),
        ("mkcol", [], f'methods=["mkcol"] {SET}'),
        ("TRACE", None, "have the page use another method: no policy can allow TRACE"),
    ],
)  # fmt: skip
def test_the_case_of_a_method(method: str, methods: Any, advice: str) -> None:
    """Where a route accepts the name in upper case, the page has meant that."""
    assert words({"origins": A, "methods": methods}, ask(method=method)) == advice


# Credentials, which the guard is not told of


@pytest.mark.parametrize(
    ("fields", "request_", "advice"),
    [
        ({"origins": B}, ask(), f'origins=["{B}", "{A}"], allow_credentials=True {SET}'),
        ({"origins": B, "allow_credentials": True}, ask(), f'origins=["{B}", "{A}"] {SET}'),
        ({"origins": "*"}, ask(names="x-a"),
         f'origins=["{A}"], allow_headers=["Content-Type", "X-A"], allow_credentials=True {SET};'
         ' pages of other origins can then no longer read; if they should, write [Policy('
         f'origins=["{A}"], allow_headers=["Content-Type", "X-A"], allow_credentials=True),'
         ' Policy(origins="*")]'),
        ({"origins": B}, HTTP,
         f"allow_credentials=True {SET}; serve the page over https and list that origin: with"
         ' allow_credentials=True, whoever controls the network could pose as "http://a.example"'
         " and act as the user"),
        ({"origins": "*"}, ask("about://x", names="x-a"),
         'origins=[], allow_headers=["Content-Type", "X-A"], allow_credentials=True,'
         f' raw_origins=["about://x"] {SET}; pages of other origins can then no longer read; if'
         ' they should, write [Policy('
         'allow_headers=["Content-Type", "X-A"], allow_credentials=True, raw_origins=["about://x"]),'
         ' Policy(origins="*")]'),
        ({"origins": ["http://b.example", A]}, ask(names="x-a"),
         "allow_headers=[\"Content-Type\", \"X-A\"]; first fix this: 'http://b.example' with"
         " allow_credentials=True: whoever controls the network in between can pose as that"
         " origin and act as the user. Write 'https://b.example', or set"
         f" dangerously_allow_insecure_origins=True; then set allow_credentials=True {SET}"),
        ({"origins": A, "expose_headers": "*"}, ask(names="x-a"),
         'allow_headers=["Content-Type", "X-A"]; first fix this: with allow_credentials=True,'
         " browsers take '*' as the name of a header. List the names; then set"
         f" allow_credentials=True {SET}"),
        ({"origins": [A, "http://b.example"], "expose_headers": "*"}, ask(names="x-a"),
         "allow_headers=[\"Content-Type\", \"X-A\"]; first fix this: 'http://b.example' with"
         " allow_credentials=True: whoever controls the network in between can pose as that"
         " origin and act as the user. Write 'https://b.example', or set"
         " dangerously_allow_insecure_origins=True; with allow_credentials=True, browsers take"
         f" '*' as the name of a header. List the names; then set allow_credentials=True {SET}"),
        ({"origins": "*"}, ask("null", names="x-a"),
         f'allow_headers=["Content-Type", "X-A"] {SET}; {NOT_NULL}'),
    ],
    ids=[
        "listed", "allowed", "everybody", "http", "odd", "http beside", "exposed", "both", "null",
    ],
)  # fmt: skip
def test_a_page_that_asks_with_credentials(
    fields: dict[str, Any], request_: CorsRequest, advice: str
) -> None:
    assert words(fields, request_, credentials=True) == advice


def test_a_page_that_is_allowed_but_for_credentials() -> None:
    decision = decide(Policy(origins=A), ask(), HERE)
    assert decision.outcome is Outcome.ALLOWED
    assert to_send_credentials(decision) == f"allow_credentials=True {SET}"


def test_to_expose_a_header() -> None:
    decision = decide(Policy(origins=A, expose_headers=["ETag"]), ask(), HERE)
    assert to_expose(decision, ["X-Total"]) == f'expose_headers=["ETag", "X-Total"] {SET}'


# Refusing a handshake


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"origins": A}, f'enforce="unsafe" {SET}'),
        ({"origins": "https://*.co.uk"},
         "first fix this: 'https://*.co.uk' with enforce='unsafe': anybody can register a name"
         " under 'co.uk', so nobody is kept out. Name the site, such as"
         " 'https://*.your-site.co.uk', or set dangerously_allow_public_suffixes=True; then set"
         f' enforce="unsafe" {SET}'),
    ],
    ids=["possible", "not yet"],
)  # fmt: skip
def test_how_to_refuse_a_handshake(fields: dict[str, Any], advice: str) -> None:
    assert to_refuse(decide(Policy(**fields), ask(B), HERE)) == advice


# Where it is set


def where(decision: Decision, **changes: Any) -> str:
    return to_allow(decision._replace(**changes))


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"policy_source": "default", "policy_location": "CORSGUARD_ORIGINS in app.config",
          "configured": frozenset({"origins"})},
         f'CORSGUARD_ORIGINS=["{B}", "{A}"], CORSGUARD_ALLOW_HEADERS=["Content-Type", "X-A"]'
         " (policy: default, CORSGUARD_ORIGINS in app.config)"),
        ({"policy_source": "default", "configured": frozenset({"allow_headers"})},
         f'origins=["{B}", "{A}"] (policy: default, app.py:7);'
         ' CORSGUARD_ALLOW_HEADERS=["Content-Type", "X-A"] (in app.config)'),
        ({"policy_source": "default", "configured": frozenset({"allow_headers", "origins"})},
         f'CORSGUARD_ORIGINS=["{B}", "{A}"], CORSGUARD_ALLOW_HEADERS=["Content-Type", "X-A"]'
         " (in app.config)"),
        ({"policy_source": "report_only",
          "policy_location": "CORSGUARD_REPORT_ONLY in app.config"},
         f'origins=["{B}", "{A}"], allow_headers=["Content-Type", "X-A"] (policy: report_only,'
         " CORSGUARD_REPORT_ONLY in app.config)"),
        ({"policy_location": ""},
         f'origins=["{B}", "{A}"], allow_headers=["Content-Type", "X-A"] (policy: view users)'),
    ],
    ids=["configuration", "both", "configuration, all fields", "report-only", "nowhere"],
)  # fmt: skip
def test_where_it_is_set(changes: dict[str, Any], advice: str) -> None:
    """A field that a configuration key sets is written as that key."""
    assert where(decide(Policy(origins=B), ask(names="x-a"), HERE), **changes) == advice


@pytest.mark.parametrize(
    ("location", "fields"),
    [
        ("origins in /etc/cors.toml", f'origins = ["{A}"], allow_private_network = true'),
        ("origins in /etc/cors.json", f'"origins": ["{A}"], "allow_private_network": true'),
        ("app.py:7, methods in /etc/cors.toml", f'origins=["{A}"], allow_private_network=True'),
    ],
)
def test_what_a_settings_file_sets(location: str, fields: str) -> None:
    """A field is written as the file has it, unless code sets more of the policy."""
    decision = decide(Policy(), ask(method="PUT", private_network=True), HERE)
    advice = where(decision, policy_location=location)
    assert advice == f"{fields} (policy: view users, {location})"


def test_what_set_a_policy() -> None:
    decision = decide(Policy(), ask(), HERE)
    assert set_by(decision) == "view users, app.py:7"
    assert set_by(decision._replace(policy_location="")) == "view users"


# Whatever is asked


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({}, CorsRequest(A, "x" * 60_000, "/", True, "x" * 4096, True)),
        ({"methods": ()}, CorsRequest(A, "\n'\"\\", "/", True, "'`", True)),
        (CREDENTIALS, CorsRequest(A, "GET", "/", True, ",".join(f"{n:x<31}" for n in range(128)))),
        ({"deny_origins": A}, CorsRequest("https://" + "a." * 150 + "example", "GET")),
        ({"methods": ["PUT"] * 30}, CorsRequest(HTTP.origin, "y" * 40, "/", True, "\ud800")),
    ],
    ids=["long", "odd", "many", "long origin", "not a list"],
)
def test_the_line_is_bounded(fields: dict[str, Any], request_: CorsRequest) -> None:
    advice = words(fields, request_, credentials=True)
    assert advice.isascii()
    assert advice.isprintable()
    assert len(advice) < 2000
    Policy(**fields).derive(**pasted(advice))
