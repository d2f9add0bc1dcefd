"""Why script may not read an answer, in words."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Block(enum.StrEnum):
    """The rule that stopped an answer. ``Block.ALLOW_ORIGIN_MISSING`` and
    ``"allow_origin_missing"`` are the same."""

    ALLOW_ORIGIN_MISSING = enum.auto()
    ALLOW_ORIGIN_MULTIPLE = enum.auto()
    ALLOW_ORIGIN_INVALID = enum.auto()
    ALLOW_ORIGIN_MISMATCH = enum.auto()
    ALLOW_ORIGIN_WILDCARD = enum.auto()
    ALLOW_CREDENTIALS_MISSING = enum.auto()
    PREFLIGHT_REDIRECTED = enum.auto()
    PREFLIGHT_STATUS = enum.auto()
    ALLOW_METHODS_INVALID = enum.auto()
    ALLOW_HEADERS_INVALID = enum.auto()
    METHOD_NOT_ALLOWED = enum.auto()
    HEADER_NOT_ALLOWED = enum.auto()
    MODE_SAME_ORIGIN = enum.auto()
    MODE_NO_CORS = enum.auto()
    NO_CORS_REDIRECT = enum.auto()
    RESOURCE_POLICY = enum.auto()
    MIXED_CONTENT = enum.auto()
    MIXED_FORM = enum.auto()
    NOT_HTTP = enum.auto()
    UNREACHABLE = enum.auto()
    REDIRECT_UNWANTED = enum.auto()
    REDIRECT_MANUAL = enum.auto()
    REDIRECT_LIMIT = enum.auto()
    REDIRECT_INVALID = enum.auto()
    REDIRECT_MULTIPLE = enum.auto()
    REDIRECT_USERINFO = enum.auto()
    NAVIGATION = enum.auto()
    BEACON = enum.auto()
    BEACON_LIMIT = enum.auto()


#: what a CORS policy decides about
POLICY_BLOCKS = frozenset(
    block
    for block in Block
    if block.startswith(("allow_", "preflight_")) or block.endswith("_not_allowed")
)


class Finding(NamedTuple):
    """One block, with all that a person needs to lift it.

    :ivar found: what was found, a sentence.
    :ivar send: what the server has to send instead: header lines or a status, perhaps none.
    :ivar change: what to change, in terms of a Flask-CorsGuard policy where it is one.
    """

    block: Block
    found: str
    send: tuple[str, ...] = ()
    change: str = ""

    def __str__(self) -> str:
        lines = [self.found, *(f"Send: {line}" for line in self.send)]
        if self.change:
            lines.append(f"Change: {self.change}.")
        return "\n".join(lines)


class NetworkError(Exception):
    """Ends a fetch as a network error (https://fetch.spec.whatwg.org/#concept-network-error)."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding)


def finding(block: Block, **facts: object) -> Finding:
    """Put a block into words.

    :param facts: what the texts below name. Values from the network are given as
        :func:`~flask_corsguard.text.shown` writes them.
    """
    found, send, change = _WORDS[block]
    return Finding(
        block,
        found.format_map(facts),
        tuple(line.format_map(facts) for line in send),
        change.format_map(facts),
    )


_ALLOW_ORIGIN = "Access-Control-Allow-Origin: {origin}"
_ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials: true"
# Depends on what was asked: whoever finds the block names it.
_REMEDY = "{remedy}"

# What was found, what to send instead, and what to change.
_WORDS: dict[Block, tuple[str, tuple[str, ...], str]] = {
    Block.ALLOW_ORIGIN_MISSING: (
        "{response} has no Access-Control-Allow-Origin, so pages of {origin} may not read it.",
        (_ALLOW_ORIGIN,),
        _REMEDY,
    ),
    Block.ALLOW_ORIGIN_MULTIPLE: (
        "{response} has several values in Access-Control-Allow-Origin, {value}; just one counts.",
        (_ALLOW_ORIGIN,),
        "have one place write CORS headers: take out those that a proxy, the view or another"
        " extension adds",
    ),
    Block.ALLOW_ORIGIN_INVALID: (
        "{response} has Access-Control-Allow-Origin: {value}, which is neither '*' nor an origin as"
        " browsers write it (scheme://host[:port] in lower case, no path, no trailing slash, no"
        " default port).",
        (_ALLOW_ORIGIN,),
        _REMEDY,
    ),
    Block.ALLOW_ORIGIN_MISMATCH: (
        "{response} lets pages of {value} read it, and this one is of {origin}.",
        (_ALLOW_ORIGIN,),
        _REMEDY,
    ),
    Block.ALLOW_ORIGIN_WILDCARD: (
        "{response} has Access-Control-Allow-Origin: *, which does not count {with_credentials}.",
        (_ALLOW_ORIGIN, _ALLOW_CREDENTIALS),
        "list the origins instead of '*' and set allow_credentials=True; or {without_credentials}",
    ),
    Block.ALLOW_CREDENTIALS_MISSING: (
        "{response} has {value}, which is needed {with_credentials}.",
        (_ALLOW_CREDENTIALS,),
        "set allow_credentials=True; or {without_credentials}",
    ),
    Block.PREFLIGHT_REDIRECTED: (
        "The preflight was answered with a redirect (status {status}{location}), and browsers"
        " follow none there.",
        ("a 2xx status at {url} itself",),
        "have the page ask for the address that needs no redirect: mind a trailing slash, https,"
        " and logins that redirect OPTIONS as well",
    ),
    Block.PREFLIGHT_STATUS: (
        "The preflight was answered with status {status}; only 2xx lets the request be sent.",
        ("204 No Content to OPTIONS {url}",),
        _REMEDY,
    ),
    Block.ALLOW_METHODS_INVALID: (
        "The preflight's response has Access-Control-Allow-Methods: {value}, which is not a list of"
        " method names separated by commas, so none counts.",
        ("Access-Control-Allow-Methods: {method}",),
        "give methods as a list: methods=['{method}']",
    ),
    Block.ALLOW_HEADERS_INVALID: (
        "The preflight's response has Access-Control-Allow-Headers: {value}, which is not a list of"
        " header names separated by commas, so none counts.",
        ("Access-Control-Allow-Headers: {asked}",),
        "give allow_headers as a list: allow_headers=[{asked_list}]",
    ),
    Block.METHOD_NOT_ALLOWED: (
        "The preflight's response does not allow {method}: {value}.",
        ("Access-Control-Allow-Methods: {method}",),
        _REMEDY,
    ),
    Block.HEADER_NOT_ALLOWED: (
        "The preflight's response does not allow the request header {header}: {value}. The browser"
        " asks for it because {unsafe}.",
        ("Access-Control-Allow-Headers: {asked}",),
        "add {refused} to allow_headers",
    ),
    Block.MODE_SAME_ORIGIN: (
        "The page asked with mode: 'same-origin', and {url} is of another origin.",
        (),
        "have the page leave mode out",
    ),
    Block.MODE_NO_CORS: (
        "The page asked with mode: 'no-cors', which makes the answer opaque: script sees no status,"
        " no headers and no body, whatever the server sends.",
        (),
        "have the page leave mode out, and allow its origin in the policy",
    ),
    Block.NO_CORS_REDIRECT: (
        "The page asked with mode: 'no-cors' and redirect: '{redirect}', which do not go together.",
        (),
        "have the page leave both out, and allow its origin in the policy",
    ),
    Block.RESOURCE_POLICY: (
        "{response} has Cross-Origin-Resource-Policy: {value}, which keeps pages of {origin} from"
        " loading it without CORS.",
        ("Cross-Origin-Resource-Policy: cross-origin",),
        "send that header, or have the page leave mode: 'no-cors' out",
    ),
    Block.MIXED_CONTENT: (
        "The page is https and {url} is http: browsers block that as mixed content.",
        (),
        "serve the API over https; in a test, ask for an https address, or from an http page",
    ),
    Block.MIXED_FORM: (
        "The page is https and {url} is http: browsers warn before they send a form there.",
        (),
        "serve what the form goes to over https",
    ),
    Block.NOT_HTTP: (
        "{url} is not http or https, and CORS knows no other schemes.",
        (),
        "have the page ask for an http or https address",
    ),
    Block.UNREACHABLE: (
        "The redirect leads to {url}, for which this browser has no server.",
        (),
        "pass it one: Browser({{'{target}': app, ...}})",
    ),
    Block.REDIRECT_UNWANTED: (
        "The response is a redirect (status {status}), and the page asked with redirect: 'error'.",
        (),
        "have the page ask for the address where the redirect leads",
    ),
    Block.REDIRECT_MANUAL: (
        "The response is a redirect (status {status}), and with redirect: 'manual' script sees"
        " nothing of it.",
        (),
        "have the page leave redirect out, or ask for the address where the redirect leads",
    ),
    Block.REDIRECT_LIMIT: (
        "There were more than 20 redirects, the last of them from {url}.",
        (),
        "end the loop: often a login or a change between http and https that never settles",
    ),
    Block.REDIRECT_INVALID: (
        "The redirect's Location, {value}, is no URL.",
        (),
        "redirect with url_for()",
    ),
    Block.REDIRECT_MULTIPLE: (
        "The redirect has several Locations, {value}; just one is understood.",
        (),
        "redirect in one place: take out what a proxy or an extension adds",
    ),
    Block.REDIRECT_USERINFO: (
        "The redirect's Location, {value}, holds a user name or password, which browsers refuse for"
        " requests across origins.",
        (),
        "redirect to the address without them",
    ),
    Block.NAVIGATION: (
        "This was a navigation: the browser shows the answer as a new page, and script of the old"
        " one reads nothing of it.",
        (),
        "to read answers, use fetch()",
    ),
    Block.BEACON: (
        "This was a beacon: script is not told what came of it.",
        (),
        "to read answers, use fetch()",
    ),
    Block.BEACON_LIMIT: (
        "The beacon has {size} bytes, and browsers send up to {limit}: sendBeacon() returns false.",
        (),
        "have the page send less at a time, or use fetch()",
    ),
}
