"""A page's ``fetch()`` and its forms, without a browser, on ``http.client``.

``fetch()`` is the CORS part of the Fetch standard: it sends a preflight where the standard asks for
one, believes only what the response headers say, and then knows what script would be let read.
Redirects are not followed; the demo has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPMessage
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from cases import Case

# https://fetch.spec.whatwg.org/#cors-safelisted-method
SAFELISTED_METHODS = {"GET", "HEAD", "POST"}
# https://fetch.spec.whatwg.org/#cors-safelisted-request-header, and the values of the last one
SAFELISTED_HEADERS = {"accept", "accept-language", "content-language", "content-type"}
SAFELISTED_TYPES = {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
# https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
SAFELISTED_RESPONSE_HEADERS = {
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
}


class Seen(NamedTuple):
    """What script got: a status and what it read, or None and nothing."""

    status: int | None
    reads: str = ""


class _Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    body: str

    def field(self, name: str) -> str | None:
        """A header as a browser reads it: several lines are joined."""
        lines = self.headers.get_all(name)
        return None if lines is None else ", ".join(lines)

    def names(self, name: str) -> list[str]:
        """The elements of a header that is a list."""
        return [element.strip() for element in (self.field(name) or "").split(",")]


class Page:
    """A page on some origin, with the cookies that the API has set.

    :param origin: the page's origin.
    :param api: the origin that it calls.
    """

    def __init__(self, origin: str, api: str) -> None:
        self._origin = origin
        self._address = urlsplit(api).netloc
        self._site = _site(origin, api)
        self._cookies: SimpleCookie = SimpleCookie()

    def fetch(self, case: Case) -> Seen:
        """Make one call.

        :raises OSError: if the API cannot be reached, which to a page would be one more refusal.
        """
        announced = sorted(
            name.lower() for name, value in case.headers.items() if not _is_safelisted(name, value)
        )
        if (case.method not in SAFELISTED_METHODS or announced) and not self._preflight(
            case, announced
        ):
            return Seen(None)
        headers = dict(case.headers)
        if case.credentials and self._cookies:
            headers["Cookie"] = self._cookies.output(attrs=[], header="", sep=";").strip()
        answer = self._send(case.method, case.url, headers, case.body)
        if case.credentials:
            for cookie in answer.headers.get_all("Set-Cookie", ()):
                self._cookies.load(cookie)
        if not self._may_read(answer, case.credentials):
            return Seen(None)
        if case.reads_header is None:
            return Seen(answer.status, answer.body.strip())
        value = _exposed(answer, case.reads_header, case.credentials)
        return Seen(answer.status, f"{case.reads_header}: {'null' if value is None else value}")

    def submit(self, url: str, fields: Mapping[str, object]) -> int:
        """Send a form as ``<form method="post">`` with a frame for its target does: no preflight
        asks for leave. Cookies are left out, as browsers do in a frame of another site.

        :returns: the status, which no script gets to read.
        """
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "iframe",
        }
        return self._send("POST", url, headers, urlencode(fields)).status

    def _preflight(self, case: Case, announced: list[str]) -> bool:
        """https://fetch.spec.whatwg.org/#cors-preflight-fetch"""
        asked = {"Access-Control-Request-Method": case.method}
        if announced:
            asked["Access-Control-Request-Headers"] = ",".join(announced)
        answer = self._send("OPTIONS", case.url, asked, None)
        if not (200 <= answer.status < 300 and self._may_read(answer, case.credentials)):
            return False
        methods = answer.names("Access-Control-Allow-Methods")
        names = [name.lower() for name in answer.names("Access-Control-Allow-Headers")]
        # "*" means everything only without credentials, and never Authorization.
        any_method = "*" in methods and not case.credentials
        any_header = "*" in names and not case.credentials
        return (any_method or case.method in {*SAFELISTED_METHODS, *methods}) and all(
            name in names or (any_header and name != "authorization") for name in announced
        )

    def _may_read(self, answer: _Answer, credentials: bool) -> bool:
        """https://fetch.spec.whatwg.org/#concept-cors-check"""
        allowed = answer.field("Access-Control-Allow-Origin")
        if not credentials:
            return allowed in ("*", self._origin)
        return allowed == self._origin and (
            answer.field("Access-Control-Allow-Credentials") == "true"
        )

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> _Answer:
        connection = HTTPConnection(self._address, timeout=10)
        try:
            own = {"Origin": self._origin, "Sec-Fetch-Site": self._site}
            connection.request(method, url, body, {**headers, **own})
            response = connection.getresponse()
            return _Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()


def _site(origin: str, target: str) -> str:
    """https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header, for two origins on
    loopback: neither ``localhost`` nor an address has a parent domain to share."""
    is_same = urlsplit(origin).hostname == urlsplit(target).hostname
    return "same-site" if is_same else "cross-site"


def _is_safelisted(name: str, value: str) -> bool:
    lower = name.lower()
    if lower == "content-type":
        return value.partition(";")[0].strip().lower() in SAFELISTED_TYPES
    return lower in SAFELISTED_HEADERS


def _exposed(answer: _Answer, name: str, credentials: bool) -> str | None:
    """The value of a response header if script may see it."""
    listed = {exposed.lower() for exposed in answer.names("Access-Control-Expose-Headers")}
    everything = "*" in listed and not credentials
    if everything or name.lower() in listed | SAFELISTED_RESPONSE_HEADERS:
        return answer.field(name)
    return None
