"""Requests to a running deployment, limited in rate, size and time."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from contextlib import aclosing
from typing import NamedTuple, Self

import certifi
import httpx

from flask_corsguard import __version__
from flask_corsguard.protocol import headers
from flask_corsguard.protocol.reasons import Reason
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.text import shown

#: Limits for a response: the bytes of its body, and the seconds that it takes.
LARGEST_BODY = 1_000_000
LONGEST_WAIT = 10.0

_MOST_KEPT = 2000
_DOCUMENTATION = "https://flask-corsguard.readthedocs.io/"
_HEADERS = (
    ("User-Agent", f"Flask-CorsGuard/{__version__} (flask cors verify; {_DOCUMENTATION})"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "identity"),
)
_CORS = (
    headers.ALLOW_ORIGIN.lower(),
    headers.ALLOW_CREDENTIALS.lower(),
    headers.ALLOW_METHODS.lower(),
    headers.ALLOW_HEADERS.lower(),
    headers.EXPOSE_HEADERS.lower(),
    headers.MAX_AGE.lower(),
    headers.ALLOW_PRIVATE_NETWORK.lower(),
)
# In the body of the guard's refusals, before any text from the request.
_CODE = re.compile(rb'"code": "([A-Z_]{1,40})"')
_CACHE_HEADERS = re.compile(r"age|.*cache.*|x-served-by|x-varnish|via")


class Received(NamedTuple):
    """A response, or why there was none.

    :ivar status: the status; 0 if there was no response.
    :ivar lines: the header lines, names in lower case.
    :ivar body: the beginning of the body.
    :ivar error: why there was no response, or "".
    """

    status: int
    lines: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    error: str = ""

    def values(self, name: str) -> list[str]:
        """The values of a header, line by line."""
        return [value for each, value in self.lines if each == name.lower()]

    @property
    def cors(self) -> dict[str, list[str]]:
        """The values of each CORS header, line by line."""
        return {name: values for name in _CORS if (values := self.values(name))}

    @property
    def refusal(self) -> str:
        """The reason's code if the guard refused the request, or ""."""
        if self.status != 403 or not "".join(self.values("content-type")).startswith(
            "application/problem+json"
        ):
            return ""
        found = _CODE.search(self.body)
        code = found[1].decode() if found else ""
        return code if code in Reason.__members__ else ""

    @property
    def cache_lines(self) -> list[tuple[str, str]]:
        """The header lines that caches add."""
        return [line for line in self.lines if _CACHE_HEADERS.fullmatch(line[0])]

    @property
    def is_stored(self) -> bool:
        """Whether a cache says that it had the response."""
        age = "".join(self.values("age"))[:20]
        hits = (v for n, v in self.cache_lines if n != "cache-control" and "hit" in v.lower())
        return (age.isdecimal() and int(age) > 0) or any(hits)


class Client:
    """Sends requests to one deployment, at a limited rate, without cookies, redirects or proxies.

    :param rate: the most requests per second.
    :ivar sent: how many it has sent.
    """

    def __init__(self, rate: float) -> None:
        self._pause = 1 / rate
        self._next = 0.0
        self.sent = 0
        # The certificates that this machine trusts (or SSL_CERT_FILE names), and those of httpx.
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        # A bare transport keeps no cookies and follows no redirects. A proxy that environment
        # variables name is not what is tested, and a server may close an idle connection.
        self._transport = httpx.AsyncHTTPTransport(
            verify=context, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def send(self, request: Exchange, most_kept: int = _MOST_KEPT) -> Received:
        """Send one request, as soon as the rate allows it.

        :param most_kept: how many bytes of the body to keep.
        """
        await asyncio.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._pause
        self.sent += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                return await self._received(request, most_kept)
        except TimeoutError:
            return Received(0, error=f"no complete response within {LONGEST_WAIT:g} seconds")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Received(0, error=f"{type(error).__name__} {shown(str(error), 200)}")

    async def _received(self, request: Exchange, most_kept: int) -> Received:
        lines = [*_HEADERS, *request.request_headers]
        asked = httpx.Request(request.method, request.url, headers=lines)
        response = await self._transport.handle_async_request(asked)
        body, length = b"", 0
        async with aclosing(response):
            async for chunk in response.aiter_raw():
                body += chunk[: max(0, most_kept - len(body))]
                length += len(chunk)
                if length >= LARGEST_BODY:
                    break
        raw = ((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers.raw)
        received = tuple((name.lower(), value) for name, value in raw)
        return Received(response.status_code, received, body)
