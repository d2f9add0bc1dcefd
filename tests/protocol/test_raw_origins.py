"""What native programs send and no browser does: listed byte for byte, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError, Reason
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.explanation import fields_of

APP = "https://app.example.com"
LEGAL = f"""
file:// file:/// app://. app:// wss://host:443 ws://host:80 wss://host/ HTTPS://EXAMPLE.COM
https://Example.com https://example.com:443 http://example.com:80 Http://[::A]:80 FILE:// a
MOZ-EXTENSION://a about://blank !~ app://{"a" * 314}
""".split()
NOT_LEGAL = [
    *"null * https://* https://a.example app://a moz-extension://* https://*.a.example:*".split(),
    *"https://a.example/ https://a.example:0443 http://a.example:443".split(),
    *"https:// http: HTTPS://A..B https://a.example:443/ https://me@A.example app://A.* APP://*".split(),
    *("", " ", "file:// ", " file://", "app://a b", "app://a\n", "app://\xe4", "app://\x7f", "a,b"),
    *("$RAW", "${RAW_ORIGINS}", "'file://'", '"https://a.example"', "`a`"),
    f"app://{'a' * 315}",
]


@pytest.mark.parametrize("text", LEGAL, ids=[text[:30] for text in LEGAL])
def test_what_can_be_listed(text: str) -> None:
    """Alone, in a list, and in a JSON list, which is what an environment variable can hold."""
    for given in (text, [text], json.dumps([text])):
        policy = Policy(raw_origins=given)
        assert policy.raw_origins == (text,)
        decision = decide(policy, CorsRequest(text, "GET"))
        assert decision.headers["Access-Control-Allow-Origin"] == text


@pytest.mark.parametrize("text", NOT_LEGAL, ids=[ascii(text[:30]) for text in NOT_LEGAL])
def test_what_cannot(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(raw_origins=[text])
    (problem,) = caught.value.problems
    assert problem.field == "raw_origins"
    assert problem.value in (text, [text])


COMMAS = [
    ("file://,app://.", '["file://", "app://."]', 1),
    ("file://, app://., ", '["file://", "app://."]', 1),
    ("file://,https://a.example", '["file://"]', 2),
    ("null,https://a.example", None, 3),
]


@pytest.mark.parametrize(("text", "suggestion", "count"), COMMAS, ids=[row[0] for row in COMMAS])
def test_a_comma(text: str, suggestion: str | None, count: int) -> None:
    """The correction can be pasted; what cannot be listed raw is said at once."""
    with pytest.raises(PolicyError) as caught:
        Policy(raw_origins=text)
    *others, problem = caught.value.problems
    assert (problem.suggestion, len(others) + 1) == (suggestion, count)
    assert suggestion is None or Policy(raw_origins=json.loads(suggestion))
    assert "write several as a JSON list" in problem.message


RAW = ("file://", "app://.", "HTTPS://Example.com")
LOOK_ALIKES = """
file:/// file:// file:///x FILE:// file: null app:// app://.. app://./ app://a https://example.com
HTTPS://EXAMPLE.COM https://Example.com
""".split()
POLICIES: dict[str, dict[str, Any]] = {
    "alone": {},
    "beside others": {"origins": APP},
    "with what is denied": {"origins": APP, "deny_origins": "https://old.example.com"},
    "beside everybody but some": {"origins": "*", "deny_origins": "https://old.example.com"},
    "with credentials": {"allow_credentials": True},
    "in force": {"enforce": "all"},
}


@pytest.mark.parametrize("name", POLICIES)
def test_only_what_is_listed_gets_in(name: str) -> None:
    policy = Policy(raw_origins=RAW, **POLICIES[name])
    for text in RAW:
        decision = decide(policy, CorsRequest(text, "GET"))
        assert decision.reason is None
        assert decision.headers["Access-Control-Allow-Origin"] == text
        assert "Origin" in decision.headers["Vary"]
    plain = Policy(**POLICIES[name])
    for text in LOOK_ALIKES:
        if text not in RAW:
            asked = CorsRequest(text, "GET")
            assert decide(policy, asked).reason is decide(plain, asked).reason
    assert decide(policy, CorsRequest("file:///", "GET")).reason is Reason.ORIGIN_MALFORMED
    assert decide(policy, CorsRequest("null", "GET")).reason is Reason.ORIGIN_NULL


def test_under_a_star_that_is_in_force_a_raw_origin_is_no_stranger() -> None:
    policy = Policy(origins="*", enforce="unsafe", raw_origins=RAW)
    allowed = decide(policy, CorsRequest("file://", "PUT", preflight=True))
    assert allowed.reason is None
    assert allowed.headers["Access-Control-Allow-Methods"] == "PUT"
    refused = decide(policy, CorsRequest("file:///", "PUT", preflight=True))
    assert refused.reason is Reason.CROSS_SITE_REQUEST


def test_equality_is_by_meaning() -> None:
    one, other = Policy(raw_origins=RAW), Policy(raw_origins=[*reversed(RAW), "file://"])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Policy(raw_origins=RAW[:2])
    assert one != Policy(origins=APP)
    assert eval(repr(one), {"Policy": Policy}) == one
    assert fields_of(one)["raw_origins"] == list(RAW)


INSECURE = [
    ("http://Example.com", True),
    ("http://example.com:80", True),
    ("ws://example.com:80", True),
    ("WS://example.com/", True),
    ("ws://localhost/x", True),
    ("http://LOCALHOST", False),
    ("http://127.0.0.1:80", False),
    ("wss://example.com:443", False),
    ("https://Example.com", False),
    ("file://", False),
]


@pytest.mark.parametrize(("text", "is_insecure"), INSECURE, ids=[row[0] for row in INSECURE])
def test_without_tls(text: str, is_insecure: bool) -> None:
    Policy(raw_origins=text)
    lifted: dict[str, Any] = {"allow_credentials": True, "dangerously_allow_insecure_origins": True}
    assert Policy(raw_origins=text, **lifted)
    if not is_insecure:
        assert Policy(raw_origins=text, allow_credentials=True)
        return
    with pytest.raises(PolicyError) as caught:
        Policy(raw_origins=text, allow_credentials=True)
    assert [problem.code for problem in caught.value.problems] == ["credentials_insecure_origin"]


ADVICE = [
    ({}, "app://.", 'raw_origins=["app://."]'),
    ({"origins": APP}, "file://", 'raw_origins=["file://"]'),
    ({"raw_origins": "file://"}, "app://.", 'raw_origins=["file://", "app://."]'),
    ({}, "app://a'\"x", r'raw_origins=["app://a' + "'" + r'\"x"]'),
    ({}, "HTTPS://Example.com", 'raw_origins=["HTTPS://Example.com"]'),
    ({}, "https://example.com/", None),
    ({}, "app://x y", None),
    ({}, "app://\xe4", None),
    ({}, "evil", None),
    ({}, "", None),
]


@pytest.mark.parametrize(("fields", "origin", "advice"), ADVICE, ids=[ascii(r[1]) for r in ADVICE])
def test_what_to_paste(fields: dict[str, Any], origin: str, advice: str | None) -> None:
    """Taking the advice admits the origin, and nothing else that was not admitted before."""
    policy = Policy(**fields)
    last = (
        decide(
            policy,
            CorsRequest(origin, "GET", "/x"),
        )
        .explain()
        .split("To allow it: ")[1]
    )
    if advice is None:
        assert "raw_origins" not in last
        return
    assert last.startswith(f"{advice} (policy: ") or "check the URL" in last
    changed: Policy = eval(f"policy.derive({advice})", {"policy": policy})
    assert decide(changed, CorsRequest(origin, "GET")).reason is None


def test_what_it_matches_none_of() -> None:
    said = decide(
        Policy(origins=APP, raw_origins=RAW), CorsRequest("https://b.test", "GET")
    ).explain()
    assert f"matches none of '{APP}', 'file://', 'app://.', 'HTTPS://Example.com'." in said


def test_quotes() -> None:
    for text, suggestion in (("'file://'", '["file://"]'), ('"https://a.example"', None)):
        with pytest.raises(PolicyError) as caught:
            Policy(raw_origins=text if suggestion else [text])
        assert [problem.suggestion for problem in caught.value.problems] == [suggestion]


@pytest.mark.parametrize("text", ["file://", "app://.", "wss://host:443", "https://Example.com"])
def test_the_mistake_names_it(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins=text)
    assert f'raw_origins=["{text}"]' in str(caught.value)


@pytest.mark.parametrize("text", ["https://a.com/", "http://a..b", "a.com", "https://a.com/X:443"])
def test_other_mistakes_do_not(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins=text)
    assert "raw_origins" not in str(caught.value)
