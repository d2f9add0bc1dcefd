"""What a policy means, written out slowly from the reference, over its fields as they were given.

The guard's own form of a policy is not used: only ``Outcome`` and ``Reason`` name
the answers.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask_corsguard import Outcome, Reason
from tests.properties import standard

Fields = Mapping[str, Any]

# docs/reference/wire.md, "Limits"
LONGEST_ORIGIN = 320
LONGEST_METHOD = 40
LONGEST_LIST = 4096
MOST_NAMES = 128
# A longer one may be anything, so it is taken for the worst.
LONGEST_UPGRADE = 100
MOST_ELEMENTS = 256

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


@functools.lru_cache(1024)
def read_origin(text: str) -> standard.Parts | None:
    """A serialized origin as the guard should read it: what a browser can write, as far as its host
    is one that the name system knows (RFC 1123 section 2.1, and the underscore), on a port that
    pages are loaded from, within the limit."""
    parts = standard.read_origin(text) if len(text) <= LONGEST_ORIGIN else None
    if parts is None or parts.port == 0:
        return None
    host = parts.host
    is_name = not isinstance(host, str) or (len(host) <= 253 and _HOST_NAME.fullmatch(host))
    return parts if is_name else None


def entries(value: object) -> list[Any]:
    """The entries of a list of origins: strings are split at commas."""
    if isinstance(value, (list, tuple)):
        return [entry for item in value for entry in entries(item)]
    if not isinstance(value, str):
        return [value]
    if "," not in value:
        return [value.strip()]
    return [part.strip() for part in value.split(",") if part.strip()]


def names(value: object) -> list[str]:
    """Names in a list of methods or headers. An empty string is an empty list."""
    return [name for name in entries(value) if name]


def is_constant(fields: Fields) -> bool:
    """Whether everybody may, whatever ``Origin`` says."""
    return _is_everyone(fields) and not entries(fields.get("deny_origins", ()))


def _is_everyone(fields: Fields) -> bool:
    return set(entries(fields.get("origins", ()))) == {"*"}


def admits(entry: object, text: str) -> bool:
    """Whether one string or pattern covers an origin that is well-formed."""
    if isinstance(entry, re.Pattern):
        return entry.fullmatch(text) is not None
    assert isinstance(entry, str)
    asked = read_origin(text)
    known = standard.read_origin(entry.replace("://*.", "://").removesuffix(":*"))
    if asked is None or known is None or asked.scheme != known.scheme:
        return False
    if not entry.endswith(":*") and asked.port != known.port:
        return False
    if "://*." not in entry:
        return asked.host == known.host
    hosts = (asked.host, known.host)
    return all(isinstance(host, str) for host in hosts) and str(hosts[0]).endswith(f".{hosts[1]}")


def against_origin(fields: Fields, text: str) -> Reason | None:
    """Why an origin may not read, or None if it may."""
    if is_constant(fields):
        return None
    allowed, denied = entries(fields.get("origins", ())), entries(fields.get("deny_origins", ()))
    if text == "null":
        return _against_null(fields, allowed, denied)
    if read_origin(text) is None:
        return Reason.ORIGIN_MALFORMED
    if any(admits(entry, text) for entry in denied):
        return Reason.ORIGIN_DENIED
    if _is_everyone(fields) or any(admits(e, text) for e in allowed if not callable(e)):
        return None
    return _against_by_function(next(filter(callable, allowed), None), text)


def _against_null(fields: Fields, allowed: list[Any], denied: list[Any]) -> Reason | None:
    if "null" in denied:
        return Reason.ORIGIN_DENIED
    named = "null" in allowed or _is_everyone(fields)
    may = named and fields.get("dangerously_allow_null_origin", False)
    return None if may else Reason.ORIGIN_NULL


def _against_by_function(function: Callable[[str], object] | None, text: str) -> Reason | None:
    try:
        answer = function is not None and function(text)
    except Exception:
        return Reason.ORIGIN_CHECK_FAILED
    if not isinstance(answer, bool):
        return Reason.ORIGIN_CHECK_FAILED
    return None if answer else Reason.ORIGIN_NOT_ALLOWED


def read_requested_headers(value: str) -> list[str] | None:
    """The names in ``Access-Control-Request-Headers``, or None if it cannot be accepted."""
    found = standard.read_tokens(value) if len(value) <= LONGEST_LIST else None
    if found is None or len(found) > MOST_NAMES or value.count(",") >= MOST_ELEMENTS:
        return None
    return [name.lower() for name in found]


def against_preflight(
    fields: Fields, method: str, accepted: frozenset[str] | None, requested: str, private: bool
) -> Reason | None:
    """Why an origin that may ask may not do what a preflight requests, or None.

    :param accepted: the methods that the URL's routes accept, or None for any.
    """
    if method not in standard.SAFELISTED_METHODS and not _covers(fields, method, accepted):
        return Reason.METHOD_NOT_ALLOWED
    asked = read_requested_headers(requested)
    if asked is None:
        return Reason.HEADERS_MALFORMED
    allowed = [name.lower() for name in names(fields.get("allow_headers", "Content-Type"))]
    for name in asked:
        if name not in allowed and ("*" not in allowed or name == "authorization"):
            return Reason.HEADERS_NOT_ALLOWED
    if private and not fields.get("allow_private_network", False):
        return Reason.PRIVATE_NETWORK_NOT_ALLOWED
    return None


def _covers(fields: Fields, method: str, accepted: frozenset[str] | None) -> bool:
    value = fields.get("methods")
    listed = accepted if value is None else names(value)
    if listed is not None and set(listed) != {"*"}:
        return method in listed
    is_method = standard.is_token(method) and len(method) <= LONGEST_METHOD
    return is_method and method.upper() not in standard.FORBIDDEN_METHODS


def is_own(environ: Mapping[str, str], self_origins: object) -> bool:
    """Whether the app's own pages, or no page at all, caused a request: steps 2 to 4 of ``enforce``
    in the reference."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in ("same-origin", "none")
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        return True
    parts = read_origin(origin)
    if parts is None:
        return False
    if any(admits(entry, origin) for entry in entries(self_origins)):
        return True
    scheme = environ["wsgi.url_scheme"]
    own_scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    if parts.scheme != own_scheme and (parts.scheme, own_scheme) != ("https", "http"):
        return False
    default_port = f":{standard.DEFAULT_PORTS.get(parts.scheme)}"
    host = environ.get("HTTP_HOST", "").lower().removesuffix(default_port)
    return origin == f"{parts.scheme}://{host}"


