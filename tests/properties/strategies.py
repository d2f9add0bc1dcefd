"""Inputs that nearly fit: what is allowed, and what is one slip away from it."""

import datetime
import enum
import functools
import json
import re
from collections.abc import Callable
from operator import methodcaller
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.properties.legality import FIELDS
from tests.properties.lists import INSIDE, LISTED, POLICIES, RAW, is_customer
from tests.properties.standard import serialize_ipv6

SERIALIZED = [
    *(entry.replace("*.", "a.b.").replace(":*", ":3000") for entry in LISTED),
    *"https://shop.example:8443 http://localhost https://a.any-port.example null".split(),
    *"https://old.shop.example https://a.evil.example https://x.bad.test".split(),
    *"https://pr-12.preview.test https://a.b.regex.test:9 https://a.customer.test".split(),
    *"https://pr-1.shop.example https://pr-01.shop.example https://a-b-shop.example.org:9".split(),
    *"https://a1z.shop.example:8443 http://x-1.localhost moz-extension://a1b2".split(),
    *RAW,
    *"https://broken.customer.test https://vague.customer.test".split(),
]

PIECES = [
    *'.-_aA0*@/\\?#%[]:,;`$!~|" \t\n\r\0\x0b\x1f\x7f\x80\xa0\xad\xff',
    *".. :443 :80 :8443 :0 :1 :65535 :65536 :* :08443 :+1 127.1 0177.0.0.1 2130706433".split(),
    *".example .evil.test evil. www. *. -evil xn-- xn--a null 0x7f.1 1.1.1.1 [::1]".split(),
    *"user@ user:pw@ @evil.test :// https:// \\@ %00 %2e %0d%0a /path ?q #f".split(),
    *(", https://evil.test", ",https://shop.example", " https://shop.example", "\r\nX: 1"),
    # Dots, letters, digits and spaces of Unicode that something might fold into ASCII ones
    *"\u3002\uff0e\u2024\u2147\u0130\u0131\u017f\u212a\uff41\u0430\xdf\u0663\u00b2\u200b\u2028",
    *"\u3000\ud800\udcff\U0001d41a",
    *("a" * 63 + ".", "a" * 64 + "."),
]
HOSTS = """
localhost shop.example a_b.shop.example 1a.example a.1 a.0x a.0x1g 0x 1 1.2.3 1.2.3.4 01.2.3.4
1.2.3.256 1.2.3.4.5 1.2.3.4. 0.0.0.0 255.255.255.255 0x7f.0.0.1 1.2.3.0x4 1.2.3.08 1..2 .a a. a..b
-a a- a.-b * xn--exmple-cua.com [::] [::1] [1::] [::ffff:1.2.3.4] [::ffff:102:304] [::1.2.3.4]
[2001:db8::1] [2001:DB8::1] [2001:0db8::1] [2001:db8:0:0:0:0:0:1] [2001:db8:0:1:1:1:1:1]
[2001:db8::1:1:1:1:1] [0:0:1::] [1:0:0:1:0:0:0:1] [1::1:0:0:0:1] [fe80::1%eth0] [fe80::1%25eth0]
[::1 ::1 [] [:] [:::] [1:2:3:4:5:6:7:8:9] [v1.a] [::1]a
""".split()
SCHEMES = "https http ws wss ftp file capacitor a+b-c.1 data 1a HTTPS".split()
PORTS = ["", *": :80 :443 :21 :8080 :1 :0 :65535 :65536 :080 :* :8a".split()]

_T = TypeVar("_T")


@st.composite
def mostly(draw: st.DrawFn, likely: st.SearchStrategy[_T], other: st.SearchStrategy[_T]) -> _T:
    """Two of three times the one."""
    return draw(likely if draw(st.sampled_from((True, True, False))) else other)


