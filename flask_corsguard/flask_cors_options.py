"""The options of Flask-CORS, translated for ``compat`` and for ``migrate``."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from flask_corsguard.errors import CorsGuardError, PolicyError
from flask_corsguard.protocol import headers
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.fields import MAX_AGE_LIMIT, is_raw
from flask_corsguard.protocol.origin_errors import diagnose
from flask_corsguard.protocol.origins import OriginPattern, parse_origin, parse_pattern
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.text import text_of

#: The defaults of Flask-CORS.
DEFAULTS: Mapping[str, Any] = {
    "origins": "*",
    "methods": ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"],
    "allow_headers": "*",
    "expose_headers": None,
    "supports_credentials": False,
    "max_age": None,
    "allow_private_network": False,
    "resources": "/*",
    # Without effect here: the guard sends the right headers anyway.
    "send_wildcard": False,
    "automatic_options": True,
    "vary_header": True,
    "intercept_exceptions": True,
    "always_send": True,
}
# Names that people take for options, and that are closer to another option's name.
_MEANT = {"headers": "allow_headers", "credentials": "supports_credentials"}
#: Flask-CORS takes a string with one of these characters for a regular expression.
HINTS = frozenset("*\\]?$^[]()")
_STRANGERS = ("https://stranger.example", "http://stranger.example")
_LABELS = ("a", "0", "a-b", "xn--a", "a" * 63)


class CompatError(CorsGuardError):
    """An option of Flask-CORS that cannot be translated. The message says what to write."""


class NotInGuardError(CompatError):
    """An option that no policy can express by itself, but ``flask_corsguard.compat`` can."""


def origin_entry(entry: str | re.Pattern[str]) -> str | re.Pattern[str]:
    """The guard's entry for one entry of ``origins``. It never matches more than Flask-CORS, which
    uses ``re.match``, does.

    :param entry: a string, which is a pattern to Flask-CORS if it looks like one, or a pattern.
    :returns: ``"*"`` for an entry that lets everybody in; one of the guard's forms, if it means the
        same; or a pattern, which the guard matches with the whole origin.
    :raises CompatError: for an entry that lets nobody in; for ``null``, which any site can send.
    """
    if isinstance(entry, str) and HINTS.isdisjoint(entry):
        # Flask-CORS ignores case here, and browsers send lower case.
        if parse_origin(entry.lower()) is None:
            raise CompatError(_never(entry))
        return entry.lower()
    if entry == "*":
        return "*"
    if isinstance(entry, str) and entry.endswith("://*"):  # as a pattern, it matches any host
        entry = f"{entry[:-1]}.*"
    regex = _compiled(entry)
    text: str = regex.pattern
    if re.fullmatch(r"\^?\(?(?:\?:)?\.[*+]\??\)?\$?", text):
        return "*"
    form = _guard_form(text)
    pattern = parse_pattern(form)
    if pattern is not None and all(map(regex.match, _samples(pattern))):
        return form
    if pattern is not None and HINTS.isdisjoint(text.replace("*", "")) and ".*" not in text:
        meant = re.escape(form).replace(r"\*", ".*").replace(r"\-", "-")
        raise CompatError(
            f"origins: {text!r} is read as a regular expression, and does not match the origin that"
            f" it looks like. Write r'{meant}$'"
        )
    if re.search(r"[^\\.]/\$?$", text):
        raise CompatError(
            f"origins: {text!r} matches nothing that browsers send: an origin has no trailing"
            f" slash. Write r'{text.rstrip('$').rstrip('/')}$'"
        )
    if re.match(r"\^?[\w-]", text) and "://" not in text.replace("\\", ""):
        without = text.removeprefix("^")
        raise CompatError(
            f"origins: {text!r} matches nothing that browsers send: an origin begins with its"
            f" scheme. Write r'https://{without}'"
        )
    return regex


def _compiled(entry: object) -> re.Pattern[str]:
    if isinstance(entry, re.Pattern):
        regex: re.Pattern[Any] = entry  # pyright: ignore[reportUnknownVariableType]
        if isinstance(regex.pattern, str):
            return regex
    elif isinstance(entry, str):
        try:
            return re.compile(entry, re.IGNORECASE)
        except (re.error, RecursionError, OverflowError):
            host = re.escape(entry.rpartition("/")[2].replace("*", "").lstrip("."))
            raise CompatError(
                f"origins: {entry!r} is not a regular expression. For the sub-domains write"
                f" r'https://.*\\.{host}$'"
            ) from None
    unfit = cast("Any", entry)
    raise CompatError(
        f"origins: {text_of(unfit)} is not a string or a pattern, and matches no origin. Write"
        " origins=['https://app.example.com']"
    )


def _never(entry: str) -> str:
    if entry.lower() == "null":
        return (
            "origins: any site can send 'null', from a sandboxed frame. Take it out, and serve the"
            " page that needs it from an origin of its own"
        )
    parts = [part.strip() for part in entry.split(",") if part.strip()]
    if len(parts) > 1:
        return (
            f"origins: {entry!r} is a single string, which matches no origin. Write a list:"
            f" origins={parts!r}"
        )
    problems, suggestion = diagnose(entry.strip().lower())
    why = f": {problems[0][1]}" if problems else ""
    return (
        f"origins: {entry!r} matches nothing that browsers send{why}. Write"
        f" {suggestion or 'https://host or https://host:port'}"
    )


def _guard_form(text: str) -> str:
    """The form of the guard's that a regular expression looks like; it may mean something else."""
    text = re.sub(r"(?:\$|\\Z)$", "", text.removeprefix("^")).lower()
    text = re.sub(r":(?:\*|\.\*|\.\+|\\d[+*]|\[0-9\][+*])$|\((?:\?:)?:\\d\+\)\?$", ":*", text)
    text = re.sub(r"(?<!/)/?(?:(?<!\\)\.\*|(?<!:/)/[*?])$", "", text)
    text = re.sub(r"localhost\*$", "localhost:*", text)
    text = re.sub(r"\(?(?<!\\)(?:\.[*+]\??|\[[\w^./\\-]+\][+*])\)?", "*", text)
    return re.sub(r"\\([^\w\s])", r"\1", text)


