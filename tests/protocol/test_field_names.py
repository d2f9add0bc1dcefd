"""What is said to a name that is no field: a typing error, or what another CORS library has."""

import re
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError
from flask_corsguard.protocol.field_names import INSTEAD, MEANT, SWITCHES, unknown_field
from flask_corsguard.protocol.policy import FIELDS

OURS = {
    "allow_credentials": "credentials support_credentials supports_credentials allowCredentials",
    "allow_headers": "allowed_headers headers allowedHeaders additionalHeaders WithHeaders"
    " ALLOW_HEADERS access_control_allow_headers",
    "allow_private_network": "allowPrivateNetwork",
    "answer_preflight": "automatic_options provide_automatic_options",
    "deny_origins": "blacklist blocklist blocked_origins",
    "expose_headers": "exposed_headers exposedHeaders expose additionalExposedHeaders"
    " WithExposedHeaders Access-Control-Expose-Headers",
    "max_age": "preflight_max_age maxAge MaxAgeSeconds SetPreflightMaxAge CORS_MAX_AGE max_ages",
    "methods": "allow_method allow_methods allowed_methods AllowedMethods WithMethods",
    "origins": "allow_origin allow_origin_func allow_origin_regex allow_origins allowed_origin"
    " allowed_origin_patterns allowed_origin_regexes allowed_origins origin origin_whitelist"
    " SetIsOriginAllowed WithOrigins CORS_ORIGINS CORSGUARD_ORIGINS Access-Control-Allow-Origin"
    " CORS_GUARD_ORIGINS FLASK_CORSGUARD_ORIGINS"
    " ORIGINS whitelist allowlist origin_regex origin_regex_whitelist trusted_origins"
    " AllowOriginVaryRequestFunc AllowOriginWithContextFunc",
}
OF_THE_APP = "It is for the whole app, not for one policy: "
DO = {
    "Write origins='*'.": "allow_all allow_all_origins AllowAnyOrigin CORS_ORIGIN_ALLOW_ALL",
    "Write methods='*'.": "AllowAnyMethod allow_all_methods",
    "Write allow_headers='*'.": "AllowAnyHeader allow_all_headers",
    "Write allow_credentials=False.": "DisallowCredentials",
    "Write answer_preflight=False.": "preflight_continue preflightContinue OptionsPassthrough",
    "It is not needed here: leave it out.": "always_send intercept_exceptions send_wildcard"
    " vary_header send_origin_wildcard replace_https_referer",
    "Leave it out: the guard writes Vary. In origins_vary, name the request headers that a"
    " callable looks at.": "vary",
    "Give a path its own policy with guard.for_path('/api', origins=[...]), a view or a blueprint"
    " with @cors(origins=[...]).": "CORS_URLS_REGEX resources resource",
    "Leave it out: the response to a preflight is 204, and browsers treat any 2xx the same.":
    "options_success_status optionsSuccessStatus preflightStatusCode success_status",
    "Set the header Timing-Allow-Origin in the view: it is not part of CORS.": "timing_allow_origin"
    " timing_allow_origins",
    "Leave it out: any site can send the origin 'null'. Serve the page from an origin of its own,"
    " and list that.": "allow_null_origin allow_null allow_files allow_null_origins null_origins",
    "Leave it out, and serve the page over https, or from localhost.": "allow_insecure_origins"
    " allow_insecure insecure_origins allow_http",
    "Leave it out, and write 'https://*.example.com' among the origins.": "allow_wildcard"
    " allow_wildcard_origin SetIsOriginAllowedToAllowWildcardSubdomains",
    "Leave it out, and list these origins with their scheme, such as 'app://example.com'.":
    "allow_browser_extensions CustomSchemas",
    "Leave it out: only enforce refuses WebSocket handshakes.": "allow_web_sockets",
    "Leave it out: the log and 'flask cors check' say why a request is rejected.": "debug",
    "Write whole keys, such as CORSGUARD_ORIGINS; as an environment variable, with a single"
    " underscore: FLASK_CORSGUARD_ORIGINS.": "CORSGUARD",
    **{
        f"{OF_THE_APP}CorsGuard(app, {name}=...).": name
        for name in ("inspector", "policies", "report_only", "self_origins")
    },
    **{
        f"{OF_THE_APP}app.config['CORSGUARD_{key}'] = ...": key.lower()
        for key in ("AUDIT_ACCEPT", "INSPECTOR_CHECK", "LOG_REJECTIONS", "PATHS", "SETTINGS_FILE")
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "ours"), [(name, ours) for ours, names in OURS.items() for name in names.split()]
)
def test_another_name_of_a_field(name, ours):
    """The field that does it here, however the name is written; not merely the nearest name."""
    problem = unknown_field("unknown_field", name, "policy field", FIELDS)
    message = f"there is no policy field {name!r}. Did you mean {ours!r}?"
    assert problem == ("unknown_field", name, name, message, ours, "")


@pytest.mark.parametrize(
    ("name", "advice"), [(name, advice) for advice, names in DO.items() for name in names.split()]
)
def test_what_to_do_instead(name, advice):
    """Why no field is needed, or what does the same."""
    problem = unknown_field("unknown_field", name, "policy field", FIELDS)
    message = f"there is no policy field {name!r}. {advice}"
    assert problem == ("unknown_field", name, name, message, None, "")


@pytest.mark.parametrize("name", ["dangerously_allow_null", "DANGEROUSLY_ALLOW_NULL_ORIGIN"])
def test_who_wants_to_lift_a_check_has_to_look_it_up(name):
    problem = unknown_field("unknown_field", name, "policy field", FIELDS)
    where = 'Look up its name in the reference, under "Policy fields", and write it in lower case.'
    assert problem.message == f"there is no policy field {name!r}. {where}"


