"""The rules that keep a response from a page, in words."""

from __future__ import annotations

import enum


class Block(enum.StrEnum):
    """A rule that keeps a response from the page. ``Block.ALLOW_ORIGIN_MISSING`` equals
    ``"allow_origin_missing"``."""

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


#: the rules that depend on a CORS policy
POLICY_BLOCKS = frozenset(
    block
    for block in Block
    if block.startswith(("allow_", "preflight_")) or block.endswith("_not_allowed")
)
#: the rules that block requests with credentials under a policy without ``allow_credentials``
CREDENTIALS_BLOCKS = frozenset({Block.ALLOW_ORIGIN_WILDCARD, Block.ALLOW_CREDENTIALS_MISSING})
#: the rules that block every response of a kind, whatever the server sends
UNCONDITIONAL_BLOCKS = frozenset(
    {
        Block.BEACON,
        Block.BEACON_LIMIT,
        Block.MIXED_CONTENT,
        Block.MIXED_FORM,
        Block.MODE_NO_CORS,
        Block.MODE_SAME_ORIGIN,
        Block.NAVIGATION,
        Block.NO_CORS_REDIRECT,
        Block.NOT_HTTP,
        Block.UNREACHABLE,
    }
)


class BlockedError(Exception):
    """Ends a fetch whose response the page may not read.

    :param facts: the values for the texts below. Values from the network must have been through
        :func:`~flask_corsguard.text.shown`.
    :ivar found: a sentence about what was found.
    :ivar send: what the server must send instead: header lines, a status, or nothing.
    :ivar change: what to change, in a Flask-CorsGuard policy if one decides.
    :ivar credentials: whether the response would have to allow credentials.
    :ivar without_credentials: how to do without credentials, in words, or "".
    """

    def __init__(self, block: Block, **facts: object) -> None:
        self.block = block
        self.found, self.change, *self.send = (text.format_map(facts) for text in _WORDS[block])
        self.credentials = bool(facts.get("credentials"))
        self.without_credentials = str(facts.get("without_credentials", ""))
        super().__init__(block)

    def words(self, *, change: bool = True) -> str:
        """What was found, what to send (one item per line), and what to change."""
        lines = [self.found, *(f"Send: {line}" for line in self.send)]
        return "\n".join([*lines, f"Change: {self.change}."] if change else lines)

    def __str__(self) -> str:
        return self.words()


_ALLOW_ORIGIN = "Access-Control-Allow-Origin: {origin}"
_ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials: true"
# The remedy depends on the request: the code that raises the error gives it.
_REMEDY = "{remedy}"

