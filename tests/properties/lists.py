"""Policies to hold origins against, in the plain form that the slow definition reads."""

import re
from typing import Any


def is_customer(origin: str) -> bool:
    """An app's own code, which answers, fails, or answers with something else."""
    if "broken" in origin:
        raise LookupError(origin)
    if "vague" in origin:
        return "yes"  # type: ignore[return-value]
    return origin.endswith(".customer.test")


def is_customer_there(origin: str, request: object = None) -> bool:
    """The same, as code that could look at the request."""
    return is_customer(origin)


LISTED = """
https://shop.example https://*.shop.example http://localhost:* https://*.any-port.example:*
https://*.port.example:8443 http://192.0.2.7 http://127.0.0.1:* https://[2001:db8::1]:8080
http://[::1]:* capacitor://localhost chrome-extension://abcdefghijklmnopabcdefghijklmnop
https://xn--exmple-cua.com wss://shop.example
""".split()
INSIDE = """
https://pr-*.shop.example https://*-shop.example.org:* https://a*z.shop.example:8443
http://*.shop.example http://x*.localhost:*
""".split()
RAW = ["file://", "app://.", "wss://shop.example:443", "HTTPS://SHOP.EXAMPLE", "about://blank"]
PATTERNS = [
    re.compile(r"https://pr-\d+\.preview\.test"),
    re.compile(r"https://(a|a\.b)\.regex\.test(:\d+)?", re.IGNORECASE),
]
DENIED = ["https://old.shop.example", "https://*.evil.example", re.compile(r".*\.bad\.test")]

POLICIES: dict[str, dict[str, Any]] = {
    "nobody": {},
    "one": {"origins": "https://shop.example"},
    "listed": {"origins": LISTED, "expose_headers": ["X-Total", "X-Page"], "methods": "PUT,DELETE"},
    "credentials": {
        "origins": [LISTED[0], LISTED[1]],
        "allow_credentials": True,
        "dangerously_allow_null_origin": True,
    },
    "denied": {"origins": [*LISTED, *PATTERNS], "deny_origins": DENIED, "enforce": "all"},
    "everyone": {"origins": "*", "methods": "*", "allow_headers": ["*", "Authorization"]},
    "most": {"origins": "*", "deny_origins": DENIED, "methods": "*", "allow_headers": "*"},
    "everyone reads": {"origins": "*", "enforce": "unsafe"},
    "most read": {"origins": "*", "deny_origins": DENIED, "enforce": "unsafe", "methods": "*"},
    "null": {"origins": ["null", LISTED[0]], "dangerously_allow_null_origin": True, "methods": ()},
    "no null": {"origins": "*", "deny_origins": "null", "dangerously_allow_null_origin": True},
    "patterns": {"origins": PATTERNS, "methods": ["PUT", "PURGE"], "allow_headers": ["X-A", "x-b"]},
    "inside": {
        "origins": [*INSIDE, "moz-extension://*"],
        "deny_origins": "https://pr-0*.shop.example",
    },
    "inside, in force": {"origins": INSIDE, "enforce": "all", "methods": "PUT"},
    "raw": {"origins": LISTED[0], "raw_origins": RAW, "allow_credentials": True},
    "raw alone": {"raw_origins": RAW[:2], "enforce": "unsafe"},
    "raw beside most": {"origins": "*", "deny_origins": DENIED, "raw_origins": RAW, "methods": "*"},
    "raw beside readers": {"origins": "*", "raw_origins": RAW, "enforce": "unsafe", "methods": "*"},
    "function": {"origins": [is_customer, *LISTED[:2]], "allow_headers": ()},
    "function of headers": {
        "origins": is_customer_there,
        "origins_vary": ["X-Tenant", "x-tenant", "Sec-Fetch-Site"],
        "enforce": "all",
    },
}
