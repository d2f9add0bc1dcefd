"""Readers for the value of one policy field.

Each takes the field's name, the value as given and the list that it adds problems to, and returns
the normalised value. After a problem, the returned value has the right type and is not used.
"""

from __future__ import annotations

import datetime
import inspect
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Literal, Protocol, TypeAlias, cast, get_args

from flask_corsguard.errors import Problem, is_function, unknown_name
from flask_corsguard.protocol import headers
from flask_corsguard.protocol.lists import (
    empty_entry,
    hint_for_entry,
    is_source,
    is_unreplaced,
    read_entries,
    source_name,
    source_of_list,
)
from flask_corsguard.protocol.origins import (
    DEFAULT_PORTS,
    MAX_ORIGIN_LENGTH,
    MISSPELT_SCHEMES,
    OPAQUE_SCHEMES,
    STORES,
    Origin,
    OriginPattern,
    OriginSet,
    is_scheme,
    parse_origin,
    parse_pattern,
)
from flask_corsguard.text import name_of, source_of, text_of

# An entry with one of these schemes is a mistake.
_NO_SCHEMES = OPAQUE_SCHEMES | MISSPELT_SCHEMES.keys() | STORES.keys()

OriginCheck: TypeAlias = Callable[[str], bool] | Callable[[str, Any], bool]


class OriginSource(Protocol):
    """A source of origins that change while the app runs: see :mod:`flask_corsguard.sources`."""

    def load(self) -> tuple[Any, Iterable[Any]]:
        """Read everything: the version and the rows."""
        ...


OriginForm: TypeAlias = str | re.Pattern[str] | OriginCheck | OriginSource
Names: TypeAlias = Literal["*"] | tuple[str, ...]
Problems: TypeAlias = list[Problem]
Enforce: TypeAlias = Literal["off", "report", "unsafe", "all"]
#: The values of ``enforce``, the strictest last.
WAYS_TO_ENFORCE: tuple[Enforce, ...] = get_args(Enforce)
# Words that are no names: see name_errors.
_QUANTITIES = frozenset({"all", "any", "none"})
# What people write instead -> what they mean.
_ENFORCE_MEANT: dict[str, Enforce] = {
    **dict.fromkeys(("true", "1", "yes", "on", "strict", "block"), "unsafe"),
    **dict.fromkeys(("false", "0", "no", "none"), "off"),
}

#: The longest max age that any browser honours, in seconds: Firefox.
MAX_AGE_LIMIT = 86400
#: The longest that Chromium keeps a preflight, in seconds.
MAX_AGE_CHROMIUM = 7200
_SECONDS_IN = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: The settings of a source that are times, in seconds, with their defaults.
SOURCE_SECONDS = {"refresh": 1.0, "deadline": 0.2, "stale_after": 300.0}
MAX_SOURCE_SECONDS = 86400
# Values that a native program can send and browsers do not.
_ODD_BUT_SENT = frozenset(
    {"origin_case", "origin_default_port", "origin_host", "origin_no_host", "origin_scheme"}
)
# 600, 10m, 10 minutes, 1 hour
_DURATION = r"([0-9]{1,5})\s*(?:([smhd])(?:ecs?|econds?|ins?|inutes?|ours?|ays?)?)?"

# A pattern that cannot match the two slashes of an origin: it has no slash, no dot that could
# stand for two of them in a row, and of classes only such as [a-z0-9-].
_NO_SLASHES = r"(?:\\[-.:wd]|\[(?:\w-\w|\w|\\[-.wd])*-?\]|(?<=\w)\.(?=\w)|[^\\.\[/])*"

_NO_PREFLIGHT_HAS_IT = (
    "a preflight has no Cookie or Authorization header, so the callable would decide about"
    " preflights without it. Have the callable look only at the origin, and check the user in the"
    " view."
)
_ASKED_METHOD = (
    "leave it out: the guard names it in Vary where it matters. If the callable depends on what a"
    " preflight requests, set max_age=0 too."
)
# Headers that cannot be in origins_vary, in lower case -> why not.
_NEVER_IN_VARY = {
    "*": "with '*', no cache could reuse a response. List the headers that the callable looks at.",
    "access-control-request-headers": _ASKED_METHOD,
    "access-control-request-method": _ASKED_METHOD,
    "authorization": _NO_PREFLIGHT_HAS_IT,
    "cookie": _NO_PREFLIGHT_HAS_IT,
    "origin": "responses vary by Origin anyway. Leave it out.",
}

