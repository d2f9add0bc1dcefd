"""What a policy means, written out slowly from the reference, over its fields as they were given.

The guard's own form of a policy is not used: only ``Outcome`` and ``Reason`` name
the answers.
"""

import contextlib
import functools
import json
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
    """The entries of a list: a string is JSON, or split at commas."""
    if isinstance(value, (list, tuple)):
        parts = ([item] if not isinstance(item, str) else entries(item) for item in value)
        return [part for found in parts for part in found]
    if not isinstance(value, str):
        return [value]
    with contextlib.suppress(ValueError, RecursionError):
        parsed = json.loads(value)
        if isinstance(parsed, list):
            return entries(parsed)
    return [part.strip() for part in value.split(",")]


def raw_entries(value: object) -> list[Any]:
    """The entries of ``raw_origins``: a string is JSON, or one of them."""
    if isinstance(value, (list, tuple)):
        parts = ([item] if not isinstance(item, str) else raw_entries(item) for item in value)
        return [part for found in parts for part in found]
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            parsed = json.loads(value)
            if isinstance(parsed, list):
                return raw_entries(parsed)
    return [value]


def is_constant(fields: Fields) -> bool:
    """Whether everybody may read, whatever ``Origin`` says."""
    return _is_everyone(fields) and not entries(fields.get("deny_origins", ()))


def _is_everyone(fields: Fields) -> bool:
    return set(entries(fields.get("origins", ()))) == {"*"}


def stands(fields: Fields, own: Mapping[str, str]) -> bool:
    """Whether the CORS headers of a response that is the app's stay as they are.

    :param own: those that it has.
    """
    return bool(own) and bool(fields.get("dangerously_let_views_override", False))


def vary(fields: Fields, first: str = "Origin") -> str:
    """What every response of a policy varies by, unless everybody may read.

    :param first: what it varies by whatever the callable looks at.
    """
    names = [*first.split(", "), *entries(fields.get("origins_vary", ()))]
    unique = {name.lower(): name for name in reversed(names)}
    return ", ".join(dict.fromkeys(unique[name.lower()] for name in names))


def may_look_at_method(fields: Fields, takes_request: object) -> bool:
    """Whether a callable, which takes the request, does not say what it looks at.

    :param takes_request: the callable.
    """
    asked = takes_request in entries(fields.get("origins", ()))
    return asked and not entries(fields.get("origins_vary", ()))


def admits(entry: object, text: str) -> bool:
    """Whether one string or pattern covers an origin that is well-formed."""
    if isinstance(entry, re.Pattern):
        return entry.fullmatch(text) is not None
    assert isinstance(entry, str)
    asked = read_origin(text)
    if entry.endswith("://*"):
        return asked is not None and asked.port is None and entry == f"{asked.scheme}://*"
    before, star, after = entry.partition("://")[2].removesuffix(":*").partition("*")
    if star and not (before == "" and after.startswith(".")):
        return _admits_by_label(entry, before, after, asked)
    known = standard.read_origin(entry.replace("://*.", "://").removesuffix(":*"))
    if asked is None or known is None or asked.scheme != known.scheme:
        return False
    if not entry.endswith(":*") and asked.port != known.port:
        return False
    if "://*." not in entry:
        return asked.host == known.host
    hosts = (asked.host, known.host)
    return all(isinstance(host, str) for host in hosts) and str(hosts[0]).endswith(f".{hosts[1]}")


def _admits_by_label(entry: str, before: str, after: str, asked: standard.Parts | None) -> bool:
    """Whether an entry with a ``*`` inside its first label covers an origin: as a pattern has it.

    :param before: what stands before the ``*`` in the host, and *after* what stands after it, with
        the port.
    """
    host = after.partition(":")[0]
    if asked is None or not isinstance(asked.host, str):
        return False
    star = f"{re.escape(before)}[a-z0-9-]+{re.escape(host)}"
    if entry.partition("://")[0] != asked.scheme or not re.fullmatch(star, asked.host):
        return False
    return entry.endswith(":*") or (f":{asked.port}" if asked.port else "") == after[len(host) :]


