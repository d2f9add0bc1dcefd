"""Requests that no browser sends, or that servers read differently."""

from collections.abc import Callable
from typing import NamedTuple

from .served import SHOP

EVIL = "https://evil.example"
GET = "GET / HTTP/1.1"
POST = "POST / HTTP/1.1"
ASK = "OPTIONS / HTTP/1.1"
HOST = "Host: api.example"
FROM_SHOP = f"Origin: {SHOP}"
FROM_EVIL = f"Origin: {EVIL}"
REQUEST_PUT = "Access-Control-Request-Method: PUT"
REQUEST_NAMES = "Access-Control-Request-Headers"
EMPTY = "Content-Length: 0"
FORM = "Content-Type: application/x-www-form-urlencoded"


class OddRequest(NamedTuple):
    """One request, as its lines."""

    lines: tuple[str, ...]
    line_end: str = "\r\n"
    body: str = ""

    @property
    def wire(self) -> bytes:
        """The bytes. They ask to close the connection, so that the answer has an end."""
        lines = (*self.lines, "Connection: close", "", "")
        return (self.line_end.join(lines) + self.body).encode("latin-1")


def _beginning(start: str) -> Callable[..., OddRequest]:
    return lambda *lines: OddRequest((start, HOST, *lines))


_get, _post, _ask = map(_beginning, (GET, POST, ASK))
# Where they lead is what is odd about them.
PATHS = """
/open/%2e%2e/private /open/../private /open/..%2fprivate /private%00 /open/%00 /open/%ff //open/x
""".split()
REQUESTS = {
    # For comparison
    "no Origin": _get(),
    "an allowed origin": _get(FROM_SHOP),
    "another origin": _get(FROM_EVIL),
    "POST from an allowed origin": _post(FROM_SHOP, EMPTY),
    "POST from another origin": _post(FROM_EVIL, EMPTY),
    "preflight from an allowed origin": _ask(FROM_SHOP, REQUEST_PUT),
    "preflight from another origin": _ask(FROM_EVIL, REQUEST_PUT),
    # Repeated lines
    "two Origin lines, the allowed first": _get(FROM_SHOP, FROM_EVIL),
    "two Origin lines, the allowed last": _get(FROM_EVIL, FROM_SHOP),
    "two Origin lines, both allowed": _get(FROM_SHOP, FROM_SHOP),
    "POST, two Origin lines": _post(FROM_EVIL, FROM_SHOP, EMPTY),
    "preflight, two Origin lines": _ask(FROM_EVIL, FROM_SHOP, REQUEST_PUT),
    "two requested methods": _ask(FROM_SHOP, REQUEST_PUT, "Access-Control-Request-Method: DELETE"),
    "two lines of requested headers": _ask(
        FROM_SHOP, REQUEST_PUT, f"{REQUEST_NAMES}: x-evil", f"{REQUEST_NAMES}: content-type"
    ),
    "two Host lines": OddRequest((GET, HOST, "Host: evil.example", "Origin: http://evil.example")),
    # Bytes in the value
    "NUL after the origin": _get(f"{FROM_SHOP}\0"),
    "NUL and another origin": _get(f"{FROM_SHOP}\0.evil.example"),
    "latin-1 in the origin": _get("Origin: https://\xe9.shop.example"),
    "latin-1 after the origin": _get(f"{FROM_SHOP}\xe9"),
    "space and tab around the origin": _get(f"Origin: \t {SHOP} \t "),
    "no space before the origin": _get(f"Origin:{SHOP}"),
    "no-break space around the origin": _get(f"Origin: \xa0{SHOP}\xa0"),
    "form feed after the origin": _get(f"{FROM_SHOP}\f"),
    "bare CR in the origin": _get(f"{FROM_SHOP}\rX-Other: 1"),
    "a second line, folded": _get(FROM_SHOP, " .evil.example"),
    "the whole value folded": _get("Origin:", f" {SHOP}"),
    "empty": _get("Origin:"),
    "a list of origins": _get(f"{FROM_SHOP}, {EVIL}"),
    **{f"{n:,} bytes": _get("Origin: https://" + "a" * n) for n in (7000, 60_000, 70_000)},
    # The name
    "a lower-case name": _get(f"origin: {SHOP}"),
    "a mixed-case name": _get(f"oRiGiN: {SHOP}"),
    "space before the colon": _get(f"Origin : {SHOP}"),
    "Access_Control_Request_Method": _ask(FROM_SHOP, REQUEST_PUT.replace("-", "_")),
    "Access_Control_Request_Method as well": _ask(
        FROM_SHOP, "Access-Control-Request-Method: DELETE", REQUEST_PUT.replace("-", "_")
    ),
    "POST with Sec_Fetch_Site: same-origin": _post(FROM_EVIL, "Sec_Fetch_Site: same-origin", EMPTY),
    # The request line, Host and the body
    "absolute-form target": OddRequest(
        ("POST http://evil.example/ HTTP/1.1", HOST, "Origin: http://evil.example", EMPTY)
    ),
    "OPTIONS *": OddRequest(("OPTIONS * HTTP/1.1", HOST, FROM_SHOP, REQUEST_PUT)),
    "no Host": OddRequest((GET, FROM_SHOP)),
    "HTTP/1.0": OddRequest(("GET / HTTP/1.0", HOST, FROM_SHOP)),
    "HTTP/1.0, POST from another origin": OddRequest(("POST / HTTP/1.0", FROM_EVIL, EMPTY)),
    "lower-case method": OddRequest(("options / HTTP/1.1", HOST, FROM_SHOP, REQUEST_PUT)),
    # With an end for those who wait for one.
    "bare LF": OddRequest((GET, HOST, FROM_SHOP), "\n", "\r\n\r\n"),
    "chunked body": _post(FROM_EVIL, FORM, "Transfer-Encoding: chunked")._replace(
        body="4\r\na=bc\r\n0\r\n\r\n"
    ),
    **{path: OddRequest((f"GET {path} HTTP/1.1", HOST, FROM_EVIL)) for path in PATHS},
}
