"""What an entry of Flask-CORS' ``origins`` allows, and whether that is what it seems to say.

Flask-CORS takes a string for a regular expression where it has one of a few characters, and
compares with ``re.match``: from the beginning, and not up to the end.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from flask_corsguard.audit.hostile_origins import fitted
from flask_corsguard.audit.intended_origins import of_pattern, site_of
from flask_corsguard.migrate.values import quoted
from flask_corsguard.protocol.fields import is_raw
from flask_corsguard.protocol.origin_errors import diagnose, repair
from flask_corsguard.protocol.origins import Origin, parse_origin, parse_pattern
from flask_corsguard.protocol.publicsuffix import is_public_suffix, suffix_below

# Those by which Flask-CORS tells.
_HINTS = frozenset("*\\]?$^[]()")
ATTACKER = "attacker.example"
_parser: Any = importlib.import_module("re._parser")
_ANY_SUBDOMAIN = re.compile(r"\^?(https?)://\.[*+]\\\.((?:[\w-]+\\\.)+[a-z]+)(?:\$|\\Z)", re.ASCII)
_ONE_ORIGIN = re.compile(r"\^?(https?)://((?:[\w-]+\\\.)*[a-z]+)(:\d+)?(?:\$|\\Z)", re.ASCII)
# What a wildcard inside a label stands for: no more, or somebody else would be let in.
_IN_LABEL = re.compile(
    r"\^?(https)://([\w-]*)\[(?:a-z0-9\\?-|-a-z0-9|0-9a-z\\?-)\]\+([\w-]*)\\\.((?:[\w-]+\\\.)+[a-z]+)"
    r"(?:\$|\\Z)",
    re.ASCII,
)
_OPEN_PORT = (r":\d+", ":[0-9]+", r":\d*", ":[0-9]*")
_MOST_TRIED = 400


class Entry(NamedTuple):
    """What becomes of one entry.

    :ivar code: Python source that means the same to the guard, or "" where nothing does.
    :ivar value: the value of that.
    :ivar problem: the finding's code, or "".
    :ivar message: what is the case.
    :ivar today: what that means today.
    :ivar choice: what to write instead.
    """

    code: str
    value: Any = None
    problem: str = ""
    message: str = ""
    today: str = ""
    choice: str = ""


def is_regex(text: str) -> bool:
    """Whether Flask-CORS takes *text* for a regular expression."""
    return not _HINTS.isdisjoint(text)


def judge(entry: object) -> Entry:
    """What becomes of one entry of ``origins``."""
    if isinstance(entry, re.Pattern):
        return _judge_regex(cast("re.Pattern[str]", entry), written=None)
    if not isinstance(entry, str):
        return _problem("refused", f"{entry!r} is no string or pattern", "it matches no origin.")
    if entry in ("*", ".*"):
        return Entry('"*"', "*")
    if entry == "null":
        return _null("the origin 'null' is allowed")
    if is_regex(entry):
        try:
            return _judge_regex(re.compile(entry, re.IGNORECASE), written=entry)
        except (re.error, RecursionError, OverflowError):
            return _never(entry, f"the app does not start: {entry!r} is no regular expression.")
    # They are compared without regard to case, and browsers send lower case.
    lower = entry.lower()
    if parse_pattern(lower) is None:
        return _never(entry, "browsers never send that as an origin, so it lets nobody in.")
    return Entry(quoted(lower), lower)


def _null(message: str) -> Entry:
    return _problem(
        "null_origin",
        message,
        "any site can send it, from a sandboxed frame, and read the answers.",
        "take it out, and serve the page that needs it from an origin of its own.",
    )


def insecure_example(regex: re.Pattern[str]) -> str:
    """An origin over plain http, off the own machine, that a pattern lets in; or ""."""
    for origin in of_pattern(regex):
        plain = origin._replace(scheme="http")
        if not origin.is_loopback and regex.fullmatch(str(plain)):
            return str(plain)
    return ""


def _never(entry: str, today: str) -> Entry:
    if "," in entry:
        listed = ", ".join(repr(part.strip()) for part in entry.split(",") if part.strip())
        message = f"{entry!r} can never match: it is one string, and no origin has a comma"
        return _problem("never_matches", message, today, f"write a list: [{listed}].")
    if "://" in entry and is_raw(entry):
        message = f"{entry!r} is not an origin that browsers send"
        today = "no browser sends that. A native program may, and may then read the answers."
        choice = f"write raw_origins=[{quoted(entry)}] if one does, byte for byte."
        return _problem("never_matches", message, today, choice)
    found, suggestion = diagnose(entry)
    why = f": {found[0][1]}" if found else ""
    choice = (
        f"write {suggestion}." if suggestion else "write 'https://host' or 'https://host:port'."
    )
    return _problem("never_matches", f"{entry!r} can never match{why}", today, choice)


def _problem(code: str, message: str, today: str, choice: str = "list the origins.") -> Entry:
    return Entry("", None, code, message, today, choice)


def _judge_regex(regex: re.Pattern[str], written: str | None) -> Entry:
    """Whether a pattern means the same to the guard, which holds it against the whole origin.

    :param written: the string that it was given as, or None where it was compiled by hand.
    """
    text = regex.pattern
    if regex.match("null") and not regex.match(f"https://{ATTACKER}"):
        return _null(f"the pattern {text!r} matches the origin 'null'")
    choice = "write the origins; 'https://*.example.com' is every sub-domain."
    if regex.match(f"https://{ATTACKER}") or regex.match(f"http://{ATTACKER}"):
        let_in = f"{'https' if regex.match(f'https://{ATTACKER}') else 'http'}://{ATTACKER}"
        code = "glob" if written and _is_glob(written) else "regex_too_wide"
        return _problem(
            code,
            f"{text!r} matches any site",
            f"any site on the web, such as {let_in}, may read the answers.",
            "write '*' if that is meant, or the origins.",
        )
    meant = _meant(regex)
    if written and _is_glob(written):
        return _judge_glob(regex, written, meant)
    simple = _simple_form(text)
    if simple:
        return Entry(quoted(simple), simple)
    hostile = _hostile(regex, meant)
    if hostile:
        code = _kind(hostile, meant, regex)
        today = f"{hostile} may read the answers, and anybody can have that name."
        return _problem(code, f"{text!r} also matches {hostile}", today, _better(text, choice))
    if not _ends(_parsed(regex)) and not text.endswith(_OPEN_PORT):
        today = "an origin that goes on after the part that matches may read the answers too."
        return _problem("regex_without_end", f"{text!r} has no end", today, _better(text, choice))
    if not meant:
        today = "it may match no origin that browsers send, or more than it seems to."
        message = f"it cannot be told which origins {text!r} means"
        return _problem("regex_unclear", message, today, choice)
    return Entry(_compiled_code(text) if written else "", regex)


def _better(text: str, otherwise: str) -> str:
    """What the guard has for a pattern, if that is plain once it has an end and its dots."""
    ended = text if text.endswith(("$", r"\Z")) else f"{text}$"
    escaped = re.sub(r"(?<!\\)\.(?![*+?])", r"\\.", ended)
    simple = _simple_form(escaped)
    return f"write {simple!r} if that is meant, or the origins." if simple else otherwise


def _judge_glob(regex: re.Pattern[str], written: str, meant: list[Origin]) -> Entry:
    hostile = _hostile(regex, meant)
    example = written.replace("*", "app" if "//*" in written else "3000")
    today = "it is read as a regular expression, "
    today += "which does not match what was meant" if not regex.match(example) else "without an end"
    today += f", and lets in {hostile}, a name that anybody can have." if hostile else "."
    choice = f"write {written!r} to the guard: there, it is what it looks like."
    if repair(written) != written:  # no entry, or one that covers what anybody can register
        choice = "list the origins; 'https://*.example.com' is every sub-domain."
    return _problem("glob", f"{written!r} is a glob, and not a regular expression", today, choice)


def _is_glob(text: str) -> bool:
    only_stars = _HINTS.isdisjoint(text.replace("*", ""))
    return only_stars and re.search(r"[^.]\*", text) is not None


def _meant(regex: re.Pattern[str]) -> list[Origin]:
    if _is_glob(regex.pattern):
        pattern = parse_pattern(regex.pattern.lower())
        if pattern is not None and pattern.in_label:
            return [pattern.example("x")]
        host = re.sub(
            r"//(\*\.?)+|:?\*", lambda m: "//" if m[0].startswith("//") else "", regex.pattern
        )
        origin = parse_origin(host.lower())
        return [origin] if origin else []
    return of_pattern(regex)


def _hostile(regex: re.Pattern[str], meant: list[Origin]) -> str:
    """An origin of somebody else's that *regex* lets in, or ""."""
    sites = {site_of(origin) for origin in meant}
    for text in _candidates(meant):
        origin = parse_origin(text)
        if origin and site_of(origin) not in sites and regex.match(text):
            return text
    return ""


