"""The CORS module of IIS, as its documentation describes it.

IIS runs nowhere but on Windows, so a page's ``web.config`` is answered by the rules that the
reference of the module states. It is called [R] below, with the section that a rule stands in:
https://learn.microsoft.com/en-us/iis/extensions/cors-module/cors-module-configuration-reference

``python iis.py WEB_CONFIG PORT`` serves it. Where [R] says nothing, a comment says what is taken.
"""

import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

Headers = list[tuple[str, str]]

# [R] "Attributes of the cors element", "Attributes of the origin rule", "Child Elements of the
# origin host rule", "Attributes of the allowHeaders element": all there are, by element.
ATTRIBUTES = {
    "cors": {"enabled", "failUnlistedOrigins"},
    "add": {"origin", "allowed", "allowCredentials", "maxAge"},
    "allowHeaders": {"allowAllRequestedHeaders"},
    "allowMethods": set[str](),
    "exposeHeaders": set[str](),
}
ENTRIES = {"allowHeaders": "header", "allowMethods": "method", "exposeHeaders": "header"}


class Rule(NamedTuple):
    """One ``<add>``; the names are those of the documentation."""

    origin: str
    allowed: bool
    allow_credentials: bool
    max_age: int
    allow_all_requested_headers: bool
    entries: dict[str, list[str]]

    def matches(self, origin: str) -> bool:
        """[R] "Attributes of the origin rule": ``*`` is every origin, or a wildcard for the child
        sub-domain. Taken: one label or more, and no port that the rule does not name.
        """
        before, star, after = self.origin.partition("*")
        if not star:
            return origin == self.origin
        wild = origin.startswith(before) and origin.endswith(after)
        return wild and len(origin) > len(before) + len(after)

    @property
    def specific(self) -> tuple[bool, int]:
        """[R] the same: "the most specific origin host name rule" is the one that counts.
        Taken: a whole origin before a wildcard, and of two wildcards the longer.
        """
        return "*" not in self.origin, len(self.origin)


class Module(NamedTuple):
    """The element ``<cors>``."""

    enabled: bool
    fail_unlisted_origins: bool
    rules: list[Rule]

    @property
    def only_everybody(self) -> bool:
        """[R] "Using only * origin host rule"."""
        return [rule.origin for rule in self.rules] == ["*"]


def _attributes(element: ElementTree.Element) -> Mapping[str, str]:
    unknown = set(element.keys()) - ATTRIBUTES[element.tag]
    assert not unknown, f"<{element.tag}> has no attribute {unknown}"
    return element.attrib


def _is_true(attributes: Mapping[str, str], name: str, default: str = "false") -> bool:
    return {"true": True, "false": False}[attributes.get(name, default)]


def _read_rule(element: ElementTree.Element) -> Rule:
    """The defaults are those of [R] "Attributes of the origin rule"."""
    attributes = _attributes(element)
    children = {child.tag: _attributes(child) for child in element}
    requested = children.get("allowHeaders", {})
    return Rule(
        origin=attributes["origin"],
        allowed=_is_true(attributes, "allowed", "true"),
        allow_credentials=_is_true(attributes, "allowCredentials"),
        max_age=int(attributes.get("maxAge", "-1")),
        allow_all_requested_headers=_is_true(requested, "allowAllRequestedHeaders"),
        entries={
            name: [entry.attrib[of] for entry in element.findall(f"{name}/add")]
            for name, of in ENTRIES.items()
        },
    )


def read(text: str) -> Module:
    """Read a ``web.config``; an element or attribute that nobody documents is an error."""
    cors = ElementTree.fromstring(text).find("system.webServer/cors")
    assert cors is not None, "no <cors> in <system.webServer>"
    attributes = _attributes(cors)
    enabled, fails = (_is_true(attributes, name) for name in ("enabled", "failUnlistedOrigins"))
    return Module(enabled, fails, [_read_rule(element) for element in cors])


def _permission(module: Module, rule: Rule, origin: str) -> Headers:
    # [R] "Using only * origin host rule", 1: then "*", whatever the origin.
    headers = [("Access-Control-Allow-Origin", "*" if module.only_everybody else origin)]
    if rule.allow_credentials:  # [R] "Attributes of the origin rule"
        headers.append(("Access-Control-Allow-Credentials", "true"))
    return headers


def _preflight(rule: Rule, requested_headers: str | None) -> Headers:
    """[R] "Child Elements of the origin host rule": the methods are set for preflights only.

    There it also says that Allow-Headers is not set for preflights. But [R] "Attributes of the
    allowHeaders element" fills it from Access-Control-Request-Headers, which only preflights have,
    and nowhere else does it serve a purpose; so it is taken to be set here.
    """
    headers: Headers = []
    allowed = requested_headers if rule.allow_all_requested_headers else None
    allowed = allowed or ", ".join(rule.entries["allowHeaders"])
    if allowed:
        headers.append(("Access-Control-Allow-Headers", allowed))
    if methods := rule.entries["allowMethods"]:
        headers.append(("Access-Control-Allow-Methods", ", ".join(methods)))
    if rule.max_age != -1:  # [R] "Attributes of the origin rule": preflights only, -1 is none
        headers.append(("Access-Control-Max-Age", str(rule.max_age)))
    return headers


def answer(module: Module, method: str, fields: Mapping[str, str]) -> tuple[int, Headers]:
    """The status and the headers of the module; behind it every URL answers 200."""
    origin = fields.get("Origin")
    if not module.enabled or origin is None:
        # [R] "IIS CORS module is a server-side CORS component": it handles CORS requests.
        # Taken: those have an Origin.
        return 200, []
    # [R] "CORS preflight request"; it is handled before other modules see it.
    # Taken: with 204, and without a look at which method or header is requested.
    preflight = method == "OPTIONS" and "Access-Control-Request-Method" in fields
    status = 204 if preflight else 200
    # [R] "Using only * origin host rule", 2: no Vary there. Taken: on every CORS answer elsewhere.
    vary: Headers = [] if module.only_everybody else [("Vary", "Origin")]
    matching = [rule for rule in module.rules if rule.matches(origin)]
    rule = max(matching, key=lambda rule: rule.specific, default=None)
    if rule is None or not rule.allowed:
        # [R] "Attributes of the cors element": 403 for the unlisted and for the disallowed.
        return (403 if module.fail_unlisted_origins else status), vary
    headers = _permission(module, rule, origin)
    if preflight:
        headers += _preflight(rule, fields.get("Access-Control-Request-Headers"))
    elif exposed := rule.entries["exposeHeaders"]:
        # [R] "Child Elements of the origin host rule": not for preflights
        headers.append(("Access-Control-Expose-Headers", ", ".join(exposed)))
    return status, headers + vary


def serve(module: Module, port: int) -> None:
    """Answer until the process ends."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            fields = {name.title(): value for name, value in self.headers.items()}
            status, headers = answer(module, self.command, fields)
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", "0")]:
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(read(Path(sys.argv[1]).read_text("utf-8")), int(sys.argv[2]))
