"""Header names, the token grammar, the standard's lists, and list parsing with limits."""

from __future__ import annotations

# The response headers of CORS: https://fetch.spec.whatwg.org/#http-responses
ALLOW_ORIGIN = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"
ALLOW_METHODS = "Access-Control-Allow-Methods"
ALLOW_HEADERS = "Access-Control-Allow-Headers"
EXPOSE_HEADERS = "Access-Control-Expose-Headers"
MAX_AGE = "Access-Control-Max-Age"
# https://wicg.github.io/private-network-access/#headers (withdrawn, but some browsers still ask)
ALLOW_PRIVATE_NETWORK = "Access-Control-Allow-Private-Network"
VARY = "Vary"

# https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header
SEC_FETCH_SITE = "Sec-Fetch-Site"

PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

_TCHAR_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
_TCHAR = _TCHAR_LOWER + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Bounds on what is read from the network, in characters and in names. Browsers send the names
# that a page chose; real pages stay far below both.
MAX_METHOD_LENGTH = 40
MAX_LIST_LENGTH = 4096
MAX_LIST_NAMES = 128
# Including empty elements. A recipient accepts a few of them (RFC 9110 section 5.6.1.2).
MAX_LIST_ELEMENTS = 256

# https://fetch.spec.whatwg.org/#cors-safelisted-method
SAFELISTED_METHODS = frozenset({"GET", "HEAD", "POST"})
# Methods that change nothing (RFC 9110 section 9.2.1), without TRACE, which no page can send.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# https://fetch.spec.whatwg.org/#forbidden-method
FORBIDDEN_METHODS = frozenset({"CONNECT", "TRACE", "TRACK"})
# Methods that fetch() upper-cases: https://fetch.spec.whatwg.org/#concept-method-normalize
NORMALIZED_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"})
# fetch() does not upper-case "patch", so a policy with "PATCH" does not allow it.
KNOWN_METHODS = NORMALIZED_METHODS | {"PATCH"}

# Headers that people list, in lower case. No method or host has such a name.
COMMON_HEADERS = frozenset({"authorization", "content-disposition", "content-type"})

# https://fetch.spec.whatwg.org/#forbidden-request-header: a page cannot set these, so no
# preflight ever requests them.
_FORBIDDEN_REQUEST_HEADERS = frozenset(
    [
        "accept-charset",
        "accept-encoding",
        "access-control-request-headers",
        "access-control-request-method",
        "connection",
        "content-length",
        "cookie",
        "cookie2",
        "date",
        "dnt",
        "expect",
        "host",
        "keep-alive",
        "origin",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    ]
)
# https://fetch.spec.whatwg.org/#forbidden-response-header-name
FORBIDDEN_RESPONSE_HEADERS = frozenset({"set-cookie", "set-cookie2"})


def vary_by(*names: str) -> str:
    """A ``Vary`` value that names each of *names* once, whatever its case."""
    unique: dict[str, str] = {}
    for name in names:
        unique.setdefault(name.lower(), name)
    return ", ".join(unique.values())


#: https://fetch.spec.whatwg.org/#redirect-status
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


def is_token(text: str) -> bool:
    """Whether *text* is an RFC 9110 token, the grammar of method and field names."""
    return bool(text) and not text.strip(_TCHAR)


def field_of_name(name: str) -> str:
    """The field for a well-known name: "methods" or "allow_headers"; "" for any other name."""
    if name in KNOWN_METHODS:
        return "methods"
    is_header = name.lower() in COMMON_HEADERS or name.startswith("X-")
    return "allow_headers" if is_header and "." not in name else ""


def is_forbidden_request_header(lower_name: str) -> bool:
    """Whether browsers keep pages from setting a request header (its name in lower case)."""
    return lower_name in _FORBIDDEN_REQUEST_HEADERS or lower_name.startswith(("proxy-", "sec-"))


def parse_requested_headers(value: str) -> tuple[str, ...] | None:
    """Read an ``Access-Control-Request-Headers`` value.

    Several field lines arrive joined by commas. Any case, any order, white space around the
    names and empty elements are accepted (RFC 9110 section 5.6.1.2).

    :param value: the field value, at most :data:`MAX_LIST_LENGTH` characters.
    :returns: the names in lower case, in order, or None if the value breaks the grammar or
        a limit. The size is checked before anything is read.
    """
    if len(value) > MAX_LIST_LENGTH or not value.isascii():
        return None
    line = value.lower().replace("\t", " ")
    elements = line.split(",")
    if len(elements) > MAX_LIST_ELEMENTS or not line.isprintable():
        return None
    # The space is the only white space that is printable ASCII: strip() removes nothing else.
    names = tuple(name for element in elements if (name := element.strip()))
    if len(names) > MAX_LIST_NAMES:
        return None
    # All names at once: a name is valid if each of its characters is.
    return None if "".join(names).encode().translate(None, _TCHAR_LOWER.encode()) else names
