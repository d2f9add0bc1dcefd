"""Flask-CORS' options, and the policy fields that mean the same."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from flask_corsguard.errors import PolicyError
from flask_corsguard.migrate.patterns import insecure_example, is_regex, judge
from flask_corsguard.migrate.values import UNREAD, Value, is_dictionary, quoted, texts_of
from flask_corsguard.protocol.fields import MAX_AGE_LIMIT
from flask_corsguard.protocol.policy import FIELDS, Policy

#: The names that Flask-CORS knows -> the field, or "" where the guard needs none.
FIELD_OF: Mapping[str, str] = {
    "origins": "origins",
    "methods": "methods",
    "allow_headers": "allow_headers",
    "expose_headers": "expose_headers",
    "supports_credentials": "allow_credentials",
    "max_age": "max_age",
    "allow_private_network": "allow_private_network",
    "send_wildcard": "",
    "vary_header": "",
    "automatic_options": "",
    "always_send": "",
    "intercept_exceptions": "",
    "resources": "",
}
#: What Flask-CORS does where nobody says otherwise.
DEFAULTS: Mapping[str, Value] = {"origins": Value('"*"', "*"), "allow_headers": Value('"*"', "*")}
#: Python source of each field that Flask-CORS leaves as it is unless told.
RESETS: Mapping[str, str] = {
    "methods": "None",
    "expose_headers": "()",
    "allow_credentials": "False",
    "max_age": "600",
    "allow_private_network": "False",
}
_SETTABLE = re.compile("env|config|settings", re.IGNORECASE)
# A variable that may be unset, and one of which an empty list is made then.
_UNSET = r"[\w.]*(?:environ\.get|getenv)\([^(),]*\)"
_EMPTY = r"(?:environ\.get|getenv)\([^(),]*, *(?:\"\"|'')\)\.split\("
_ALL_HEADERS = '["*", "Authorization"]'
# Names that people take for options, and what they stand for.
_MEANT = {
    "headers": "allow_headers", "allowed_headers": "allow_headers", "header": "allow_headers",
    "allow_header": "allow_headers", "allows_headers": "allow_headers",
    "origin": "origins", "orgins": "origins", "orgin": "origins", "allow_origins": "origins",
    "allowed_origins": "origins", "allow_origin": "origins", "allow_origin_regex": "origins",
    "method": "methods", "allow_methods": "methods", "allowed_methods": "methods",
    "exposed_headers": "expose_headers", "expose_header": "expose_headers",
    "support_credentials": "supports_credentials", "allow_credentials": "supports_credentials",
    "credentials": "supports_credentials", "with_credentials": "supports_credentials",
    "supports_credential": "supports_credentials",
    "resource": "resources", "resourses": "resources", "maxage": "max_age",
}  # fmt: skip
# What a field comes to that the guard refuses.
_IN_FORCE = {
    "methods": "the sites that may read may send these methods, but for those that browsers"
    " refuse.",
    "allow_headers": "the sites that may read may send these request headers, but for those that"
    " browsers refuse.",
    "expose_headers": "the sites that may read see these response headers, but for those that"
    " browsers keep to themselves.",
}
_WITHOUT = {
    "origins": "any site on the web may read the answers, as if no origins were given.",
    "methods": "script may send any method that a route accepts.",
    "allow_headers": "script may send any request header, Authorization included.",
    "expose_headers": "script sees none of these response headers.",
    "supports_credentials": "no site may use the user's cookies, so that what needs them fails.",
    "resources": "the sites that the other options allow may read every route.",
    "max_age": "browsers remember a preflight for five seconds.",
}


class Trouble(NamedTuple):
    """Why an option cannot be carried over: a finding without its file."""

    code: str
    line: int
    message: str
    today: str
    choices: tuple[str, ...]


class Fields(NamedTuple):
    """The policy fields that some options come to.

    :ivar code: field -> Python source.
    :ivar values: field -> its value, of those that can be read.
    :ivar troubles: what cannot be carried over.
    :ivar notes: what is carried over unread, in words.
    """

    code: dict[str, str]
    values: dict[str, Any]
    troubles: list[Trouble]
    notes: list[str]


def meant_by_option(name: str) -> str:
    """The option that a name was probably meant for, or ""."""
    if name in _MEANT:
        return _MEANT[name]
    close = difflib.get_close_matches(name, FIELD_OF, n=1, cutoff=0.75)
    return close[0] if close else ""


def misspelt(name: str, line: int) -> Trouble | None:
    """What is wrong with the name of an option."""
    if name in FIELD_OF:
        return None
    meant = meant_by_option(name)
    choices = ((f"if {meant} was meant, write that, and run this again.",) if meant else ()) + (
        "take it out, if what is in force today is right, and run this again.",
    )
    today = _WITHOUT.get(meant, "sites may do what they could without it.")
    message = f"Flask-CORS has no option {name!r}, and ignores it"
    return Trouble("misspelt_option", line, message, today, choices)


def ignored(code: str, line: int) -> Trouble:
    """An argument that has no name."""
    return Trouble(
        "misspelt_option", line, f"{code} has no name, and Flask-CORS ignores it",
        _WITHOUT["origins"], (f"write origins={code}, or what else is meant; and run this again.",),
    )  # fmt: skip


def translate(options: Mapping[str, Value], line: int) -> Fields:
    """The fields that mean what *options* mean to Flask-CORS.

    :param options: those that were given and, for those that were not, its defaults.
    """
    result = Fields({}, {}, [], [])
    for name, value in options.items():
        field = FIELD_OF.get(name)
        wrong = misspelt(name, value.line or line)
        if wrong is not None:
            result.troubles.append(wrong)
        elif name in _CONVERTERS:
            _convert(name, cast("str", field), value, line, result)
        elif name == "automatic_options" and value.value is not True:
            result.troubles.append(_own_preflight(value.line or line))
    if result.values.get("allow_credentials"):
        result.troubles[:] = map(_with_credentials, result.troubles)
    _check_credentials(options, result, line)
    if not result.troubles:
        result.troubles.extend(_check_policy(result, line))
    return result


def _convert(name: str, field: str, value: Value, line: int, result: Fields) -> None:
    at = value.line or line
    if name == "origins" and is_dictionary(value.code):
        result.troubles.append(_resources_meant(at))
        return
    if value.value is UNREAD:
        if name == "origins" and not value.is_function:
            _carry_unread(field, value, at, result)
        else:
            result.troubles.append(unreadable(name, value.code, at))
        return
    converted = _CONVERTERS[name](value, at)
    if isinstance(converted, list):
        result.troubles.extend(converted)
    elif converted is not None:
        result.code[field], result.values[field] = converted
        if converted[0] != value.code and re.fullmatch(r"[\w.]+", value.code):
            result.notes.append(f"{value.code} is written out where it was used, as it changes.")


def unreadable(name: str, code: str, line: int) -> Trouble:
    """An option that only shows when the code runs."""
    today = "which sites may read depends on its value: any site on the web, where it is '*'."
    if name != "origins" and FIELD_OF.get(name):
        today = "what the sites that may read can send or see depends on its value."
    return Trouble(
        "unreadable", line, f"{name} cannot be read without running the code: {code}", today,
        (f"write the value of {name} down where it is used, and run this again.",),
    )  # fmt: skip


def _resources_meant(line: int) -> Trouble:
    return Trouble(
        "misspelt_option", line, "a dictionary is given as origins, and Flask-CORS reads its keys",
        "what the keys match may read the answers: any site on the web, where one is '/*'.",
        ("if resources was meant, write resources={...}, and run this again.",),
    )  # fmt: skip


def _own_preflight(line: int) -> Trouble:
    return Trouble(
        "own_preflight", line, "automatic_options=False: the app answers preflights itself",
        "what a site may send depends on the code of the view.",
        (
            "take the option out, and the code that answers OPTIONS: the guard answers preflights.",
            "write answer_preflight=False in a mark.",
        ),
    )  # fmt: skip


def _carry_unread(field: str, value: Value, line: int, result: Fields) -> None:
    """Carry an expression over unchanged: the guard reads what it comes to at start-up, takes no
    string for a pattern, and refuses what it cannot use."""
    for text in value.texts:
        entry = judge(text)
        if entry.problem or entry.value != text:
            trouble = _entry_trouble(entry, text, line)
            result.troubles.append(trouble)
    result.code[field] = _without_empty(value)
    result.notes.append(
        f"{field}={' '.join(value.code.split())} is carried over unread: the guard checks its value"
        " at start-up, takes no string for a regular expression, reads https://*.example.com as"
        " every sub-domain, and splits strings at commas."
    )


def _without_empty(value: Value) -> str:
    """The same without what an unset variable leaves: to Flask-CORS an origin that no request has,
    to the guard an error."""
    code = value.code
    if re.fullmatch(_UNSET, code):
        return f"{code} or ()"
    meaning = value.spelled_out.removeprefix(code).strip() or code
    has_unset = meaning.startswith("[") and re.search(_UNSET, value.spelled_out)
    has_empty = meaning.endswith(")") and re.search(_EMPTY, value.spelled_out)
    return f"[origin for origin in {code} if origin]" if has_unset or has_empty else code


def _entry_trouble(entry: Any, text: str, line: int) -> Trouble:
    if entry.problem:
        return Trouble(entry.problem, line, entry.message, entry.today, (entry.choice,))
    message = f"{text!r} means something else to the guard"
    today = "Flask-CORS takes it for a pattern: the origins that it matches may read the answers."
    choice = f"write {entry.code}."
    return Trouble("unreadable", line, message, today, (choice,))


Converted = tuple[str, Any] | list[Trouble] | None


_WIDE = ("regex_too_wide", "regex_without_end", "regex_unescaped_dot", "glob")


def _with_credentials(trouble: Trouble) -> Trouble:
    """What a trouble comes to where the origins may use the user's cookies."""
    if trouble.code not in _WIDE:
        return trouble
    today = f"{trouble.today} With supports_credentials, it acts as whoever is signed in."
    return trouble._replace(today=today, choices=("list the origins that may.",))