_LISTED_ONLY = "list the origins: '*', callables and sources are allowed only in origins."


class OriginList(tuple[OriginForm, ...]):
    """The entries of ``origins`` or ``deny_origins``, in the order given, with their compiled form.

    :ivar compiled: the same as an :class:`~flask_corsguard.protocol.origins.OriginSet`.
    """

    compiled: OriginSet

    @classmethod
    def of(cls, entries: Iterable[OriginForm], compiled: OriginSet) -> OriginList:
        """A list with its compiled form."""
        origins = cls(entries)
        origins.compiled = compiled
        return origins

    def patterns(
        self, is_of_interest: Callable[[str], bool] = lambda _: True
    ) -> Iterator[OriginPattern]:
        """The string entries of interest, parsed. They are not kept, because a list can be long."""
        for form in self:
            if isinstance(form, str) and is_of_interest(form):
                pattern = parse_pattern(form)
                if pattern is not None:
                    yield pattern


def read_listed_origins(field: str, value: object, problems: Problems) -> OriginList:
    """Strings and compiled patterns only, for lists that must not call code."""
    origins = read_origins(field, value, problems)
    if not isinstance(origins, str) and origins.compiled.is_constant:
        return origins
    problems.append(Problem("origin_type", field, value, _LISTED_ONLY))
    return OriginList.of((), OriginSet())


def read_origins(  # noqa: C901  (one branch for each form)
    field: str, value: object, problems: Problems
) -> Literal["*"] | OriginList:
    """``"*"``, strings, compiled patterns, sources and at most one callable."""
    if isinstance(value, OriginList):
        return value
    strings: dict[str, None] = {}
    regexes: dict[re.Pattern[str], None] = {}
    checks: dict[OriginCheck, None] = {}
    sources: dict[int, OriginSource] = {}
    for entry in read_entries(field, value, problems):
        if isinstance(entry, str):
            strings[entry] = None
        elif isinstance(entry, re.Pattern):
            regexes[cast("re.Pattern[str]", entry)] = None
        elif is_source(entry):
            sources[id(entry)] = cast("OriginSource", entry)
        elif _is_function(entry):
            checks[cast("OriginCheck", entry)] = None
        else:
            message = (
                f"{text_of(entry)} is not a string, a compiled pattern, a function or a source."
                f"{hint_for_entry(field, entry)}"
            )
            problems.append(Problem("origin_type", field, entry, message))
    if "" in strings:
        del strings[""]
        others = (*strings, *regexes, *checks, *sources.values())
        problems.append(empty_entry("origin_empty", field, value, others))
    if "*" in strings:
        entries = [*strings, *regexes, *checks, *sources.values()]
        if len(entries) > 1:
            wrong: Problems = []
            read_origins(field, [entry for entry in entries if entry != "*"], wrong)
            problems.append(_not_alone(field, value, "items", () if wrong else entries))
            problems += wrong
        return "*"
    origins = _compile_origins(field, strings, regexes, checks, sources.values(), problems)
    problems += _regex_problems(field, regexes)
    for source in sources.values():
        problems += [problem._replace(field=field) for problem in source_problems(source)]
    problems += _check_problems(field, value, checks)
    return origins


def _not_alone(field: str, value: object, others: str, entries: Collection[object]) -> Problem:
    rest = entries and source_of_list([entry for entry in entries if entry != "*"])
    instead = f"{rest} for only these" if rest else "take it out"
    message = (
        f"'*' must be the only item: it makes the other {others} meaningless. Write '*' for all,"
        f" or {instead}."
    )
    return Problem("wildcard_not_alone", field, value, message, "'*'")


def _is_function(entry: object) -> bool:
    """Whether an entry can be called for a verdict. A class cannot: it would return an instance."""
    try:
        hash(entry)
    except TypeError:
        return False
    return is_function(entry) and not isinstance(entry, type)


def _compile_origins(
    field: str,
    strings: Iterable[str],
    regexes: Iterable[re.Pattern[str]],
    checks: Iterable[OriginCheck],
    sources: Collection[OriginSource],
    problems: Problems,
) -> OriginList:
    exact: list[str] = []
    others: list[str] = []
    for text in strings:
        origin = None if "*" in text else parse_origin(text)
        is_exact = text == "null" or (origin is not None and origin.scheme not in _NO_SCHEMES)
        (exact if is_exact else others).append(text)
    check = next(iter(checks), None)
    takes_request = check is not None and _takes_request(check)
    patterns = _read_patterns(field, others, problems)
    compiled = OriginSet(patterns, regexes, check, takes_request, exact, sources)
    return OriginList.of((*strings, *regexes, *checks, *sources), compiled)


