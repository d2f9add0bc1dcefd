"""What the fuzzers start from, and the words that they may put in."""

import itertools
import json

from tests.properties.legality import FIELDS
from tests.properties.lists import LISTED
from tests.properties.site import ENFORCE, site
from tests.properties.strategies import (
    DANGEROUS,
    HOSTS,
    METHODS,
    NAMES,
    PIECES,
    PORTS,
    SCHEMES,
    SERIALIZED,
    SLIPS,
)
from tests.protocol.test_corpus import CASES

_ORIGINS = [
    *(origin for origin, _ in CASES),
    *SERIALIZED,
    *(slip(text) for slip in SLIPS for text in SERIALIZED[:4]),
    *(f"http://{host}" for host in HOSTS),
    *(f"https://shop.example{port}" for port in PORTS),
    # Around the limits: 63 characters for a label, 253 for a name, 320 for an origin
    *("https://" + "a" * length + ".example" for length in (63, 64)),
    *("https://" + "a." * 123 + "a" * length for length in (6, 7, 8)),
    *("a" * length + "://" + "a." * 123 + "a" * 7 for length in (64, 65, 66)),
]
_LISTS = ["", "x-trace", "X-Trace,\tx-a ,,", ",".join(["a"] * 129), "a" * 4097, *NAMES]
_VALUES: list[object] = [
    {"origins": "*", "allow_credentials": True},
    {"origins": ["null", "http://a.example"], "dangerously_allow_null_origin": True},
    {"origins": ["https://*.github.io", *LISTED], "enforce": "all", "answer_preflight": False},
    {"origins": "*", "deny_origins": "https://a.example", "allow_private_network": True},
    {"methods": ["PUT", "get", "*"], "max_age": 86401},
    {"allow_headers": ["*", "Authorization"], "expose_headers": "X-A, Set-Cookie"},
    *({"origins": [entry], "allow_credentials": True} for entry in DANGEROUS),
    *({"origins": [entry], "enforce": "unsafe"} for entry in DANGEROUS),
    *({"methods": [method]} for method in METHODS),
    *({field: [name]} for field in ("allow_headers", "expose_headers") for name in NAMES),
    *[None, True, 0, 600, -1, 1.5, "", "*", "off", "X-A, x-a", [], [""], ["*", "*"], [[]], {}],
]


def _written(*lines: str) -> bytes:
    text = "\n".join(line.replace("\n", "\u2424") for line in lines)
    return text.encode("utf-8", "surrogatepass")


_ASKING = [
    *(f"ORIGIN: {scheme}://api.test" for scheme in ("http", "https")),
    *(f"ORIGIN: {origin}" for origin in ("https://shop.example", "https://evil.test", "null")),
]
_REQUESTED = [
    ["ACCESS_CONTROL_REQUEST_METHOD: GET", "ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK: true"],
    ["ACCESS_CONTROL_REQUEST_METHOD: GET"],
    ["ACCESS_CONTROL_REQUEST_METHOD: PUT", "ACCESS_CONTROL_REQUEST_HEADERS: content-type"],
    ["ACCESS_CONTROL_REQUEST_METHOD: PUT", "ACCESS_CONTROL_REQUEST_HEADERS: content-none"],
    ["ACCESS_CONTROL_REQUEST_METHOD: put", "ACCESS_CONTROL_REQUEST_HEADERS: x-a, x-b"],
]
_LOOKED_AT = [
    *(f"SEC_FETCH_SITE: {site}" for site in ("same-origin", "none", "same-site", "cross-site")),
    *("UPGRADE: websocket", "UPGRADE: h2c", "ACCEPT: text/html", "HOST: api.test", "HOST: a b"),
]


def _requests() -> list[bytes]:
    found: list[bytes] = []
    for path, asking in itertools.product(sorted(site("off").table), _ASKING):
        found.append(_written(f"all https POST {path}", asking))
        found += [_written(f"off https OPTIONS {path}", asking, *lines) for lines in _REQUESTED]
    starts = itertools.product(ENFORCE, ("http", "https"), ("GET", "PUT"), ["/plain"])
    for start, asking in itertools.product(map(" ".join, starts), _ASKING):
        found += [_written(start, asking, line) for line in _LOOKED_AT]
    return [*found, *(b"\n\n".join(found[start : start + 3]) for start in range(0, len(found), 9))]


SEEDS: dict[str, list[bytes]] = {
    "origins": [_written(text, *LISTED[:3]) for text in _ORIGINS],
    "headers": [
        *(_written(method, "x-trace") for method in METHODS),
        *(_written("PUT", requested) for requested in _LISTS),
    ],
    "policies": [json.dumps(value).encode() for value in _VALUES],
    "requests": _requests(),
}


def dictionary() -> str:
    """The words, in the form of libFuzzer."""
    texts = (PIECES, HOSTS, PORTS, SCHEMES, METHODS, NAMES, LISTED, DANGEROUS, FIELDS)
    together = itertools.chain(*texts, _ASKING, *_REQUESTED, _LOOKED_AT)
    words = {_written(word) for word in together if word}
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in sorted(words))
    return "".join(f'"{word}"\n' for word in escaped if len(word) <= 4 * 64)
