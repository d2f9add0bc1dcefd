"""What was probably meant by names that are not policy fields, including other libraries'."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from flask_corsguard.errors import Problem, unknown_name

#: What other CORS libraries call a field -> our name, where the closest name is another field's, as
#: ``deny_origins`` is for ``allowed_origins``, or where none is close.
MEANT = {
    "allow_method": "methods",
    "allow_origin": "origins",
    "allow_origin_func": "origins",
    "allow_origin_regex": "origins",
    "allow_origin_vary_request_func": "origins",
    "allow_origin_with_context_func": "origins",
    "allow_origins": "origins",
    "allowed_methods": "methods",
    "allowed_origin": "origins",
    "allowed_origin_patterns": "origins",
    "allowed_origin_regexes": "origins",
    "allowed_origins": "origins",
    "allowlist": "origins",
    "automatic_options": "answer_preflight",
    "blacklist": "deny_origins",
    "blocked_origins": "deny_origins",
    "blocklist": "deny_origins",
    "headers": "allow_headers",
    "origin_regex": "origins",
    "origin_regex_whitelist": "origins",
    "origins_regex": "origins",
    "origin_whitelist": "origins",
    "preflight_max_age": "max_age",
    "provide_automatic_options": "answer_preflight",
    "set_is_origin_allowed": "origins",
    "set_preflight_max_age": "max_age",
    "trusted_origins": "origins",
    "whitelist": "origins",
}

#: Names of switches -> the field, and the value as source, that does the same.
SWITCHES = {
    "allow_all": ("origins", "'*'"),
    "allow_all_headers": ("allow_headers", "'*'"),
    "allow_all_methods": ("methods", "'*'"),
    "allow_all_origins": ("origins", "'*'"),
    "allow_any_header": ("allow_headers", "'*'"),
    "allow_any_method": ("methods", "'*'"),
    "allow_any_origin": ("origins", "'*'"),
    "disallow_credentials": ("allow_credentials", "False"),
    "options_passthrough": ("answer_preflight", "False"),
    "origin_allow_all": ("origins", "'*'"),
    "preflight_continue": ("answer_preflight", "False"),
}

_VARY = (
    "Leave it out: the guard writes Vary. In origins_vary, name the request headers that a callable"
    " looks at."
)
_NOT_NEEDED = "It is not needed here: leave it out."
_MARKS = (
    "Give a path its own policy with guard.for_path('/api', origins=[...]), a view or a blueprint"
    " with @cors(origins=[...])."
)
# More calls are not written out.
_MOST_CALLS = 5
# A path, in a pattern of Flask-CORS.
_PATH = re.compile(r"\^?((?:/[\w-]+)*)/?(?:\*|\.\*|\(\.\*\)|\.\+)?\$?")
_STATUS = "Leave it out: the response to a preflight is 204, and browsers treat any 2xx the same."
_NULL = (
    "Leave it out: any site can send the origin 'null'. Serve the page from an origin of its own,"
    " and list that."
)
_INSECURE = "Leave it out, and serve the page over https, or from localhost."
_SUBDOMAINS = "Leave it out, and write 'https://*.example.com' among the origins."
_SCHEMES = "Leave it out, and list these origins with their scheme, such as 'app://example.com'."
_TIMING = "Set the header Timing-Allow-Origin in the view: it is not part of CORS."
_OF_THE_APP = "It is for the whole app, not for one policy: CorsGuard(app, {}=...)."
_OF_THE_CONFIGURATION = (
    "It is for the whole app, not for one policy: app.config['CORSGUARD_{}'] = ..."
)
#: Other names, and what to do instead.
INSTEAD = {
    "allow_browser_extensions": _SCHEMES,
    "allow_files": _NULL,
    "allow_http": _INSECURE,
    "allow_insecure": _INSECURE,
    "allow_insecure_origins": _INSECURE,
    "allow_null": _NULL,
    "allow_null_origin": _NULL,
    "allow_null_origins": _NULL,
    "allow_web_sockets": "Leave it out: only enforce refuses WebSocket handshakes.",
    "allow_wildcard": _SUBDOMAINS,
    "allow_wildcard_origin": _SUBDOMAINS,
    "always_send": _NOT_NEEDED,
    "audit_accept": _OF_THE_CONFIGURATION.format("AUDIT_ACCEPT"),
    "corsguard": "Write whole keys, such as CORSGUARD_ORIGINS; as an environment variable, with a"
    " single underscore: FLASK_CORSGUARD_ORIGINS.",
    "custom_schemas": _SCHEMES,
    "debug": "Leave it out: the log and 'flask cors check' say why a request is rejected.",
    "inspector": _OF_THE_APP.format("inspector"),
    "inspector_check": _OF_THE_CONFIGURATION.format("INSPECTOR_CHECK"),
    "insecure_origins": _INSECURE,
    "intercept_exceptions": _NOT_NEEDED,
    "log_rejections": _OF_THE_CONFIGURATION.format("LOG_REJECTIONS"),
    "null_origin": _NULL,
    "null_origins": _NULL,
    "options_success_status": _STATUS,
    "paths": _OF_THE_CONFIGURATION.format("PATHS"),
    "policies": _OF_THE_APP.format("policies"),
    "policy": "A policy, or its name, comes first, without policy=: @cors('partners').",
    "preflight_status_code": _STATUS,
    "replace_https_referer": _NOT_NEEDED,
    "report_only": _OF_THE_APP.format("report_only"),
    "resource": _MARKS,
    "resources": _MARKS,
    "self_origins": _OF_THE_APP.format("self_origins"),
    "send_origin_wildcard": _NOT_NEEDED,
    "send_wildcard": _NOT_NEEDED,
    "set_is_origin_allowed_to_allow_wildcard_subdomains": _SUBDOMAINS,
    "settings_file": _OF_THE_CONFIGURATION.format("SETTINGS_FILE"),
    "success_status": _STATUS,
    "timing_allow_origin": _TIMING,
    "timing_allow_origins": _TIMING,
    "urls_regex": _MARKS,
    "vary": _VARY,
    "vary_header": _NOT_NEEDED,
}


def unknown_field(
    code: str,
    given: object,
    kind: str,
    known: Iterable[str],
    prefix: str = "",
    value: object = None,
    as_arguments: Callable[[object], str | None] = lambda _: None,
) -> Problem:
    """The problem of an unknown field.

    It never suggests a field that lifts a check, which has to be looked up.

    :param given: the unknown name, in any case.
    :param known: the known names.
    :param prefix: the prefix of all known names.
    :param value: what it is set to.
    :param as_arguments: returns a mapping of fields as keyword arguments.
    """
    known = list(known)
    field = str(given)
    name = _as_field(field)
    harmless = [choice for choice in known if "dangerously" not in choice.lower()]
    is_key = bool(prefix) and prefix + name.upper() in known
    instead = None if is_key else INSTEAD.get(name)
    nested = re.match(r"(policies|report_only)_(?=.)", name) if prefix else None
    if nested:
        key = nested[1].upper()
        path = "partners__origins" if key == "POLICIES" else "origins"
        instead = (
            f"CORSGUARD_{key} is a mapping; in a variable, two underscores lead to its keys:"
            f" FLASK_CORSGUARD_{key}__{path}."
        )
    elif prefix and instead is _MARKS:
        instead = f"Write {prefix}PATHS = {{'/api': {{'origins': [...]}}}}."
    elif instead is _MARKS:
        instead = _paths_meant(value, as_arguments) or _MARKS
    elif name in SWITCHES:
        ours, value = SWITCHES[name]
        setting = f"{prefix}{ours.upper()} = {value}" if prefix else f"{ours}={value}"
        instead = f"Write {setting}."
    elif name.startswith("dangerously"):
        instead = (
            'Look up its name in the reference, under "Policy fields", and write it in lower case.'
        )
    if instead:
        return Problem(code, field, given, f"there is no {kind} {field!r}. {instead}")
    ours = MEANT.get(name, name)
    written = prefix + ours.upper() if prefix else ours
    meant = written if written in harmless else None
    problem = unknown_name(code, field, given, kind, harmless, meant, prefix)
    if prefix or problem.suggestion is None:
        return problem
    return problem._replace(suggestion=problem.suggestion[1:-1])


def _paths_meant(resources: object, as_arguments: Callable[[object], str | None]) -> str:
    """What to write instead of Flask-CORS's ``resources``; "" if they are no plain paths."""
    options: Mapping[object, object]
    if isinstance(resources, Mapping):
        options = cast("Mapping[object, object]", resources)
    elif isinstance(resources, (list, tuple)):
        options = dict.fromkeys(cast("Sequence[object]", resources))
    else:
        options = {resources: None}
    guard, calls = "CorsGuard(app)", list[str]()
    for pattern, fields in options.items():
        text: object = getattr(pattern, "pattern", pattern)
        found = _PATH.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            return ""
        arguments = as_arguments(fields) if fields else None
        arguments = arguments or "origins=[...]"
        if path := found[1]:
            calls.append(f"guard.for_path({path!r}, {arguments})")
        else:
            guard = f"CorsGuard(app, {arguments})"
    if len(calls) > _MOST_CALLS or (not calls and guard == "CorsGuard(app)"):
        return ""
    return f"Write {', then '.join([f'guard = {guard}', *calls] if calls else [guard])}."


def _as_field(name: str) -> str:
    """A name in the style of a field: ``allow_origin`` for ``Access-Control-Allow-Origin``,
    ``max_age`` for ``maxAge``, ``CORS_MAX_AGE``, ``CORS_GUARD_MAX_AGE`` and
    ``FLASK_CORSGUARD_MAX_AGE``."""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace("-", "_").lower()
    without = re.sub(r"^.*cors_?guard(_+|(?=.))", "", snake)
    return re.sub(r"^((cors|access_control)_+)+", "", without)