def _origins(value: Value, line: int) -> Converted:
    given = texts_of(value.value)
    entries = [judge(entry) for entry in given]
    if any(entry.value == "*" for entry in entries):
        return '"*"', "*"
    troubles = [
        _entry_trouble(entry, str(text), line)
        for entry, text in zip(entries, given, strict=True)
        if entry.problem
    ]
    if troubles:
        return troubles
    if all(entry.value == text for entry, text in zip(entries, given, strict=True)):
        return value.code, [entry.value for entry in entries]
    if not all(entry.code for entry in entries):
        # Patterns that the author compiled, among strings that change.
        return [unreadable("origins", value.code, line)]
    return f"[{', '.join(entry.code for entry in entries)}]", [entry.value for entry in entries]


def _allow_headers(value: Value, line: int) -> Converted:
    names = texts_of(value.value)
    for name in names:
        if not isinstance(name, str) or (is_regex(name) and name not in ("*", ".*")):
            today = f"every request header that begins like {name!r} is let through."
            message = f"{name!r} is a pattern"
            choices = ("list the names of the headers.",)
            return [Trouble("header_regex", line, message, today, choices)]
        if "," in name:
            today = "script may send none of them: it is compared with each name as a whole."
            message = f"{name!r} is one entry, and no header has that name"
            choices = ("write a list of names.",)
            return [Trouble("never_matches", line, message, today, choices)]
    if "*" in names or ".*" in names:
        return _ALL_HEADERS, ["*", "Authorization"]
    return value.code, names