@pytest.mark.parametrize(
    "name",
    "allow_null_origins allow_insecure_origins allow_insecure insecure_origins allow_public_suffix"
    " allow_public_suffixes null public dangerously dangerously_allow_null dangerous"
    " dangerously_allow_null_origins DANGEROUSLY_ALLOW_NULL_ORIGIN zzz".split(),
)
@pytest.mark.parametrize("prefix", ["", "CORSGUARD_"], ids=["field", "key"])
def test_a_field_that_lifts_a_check_is_never_suggested(name, prefix):
    given = prefix + name
    known = [prefix + (field.upper() if prefix else field) for field in FIELDS]
    problem = unknown_field("unknown_field", given, "policy field", known, prefix)
    said = problem.message.replace(given, "").lower()
    assert "dangerously_" not in said
    assert "dangerously" not in (problem.suggestion or "").lower()


KEYS = [f"CORSGUARD_{name.upper()}" for name in FIELDS]
KNOWN = f"Known: {', '.join(sorted(key for key in KEYS if 'DANGEROUSLY' not in key))}."


@pytest.mark.parametrize(
    ("key", "advice", "ours"),
    [
        ("SUPPORTS_CREDENTIALS", "Did you mean {}?", "'CORSGUARD_ALLOW_CREDENTIALS'"),
        ("ALLOWED_ORIGINS", "Did you mean {}?", "'CORSGUARD_ORIGINS'"),
        ("Origin", "Did you mean {}?", "'CORSGUARD_ORIGINS'"),
        ("MAX_AG", "Did you mean {}?", "'CORSGUARD_MAX_AGE'"),
        ("TRUSTED_ORIGINS", "Did you mean {}?", "'CORSGUARD_ORIGINS'"),
        # That all keys begin alike makes none of them the nearest.
        ("OPTIONSSUCCESSSTATUS", KNOWN, None),
        ("ALLOW_PUBLIC_SUFFIXES", KNOWN, None),
        ("SEND_WILDCARD", "It is not needed here: leave it out.", None),
        ("ALLOW_ALL_ORIGINS", "Write CORSGUARD_ORIGINS = '*'.", None),
        ("PREFLIGHT_CONTINUE", "Write CORSGUARD_ANSWER_PREFLIGHT = False.", None),
        (
            "POLICIES_PARTNERS_ORIGINS",
            "CORSGUARD_POLICIES is a mapping; in a variable, two underscores lead to its keys:"
            " FLASK_CORSGUARD_POLICIES__partners__origins.",
            None,
        ),
        (
            "REPORT_ONLY_ORIGINS",
            "CORSGUARD_REPORT_ONLY is a mapping; in a variable, two underscores lead to its keys:"
            " FLASK_CORSGUARD_REPORT_ONLY__origins.",
            None,
        ),
    ],
)
def test_the_same_in_the_configuration(key, advice, ours):
    problem = unknown_field("unknown_key", f"CORSGUARD_{key}", "setting", KEYS, "CORSGUARD_")
    assert problem.message == f"there is no setting 'CORSGUARD_{key}'. {advice.format(ours)}"
    assert problem.suggestion == ours


def test_the_same_in_the_environment():
    prefix = "FLASK_CORSGUARD_"
    known = [f"{prefix}{name.upper()}" for name in FIELDS]
    for name, ours in (("TRUSTED_ORIGINS", "ORIGINS"), ("Origins", "ORIGINS")):
        problem = unknown_field("unknown_key", prefix + name, "variable", known, prefix)
        assert problem.suggestion == repr(prefix + ours)


@pytest.mark.parametrize("name", ["allow_origins", "headers", "origin_whitelist"])
def test_a_name_that_is_looked_up_without_the_nearest(name):
    """A setting of Flask-CORS or django-cors-headers, such as CORS_HEADERS."""
    assert MEANT[name] in FIELDS


def test_each_name_is_in_one_table():
    tables = [FIELDS.keys(), MEANT.keys(), SWITCHES.keys(), INSTEAD.keys()]
    names = [name for table in tables for name in table]
    assert sorted(set(names)) == sorted(names)
    assert {*MEANT.values(), *(field for field, _ in SWITCHES.values())} <= FIELDS.keys()


A = "https://a.example"
GUARD = "Write guard = CorsGuard(app), then guard.for_path"


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({r"/api/*": {"origins": "*"}}, f"{GUARD}('/api', origins='*')."),
        ({r"^/api/v1/.*$": {"allow_origin": [A]}}, f"{GUARD}('/api/v1', origins=['{A}'])."),
        ({re.compile("/api"): {}}, f"{GUARD}('/api', origins=[...])."),
        (r"/v1/*", f"{GUARD}('/v1', origins=[...])."),
        ({"/*": {"origins": "*"}}, "Write CorsGuard(app, origins='*')."),
        (
            {"/a/*": {"origins": "*"}, "*": {"origins": A, "supports_credentials": True}},
            f"Write guard = CorsGuard(app, origins='{A}', allow_credentials=True), then"
            " guard.for_path('/a', origins='*').",
        ),
        ({"/api/v[0-9]/*": {"origins": "*"}}, "Give a path its own policy with"),
        ([f"/{letter}/*" for letter in "abcdef"], "Give a path its own policy with"),
        ({}, "Give a path its own policy with"),
        ([3], "Give a path its own policy with"),
        (True, "Give a path its own policy with"),
    ],
    ids=str,
)
def test_what_to_write_for_resources(resources: Any, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(resources=resources)
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"there is no policy field 'resources'. {words}")
