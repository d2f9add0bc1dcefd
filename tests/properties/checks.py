"""What has to hold, for any input. The properties and the fuzzers share these.

Each check raises if something does not hold.
"""

import pickle
import re
from collections.abc import Mapping
from typing import Any

from flask import Flask

from flask_corsguard import CorsGuard, Policy, PolicyError
from flask_corsguard.protocol import decision as deciding
from flask_corsguard.protocol import headers as header_lists
from flask_corsguard.protocol import origins as parsing
from tests.properties import meaning
from tests.properties.legality import is_legal
from tests.properties.meaning import Fields

PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def check_parsing(text: str) -> None:
    """What parses is a serialized origin, is read as what it is, and comes out as it went in."""
    parsed = parsing.parse_origin(text)
    parts = meaning.read_origin(text)
    assert (parsed is None) == (parts is None), ascii(text)
    if parsed is not None and parts is not None:
        assert str(parsed) == text, ascii(text)
        assert (parsed.scheme, parsed.port) == (parts.scheme, parts.port), ascii(text)
        assert parsed.is_address != isinstance(parts.host, str), ascii(text)


def check_origin(policy: Policy, fields: Fields, text: str) -> None:
    """An origin is let in, or told why not, exactly as the slow definition has it.

    :param fields: the fields that the policy was made of.
    """
    reason = meaning.against_origin(fields, text)
    looked_at = "Origin, Sec-Fetch-Site" if fields.get("enforce") == "all" else "Origin"
    common = {} if meaning.is_constant(fields) else {"Vary": meaning.vary(fields, looked_at)}
    expected = {**granted(fields, text), **common} if reason is None else common
    verdict = deciding.decide(policy, deciding.CorsRequest(text, "GET", "/"))
    assert verdict.reason is reason, (ascii(text), verdict.reason, reason)
    assert dict(verdict.headers) == expected, ascii(text)
    assert verdict.origin == text[:320]
    # Explained in lines of printable ASCII, whatever was asked.
    assert all(line.isascii() and line.isprintable() for line in verdict.explain().split("\n"))


def check_preflight(policy: Policy, fields: Fields, text: str, method: str, requested: str) -> None:
    """A preflight is answered exactly as the slow definition has it."""
    reason = meaning.against_origin(fields, text)
    if reason is None:
        reason = meaning.against_preflight(
            fields, method, None, requested, private=False, origin=text
        )
    asked = deciding.CorsRequest(text, method, "/", True, requested)
    verdict = deciding.decide(policy, asked)
    assert verdict.reason is reason, (ascii(text), ascii(method), ascii(requested), reason)
    assert (set(verdict.headers) > {"Vary"}) is (reason is None)
    assert verdict.headers["Vary"] == meaning.vary(fields, PREFLIGHT_VARY)
    assert verdict.request_headers == tuple(meaning.read_requested_headers(requested) or ())
    assert all(line.isascii() and line.isprintable() for line in verdict.explain().split("\n"))


def granted(fields: Fields, text: str) -> dict[str, str]:
    """The headers of an ordinary response to an origin that may read."""
    allowed = {"Access-Control-Allow-Origin": "*" if meaning.is_constant(fields) else text}
    if fields.get("allow_credentials"):
        allowed["Access-Control-Allow-Credentials"] = "true"
    if fields.get("expose_headers"):
        exposed = meaning.entries(fields["expose_headers"])
        unique = {name.lower(): name for name in reversed(exposed)}
        allowed["Access-Control-Expose-Headers"] = ", ".join(reversed(unique.values()))
    return allowed


def check_requested_headers(value: str) -> None:
    """Requested headers are read as RFC 9110 has it, within the limits."""
    expected = meaning.read_requested_headers(value)
    found = header_lists.parse_requested_headers(value)
    assert found == (None if expected is None else tuple(expected)), ascii(value)
    if found:
        assert header_lists.parse_requested_headers(",".join(found)) == found


def check_fields(fields: Mapping[str, Any]) -> None:
    """Fields as JSON has them make a policy if and only if the reference says so."""
    policy = policy_or_none(fields)
    assert (policy is not None) == is_legal(fields), fields
    if policy is not None:
        check_policy(policy)
        assert Policy(**fields) == policy


def policy_or_none(fields: Mapping[str, Any]) -> Policy | None:
    """The policy, or None if it is refused in words. Anything else is raised."""
    try:
        return Policy(**fields)
    except PolicyError as error:
        check_error(error)
        return None


def check_error(error: PolicyError) -> None:
    """A refusal says what is wrong; what it suggests for an origin is one. For an empty entry, it
    suggests the others, whatever is wrong with these."""
    assert error.problems
    assert str(error)
    for problem in error.problems:
        assert problem.code
        assert problem.code.isascii()
        assert problem.message
        is_about_one = problem.code.startswith("origin_") and problem.code != "origin_empty"
        if is_about_one and problem.suggestion:
            suggested = eval(problem.suggestion, {"re": re})
            assert suggested == [] or Policy(origins=suggested).origins, problem


def check_policy(policy: Policy) -> None:
    """A policy is a value: equal to its copies, with their hash, and immutable. What it prints can
    be pasted back, unless it has a function."""
    for copy in (policy.derive(), policy.derive(**dict[str, Any](policy.values))):
        assert copy == policy
        assert hash(copy) == hash(policy)
        assert repr(copy) == repr(policy)
    if not any(callable(entry) for entry in policy.origins):
        assert eval(repr(policy), {"Policy": Policy, "re": re}) == policy
    try:
        policy.max_age = 0
    except AttributeError:
        pass
    else:
        raise AssertionError("a policy was changed")


def check_pickle(policy: Policy) -> None:
    """A policy without functions comes back from a pickle."""
    copy = pickle.loads(pickle.dumps(policy))
    assert (copy, hash(copy), repr(copy)) == (policy, hash(policy), repr(policy))


def check_settings(config: Mapping[str, Any]) -> None:
    """Settings are used as the fields that they name, or refused in words."""
    app = Flask("configured")
    app.config.update(config)
    fields = {
        key.removeprefix("CORSGUARD_").lower(): value
        for key, value in config.items()
        if key not in _OTHER_SETTINGS
    }
    try:
        guard = CorsGuard(app)
    except PolicyError as error:
        check_error(error)
        assert _OTHER_SETTINGS & set(config) or not is_legal(fields), config
    else:
        assert guard.routes(app)[0].policy == Policy(**fields), config


_OTHER_SETTINGS = {
    f"CORSGUARD_{name}" for name in ("POLICIES", "REPORT_ONLY", "SELF_ORIGINS", "LOG_REJECTIONS")
}