# What was found, what to change, and what the server has to send.
_WORDS: dict[Block, tuple[str, ...]] = {
    Block.ALLOW_ORIGIN_MISSING: (
        "{response} has no Access-Control-Allow-Origin, so pages of {page} may not read it.",
        _REMEDY,
        _ALLOW_ORIGIN,
    ),
    Block.ALLOW_ORIGIN_MULTIPLE: (
        "{response} has several values in Access-Control-Allow-Origin, {value}; only one is"
        " allowed.",
        "write CORS headers in one place: remove those that a proxy, the view or another extension"
        " adds",
        _ALLOW_ORIGIN,
    ),
    Block.ALLOW_ORIGIN_INVALID: (
        "{response} has Access-Control-Allow-Origin: {value}, which is neither '*' nor an origin as"
        " browsers write it (scheme://host[:port] in lower case, no path, no trailing slash, no"
        " default port).",
        _REMEDY,
        _ALLOW_ORIGIN,
    ),
    Block.ALLOW_ORIGIN_MISMATCH: (
        "{response} lets pages of {value} read it, but this page's origin is {origin}.",
        _REMEDY,
        _ALLOW_ORIGIN,
    ),
    Block.ALLOW_ORIGIN_WILDCARD: (
        "{response} has Access-Control-Allow-Origin: *, which browsers ignore {with_credentials}.",
        "list the origins instead of '*' and set allow_credentials=True; or {without_credentials}",
        _ALLOW_ORIGIN,
        _ALLOW_CREDENTIALS,
    ),
    Block.ALLOW_CREDENTIALS_MISSING: (
        "{response} has {value}, which is needed {with_credentials}.",
        "set allow_credentials=True; or {without_credentials}",
        _ALLOW_CREDENTIALS,
    ),
    Block.PREFLIGHT_REDIRECTED: (
        "The response to the preflight is a redirect (status {status}{location}), which browsers"
        " do not follow for preflights.",
        "have the page request the final address (check the trailing slash and https); if the"
        " redirect is to a sign-in page, let OPTIONS pass, and respond with 401 where a sign-in is"
        " needed",
        "a 2xx status at {url} itself",
    ),
    Block.PREFLIGHT_STATUS: (
        "The response to the preflight has status {status}, and browsers send the request only"
        " after a 2xx.",
        "let the guard respond to OPTIONS: allow in the policy what the page asks for, and keep"
        " proxies, login checks, functions of run_first and your own views from responding first",
        "204 No Content to OPTIONS {url}",
    ),
    Block.ALLOW_METHODS_INVALID: (
        "The preflight's response has Access-Control-Allow-Methods: {value}, which is not a list"
        " of method names separated by commas, so the browser ignores all of it.",
        "give methods as a list: methods=['{method}']",
        "Access-Control-Allow-Methods: {method}",
    ),
    Block.ALLOW_HEADERS_INVALID: (
        "The preflight's response has Access-Control-Allow-Headers: {value}, which is not a list"
        " of header names separated by commas, so the browser ignores all of it.",
        "give allow_headers as a list: allow_headers=[{quoted}]",
        "Access-Control-Allow-Headers: {headers}",
    ),
    Block.METHOD_NOT_ALLOWED: (
        "The preflight's response does not allow {method}: {value}.",
        _REMEDY,
        "Access-Control-Allow-Methods: {method}",
    ),
    Block.HEADER_NOT_ALLOWED: (
        "The preflight's response does not allow the request header {header}: {value}. The browser"
        " asks for it because {unsafe}.",
        _REMEDY,
        "Access-Control-Allow-Headers: {headers}",
    ),
    Block.MODE_SAME_ORIGIN: (
        "The page's request has mode: 'same-origin', but {url} has another origin.",
        "have the page leave mode out",
    ),
    Block.MODE_NO_CORS: (
        "The page's request has mode: 'no-cors', which makes the response opaque: the page sees no"
        " status, no headers and no body, whatever the server sends.",
        "have the page leave mode out, and allow its origin in the policy",
    ),
    Block.NO_CORS_REDIRECT: (
        "The page's request has mode: 'no-cors' and redirect: '{redirect}', which cannot be"
        " combined.",
        "have the page leave both out, and allow its origin in the policy",
    ),
    Block.RESOURCE_POLICY: (
        "The response has Cross-Origin-Resource-Policy: {value}, which keeps pages of {origin} from"
        " loading it without CORS.",
        "send that header, or have the page leave mode: 'no-cors' out",
        "Cross-Origin-Resource-Policy: cross-origin",
    ),
    Block.MIXED_CONTENT: (
        "The page is https and {url} is http: browsers block that as mixed content.",
        "serve the API over https; in a test, use an https address, or an http page",
    ),
    Block.MIXED_FORM: (
        "The page is https and {url} is http: browsers warn before they send a form there.",
        "serve the form's target over https",
    ),
    Block.NOT_HTTP: (
        "{url} is not http or https, and CORS covers no other schemes.",
        "have the page request an http or https address",
    ),
    Block.UNREACHABLE: (
        "The redirect leads to {url}, for which this browser has no server.",
        "pass it one: Browser({{'{origin}': app, ...}}); or, if it is a sign-in page, respond with"
        " 401 instead",
    ),
    Block.REDIRECT_UNWANTED: (
        "The response is a redirect (status {status}), and the page's request has redirect:"
        " 'error'.",
        "have the page request the address that the redirect leads to",
    ),
    Block.REDIRECT_MANUAL: (
        "The response is a redirect (status {status}), and with redirect: 'manual' the page sees"
        " nothing of it.",
        "have the page leave redirect out, or request the address that the redirect leads to",
    ),
    Block.REDIRECT_LIMIT: (
        "There were more than 20 redirects, the last of them from {url}.",
        "end the loop: often it is a login, or a redirect between http and https",
    ),
    Block.REDIRECT_INVALID: (
        "The redirect's Location, {value}, is not a URL.",
        "redirect with url_for()",
    ),
    Block.REDIRECT_MULTIPLE: (
        "The redirect has several Locations, {value}; browsers accept only one.",
        "redirect in one place: remove what a proxy or an extension adds",
    ),
    Block.REDIRECT_USERINFO: (
        "The redirect's Location, {value}, has a user name or password, which browsers do not allow"
        " in cross-origin requests.",
        "redirect to the address without them",
    ),
    Block.NAVIGATION: (
        "This was a navigation: the browser shows the response as a new page, and the old one reads"
        " nothing of it.",
        "to read responses, use fetch()",
    ),
    Block.BEACON: (
        "This was a beacon: the page never learns the result.",
        "to read responses, use fetch()",
    ),
    Block.BEACON_LIMIT: (
        "The beacon has {size} bytes, and browsers send up to {limit}: sendBeacon() returns false.",
        "have the page send less at a time, or use fetch()",
    ),
}