def _methods(value: Value, line: int) -> Converted:
    if value.value is None:
        message = "methods=None: Flask-CORS then answers no preflight"
        return [Trouble("methods_wildcard", line, message, _NO_PREFLIGHT, _METHOD_CHOICES)]
    names = texts_of(value.value)
    if any("*" in str(name) for name in names):
        message = "methods='*': Flask-CORS takes the star for a method's name"
        return [Trouble("methods_wildcard", line, message, _NO_PREFLIGHT, _METHOD_CHOICES)]
    upper = [str(name).upper() for name in names]
    parts = [part.strip() for name in upper for part in name.split(",")]
    if upper == names:
        return value.code, parts
    return f"[{', '.join(map(quoted, parts))}]", parts


_NO_PREFLIGHT = "no preflight that asks for more than the safelisted methods gets through."
_METHOD_CHOICES = ("list the methods.", "leave methods out: then it is what the routes accept.")


def _expose_headers(value: Value, _line: int) -> Converted:
    if value.value is None:
        return None
    return value.code, value.value


def _flag(value: Value, line: int) -> Converted:
    if not isinstance(value.value, (bool, int, type(None))):
        message = f"{value.code} is no bool, and Flask-CORS takes all but what is empty for True"
        today = "the option is on: the origins that are given may do what it stands for."
        if not value.value:
            today = "the option is off: no site may do what it stands for."
        return [Trouble("refused", line, message, today, ("write True or False.",))]
    return ("True", True) if value.value else None


