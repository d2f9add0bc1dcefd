"""Which fields make a policy, written out slowly from the reference, for the values of JSON."""

import re
from collections.abc import Callable, Iterator, Mapping

from publicsuffixlist import PSLFILE, PublicSuffixList

from tests.properties import standard
from tests.properties.meaning import (
    LONGEST_METHOD,
    LONGEST_ORIGIN,
    entries,
    raw_entries,
    read_origin,
)

_UPPER_CASE_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_VARIABLE = r"\$\{?\w+\}?|\$\(\w+\)|\{\{.*\}\}|%\w+%"
_OPAQUE_SCHEMES = ("about", "blob", "data", "file", "javascript")
# RFC 6761, RFC 6762, RFC 8375 and ICANN: never for sale
_PRIVATE_NAMES = ("example", "home.arpa", "internal", "invalid", "local", "localhost", "test")
_LIST = PublicSuffixList()
_REGISTRIES = PublicSuffixList(only_icann=True)
with open(PSLFILE, encoding="utf-8") as _lines:
    _RULES = [line.split()[0] for line in _lines if line.strip() and line[:2] != "//"]
_SUFFIXES = tuple(rule.encode("idna").decode("ascii") for rule in _RULES if rule[0] != "!")


def is_legal(fields: Mapping[str, object]) -> bool:
    """Whether the fields make a policy."""
    return (
        all(name in FIELDS and FIELDS[name](value) for name, value in fields.items())
        and not any(_dangers(fields))
    )  # fmt: skip


def is_entry(text: str) -> bool:
    """Whether a string is one of the forms of an origin in a policy."""
    plain = text.removesuffix(":*")
    scheme, _, rest = plain.partition("://")
    if rest == "*" and plain == text:
        is_app = scheme not in ("http", "https", "ws", "wss", *_OPAQUE_SCHEMES)
        return is_app and standard.is_scheme(scheme) and len(text) <= LONGEST_ORIGIN
    label, dot, _ = rest.partition(".")
    if label != "*" and "*" in label and dot:
        if text.replace(":*", "").count("*") != 1:
            return False
        parts = read_origin(plain.replace("*", "a"))
        is_name = parts is not None and isinstance(parts.host, str) and "." in parts.host
        return is_name and is_entry(text.replace("*", "a", 1))
    has_wildcard = rest.startswith("*.")
    parts = read_origin(f"{scheme}://{rest[2:]}" if has_wildcard else plain)
    if parts is None or parts.scheme in _OPAQUE_SCHEMES:
        return False
    if text.endswith(":*") and parts.port is not None:
        return False
    return isinstance(parts.host, str) or not has_wildcard


def _is_list(value: object) -> bool:
    """Whether a list or a string holds strings alone, and no empty one."""
    return isinstance(value, (str, list)) and all(
        isinstance(entry, str) and entry for entry in entries(value)
    )


def _is_origins(value: object) -> bool:
    return _is_list(value) and (set(entries(value)) == {"*"} or _is_listed_origins(value))


def _is_listed_origins(value: object) -> bool:
    return _is_list(value) and all(text == "null" or is_entry(text) for text in entries(value))


def _is_raw_origins(value: object) -> bool:
    return isinstance(value, (str, list)) and all(
        isinstance(entry, str) and _is_raw(entry) for entry in raw_entries(value)
    )


def _is_raw(text: str) -> bool:
    if not re.fullmatch("[!-+\\--~]{1,320}", text) or "*" in text or text == "null":
        return False
    if re.fullmatch("(['\"`]).+\\1", text) or re.fullmatch(_VARIABLE, text):
        return False
    if re.match("https?:", text, re.IGNORECASE):
        scheme, _, rest = text.lower().partition("://")
        default = f":{standard.DEFAULT_PORTS.get(scheme)}"
        return not is_entry(text) and is_plain(f"{scheme}://{rest.removesuffix(default)}")
    return not is_entry(text)


def is_plain(text: str) -> bool:
    """Whether a string is a whole origin."""
    return "*" not in text and is_entry(text)


def _is_methods(value: object) -> bool:
    if value is None:
        return True
    if not _is_list(value):
        return False
    return set(entries(value)) == {"*"} or all(map(_is_method, entries(value)))


def _is_method(name: str) -> bool:
    upper = name.upper()
    return (
        _is_name(name)
        and len(name) <= LONGEST_METHOD
        and upper not in standard.FORBIDDEN_METHODS
        and (upper not in _UPPER_CASE_METHODS or name == upper)
        and name.lower() not in ("authorization", "content-disposition", "content-type")
        and name.lower() not in ("all", "any", "none")
    )


def _is_name(name: str) -> bool:
    """A token; but neither a pattern, nor several names, nor quoted, nor a variable."""
    return (
        standard.is_token(name)
        and not {"*", "|"} & set(name)
        and ".+" not in name
        and name[0] not in "^'`"
        and name[-1] not in "$'`"
        and not re.fullmatch(r"\$[A-Za-z0-9_]+|%[A-Za-z0-9_]+%|HTTP_[A-Z_]+", name)
        and name.lower() != "none"
    )