def _samples(pattern: OriginPattern) -> list[str]:
    """Origins that one of the guard's forms covers: one of each kind."""
    names = _LABELS if pattern.label or pattern.any_host else ("",)
    if pattern.label == "*" or pattern.any_host:
        names = (*names, "a.b", "a.b-c.d", "_a")
    origins = [pattern.example(name) for name in names]
    ports = (None, 1, 3000, 65535) if pattern.any_port or pattern.any_host else ()
    return [str(origin) for origin in origins] + [
        str(origin._replace(port=port)) for origin in origins for port in ports
    ]


def compat_fields(options: Mapping[str, object]) -> dict[str, Any]:
    """The policy fields that mean the same as options of Flask-CORS. The exception is ``methods``
    without GET, HEAD or POST: the guard lets these pass any preflight; see :func:`as_sent`.

    :param options: the options after all merging. Those left out have Flask-CORS's defaults.
    :returns: the field for every option, even if it has the guard's default.
    :raises CompatError: for an option that cannot be translated, or that the guard refuses.
    """
    check_names(options)
    given = {**DEFAULTS, **options}
    fields: dict[str, Any] = {
        **_origin_fields(given["origins"]),
        "methods": _methods(given["methods"]),
        "allow_headers": _allow_headers(given["allow_headers"]),
        "expose_headers": _names(given["expose_headers"]),
        "allow_credentials": _flag("supports_credentials", given["supports_credentials"]),
        "max_age": _max_age(given["max_age"]),
        "allow_private_network": _flag("allow_private_network", given["allow_private_network"]),
    }
    if fields["allow_credentials"]:
        _check_credentials(fields["origins"])
        if "*" in fields["expose_headers"]:  # with credentials, browsers take it for a name
            fields["expose_headers"].remove("*")
    try:
        Policy(**fields)
    except PolicyError as error:
        hint = ". All other fields belong in CorsGuard(app, ...)"
        hint = hint if "dangerously_" in str(error) else ""
        raise CompatError(f"{error}{hint}") from None
    return fields


def compat_policy(options: Mapping[str, object]) -> Policy:
    """The policy of :mod:`flask_corsguard.compat`. As with Flask-CORS, ``before_request`` functions
    may refuse preflights, and headers that a response already has are kept.

    :raises CompatError: for an option that cannot be translated, or that the guard refuses.
    """
    return Policy(
        **compat_fields(options), answer_preflight=False, dangerously_let_views_override=True
    )


def as_sent(decision: Decision) -> Decision:
    """A decision without the headers that Flask-CORS leaves out if ``methods`` does not have the
    requested one. GET, HEAD and POST can be sent anyway, but only with safelisted headers."""
    policy = decision.policy
    is_listed = policy is None or decision.method in (policy.methods or ())
    if is_listed or decision.reason is not None or not decision.preflight:
        return decision
    left_out = {headers.ALLOW_METHODS, headers.ALLOW_HEADERS, headers.MAX_AGE}
    kept = {name: value for name, value in decision.headers.items() if name not in left_out}
    return decision._replace(headers=kept)