def source_problems(source: object) -> Iterator[Problem]:
    """The problems of a source's settings. A source of the app's own need not have them."""
    for name, default in (*SOURCE_SECONDS.items(), ("reload_every", 600.0)):
        value = getattr(source, name, default)
        if name == "reload_every" and value is None:
            continue
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 < value <= MAX_SOURCE_SECONDS:
            meant = _seconds_meant(value) or f"{default:g}"
            message = (
                f"{source_name(source)}: {name}={text_of(value)} is not a number of seconds above 0"
                f" and up to {MAX_SOURCE_SECONDS}. Write {name}={meant}."
            )
            yield Problem("source_seconds", name, value, message, meant)
    at_start = getattr(source, "at_start", "closed")
    if at_start not in ("closed", "fail"):
        yield unknown_name("source_at_start", "at_start", at_start, "at_start", ("closed", "fail"))
    by = getattr(source, "by", None)
    if by is not None and not is_function(by):
        message = (
            f"by={text_of(by)} is not a function that takes the request. Write"
            " by=lambda request: request.host."
        )
        yield Problem("wrong_type", "by", by, message)


def _read_patterns(
    field: str, strings: Iterable[str], problems: Problems
) -> Iterator[OriginPattern]:
    for text in strings:
        pattern = parse_pattern(text)
        if pattern is None or pattern.origin.scheme in _NO_SCHEMES:
            problems += _string_problems(field, text)
        else:
            yield pattern


def _string_problems(field: str, text: str) -> Iterator[Problem]:
    # Loaded with the first mistake.
    from flask_corsguard.protocol.origin_errors import diagnose

    found, suggestion = diagnose(text)
    if suggestion == "'*'" and field != "origins":
        yield Problem("origin_type", field, text, _LISTED_ONLY)
        return
    hint = f" Write {suggestion}." if suggestion else ""
    is_sent = field == "origins" and _ODD_BUT_SENT.issuperset(code for code, _ in found)
    if is_sent and is_scheme(text.partition("://")[0].lower()) and is_raw(text):
        raw = json.dumps([text])
        hint += f" If a native program sends exactly that, list it in raw_origins={raw}."
    given = re.sub(r":[^/@]*@", ":***@", text_of(text))
    for code, sentence in found:
        yield Problem(code, field, text, f"{given}: {sentence}.{hint}", suggestion)


def read_raw_origins(field: str, value: object, problems: Problems) -> tuple[str, ...]:
    """Origins exactly as sent, in forms that ``origins`` cannot hold."""
    texts = _read_names(field, value, problems)
    for text in texts:
        problems += _raw_problems(field, text)
    return texts


def is_raw(text: str) -> bool:
    """Whether ``raw_origins`` can hold a string."""
    return bool(text) and not any(_raw_problems("", text))


def parse_raw(text: str) -> Origin | None:
    """The origin meant by a raw one in upper case, or with its scheme's default port."""
    lower = text.lower()
    port = DEFAULT_PORTS.get(lower.partition("://")[0])
    return parse_origin(lower.removesuffix(f":{port}"))


def is_insecure_raw(text: str) -> bool:
    """Whether a raw origin is sent over the network without TLS."""
    origin = parse_raw(text)
    is_plain = text.lower().startswith(("http:", "ws:"))
    return is_plain and (origin is None or not origin.is_loopback)


def _raw_problems(field: str, text: str) -> Iterator[Problem]:
    given = text_of(text)
    if parse_pattern(text) is not None:
        message = f"{given}: this belongs in origins, where every check applies. List it there."
        yield Problem("raw_origin_needless", field, text, message)
        return
    meant: list[str] = []
    if "," in text:
        meant = [part for part in map(str.strip, text.split(",")) if part]
        wrong = "this is not split at commas: write several as a JSON list"
        for part in meant:
            yield from _raw_problems(field, part)
    elif len(text) > 2 and text[0] == text[-1] and text[0] in "'\"`":
        meant = [text.strip("'\"`")]
        wrong = "nothing sends an Origin in quotes"
    else:
        wrong = _wrong_in_raw(text)
    if wrong:
        usable = [*filter(is_raw, meant)]
        suggestion = json.dumps(usable) if usable else None
        hint = f" Write {suggestion}." if suggestion else ""
        yield Problem("raw_origin_malformed", field, text, f"{given}: {wrong}.{hint}", suggestion)