def _is_allow_headers(value: object) -> bool:
    return _is_list(value) and all(
        name == "*"
        or (
            _is_name(name)
            and name not in _UPPER_CASE_METHODS
            and name.lower() not in ("all", "any")
            and not standard.is_forbidden_header(name)
            and not name.lower().startswith("access-control-")
        )
        for name in entries(value)
    )


def _is_expose_headers(value: object) -> bool:
    if not _is_list(value):
        return False
    return set(entries(value)) == {"*"} or all(
        _is_name(name)
        and name not in _UPPER_CASE_METHODS
        and name.lower() not in ("all", "any", "set-cookie", "set-cookie2")
        and not name.lower().startswith("access-control-")
        for name in entries(value)
    )


def _is_origins_vary(value: object) -> bool:
    useless = ("origin", "cookie", "authorization")
    return _is_list(value) and all(
        _is_name(name)
        and name.lower() not in useless
        and not name.lower().startswith("access-control-request-")
        for name in entries(value)
    )


def _is_bool(value: object) -> bool:
    return value is True or value is False


def _is_max_age(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value <= 86400)


def _is_enforce(value: object) -> bool:
    return isinstance(value, str) and value in ("off", "report", "unsafe", "all")


FIELDS: Mapping[str, Callable[[object], bool]] = {
    "origins": _is_origins,
    "deny_origins": _is_listed_origins,
    "methods": _is_methods,
    "allow_headers": _is_allow_headers,
    "expose_headers": _is_expose_headers,
    "allow_credentials": _is_bool,
    "max_age": _is_max_age,
    "enforce": _is_enforce,
    "origins_vary": _is_origins_vary,
    "raw_origins": _is_raw_origins,
    "answer_preflight": _is_bool,
    "dangerously_let_views_override": _is_bool,
    "allow_private_network": _is_bool,
    "dangerously_allow_null_origin": _is_bool,
    "dangerously_allow_insecure_origins": _is_bool,
    "dangerously_allow_public_suffixes": _is_bool,
}


def _dangers(fields: Mapping[str, object]) -> Iterator[bool]:
    """docs/reference/policy-fields.md, "What is checked together"."""
    origins = entries(fields.get("origins", ()))
    credentials = fields.get("allow_credentials", False)
    yield bool(entries(fields.get("origins_vary", ())))  # JSON has no callable
    is_enforced = fields.get("enforce", "off") != "off"
    yield (credentials or is_enforced) and any(text.endswith("://*") for text in origins)
    if not fields.get("dangerously_allow_public_suffixes", False):
        yield from map(_is_for_sale, (*origins, *entries(fields.get("deny_origins", ()))))
    yield bool(credentials and "*" in origins)
    yield fields.get("enforce") == "all" and "*" in origins
    yield bool(credentials and "*" in entries(fields.get("expose_headers", ())))
    yield "null" in origins and not fields.get("dangerously_allow_null_origin", False)
    if credentials and not fields.get("dangerously_allow_insecure_origins", False):
        yield from map(_is_insecure, origins)
        yield from map(_is_insecure_raw, raw_entries(fields.get("raw_origins", ())))
    if not fields.get("dangerously_allow_public_suffixes", False) and (credentials or is_enforced):
        yield from map(_spans_sites, origins)


def _is_insecure_raw(text: str) -> bool:
    scheme, _, rest = text.lower().partition(":")
    port = f":{standard.DEFAULT_PORTS.get(scheme)}"
    plain = f"{scheme}:{rest.removesuffix(port)}"
    return scheme in ("http", "ws") and (read_origin(plain) is None or _is_insecure(plain))


def _is_for_sale(entry: str) -> bool:
    """Whether a ``*`` inside a label stands for names that registries sell."""
    host = entry.partition("://")[2].removesuffix(":*").partition(":")[0]
    label, _, rest = host.partition(".")
    is_inside = "*" in label and label != "*"
    return is_inside and _REGISTRIES.publicsuffix(rest, accept_unknown=False) == rest


def _is_insecure(entry: str) -> bool:
    entry = re.sub(r"://[^.:]*\*[^.:]*\.", "://", entry)
    parts = standard.read_origin(entry.replace("://*.", "://").removesuffix(":*"))
    if parts is None or parts.scheme not in ("http", "ws"):
        return False
    host = parts.host
    if isinstance(host, str):
        return host != "localhost" and not host.endswith(".localhost")
    # https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy
    return host >> 24 != 127 if isinstance(host, int) else host != (0, 0, 0, 0, 0, 0, 0, 1)


def _spans_sites(entry: str) -> bool:
    found = re.search(r"://[^.:]*\*[^.:]*\.([^:]*)", entry)
    host = found[1] if found else ""
    if not found or host in _PRIVATE_NAMES:
        return False
    return _LIST.is_public(host) or any(suffix.endswith(f".{host}") for suffix in _SUFFIXES)