def _candidates(meant: list[Origin]) -> Iterator[str]:
    for origin in meant[:4]:
        scheme, host, _ = origin
        yield f"{origin}.{ATTACKER}"
        yield f"{scheme}://{host}.{ATTACKER}"
        if origin.is_address:
            continue
        for place, character in enumerate(host):
            if character == ".":
                yield str(origin._replace(host=f"{host[:place]}x{host[place + 1 :]}"))
        yield f"{scheme}://x{host}"
        yield f"{scheme}://attacker-{host}"
    yield from fitted(meant[:2])


def _kind(hostile: str, meant: list[Origin], regex: re.Pattern[str]) -> str:
    host = hostile.partition("://")[2]
    if host.endswith(ATTACKER) or not regex.fullmatch(hostile):
        return "regex_without_end"
    lengths = {len(str(origin)) for origin in meant}
    return "regex_unescaped_dot" if len(hostile) in lengths else "regex_too_wide"


def _simple_form(text: str) -> str:
    """The same as *text* without a pattern, or ""."""
    if found := _ANY_SUBDOMAIN.fullmatch(text):
        simple = f"{found[1]}://*.{found[2]}"
    elif found := _ONE_ORIGIN.fullmatch(text):
        simple = f"{found[1]}://{found[2]}{found[3] or ''}"
    elif (found := _IN_LABEL.fullmatch(text)) and found[2] + found[3]:
        simple = f"{found[1]}://{found[2]}*{found[3]}.{found[4]}"
    else:
        return ""
    simple = simple.replace("\\.", ".")
    pattern = parse_pattern(simple)
    if pattern is None:
        return ""
    host = pattern.origin.host
    # Depending on other fields, the guard may refuse it there.
    is_shared = pattern.in_label and (is_public_suffix(host) or suffix_below(host))
    return "" if is_shared else simple


def _compiled_code(text: str) -> str:
    raw = f'r"{text}"' if '"' not in text and not text.endswith("\\") else repr(text)
    flags = ", re.IGNORECASE" if re.search("[A-Z]", text) else ""
    return f"re.compile({raw}{flags})"


def _parsed(regex: re.Pattern[str]) -> Any:
    return _parser.parse(regex.pattern, regex.flags & re.VERBOSE)


def _ends(nodes: Any) -> bool:
    """Whether all that a pattern matches goes up to the end."""
    if not len(nodes):
        return False
    kind, value = nodes[-1]
    match str(kind):
        case "AT":
            return str(value) in ("AT_END", "AT_END_STRING")
        case "BRANCH":
            return all(_ends(branch) for branch in value[1])
        case "SUBPATTERN":
            return _ends(value[3])
        case _:
            return False