def _wrong_in_raw(text: str) -> str:
    """Why a string cannot be a raw origin, or ""."""
    if text == "null":
        return "any site can send that, from a sandboxed frame. Leave it out"
    if len(text) > MAX_ORIGIN_LENGTH or not all("!" <= character <= "~" for character in text):
        return f"an Origin is at most {MAX_ORIGIN_LENGTH} characters of ASCII, without spaces"
    if is_unreplaced(text):
        return "this is a variable that was never replaced by its value"
    if "*" in text:
        return "this is compared exactly as written, without wildcards. List what is sent"
    if text.lower().startswith(("http:", "https:")) and parse_raw(text) is None:
        return (
            "for http and https, only origins in upper case or with the default port belong here."
            " List what is sent"
        )
    return ""


def _regex_problems(field: str, regexes: Iterable[re.Pattern[str]]) -> Iterator[Problem]:
    for regex in regexes:
        if not isinstance(cast("object", regex.pattern), str):
            message = f"{text_of(regex)} matches bytes; compile it from a str."
            yield Problem("origin_type", field, regex, message)
        elif r"\." in regex.pattern and re.fullmatch(_NO_SLASHES, regex.pattern):
            host = regex.pattern.removeprefix("^").removesuffix("$")
            meant = f"https://(?:{host})" if "|" in host else f"https://{host}"
            suggestion = source_of(re.compile(meant, regex.flags))
            message = (
                f"{text_of(regex)} can match no origin: each begins with its scheme, and the"
                f" pattern must match the whole of it. Write {suggestion}."
            )
            yield Problem("origin_regex", field, regex, message, suggestion)


def _takes_request(check: OriginCheck) -> bool:
    """Whether a callable takes ``(origin, request)`` rather than ``(origin)``."""
    try:
        parameters = inspect.signature(check).parameters.values()
    except (TypeError, ValueError):
        return False  # some built-in callables have no signature; these take one argument
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    return len(required) == 2 or (len(positional) > 1 and positional[1].name == "request")