def _max_age(value: Value, _line: int) -> Converted:
    age = value.value
    if age is None:
        return None
    if isinstance(age, str) and age.strip().isdigit():
        age = int(age)
    seconds = age.total_seconds() if isinstance(age, datetime.timedelta) else age
    if isinstance(seconds, (int, float)) and seconds > MAX_AGE_LIMIT:
        # No browser remembers one for longer.
        return str(MAX_AGE_LIMIT), MAX_AGE_LIMIT
    return (value.code if age is value.value else repr(age)), age


_CONVERTERS: Mapping[str, Callable[[Value, int], Converted]] = {
    "origins": _origins,
    "allow_headers": _allow_headers,
    "methods": _methods,
    "expose_headers": _expose_headers,
    "supports_credentials": _flag,
    "allow_private_network": _flag,
    "max_age": _max_age,
}


def _check_credentials(options: Mapping[str, Value], result: Fields, line: int) -> None:
    origins = options.get("origins")
    credentials = result.values.get("allow_credentials")
    for entry in texts_of(result.values.get("origins")) if credentials else ():
        is_pattern = isinstance(entry, re.Pattern)
        example = insecure_example(cast("re.Pattern[str]", entry)) if is_pattern else ""
        if example:
            result.troubles.append(_insecure(example, line))
    if not credentials:
        return
    at = options["supports_credentials"].line or line
    if result.values.get("origins") == "*":
        result.troubles.append(credentials_any_origin(at))
    elif origins is not None and _may_be_any(origins):
        result.troubles.append(_unknown_credentials(origins.code, at))


def _may_be_any(origins: Value) -> bool:
    # An environment variable is for whoever runs the app to set, and checked at start-up.
    is_unknown = origins.value is UNREAD and not _SETTABLE.search(origins.spelled_out)
    return is_unknown or "*" in origins.texts


def _unknown_credentials(code: str, line: int) -> Trouble:
    return Trouble(
        "credentials_any_origin", line,
        f"supports_credentials=True, and it cannot be told whom {' '.join(code.split())} allows",
        "if it is '*', any site on the web acts as whoever is signed in, with the user's cookies.",
        ("write the origins down where they are used, without '*', and run this again.",),
    )  # fmt: skip


def _insecure(example: str, line: int) -> Trouble:
    return Trouble(
        "refused", line, f"credentials, and a pattern that lets in {example}",
        "whoever controls the network between a user and that site can write into its pages, and"
        " act as the user.",
        ("write https:// in the pattern, and run this again.",),
    )  # fmt: skip


def credentials_any_origin(line: int) -> Trouble:
    """Credentials together with all origins."""
    return Trouble(
        "credentials_any_origin", line, "supports_credentials=True, and any origin is allowed",
        "any site on the web can send requests with the user's cookies and read the answers: it"
        " acts as whoever is signed in.",
        (
            "list the origins that may: origins=['https://app.example.com'].",
            "take supports_credentials out, if the answers are public.",
        ),
    )  # fmt: skip


def _check_policy(result: Fields, line: int) -> Iterable[Trouble]:
    """Hold the fields against what the guard accepts."""
    try:
        Policy(**cast("Any", result.values))
    except PolicyError as error:
        who = "the origins that are given may read the answers."
        if result.values.get("allow_credentials"):
            who = "the origins that are given, or who can pose as one, act as whoever is signed in."
        for problem in error.problems:
            yield Trouble(
                "refused", line, f"the guard refuses it: {problem.field}: {problem.message}",
                _IN_FORCE.get(problem.field, who),
                ("change it as the message says, and run this again.",),
            )  # fmt: skip


def source_of(fields: Mapping[str, str]) -> str:
    """Fields as the arguments of a call, in the order of the reference."""
    return ", ".join(f"{name}={fields[name]}" for name in FIELDS if name in fields)


def needs_re(code: str) -> bool:
    """Whether Python source uses the module ``re``."""
    return re.search(r"\bre\.(compile|IGNORECASE)\b", code) is not None