# What attackers and other software make of an origin
SLIPS: list[Callable[[str], str]] = [
    str.upper,
    str.title,
    *(methodcaller("__add__", end) for end in ". / :443 :80 :8443 .evil.test @evil.test".split()),
    *(methodcaller("replace", "://", slip) for slip in "://user@ ://evil ://evil.".split()),
    methodcaller("replace", "://a.b.", "://"),
    methodcaller("replace", "https://", "http://"),
    methodcaller("replace", "shop", "old.shop"),
    lambda text: text.replace(".", "x", 1),
    lambda text: text.replace("o", "\uff4f", 1),
    lambda text: f" {text}",
    lambda text: f"{text}\n",
    lambda text: f"{text}, {text}",
    lambda text: f"https://evil.test, {text}",
    lambda text: f"https://evil.test/{text}",
    lambda text: text.partition("://")[2],
]
_EDITS: list[Callable[[str, int, str], str]] = [
    lambda text, at, piece: text + piece,
    lambda text, at, piece: piece + text,
    lambda text, at, piece: text[:at] + piece + text[at:],
    lambda text, at, piece: text[:at] + piece + text[at + 1 :],
    lambda text, at, piece: text[:at] + text[at + 1 :],
    lambda text, at, piece: text[:at] + text[at : at + 1].swapcase() + text[at + 1 :],
    lambda text, at, piece: text[:at],
    lambda text, at, piece: text[at:],
    lambda text, at, piece: text.replace("://", f"://{piece}", 1),
    lambda text, at, piece: text.replace("://", f"://{piece}.", 1),
    lambda text, at, piece: text.replace(".", piece, 1),
    lambda text, at, piece: text.partition("://")[0] + "://" + piece,
]


