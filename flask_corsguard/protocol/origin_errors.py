"""What is wrong with an origin string in a policy, and the string that was meant.

Runs at startup, on configuration, never on text from the network.
"""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import TypeAlias

from flask_corsguard.protocol.headers import field_of_name
from flask_corsguard.protocol.lists import is_unreplaced, unset_part
from flask_corsguard.protocol.origins import (
    DEFAULT_PORTS,
    MISSPELT_SCHEMES,
    OPAQUE_SCHEMES,
    STORES,
    OriginPattern,
    is_scheme,
    parse_origin,
    parse_pattern,
    serialize_ipv6,
)
from flask_corsguard.protocol.publicsuffix import is_public_suffix, is_registry_suffix, suffix_below

_SEPARATORS = re.compile(r"[|;\s]+")
_QUOTES = "'\"`\u2018\u2019\u201c\u201d"
# A space that stands beside a dot or a colon, which is not the end of an origin.
_STRAY_SPACE = re.compile(r"\s+(?=[.:])|(?:(?<=[.:])|(?<=://))\s+(?!\S*://)")
# ORIGINS=https://example.com
_NAMED = re.compile(r"\w+\s*=\s*(?=['\"]?[\w*]+://)")
_COMMENT = re.compile(r"\s+#.*")
# https://http://example.com
_SCHEME_TWICE = re.compile(r"(?:https?|wss?)://(?=(?:https?|wss?)://)", re.IGNORECASE)
# A pattern, or a wildcard, for both http and https.
_ANY_SCHEME = re.compile(r"(?:\*|http\*|https\?|http\(s\)\??)://")
# 192.168.0.0/24
_NETWORK = re.compile(r"(\w+://)?([0-9]+\.[0-9.]+)/([0-9]{1,2})")
_FILE = re.compile(r"(?:[.~]{1,2}|[\w-]*)(?:/[\w.-]+)*\.(?:conf|csv|ini|json|toml|txt|ya?ml)")
# {a,b}, (a|b), (?:a|b) or (a)?
_CHOICE = re.compile(r"(?:\{|\((?:\?:)?)([\w.:-]+(?:[,|][\w.:-]+)*)[})](\??)(?![*+{])")
_PORTS = re.compile(r":([0-9]{1,5})-([0-9]{1,5})/?$")
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
_SERVE_FILES = "; serve them over http instead, with 'python -m http.server'"
# No more origins are listed for a choice or a range of ports.
_MOST_LISTED = 20
# With more wildcards in one label, a pattern would be slow.
_MOST_STARS = 3
Diagnosis: TypeAlias = tuple[list[tuple[str, str]], str | None]
# Signs of a regular expression, which no origin has. Not "[", "?", "+" or "." alone: they are more
# probably from an IPv6 address, a query or a scheme.
_REGEX_SIGNS = re.compile(r"[\^$\\(){}]|(?<![A-Za-z0-9*])\.[*+]|\[[^\[\]]*-|https\?:")


def diagnose(text: str) -> Diagnosis:
    """Find out why *text* cannot be an entry of ``origins``.

    :returns: pairs of (code, sentence), at least one, and the corrected entry as Python source, or
        None if no correction is certain.
    """
    if not text:
        return [("origin_empty", "an origin cannot be empty")], None
    bare = text.strip(_QUOTES)
    if bare.startswith("<") and "://" in bare:
        bare = bare.strip("<>")
    special = _of_word(bare) or _mistyped(text, bare) or _of_no_page(text)
    if special:
        return special
    several, sentence = _several(text)
    if several:
        repaired = [repair(part) for part in several]
        return [("origin_separator", sentence)], _source_of(repaired)
    if _REGEX_SIGNS.search(text):
        sentence = "a plain string is never a regular expression; re.compile(...) is one"
        return [("origin_regex", sentence)], _unregexed(text) or _as_pattern(text)
    problems = list(dict.fromkeys(_problems(text)))
    if not problems:
        problems = [("origin_invalid", "this is not scheme://host[:port]")]
    repaired_text = repair(text)
    suggestion = _as_pattern(text) or _each_port(text) or (repaired_text and repr(repaired_text))
    if suggestion is None:
        no_string = ("origin_wildcard", f"{_WILDCARDS}; list the hosts")
        problems = [no_string if words == _WILDCARDS else (code, words) for code, words in problems]
    return problems, suggestion


