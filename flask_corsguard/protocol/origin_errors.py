"""What is wrong with an origin string in a policy, and the string that was meant.

Runs at startup, on configuration, never on text from the network.
"""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections.abc import Iterator

from flask_corsguard.protocol.headers import field_of_name
from flask_corsguard.protocol.lists import is_unreplaced
from flask_corsguard.protocol.origins import (
    DEFAULT_PORTS,
    MISSPELT_SCHEMES,
    OPAQUE_SCHEMES,
    OriginPattern,
    is_scheme,
    parse_origin,
    parse_pattern,
    serialize_ipv6,
)
from flask_corsguard.protocol.publicsuffix import is_public_suffix, is_registry_suffix, suffix_below

_SEPARATORS = re.compile(r"[|;\s]+")
_QUOTES = "'\"`"
# https:host, https//host and the like; not localhost:3000
_BROKEN_SCHEME = re.compile(r"^(https?|wss?)(?::/?|/{1,2}|;/*)(?=[a-z*\[])", re.IGNORECASE)
# https://a.comhttps://b.com, as Python joins two strings without a comma between them; but not a
# URL in the path or the query of another one.
_GLUED = re.compile(r"(?<=[A-Za-z0-9*])(?=(?:https?|wss?)://)", re.IGNORECASE)
# Words that people write for everybody, nobody or the app's own pages -> a sentence, and the
# correction.
_EVERYBODY = ("for everybody, write '*'", "'*'")
_NOBODY = ("for nobody, write an empty list", "[]")
_OWN = ("the app's own pages are always allowed, so do not list them", "[]")
_WORDS = {
    **dict.fromkeys(("all", "any", "everybody", "everyone", "true"), _EVERYBODY),
    **dict.fromkeys(("false", "nobody", "none"), _NOBODY),
    **dict.fromkeys(("same-origin", "self"), _OWN),
}
_WILDCARDS = (
    "a wildcard can stand only for whole sub-domains (https://*.example.com), for part of the first"
    " label (https://pr-*.example.com) or for the port (http://localhost:*)"
)
# With more wildcards in one label, a pattern would be slow.
_MOST_STARS = 3
# Signs of a regular expression, which no origin has. Not "[", "?", "+" or "." alone: they are more
# probably from an IPv6 address, a query or a scheme.
_REGEX_SIGNS = re.compile(r"[\^$\\(){}]|(?<![A-Za-z0-9*])\.[*+]|\[[^\[\]]*-|https\?:")


def diagnose(text: str) -> tuple[list[tuple[str, str]], str | None]:
    """Find out why *text* cannot be an entry of ``origins``.

    :returns: pairs of (code, sentence), at least one, and the corrected entry as Python source, or
        None if no correction is certain.
    """
    if not text:
        return [("origin_empty", "an origin cannot be empty")], None
    bare = text.strip(_QUOTES)
    if bare.casefold() == "null":
        sentence = "the opaque origin is 'null' in lower case, and any site can send it"
        return [("origin_case", sentence)], None
    word = _of_word(bare)
    if word:
        return word
    if is_unreplaced(bare):
        return [("origin_invalid", "this is a variable that was never replaced by its value")], None
    if bare != text:
        fixed = bare if bare == "*" else repair(bare)
        return [("origin_quotes", "an origin has no quotes")], fixed and repr(fixed)
    several, sentence = _several(text)
    if several:
        repaired = [repair(part) for part in several]
        return [("origin_separator", sentence)], _source_of(repaired)
    if _REGEX_SIGNS.search(text):
        sentence = (
            "a plain string is never a regular expression: pass re.compile(...) if you mean one, or"
            " write https://host or https://*.host"
        )
        return [("origin_regex", sentence)], _unregexed(text) or _as_pattern(text)
    problems = list(dict.fromkeys(_problems(text)))
    if not problems:
        problems = [("origin_invalid", "this is not scheme://host[:port]")]
    repaired_text = repair(text)
    suggestion = _as_pattern(text) or (repaired_text and repr(repaired_text))
    if suggestion is None:
        no_string = ("origin_wildcard", f"{_WILDCARDS}; list the hosts")
        problems = [no_string if words == _WILDCARDS else (code, words) for code, words in problems]
    return problems, suggestion