def common(one: Decision, other: Decision) -> Decision:
    """What two decisions about a request, by the same policies in different orders, have in common:
    at least who may read."""
    if one.origin is None or one.headers == other.headers or one.reason is not None:
        return one
    both = {name: value for name, value in one.headers.items() if other.headers.get(name) == value}
    return one._replace(headers={headers.ALLOW_ORIGIN: one.origin, **both})


def configured(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options that an app's configuration gives."""
    keys = {name: config.get(f"CORS_{name.upper()}") for name in DEFAULTS}
    return {name: value for name, value in keys.items() if value is not None}


def check_names(options: Mapping[str, object]) -> None:
    """:raises CompatError: for an option that Flask-CORS does not know, and therefore ignores."""
    for name in options:
        if name not in DEFAULTS:
            close = difflib.get_close_matches(name, DEFAULTS, n=1)
            meant = _MEANT.get(name) or (close[0] if close else None)
            others = f"Take it out. Known options: {', '.join(DEFAULTS)}"
            hint = f"Write {meant}" if meant else others
            raise CompatError(f"Flask-CORS has no option {name!r}, and ignores it. {hint}")


def _listed(value: object) -> list[Any]:
    """The values of an option, listed as Flask-CORS does; empty ones do not count."""
    several = isinstance(value, Iterable) and not isinstance(value, str)
    values: Iterable[Any] = cast("Any", value) if several else [value]
    return [each for each in values if each is not None and each != ""]


def _origin_fields(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        keys = ", ".join(map(repr, cast("Mapping[object, object]", value)))
        raise CompatError(
            f"origins: Flask-CORS reads only the keys of a dictionary: {keys}. Write resources="
        )
    listed = _listed(value)
    if any(entry in ("*", ".*") for entry in listed):
        return {"origins": "*"}
    # What native programs send, which no browser does: file://, app://.
    raw = [e for e in listed if isinstance(e, str) and HINTS.isdisjoint(e) and _is_native(e)]
    entries = list(dict.fromkeys(origin_entry(entry) for entry in listed if entry not in raw))
    origins = "*" if "*" in entries else entries
    return {"origins": origins, **({"raw_origins": raw} if raw and origins != "*" else {})}


def _is_native(text: str) -> bool:
    is_web = text.lower().startswith(("http:", "https:")) or parse_origin(text.lower()) is not None
    return "://" in text and not is_web and is_raw(text)


def _methods(value: object) -> list[str]:
    names = [part.strip() for name in _listed(value) for part in str(name).upper().split(",")]
    # To Flask-CORS, "*" is a method that nobody requests: a preflight gets only the origin.
    return list(dict.fromkeys(name for name in names if "*" not in name)) or ["OPTIONS"]


def _names(value: object) -> list[str]:
    return [part.strip() for name in _listed(value) for part in str(name).split(",")]


def _allow_headers(value: object) -> list[str]:
    names = _listed(value)
    if any(name in ("*", ".*") for name in names):
        return ["*", "Authorization"]
    for name in names:
        if not isinstance(name, str) or not HINTS.isdisjoint(name):
            raise CompatError(
                f"allow_headers: {text_of(name)} is a pattern. List the names:"
                " allow_headers=['Content-Type', 'Authorization']"
            )
        if "," in name:
            raise CompatError(
                f"allow_headers: {name!r} is one string, which is not the name of a header. Write"
                f" allow_headers={_names(name)!r}"
            )
    return names


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, (bool, int, type(None))):
        raise CompatError(
            f"{name}: Flask-CORS takes {text_of(value)} as {bool(value)}. Write {name}=True or"
            " False"
        )
    return bool(value)


def _max_age(value: Any) -> int | None:
    """The value in seconds; None for 0 too, for which Flask-CORS sends no header."""
    if isinstance(value, datetime.timedelta):
        value = int(value.total_seconds())
    elif isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    elif not isinstance(value, (int, type(None))):
        raise CompatError(f"max_age: {text_of(value)} is not a number. Write max_age=600")
    # No browser remembers a preflight for longer.
    return min(value, MAX_AGE_LIMIT) if value else None


def _check_credentials(origins: object) -> None:
    patterns: list[Any] = [each for each in _listed(origins) if not isinstance(each, str)]
    anybody: list[str] = [p.pattern for p in patterns if any(map(p.fullmatch, _STRANGERS))]
    if origins == "*" or anybody:
        value = anybody[0] if anybody else origins
        raise CompatError(
            f"supports_credentials=True with origins={value!r}: any site on the web could act as"
            " the signed-in user. List the origins: origins=['https://app.example.com'], or take"
            " supports_credentials out"
        )