def _source_of(origins: list[str | None]) -> str | None:
    if not all(origins):
        return None
    return json.dumps(origins) if len(origins) > 1 else repr(origins[0])


def _mistyped(text: str, bare: str) -> Diagnosis | None:
    """The diagnosis of a character too many, or of a scheme too many.

    :param bare: the text without quotes around it.
    """
    hidden = next((each for each in text if not (each.isprintable() or each.isspace())), None)
    joined = _STRAY_SPACE.sub("", text)
    if hidden:
        sentence = f"there is an invisible character in it (U+{ord(hidden):04X})"
        problem = ("origin_invalid", sentence)
        meant = "".join(filter(str.isprintable, text)).strip(_QUOTES)
    elif bare != text:
        problem, meant = ("origin_quotes", "an origin has no quotes"), bare
    elif _NAMED.match(text):
        problem = ("origin_invalid", "its name is there again")
        meant = _NAMED.sub("", text).strip(_QUOTES)
    elif _COMMENT.search(text):
        problem = ("origin_fragment", "the comment is part of the value")
        meant = _COMMENT.sub("", text)
    elif _SCHEME_TWICE.match(text):
        problem = ("origin_scheme", "the scheme is there twice")
        meant = _SCHEME_TWICE.sub("", text)
    elif joined != text and not re.search(r"\s", joined):
        problem, meant = ("origin_separator", "there is a space in it"), joined
    else:
        return None
    fixed = meant if meant == "*" else repair(meant)
    return [problem], fixed and repr(fixed)


def _of_word(bare: str) -> Diagnosis | None:
    """The diagnosis of a word that stands for origins, that belongs in another field, or that a
    variable has left behind."""
    unset = unset_part(bare)
    if bare.casefold() == "null":
        sentence = "the opaque origin is 'null' in lower case, and any site can send it"
        return [("origin_case", sentence)], None
    if unset and bare != "None":
        sentence = f"a variable is unset: {unset!r} stands in its place"
        if is_unreplaced(bare):
            sentence = "this is a variable that was never replaced by its value"
        return [("origin_invalid", sentence)], None
    sentence, correction = _WORDS.get(bare.lower(), ("", None))
    field = field_of_name(bare)
    if field:
        kind = "a method" if field == "methods" else "a header"
        sentence = f"this is {kind}, which belongs in {field}"
    return ([("origin_no_scheme", sentence)], correction) if sentence else None


def _of_no_page(text: str) -> Diagnosis | None:
    """The diagnosis of a file, of a database or of a range of addresses."""
    if _FILE.fullmatch(text):
        sentence = "this is a file, which a source reads"
        return [("origin_no_scheme", sentence)], f"FileOrigins({text!r})"
    scheme = text.partition("://")[0].partition("+")[0].lower()
    if scheme in STORES and "://" in text:
        # Not the URL, which can have a password.
        sentence = "this is a database, which a source reads"
        return [("origin_invalid", sentence)], STORES[scheme].format("url")
    network = _NETWORK.fullmatch(text)
    if network and not network[1]:
        sentence = (
            "an origin says where a page is from, not from which network somebody asks: leave that"
            " to the server or a proxy"
        )
        return [("origin_no_scheme", sentence)], None
    if network:
        kept, rest = divmod(int(network[3]), 8)
        labels = network[2].split(".")[:kept]
        pattern = None if rest or not kept else _as_pattern(f"{network[1]}{'.'.join(labels)}.*")
        return [("origin_path", "a range of addresses can be allowed only by a pattern")], pattern
    return None