def _source_of(origins: list[str | None]) -> str | None:
    if not all(origins):
        return None
    return json.dumps(origins) if len(origins) > 1 else repr(origins[0])


def _of_word(bare: str) -> tuple[list[tuple[str, str]], str | None] | None:
    """The diagnosis of a word such as "all", or of a name for another field."""
    sentence, correction = _WORDS.get(bare.lower(), ("", None))
    field = field_of_name(bare)
    if field:
        kind = "a method" if field == "methods" else "a header"
        sentence = f"this is {kind}, which belongs in {field}"
    return ([("origin_no_scheme", sentence)], correction) if sentence else None


def _several(text: str) -> tuple[list[str], str]:
    """The origins in a string that has several, and a sentence about that; otherwise none."""
    parts = [] if _BROKEN_SCHEME.match(text) else [part for part in _SEPARATORS.split(text) if part]
    if parts not in ([], [text]) and all(
        "://" in part or parse_pattern(repair(part) or "") for part in parts
    ):
        return parts, "a string holds one origin: give several as a list (or separated by commas)"
    glued = _GLUED.split(text)
    if len(glued) > 1:
        return glued, "two origins in one string: the comma between them is missing"
    return [], ""


def repair(text: str) -> str | None:
    """The entry that *text* was probably meant to be, or None."""
    text = _BROKEN_SCHEME.sub(r"\1://", text.strip())
    scheme, separator, rest = text.partition("://")
    if not separator:
        rest = text.lstrip("/")
        is_local = rest.startswith(("localhost", "127.", "[::1]", "::1"))
        scheme = "http" if is_local else "https"
    scheme = MISSPELT_SCHEMES.get(scheme.lower(), scheme.lower())
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2]
    host, port = _split_port(_one_star(authority))
    host = host.rstrip(".")
    if host == "*":
        port = None  # a wildcard for any host of a scheme has none
    if port and port.isdecimal():
        number = int(port[:6])
        port = "" if number == DEFAULT_PORTS.get(scheme) else str(number)
    found = _canonical(scheme, host, port)
    if found is None and host.startswith(("*", ".")):  # https://*example.com, .example.com
        found = _canonical(scheme, f"*.{host.lstrip('*.')}", port, is_guess=True)
    return found


def _canonical(scheme: str, host: str, port: str | None, is_guess: bool = False) -> str | None:
    """The entry as browsers would send it, or None if no policy should have it."""
    text = f"{scheme}://{_canonical_host(host)}" + (f":{port}" if port else "")
    pattern = parse_pattern(text)
    return text if pattern and not spans_registry(pattern, whole_labels=is_guess) else None


def _one_star(text: str) -> str:
    return re.sub(r"\*+", "*", text)


def spans_registry(pattern: OriginPattern, whole_labels: bool = False) -> bool:
    """Whether a wildcard inside a label matches names that anybody can register.

    :param whole_labels: whether a wildcard for whole labels counts too.
    """
    return (pattern.in_label or whole_labels) and is_registry_suffix(pattern.origin.host)


def covers_strangers(pattern: OriginPattern) -> str:
    """What is wrong with a wildcard for names that anybody can register."""
    return f"anybody can register a name under {pattern.origin.host!r} that the wildcard covers"


def _as_pattern(text: str) -> str | None:
    """The compiled pattern, as source, for an entry with wildcards where no string can have them.
    None if the entry has other mistakes, or if the pattern would let anybody in."""
    scheme, _, rest = _one_star(text.lower()).partition("://")
    authority = rest.removesuffix("/")
    authority = _with_brackets(authority) or authority
    host, port = _split_port(authority)
    labels = host.split(".")
    is_address = not host.strip("0123456789.*") and labels[0] != "*"
    if is_address and labels[-1] == "*":
        labels += ["*"] * (4 - len(labels))
    digit = "1" if is_address else "a"
    sample = ".".join(labels).replace("*", digit)
    colon_port = "" if port in (None, "*") else f":{port}".replace("*", "1")
    origin = parse_origin(f"{scheme}://{sample}{colon_port}")
    if "*" not in authority or origin is None or scheme in OPAQUE_SCHEMES:
        return None
    if parse_pattern(f"{scheme}://{authority}") or not _is_limited(labels, is_address):
        return None
    star = "[0-9]{1,3}" if is_address else "[a-z0-9-]+"
    source = re.escape(f"{scheme}://").replace(r"\-", "-")
    source += r"\.".join(labels).replace("*", star)
    if port is not None:
        source += "(?::[0-9]+)?" if port == "*" else f":{port.replace('*', '[0-9]+')}"
    return f're.compile(r"{source}")'


