"""What is fuzzed. Every input is text, so that a seed can be written down and a finding be read.

Bytes that are no UTF-8 become lone surrogates; U+2424 stands for a line end within a value.
"""

import json
from collections.abc import Callable

from flask_corsguard import Policy
from tests.properties.checks import (
    check_fields,
    check_origin,
    check_parsing,
    check_preflight,
    check_requested_headers,
)
from tests.properties.legality import FIELDS, is_legal
from tests.properties.lists import POLICIES
from tests.properties.site import ENFORCE, site
from tests.properties.wire import check_request, environ_of

_PRESETS = [(Policy(**fields), fields) for fields in POLICIES.values()]
_LINE_END = "\u2424"


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape")
    return [line.replace(_LINE_END, "\n") for line in text.split("\n")]


def origins(data: bytes) -> None:
    """An origin; on further lines, the entries of a policy."""
    text, *entries = _lines(data)
    check_parsing(text)
    for policy, fields in _PRESETS:
        check_origin(policy, fields, text)
    for listed in ([text], entries):
        check_fields({"origins": listed})
        if is_legal({"origins": listed}):
            check_origin(Policy(origins=listed), {"origins": listed}, text)


def headers(data: bytes) -> None:
    """A method; on the next line, a header list."""
    method, requested, *_ = [*_lines(data), ""]
    check_requested_headers(requested)
    for policy, fields in _PRESETS:
        check_preflight(policy, fields, "https://shop.example", method, requested)


def policies(data: bytes) -> None:
    """JSON: the fields of a policy, or the value of any."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    for fields in [value] if isinstance(value, dict) else [{name: value} for name in FIELDS]:
        check_fields(fields)


def requests(data: bytes) -> None:
    """The value of ``enforce``, a scheme, a method and a path; then a line for each header. More
    requests may follow, each after an empty line: what is remembered of one is for no other."""
    for request in data.split(b"\n\n"):
        start, *lines = _lines(request)
        enforce, scheme, method, path, *_ = [*start.split(" ", 3), "", "", "", ""]
        headers = dict(line.partition(": ")[::2] for line in lines)
        is_known = scheme in ("http", "https", "ws", "wss")
        environ = environ_of(method, path, headers, scheme if is_known else "https")
        check_request(site(enforce if enforce in ENFORCE else "off"), environ)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (origins, headers, policies, requests)
}