def _each_port(text: str) -> str | None:
    """The origins for a range of ports, such as ``3000-3003``, as source; or None."""
    found = _PORTS.search(text)
    ports = range(int(found[1]), int(found[2]) + 1) if found else ()
    if not found or not 1 < len(ports) <= _MOST_LISTED:
        return None
    return _source_of([repair(f"{text[: found.start()]}:{port}") for port in ports])


def _choices(text: str) -> list[str]:
    """The strings that ``{a,b}``, ``(a|b)`` and ``(a)?`` stand for."""
    found = _CHOICE.search(text)
    if not found:
        return [text]
    parts = re.split("[,|]", found[1]) + ([""] if found[2] else [])
    before, after = text[: found.start()], text[found.end() :]
    texts: list[str] = []
    for part in parts:
        if len(texts) <= _MOST_LISTED:
            texts += _choices(before + part + after)
    return texts


def _several(text: str) -> tuple[list[str], str]:
    """The origins in a string that has several, and a sentence about that; otherwise none."""
    parts = [] if _BROKEN_SCHEME.match(text) else [part for part in _SEPARATORS.split(text) if part]
    if parts not in ([], [text]) and all(
        "://" in part or parse_pattern(repair(part) or "") for part in parts
    ):
        return parts, "these are several origins in one string: list them"
    glued = _GLUED.split(text)
    if len(glued) > 1:
        return glued, "two origins in one string: the comma between them is missing"
    return [], ""


def repair(text: str) -> str | None:
    """The entry that *text* was probably meant to be, or None."""
    text = _ANY_SCHEME.sub("//", _BROKEN_SCHEME.sub(r"\1://", text.strip()))
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
            f"{_SERVE_FILES * (scheme.lower() == 'file')}"
        )
        yield "origin_scheme", sentence
        return
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
    """The plain entries, as source, for the regular expressions that people write most; otherwise
    the pattern itself, if strangers cannot have what it matches."""
    text = text.lstrip("~^").removesuffix("$").removesuffix("/").replace("\\/", "/")
    is_local = "//localhost" in text or "//127." in text
    text = _ANY_SCHEME.sub("http://" if is_local else "https://", text)
    plain = re.sub(r"://\(?\.[*+]\\?\.\)?", "://*.", text)
    plain = re.sub(r"(?:\((?:\?:)?)?:(?:\\d|\[0-9\])[+*](?:\)\??)?$", ":*", plain)
    plain = re.sub(r"\(?\.[*+]\)?|(?<=[\w-])\[a-z0-9-\]\+", "*", plain)
    entries = _choices(plain.replace("\\.", ".").replace("\\-", "-"))
    patterns = [*map(parse_pattern, entries)]
    if len(entries) <= _MOST_LISTED and all(
        pattern and not spans_registry(pattern, whole_labels=True) for pattern in patterns
    ):
        return _source_of([*entries])
    source = re.sub(r"(?<!\\)\.(?![*+?{])", r"\.", text)
    tail = re.search(r"(?<!\\)([a-z0-9-]*(?:\\\.[a-z0-9-]+)+)(?::[0-9]{1,5})?$", source)
    label, _, host = tail[1].replace("\\.", ".").partition(".") if tail else ("", "", "")
    is_shared = is_registry_suffix(host) if label else is_public_suffix(host) or suffix_below(host)
    if (
        not re.match(r"[a-z]+://", source)
        or re.search(r"\.[*+]|\"|\{[^0-9]", source)
        or "|" in re.sub(r"\([^()]*\)", "", source)
        or not host
        or is_shared
    ):
        return None
    try:
        re.compile(source)
    except (re.error, RecursionError, OverflowError):
        return None
    return f're.compile(r"{source}")'


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