@st.composite
def near_misses(draw: st.DrawFn, texts: list[str] = SERIALIZED) -> str:
    """One of *texts*, or what one or two slips make of it."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2)))):
        if draw(st.booleans()):
            text = draw(st.sampled_from(SLIPS))(text)
        else:
            edit = draw(st.sampled_from(_EDITS))
            text = edit(text, draw(st.integers(0, len(text))), draw(st.sampled_from(PIECES)))
    return text


@st.composite
def built(draw: st.DrawFn) -> str:
    """A scheme, a host and a port, each of which may be odd."""
    host = draw(st.sampled_from(HOSTS) | ipv6_texts() | dotted_numbers())
    return f"{draw(st.sampled_from(SCHEMES))}://{host}{draw(st.sampled_from(PORTS))}"


@st.composite
def ipv6_texts(draw: st.DrawFn) -> str:
    """An IPv6 address as browsers write it, or in another of its forms."""
    piece = st.sampled_from([0, 0, 0, 1, 0xDB8, 0xFFFF]) | st.integers(0, 0xFFFF)
    pieces = draw(st.lists(piece, min_size=8, max_size=8))
    text = serialize_ipv6(pieces)
    forms = "serialized serialized full upper long dotted other".split()
    form = draw(st.sampled_from(forms))
    if form == "full":
        text = ":".join(f"{piece:x}" for piece in pieces)
    elif form == "upper":
        text = text.upper()
    elif form == "long":
        text = ":".join(f"{piece:04x}" for piece in pieces)
    elif form == "dotted":
        high, low = pieces[6], pieces[7]
        dotted = f"{high >> 8}.{high & 255}.{low >> 8}.{low & 255}"
        text = serialize_ipv6([*pieces[:6], 1, 1]).removesuffix("1:1") + dotted
    elif form == "other":
        start = draw(st.integers(0, 7))
        shown = [f"{piece:x}" for piece in pieces]
        text = ":".join(shown[:start]) + "::" + ":".join(shown[start + 2 :])
    return f"[{text}]"


@st.composite
def dotted_numbers(draw: st.DrawFn) -> str:
    """An IPv4 address in one of the forms that a URL may have it in."""
    number = st.sampled_from([0, 1, 127, 255, 256]) | st.integers(0, 300)
    form = st.sampled_from(("{}", "{}", "{}", "0x{:x}", "0{:o}", "0{}"))
    count = draw(st.sampled_from((4, 4, 4, 1, 2, 3, 5)))
    return ".".join(draw(form).format(draw(number)) for _ in range(count))


@st.composite
def long_origins(draw: st.DrawFn) -> str:
    """Around the limits: 63 characters for a label, 253 for a name, 320 for an origin."""
    parent = draw(st.sampled_from(("shop.example", "any-port.example", "unknown.example")))
    length = draw(st.sampled_from((252, 253, 254)) | st.integers(200, 330))
    label = draw(st.sampled_from((1, 10, 63, 63, 64)))
    host = parent
    while len(host) < length:
        room = min(label, length - len(host) - 1)
        host = "a" * max(room, 1) + "." + host
    scheme = draw(st.sampled_from(("https", "capacitor", "a" * 60, "a" * 64, "a" * 66)))
    text = f"{scheme}://{host}{draw(st.sampled_from(PORTS))}"
    wanted = draw(st.sampled_from((len(text), 319, 320, 321)))
    return text if len(text) > wanted else "a" * (wanted - len(text)) + text


def origins() -> st.SearchStrategy[str]:
    """What may stand in ``Origin``."""
    return mostly(near_misses(), built() | long_origins() | st.text(max_size=40))


def asked() -> tuple[st.SearchStrategy[Any], ...]:
    """The fields of a policy, and what a preflight asks of it: origin, method, headers."""
    policies = st.sampled_from(list(POLICIES.values()))
    asking = mostly(st.sampled_from(SERIALIZED), origins())
    return policies, asking, methods(), header_lists()


# Entries that are dangerous together with other fields, or that are none
DANGEROUS = """
* null https://*.github.io https://*.com https://*.example https://*.a.com:* http://shop.example
ws://shop.example https://*.amazonaws.com http://*.localhost http://localhost.test http://127.8.8.8 http://127.evil.test
http://128.0.0.1 http://[::2] http://[::1] https://*.192.0.2.7 https://*.[::1]
https://*.co.uk:8443 file://localhost https://shop-*.co.uk https://*example.com
https://my-*.vercel.app https://x-*.amazonaws.com http://a-*.shop.example ws://a*.localhost
moz-extension://* https://pr-*.shop.example
""".split()


def entry_texts() -> st.SearchStrategy[str]:
    """Strings that may stand in a list of origins."""
    return (
        near_misses([*LISTED, *INSIDE, *SERIALIZED, *DANGEROUS])
        | st.sampled_from(DANGEROUS)
        | built()
    )


NAMES = [
    *"X-Trace x-trace X-A Content-Type Authorization authorization Accept * Cookie Host".split(),
    *"Sec-A Proxy-A Set-Cookie ETag Vary Range X:A Access-Control-Allow-Origin".split(),
    *"Access-Control-Request-Method !#$%&'*+-.^_`|~ \" \xe4 \u212aelvin x-\u0130 (x)".split(),
    *"X-* X-.+ ^X-A X-A$ $X %X% X|Y 'X' `X ' | $ ^ .+".split(),
    *("x\r\nX: 1", "x\0", "X A", ""),
]
_LIKELY_METHODS = "GET HEAD POST PUT DELETE PATCH PURGE get put Delete patch".split()
METHODS = [
    *_LIKELY_METHODS,
    *"OPTIONS TRACE trace CONNECT TRACK * \uff30UT \u017fearch GET,PUT get* \ud800 \xff".split(),
    *("", "A B", "PUT\r\n", "A" * 40, "A" * 41, "A" * 5000),
]


def methods() -> st.SearchStrategy[str]:
    """What may be requested as a method."""
    return mostly(st.sampled_from(_LIKELY_METHODS), st.sampled_from(METHODS) | st.text(max_size=10))


_LIKELY_NAMES = "X-Trace x-trace X-A x-b content-type authorization !#$%&'*+-.^_`|~".split()


@st.composite
def header_lists(draw: st.DrawFn) -> str:
    """What may stand in ``Access-Control-Request-Headers``."""
    name = st.sampled_from(_LIKELY_NAMES)
    separator = st.sampled_from((",", ", ", ",,", " , ", "\t,", ",\t "))
    if draw(st.sampled_from((True, False, False))):
        name |= st.sampled_from(NAMES) | st.text(max_size=5)
        separator |= st.sampled_from((" ", ";", "\n", ",\xa0", "\x0b,", "/"))
    names = draw(st.lists(name, max_size=5))
    text = "".join(part for name in names for part in (name, draw(separator)))
    if draw(st.booleans()):
        text = text.rstrip(", ")
    many = st.sampled_from((43, 65, 128, 129, 129, 700))
    text = ",".join([text] * (draw(many) if draw(st.sampled_from((True, False, False))) else 1))
    limit = draw(st.sampled_from((0, 0, 0, 4095, 4096, 4097)))
    return (text + "," + "x" * limit)[:limit] if limit else text


# Values of policy fields

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def _strings(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    lists = st.lists(text, max_size=4)
    return text | lists | lists.map(", ".join) | lists.map(json.dumps) | lists.map(str)


_LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "origins": _strings(entry_texts()) | st.just("*"),
    "deny_origins": _strings(entry_texts()),
    "raw_origins": _strings(near_misses([*RAW, *LISTED, "HTTP://A.EXAMPLE:80", "ws://a:80"])),
    "methods": _strings(st.sampled_from(METHODS)) | st.none(),
    "allow_headers": _strings(st.sampled_from(NAMES)),
    "expose_headers": _strings(st.sampled_from(NAMES)),
    "origins_vary": _strings(st.sampled_from(NAMES)),
    "max_age": st.none() | st.integers(-1, 90_000) | st.sampled_from((86400, 86401, "600", 1.0)),
    "enforce": st.sampled_from(("off", "report", "unsafe", "all", "ALL", "", None)),
}


# The fields that are checked together with the origins
_TOGETHER = """
allow_credentials enforce expose_headers dangerously_allow_null_origin
dangerously_allow_insecure_origins dangerously_allow_public_suffixes raw_origins
""".split()


def fields(any_value: st.SearchStrategy[Any] = JSON) -> st.SearchStrategy[dict[str, Any]]:
    """Fields of a policy: mostly with values of the right kind, that may be wrong all the same."""

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        values: dict[str, Any] = {}
        chosen = st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=5)
        if draw(st.booleans()):
            values["origins"] = draw(st.lists(st.sampled_from(DANGEROUS), max_size=2))
            chosen = st.lists(st.sampled_from(_TOGETHER), unique=True, max_size=3)
        odd = draw(st.sampled_from((False, False, False, True)))
        for name in draw(chosen):
            likely = _LIKELY.get(name, st.booleans())
            values[name] = draw(any_value if odd and draw(st.booleans()) else likely)
        if odd and draw(st.booleans()):
            values[draw(st.text(min_size=1, max_size=10))] = draw(any_value)
        return values

    return build()


# Any Python values


class Mute:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class Word(str, enum.Enum):  # noqa: UP042  (a str that is written otherwise)
    ALL = "all"
    STAR = "*"
    SHOP = "https://shop.example"


class Number(int, enum.Enum):
    HOUR = 3600


class Text(str):
    def __repr__(self) -> str:
        return "a text"

    __str__ = __repr__


class Callable1:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, origin: str) -> bool:
        return True


async def answer_later(origin: str) -> bool:
    return True


def with_request(origin: str, request: object) -> bool:
    return True


PYTHON: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        JSON
        | st.binary(max_size=5)
        | st.timedeltas()
        | st.decimals()
        | st.fractions()
        | st.complex_numbers()
        | st.from_regex(r"[a-z(){}*+?.\\]{0,9}", fullmatch=True).map(_compiled)
        | st.builds(re.compile, st.just(b"x"))
        | st.sampled_from(
            [
                *(Mute(), Mute, Word, *Word, Number.HOUR, Text("x"), Text(LISTED[0]), Callable1()),
                *(is_customer, with_request, answer_later, len, print, str, bool, object()),
                *(functools.partial(with_request, request=1), functools.partial(with_request)),
                *(lambda: True, lambda *_: True, lambda **_: True, lambda origin, *, x: x),
                *(NotImplemented, ..., range(3), memoryview(b"x"), datetime.timedelta(hours=1)),
                *(10**5000, float("nan"), -0.0, re, type, BaseException("x"), "x" * 100_000),
                dict.get,
            ]
        )
        | st.lists(PYTHON, max_size=3).map(tuple)
        | st.lists(PYTHON, max_size=3).map(iter)
        | st.lists(PYTHON, max_size=3)
        | st.frozensets(st.sampled_from(LISTED), max_size=3)
    )
)


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.ASCII | re.VERBOSE)
    except (re.error, OverflowError):
        return re.compile(re.escape(text))