def against_origin(fields: Fields, text: str) -> Reason | None:
    """Why an origin may not read, or None if it may."""
    if is_constant(fields) or text in raw_entries(fields.get("raw_origins", ())):
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
    fields: Fields,
    method: str,
    accepted: frozenset[str] | None,
    requested: str,
    private: bool,
    origin: str | None = None,
) -> Reason | None:
    """Why an origin that may ask may not do what a preflight requests, or None.

    :param accepted: the methods that the URL's routes accept, or None for any.
    """
    is_stranger = _is_everyone(fields) and origin not in raw_entries(fields.get("raw_origins", ()))
    if is_stranger and fields.get("enforce") == "unsafe" and method not in _SAFE_METHODS:
        return Reason.CROSS_SITE_REQUEST
    if method not in standard.SAFELISTED_METHODS and not _covers(fields, method, accepted):
        return Reason.METHOD_NOT_ALLOWED
    asked = read_requested_headers(requested)
    if asked is None:
        return Reason.HEADERS_MALFORMED
    allowed = [name.lower() for name in entries(fields.get("allow_headers", "Content-Type"))]
    for name in asked:
        if name not in allowed and ("*" not in allowed or name == "authorization"):
            return Reason.HEADERS_NOT_ALLOWED
    if private and not fields.get("allow_private_network", False):
        return Reason.PRIVATE_NETWORK_NOT_ALLOWED
    return None


def _covers(fields: Fields, method: str, accepted: frozenset[str] | None) -> bool:
    value = fields.get("methods")
    listed = accepted if value is None else entries(value)
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
    return origin is None or _is_own_origin(origin, environ, self_origins)


def _is_own_origin(origin: str, environ: Mapping[str, str], self_origins: object) -> bool:
    """Whatever the host looks like: it is compared with ``Host`` as it stands."""
    if len(origin) > LONGEST_ORIGIN:
        return False
    if any(admits(entry, origin) for entry in entries(self_origins)):
        return True
    host = environ.get("HTTP_HOST", "").lower()
    own_scheme = {"ws": "http", "wss": "https"}.get(*[environ["wsgi.url_scheme"]] * 2)
    schemes = ["http", "https"] if own_scheme == "http" else [own_scheme]
    return any(
        origin == f"{scheme}://{own}"
        for scheme in schemes
        for own in (host, host.removesuffix(f":{standard.DEFAULT_PORTS.get(scheme)}"))
        if own
    )


def is_speculative(environ: Mapping[str, str], self_origins: object) -> bool:
    """Whether a browser asks ahead of time, and does not name one of the app's own pages."""
    if environ.get("HTTP_SEC_FETCH_SITE") != "none" or "HTTP_SEC_PURPOSE" not in environ:
        return False
    scheme, _, rest = environ.get("HTTP_REFERER", "").partition("://")
    return not _is_own_origin(f"{scheme}://{rest.split('/')[0]}", environ, self_origins)


def is_refusable(fields: Fields, environ: Mapping[str, str], method: str) -> bool:
    """Whether such a request from a page that may not is refused, or reported: step 5.

    :param method: its method, or the one that a preflight requests, if that counts.
    """
    enforce = fields.get("enforce", "off")
    is_safe = method in _SAFE_METHODS and not _is_handshake(environ)
    return enforce == "all" or (enforce != "off" and not is_safe)


def _is_handshake(environ: Mapping[str, str]) -> bool:
    upgrade = environ.get("HTTP_UPGRADE", "")
    return "websocket" in upgrade.lower() or len(upgrade) > LONGEST_UPGRADE


def verdict(
    fields: Fields,
    environ: Mapping[str, str],
    self_origins: object,
    reason: Reason | None,
    method: str,
) -> tuple[Outcome, Reason | None]:
    """What is decided about a request.

    :param reason: what the policy has against its origin, or against what a preflight requests.
    :param method: its method, or the one that a preflight requests.
    """
    origin = environ.get("HTTP_ORIGIN")
    nothing = Outcome.ALLOWED if origin is not None else Outcome.NOT_CORS
    enforce = fields.get("enforce", "off")
    if reason is None and origin is not None:
        is_listed = origin in entries(fields.get("origins", ())) or origin in raw_entries(
            fields.get("raw_origins", ())
        )
        if is_listed or (is_constant(fields) and enforce == "off"):
            return Outcome.ALLOWED, None
    if is_own(environ, self_origins):
        if enforce == "all" and is_speculative(environ, self_origins):
            return Outcome.REJECTED, Reason.SPECULATIVE
        return (Outcome.NOT_CORS if origin is None else Outcome.SAME_ORIGIN), None
    if reason is not None:
        is_get = environ["REQUEST_METHOD"].upper() == "GET"
        if enforce == "off" and is_get and _is_handshake(environ):
            return Outcome.UNENFORCED, reason  # no browser holds it back either
        return Outcome.REJECTED, reason
    if (origin is None or _is_everyone(fields)) and is_refusable(fields, environ, method):
        return Outcome.REJECTED, Reason.CROSS_SITE_REQUEST
    return nothing, None