def is_refusable(fields: Fields, environ: Mapping[str, str]) -> bool:
    """Whether such a request from a page that may not is refused, or reported: step 5."""
    enforce = fields.get("enforce", "off")
    if is_constant(fields) or enforce == "off":
        return False
    is_safe = environ["REQUEST_METHOD"].upper() in _SAFE_METHODS and not _is_handshake(environ)
    return enforce == "all" or not is_safe


def _is_handshake(environ: Mapping[str, str]) -> bool:
    upgrade = environ.get("HTTP_UPGRADE", "")
    return "websocket" in upgrade.lower() or len(upgrade) > LONGEST_UPGRADE


def verdict(
    fields: Fields, environ: Mapping[str, str], self_origins: object, reason: Reason | None
) -> tuple[Outcome, Reason | None]:
    """What is decided about a request.

    :param reason: what the policy has against its origin, or against what a preflight requests.
    """
    has_origin = "HTTP_ORIGIN" in environ
    if has_origin and reason is None:
        return Outcome.ALLOWED, None
    if is_own(environ, self_origins):
        return (Outcome.SAME_ORIGIN if has_origin else Outcome.NOT_CORS), None
    if has_origin:
        is_get = environ["REQUEST_METHOD"].upper() == "GET"
        if is_get and _is_handshake(environ) and fields.get("enforce", "off") == "off":
            return Outcome.UNENFORCED, reason  # no browser does either
        return Outcome.REJECTED, reason
    if is_refusable(fields, environ):
        return Outcome.REJECTED, Reason.CROSS_SITE_REQUEST
    return Outcome.NOT_CORS, None
