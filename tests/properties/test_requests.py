"""Whole requests with hostile values, through apps with marks of every kind."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import strategies
from tests.properties.site import ENFORCE, site
from tests.properties.wire import HOSTS, Environ, check_request, environ_of

_PATHS = sorted(site("off").table)
_ORIGINS = [*strategies.SERIALIZED, "https://admin.shop.example", "https://a.front.test"] + [
    f"{scheme}://{host}" for scheme in ("http", "https") for host in ("api.test", "localhost:8000")
]
_OTHERS = {
    "SEC_FETCH_SITE": st.sampled_from(("same-origin", "none", "same-site", "cross-site", "")),
    "SEC_PURPOSE": st.sampled_from(("prefetch", "prefetch;prerender", "")),
    "REFERER": st.sampled_from(
        ("https://api.test/", "https://evil.test/", "https://a.front.test/")
    ),
    "UPGRADE": st.sampled_from(("websocket", "WebSocket", "h2c, websocket", "h2c")),
    "ACCEPT": st.sampled_from(("text/html", "*/*", "text/html;q=x", "a" * 2000)),
    "HOST": st.sampled_from(HOSTS),
    "ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK": st.sampled_from(("true", "TRUE", "")),
}
_likely_methods = st.sampled_from(("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"))
_exact, _near = st.sampled_from(_ORIGINS), strategies.near_misses(_ORIGINS)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, Environ]:
    """A value of ``enforce``, and a request: an ordinary one or a preflight, that may be odd."""
    path = draw(st.sampled_from(_PATHS))
    headers: dict[str, str] = {}
    if draw(st.booleans()):
        method = draw(_likely_methods)
    else:
        method = "OPTIONS"
        headers["ACCESS_CONTROL_REQUEST_METHOD"] = draw(
            strategies.mostly(_likely_methods, strategies.methods())
        )
    if draw(st.sampled_from((True, False, False))):
        headers["ACCESS_CONTROL_REQUEST_HEADERS"] = draw(strategies.header_lists())
    if draw(st.sampled_from((True, True, True, False))):
        headers["ORIGIN"] = draw(strategies.mostly(_exact, _near | strategies.origins()))
    for name, likely in _OTHERS.items():
        if draw(st.sampled_from((True, False, False, False))):
            headers[name] = draw(likely)
    if draw(st.sampled_from((True, False, False, False))):
        odd = draw(st.sampled_from(("REQUEST_METHOD", "PATH_INFO", *_OTHERS)))
        value = draw(st.text(max_size=20) | st.sampled_from(strategies.PIECES))
        if odd == "REQUEST_METHOD":
            method = value
        elif odd == "PATH_INFO":
            path += value
        else:
            headers[odd] = value
    scheme = draw(st.sampled_from(("https", "https", "https", "http", "wss")))
    return draw(st.sampled_from(ENFORCE)), environ_of(method, path, headers, scheme)


@pytest.mark.parametrize("path", _PATHS)
@pytest.mark.parametrize("enforce", ENFORCE)
def test_ordinary_requests(enforce: str, path: str) -> None:
    for origin in ("https://shop.example", "https://admin.shop.example", "https://evil.test", ""):
        headers = {"ORIGIN": origin} if origin else {"SEC_FETCH_SITE": "cross-site"}
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            check_request(site(enforce), environ_of(method, path, headers))
            preflight = {**headers, "ACCESS_CONTROL_REQUEST_METHOD": method}
            check_request(site(enforce), environ_of("OPTIONS", path, preflight))


_NAMES = (None, "x-a", "x-c", "content-type", "authorization", "a b")


@pytest.mark.parametrize("path", _PATHS)
def test_preflights_that_differ_in_one_thing(path: str) -> None:
    origins = ("https://shop.example", "https://shop.invalid")
    for names, method, private, origin in itertools.product(
        _NAMES, ("GET", "PUT", "put"), (None, "true"), origins
    ):
        headers = {
            "ORIGIN": origin,
            "ACCESS_CONTROL_REQUEST_METHOD": method,
            "ACCESS_CONTROL_REQUEST_HEADERS": names,
            "ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK": private,
        }
        sent = {name: value for name, value in headers.items() if value is not None}
        check_request(site("off"), environ_of("OPTIONS", path, sent))


# Each header, with the values that it is sent with; None for no such header.
_Sent = dict[str, tuple[str | None, ...]]
_OWN, _STRANGER = "https://api.test", "https://evil.test"
_LOOKED_AT: _Sent = {
    "ORIGIN": (None, _OWN, "http://api.test", _STRANGER, "http://api.test:1"),
    "SEC_FETCH_SITE": (None, "same-origin", "none", "same-site", "cross-site"),
    "UPGRADE": (None, "websocket"),
    "HOST": ("api.test", "API.test:443"),
}
# What is also allowed by a wildcard, or has a host that no policy can list.
_OWN_HOSTS: _Sent = {
    "ORIGIN": ("https://shop.example", "https://a.shop.example", "https://-a.test"),
    "SEC_FETCH_SITE": (None, "same-origin", "cross-site"),
    "HOST": ("a.shop.example", "-a.test", "-A.test:443"),
}
_AHEAD: _Sent = {
    "ORIGIN": (None, _OWN, _STRANGER, "https://a.shop.example"),
    "SEC_FETCH_SITE": ("none", "same-origin", "cross-site"),
    "SEC_PURPOSE": (None, "prefetch"),
    "REFERER": (None, "https://api.test/", "https://evil.test/"),
    "HOST": ("api.test",),
}
_METHODS = ("GET", "OPTIONS", "PUT", "preflight")


def _check_all(enforce: str, method: str, path: str, sent: _Sent) -> None:
    for *values, scheme in itertools.product(*sent.values(), ("https", "http")):
        headers = {k: v for k, v in zip(sent, values, strict=True) if v is not None}
        if method == "preflight":
            headers["ACCESS_CONTROL_REQUEST_METHOD"] = "PUT"
        name = "OPTIONS" if method == "preflight" else method
        check_request(site(enforce), environ_of(name, path, headers, scheme))


@pytest.mark.parametrize("method", _METHODS)
@pytest.mark.parametrize("enforce", ENFORCE)
def test_whose_page_caused_a_request(enforce: str, method: str) -> None:
    _check_all(enforce, method, "/plain", _LOOKED_AT)


@pytest.mark.parametrize("path", ["/open", "/most", "/function"])
@pytest.mark.parametrize("enforce", ENFORCE)
def test_where_everybody_may_read_or_a_callable_decides(enforce: str, path: str) -> None:
    for method in _METHODS:
        fewer = {"ORIGIN": (None, _OWN, _STRANGER), "SEC_FETCH_SITE": (None, "none", "cross-site")}
        _check_all(enforce, method, path, {**_LOOKED_AT, **fewer, "HOST": ("api.test",)})


@pytest.mark.parametrize("sent", [_OWN_HOSTS, _AHEAD], ids=["own hosts", "ahead of time"])
@pytest.mark.parametrize("enforce", ENFORCE)
def test_own_pages_first(enforce: str, sent: _Sent) -> None:
    for method in ("GET", "PUT"):
        _check_all(enforce, method, "/plain", sent)


@given(requests())
def test_requests_are_answered_as_the_reference_says(request: tuple[str, Environ]) -> None:
    enforce, environ = request
    check_request(site(enforce), environ)