def _is_limited(labels: list[str], is_address: bool) -> bool:
    """Whether no stranger can have a host that these labels, with wildcards, match."""
    host = ".".join(labels)
    if "*" not in host:
        return True
    if is_address:
        return all(_is_private(host.replace("*", digits)) for digits in ("0", "255"))
    if max(label.count("*") for label in labels) > _MOST_STARS:
        return False  # the pattern would be slow
    rest = host.rpartition("*")[2].partition(".")[2]
    return bool(rest) and not is_public_suffix(rest) and suffix_below(rest) is None


def _is_private(address: str) -> bool:
    try:
        return ipaddress.IPv4Address(address).is_private
    except ValueError:
        return False


def _problems(text: str) -> Iterator[tuple[str, str]]:
    scheme, separator, rest = text.partition("://")
    if not separator:
        yield "origin_no_scheme", "an origin starts with its scheme, such as https://"
        return
    if scheme == "*":
        yield "origin_wildcard", "the scheme cannot be a wildcard; list one item for each scheme"
    elif scheme != scheme.lower() and is_scheme(scheme.lower()):
        yield "origin_case", "browsers send origins in lower case, so this would never match"
    elif not is_scheme(scheme) or scheme in MISSPELT_SCHEMES:
        yield "origin_scheme", f"{scheme!r} is not a scheme"
    if scheme.lower() in OPAQUE_SCHEMES:
        sentence = (
            f"in browsers, pages loaded from {scheme}: send the origin 'null', never this one"
        )
        yield "origin_scheme", sentence
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    yield from _tail_problems(rest[len(authority) :])
    if "@" in authority:
        yield "origin_userinfo", "an origin has no user name or password"
    authority = authority.rpartition("@")[2]
    host, port = _split_port(authority)
    if _with_brackets(authority):
        yield "origin_ip", "an IPv6 address is written in brackets, and its port after them"
    yield from _host_problems(scheme.lower(), host)
    if port is not None and host == "*" and parse_pattern(f"{scheme}://*"):
        yield "origin_port", "where the host is *, there can be no port"
    elif port is not None:
        yield from _port_problems(scheme.lower(), port)


def _tail_problems(tail: str) -> Iterator[tuple[str, str]]:
    if tail == "/":
        yield "origin_trailing_slash", "an origin has no trailing slash"
    elif tail.startswith(("/", "\\")):
        yield "origin_path", "an origin has no path: CORS is decided for whole origins"
    if "?" in tail:
        yield "origin_query", "an origin has no query"
    if "#" in tail:
        yield "origin_fragment", "an origin has no fragment"


def _host_problems(scheme: str, host: str) -> Iterator[tuple[str, str]]:
    bare = host.removeprefix("*.")
    if not bare:
        yield "origin_no_host", "the host is missing"
        return
    if "*" in bare:
        pattern = parse_pattern(f"{scheme}://{_canonical_host(host)}")
        if pattern is None or spans_registry(pattern):
            yield "origin_wildcard", covers_strangers(pattern) if pattern else _WILDCARDS
            return
        bare = bare.replace("*", "a")
    if not bare.isascii():
        yield "origin_not_ascii", "browsers send the punycode form of this host"
    elif bare != bare.lower():
        yield "origin_case", "browsers send origins in lower case, so this would never match"
    canonical = _canonical_host(bare)
    origin = parse_origin(f"http://{canonical}")
    if origin is None and not bare.startswith("["):
        yield "origin_host", f"{bare!r} is not a host name"
    elif origin is None or (origin.is_address and canonical != bare.lower()):
        yield "origin_ip", "browsers send IP addresses in their canonical form"
    elif origin.is_address and host != bare:
        yield "origin_wildcard", "an IP address has no sub-domains"