def is_asynchronous(function: object) -> bool:
    """Whether calling a function, or an instance with ``__call__()``, returns a coroutine."""
    call = getattr(function, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _check_problems(field: str, value: object, checks: Iterable[OriginCheck]) -> Iterator[Problem]:
    checks = tuple(checks)
    for check in checks:
        wrong = _wrong_in_check(check)
        if wrong:
            yield Problem("origin_callable", field, check, f"{text_of(check)} {wrong}")
    if len(checks) > 1:
        message = "give at most one callable, which can call the others."
        yield Problem("origin_type", field, value, message)


def _wrong_in_check(check: OriginCheck) -> str:
    """Why a callable cannot decide about origins, and what to write; or ""."""
    call = getattr(check, "__call__", None)  # noqa: B004  (an instance may have an async one)
    if inspect.iscoroutinefunction(check) or inspect.iscoroutinefunction(call):
        return (
            "is asynchronous, but its result is needed at once. Write `def allowed(origin): ...`,"
            " without async."
        )
    if isinstance(getattr(check, "__self__", None), re.Pattern):
        return "returns a match, not True or False. Give the pattern itself, without a method."
    names = _parameters(check)
    if names == ["self"]:
        return f"needs an instance, as in {name_of(check).replace('.', '().')}."
    if names == ["request"]:
        return "takes one parameter, which is the origin. Write (origin, request)."
    if len(names) == 2 and names[0] == "request":
        return f"takes (request, {names[1]}), but is called with (origin, request). Swap them."
    if not _accepts(check, ("origin", "request") if _takes_request(check) else ("origin",)):
        of_list = "" if names else f" If it returns the origins, call it: {name_of(check)}()."
        return (
            f"must take (origin) or (origin, request). Write `def allowed(origin): ...`.{of_list}"
        )
    return ""


def _parameters(check: OriginCheck) -> list[str]:
    """The names of the positional parameters."""
    try:
        parameters = inspect.signature(check).parameters.values()
    except (TypeError, ValueError):
        return ["origin"]  # some built-in callables have no signature; these take one argument
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _accepts(check: OriginCheck, arguments: tuple[str, ...]) -> bool:
    try:
        signature = inspect.signature(check)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


def read_methods(field: str, value: object, problems: Problems) -> Names | None:
    """Method names, ``"*"``, or None for the methods that the routes at the URL accept."""
    if value is None:
        return None
    names = _read_names(field, value, problems)
    if names == ("*",):
        return "*"
    if "*" in names:
        problems.append(_not_alone(field, value, "methods", names))
    for name in names:
        wrong = _wrong_in_name(name, "an HTTP method name", headers.MAX_METHOD_LENGTH)
        if wrong:
            problems.append(Problem("method_malformed", field, name, *wrong))
        elif name.upper() in headers.FORBIDDEN_METHODS:
            message = f"browsers never let a page send {name}. Leave it out."
            problems.append(Problem("method_forbidden", field, name, message))
        elif name.lower() in headers.COMMON_HEADERS:
            message = f"{text_of(name)} is a header, not a method: it belongs in allow_headers."
            problems.append(Problem("method_malformed", field, name, message))
        elif name.upper() in headers.KNOWN_METHODS and name != name.upper():
            message = f"{name!r}: method names are case-sensitive. Write {name.upper()!r}."
            problems.append(Problem("method_case", field, name, message, repr(name.upper())))
    return names


def read_allow_headers(field: str, value: object, problems: Problems) -> Names:
    """Request header names, or ``"*"``, which may be combined with ``Authorization``."""
    names = _read_names(field, value, problems)
    if names == ("*",):
        return "*"
    for name in names:
        lower = name.lower()
        wrong = _wrong_in_header(field, name)
        if wrong:
            problems.append(wrong)
        elif headers.is_forbidden_request_header(lower):
            cookies = "; for cookies, set allow_credentials=True" if lower == "cookie" else ""
            message = f"browsers never let a page set {name}. Leave it out{cookies}."
            problems.append(Problem("header_forbidden", field, name, message))
        elif lower.startswith("access-control-"):
            message = (
                f"{name} is a response header, which the guard writes. Leave it out here, and out"
                " of the headers that the page sends."
            )
            problems.append(Problem("header_is_response", field, name, message))
    return names


def read_expose_headers(field: str, value: object, problems: Problems) -> Names:
    """Response header names, or ``"*"``."""
    names = _read_names(field, value, problems)
    if names == ("*",):
        return "*"
    if "*" in names:
        problems.append(_not_alone(field, value, "names", names))
    for name in names:
        lower = name.lower()
        wrong = _wrong_in_header(field, name)
        if wrong:
            problems.append(wrong)
        elif lower in headers.FORBIDDEN_RESPONSE_HEADERS:
            message = f"browsers never show {name} to a page. Leave it out."
            problems.append(Problem("header_forbidden", field, name, message))
        elif lower.startswith("access-control-request-"):
            message = f"{name} is a request header, which the browser writes. Leave it out."
            problems.append(Problem("header_is_request", field, name, message))
        elif lower.startswith("access-control-"):
            message = f"{name} is only for the browser itself. Leave it out."
            problems.append(Problem("header_forbidden", field, name, message))
    return names


def read_vary(field: str, value: object, problems: Problems) -> tuple[str, ...]:
    """Names of request headers that a callable reads."""
    names = _read_names(field, value, problems)
    for name in names:
        useless = _NEVER_IN_VARY.get(name.lower())
        wrong = _wrong_in_name(name, "a header name", can_be_all=False)
        if useless:
            problems.append(Problem("vary_useless", field, name, useless))
        elif wrong:
            problems.append(Problem("header_malformed", field, name, *wrong))
    return names


def _wrong_in_header(field: str, name: str) -> Problem | None:
    wrong = _wrong_in_name(name, "a header name")
    if wrong is None and name in headers.KNOWN_METHODS:
        message = f"{text_of(name)} is a method, not a header: it belongs in methods, or nowhere."
        wrong = message, None
    return Problem("header_malformed", field, name, *wrong) if wrong else None


def _wrong_in_name(
    name: str, kind: str, longest: int | None = None, *, can_be_all: bool = True
) -> tuple[str, str | None] | None:
    """See :func:`~flask_corsguard.protocol.name_errors.diagnose_name`."""
    is_plain = (
        name.isascii() and name.replace("-", "").isalnum() and name.lower() not in _QUANTITIES
    )
    if is_plain and (longest is None or len(name) <= longest):
        return None
    # Nearly all names are plain. The rest is loaded for the first one that is not.
    from flask_corsguard.protocol.name_errors import diagnose_name

    return diagnose_name(name, kind, longest, can_be_all=can_be_all)


def _read_names(field: str, value: object, problems: Problems) -> tuple[str, ...]:
    """Strings, each once."""
    has_case = field in ("methods", "raw_origins")
    names: dict[str, str] = {}
    for entry in read_entries(field, value, problems):
        if isinstance(entry, str):
            names.setdefault(entry if has_case else entry.lower(), entry)
        else:
            message = f"{text_of(entry)} is not a string.{hint_for_entry(field, entry)}"
            problems.append(Problem("wrong_type", field, entry, message))
    if "" in names:
        del names[""]
        code = "name_empty"
        if field == "raw_origins":
            code = "origin_empty"
        problems.append(empty_entry(code, field, value, names.values()))
    return tuple(names.values())


def read_bool(field: str, value: object, problems: Problems) -> bool:
    """True or False, and nothing similar."""
    if isinstance(value, bool):
        return value
    words = {"true": "True", "1": "True", "yes": "True", "on": "True"}
    words |= {"false": "False", "0": "False", "no": "False", "off": "False", "": "False"}
    # The values of fetch()'s own option for credentials.
    words |= {"include": "True", "same-origin": "False", "omit": "False"}
    guess = words.get(text_of(value).strip("'\" ").lower())
    message = f"{text_of(value)} is not a bool. Give True or False."
    if guess:
        kind = f"of type {type(value).__name__}, not bool"
        message = f"{text_of(value)} is {kind}. Write {guess}"
        message += f" (FLASK_CORSGUARD_{field.upper()}={guess.lower()} in the environment"
        message += ", os.environ[...] == 'true' in code)." if isinstance(value, str) else ")."
    problems.append(Problem("bool_expected", field, value, message, guess))
    return False


# People who name these for enforce mean "unsafe".
_METHOD = re.compile(r"\b(POST|PUT|PATCH|DELETE)\b", re.IGNORECASE)


def read_enforce(field: str, value: object, problems: Problems) -> Enforce:
    """One of the four words."""
    words = WAYS_TO_ENFORCE
    if isinstance(value, str) and value in words:
        return words[words.index(value)]  # not a member of an Enum, say
    # The word, or what an environment variable or YAML has turned it into: True, None.
    meant = _ENFORCE_MEANT.get(text_of(value).strip("'\" ").lower())
    if _METHOD.search(text_of(value)):
        meant = "unsafe"
    problem = unknown_name("enforce_unknown", field, value, "enforce value", words, meant)
    if meant:
        message = f"{text_of(value)} is not one of its values. Write enforce={meant!r}."
        problem = problem._replace(message=message)
    problems.append(problem)
    return "off"


def read_max_age(field: str, value: object, problems: Problems) -> int | None:
    """Whole seconds, a timedelta, or None to leave the header out."""
    if value is None:
        return None
    if isinstance(value, datetime.timedelta):
        whole, fraction = divmod(value, datetime.timedelta(seconds=1))
        seconds: object = value if fraction else whole
    else:
        seconds = value
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        guess = _seconds_in(text_of(seconds).strip("'\" ").removesuffix(".0"))
        hint = f"Write {guess}." if guess else "Give a number, such as 600."
        message = f"{text_of(value)} is not a whole number of seconds or a timedelta. {hint}"
        if isinstance(value, datetime.timedelta):
            guess = str(round(value.total_seconds()))
            message = f"{text_of(value)} is not a whole number of seconds. Write {guess}."
        problems.append(Problem("wrong_type", field, value, message, guess))
        return None
    if not 0 <= seconds <= MAX_AGE_LIMIT:
        limit = 0 if seconds < 0 else MAX_AGE_LIMIT
        write = (
            f"{limit}; Chromium keeps a preflight for at most {MAX_AGE_CHROMIUM}" if limit else "0"
        )
        message = f"{text_of(value)} is outside 0 to {MAX_AGE_LIMIT} seconds. Write {write}."
        problems.append(Problem("max_age_range", field, value, message, str(limit)))
        return None
    return int(seconds)


def _seconds_meant(value: object) -> str | None:
    """The seconds in a timedelta or a string, as source; None if they are not clear."""
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds():g}" if value > datetime.timedelta() else None
    return _seconds_in(text_of(value).strip("'\" ")) if isinstance(value, str) else None


def _seconds_in(text: str) -> str | None:
    """The whole seconds in ``600``, ``10m`` or ``10 minutes``, as source; None beyond the limit."""
    found = re.fullmatch(_DURATION, text)
    if found is None:
        return None
    seconds = int(found[1]) * _SECONDS_IN[found[2] or "s"]
    return str(seconds) if seconds <= MAX_AGE_LIMIT else None