def _port_problems(scheme: str, port: str) -> Iterator[tuple[str, str]]:
    if port == "*":
        return
    if not (port.isascii() and port.isdigit()):
        yield (
            "origin_port",
            f"{port!r} is not a port: write a number, or *"
            if port
            else "the port is missing after ':'",
        )
    elif not 1 <= int(port[:6]) <= 65535:
        yield "origin_port", f"port {port} is out of range (1 to 65535)"
    elif int(port[:6]) == DEFAULT_PORTS.get(scheme):
        yield "origin_default_port", f"browsers leave out :{port}, the default port of {scheme}"
    elif port[0] == "0":
        yield "origin_port", "browsers send the port without leading zeros"


def _split_port(authority: str) -> tuple[str, str | None]:
    """Split off the port: "" if it is missing after its colon, None if there is no colon."""
    authority = _with_brackets(authority) or authority
    colon = authority.find(":", authority.find("]") + 1)  # skip the colons of an IPv6 address
    if colon == -1:
        return authority, None
    return authority[:colon], authority[colon + 1 :]


def _with_brackets(authority: str) -> str | None:
    """An IPv6 address, perhaps with a port, that was written without its brackets; or None."""
    rest, _, port = authority.rpartition(":")
    # The last number of ::1:3000 can be part of the address; four digits are probably a port.
    is_port = port in ("", "*") or (port.isdecimal() and (rest == "::1" or len(port) >= 4))
    if _is_ipv6(rest) and (is_port or not _is_ipv6(authority)):
        return f"[{rest}]:{port}"
    return f"[{authority}]" if _is_ipv6(authority) else None


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text  # no origin has a zone


def _unregexed(text: str) -> str | None:
    """The plain entry that means the same as a common regular expression.

    Never a compiled pattern: only its author can know whether it lets strangers in.
    """
    plain = text.removeprefix("^").removesuffix("$").removesuffix("/")
    plain = plain.replace("https?:", "https:")
    plain = re.sub(r"://(\(?(\.\*|\.\+|\[[^\]]*\][+*]|\\w\+)\)?\\?\.\)?)", "://*.", plain)
    plain = re.sub(r"\(?(\.\*|\.\+|\[[^\]]*\][+*]|\\[dw]\+)\)?", "*", plain)
    plain = plain.replace("\\.", ".").replace("\\-", "-").replace("\\/", "/")
    pattern = parse_pattern(plain)
    return repr(plain) if pattern and not spans_registry(pattern, whole_labels=True) else None


def _canonical_host(host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            return serialize_ipv6(ipaddress.IPv6Address(host[1:-1].lower()))
        except ValueError:
            return host.lower()
    # Not the "idna" codec: it writes some names (with a sharp s, say) as IDNA 2003 did, which
    # browsers no longer do (https://url.spec.whatwg.org/#concept-domain-to-ascii).
    labels = unicodedata.normalize("NFKC", host.lower()).replace("\u3002", ".").split(".")
    ascii_labels = [
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
        for label in labels
    ]
    return _canonical_ipv4(ascii_labels) or ".".join(ascii_labels)


def _canonical_ipv4(labels: list[str]) -> str | None:
    """https://url.spec.whatwg.org/#concept-ipv4-parser, for the spellings people type."""
    try:
        numbers = [_ipv4_number(label) for label in labels]
    except ValueError:
        return None
    *high, low = numbers
    if len(numbers) > 4 or any(part > 255 for part in high) or low >= 256 ** (5 - len(numbers)):
        return None
    value = low + sum(part << (8 * (3 - index)) for index, part in enumerate(high))
    return str(ipaddress.IPv4Address(value))


def _ipv4_number(label: str) -> int:
    if label.startswith("0x") and not label[2:14].strip("0123456789abcdef"):
        return int(label[2:14] or "0", 16)
    if len(label) > 1 and label.startswith("0") and label.isdigit():
        return int(label, 8)
    if not label.isdigit():
        raise ValueError(label)
    return int(label[:12])
