"""Advisories of CORS in other libraries and languages, in the order of their years.

See ``test_flask_cors.py`` for how these tests are made.
"""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, request

from flask_corsguard import cors

from .apps import EVIL, SHOP, by_flask_cors, by_origin, guarded, pages, refusal, unmarked
from .attacks import CLOSED, OPEN, REFUSED, Received, ask, check_origins, preflight, readable_by

WITH_CREDENTIALS = [("Access-Control-Allow-Credentials", "true"), *readable_by(EVIL)]


def test_cve_2015_9236() -> None:
    """Preflights for a route that had CORS turned off were answered by the default policy"""

    def site() -> Flask:
        app = pages({"/": ()}, method="PUT")
        app.add_url_rule("/", "read", lambda: "read")
        return app

    flawed = site()

    @flawed.after_request
    def add_headers(response: Response) -> Response:
        if request.method in ("GET", "OPTIONS"):
            response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    assert preflight(flawed, "/") == Received(200, "", OPEN)

    app = guarded(site(), origins="*")
    assert preflight(app, "/") == Received(403, "ORIGIN_NOT_ALLOWED", REFUSED)
    assert ask(app, "/", method="PUT") == Received(200, "/", CLOSED)
    assert ask(app, "/") == Received(200, "read", OPEN)


def test_cve_2017_7674() -> None:
    """`Vary: Origin` was never sent, so a cache could give one origin the response for another"""
    # 6.0.5 leaves it out if one origin is listed
    flawed = by_flask_cors(pages({"/": ()}), origins=SHOP)
    assert ask(flawed, "/", SHOP) == Received(200, "/", [("Access-Control-Allow-Origin", SHOP)])

    app = guarded(pages({"/": SHOP}))
    assert ask(app, "/", SHOP) == Received(200, "/", readable_by(SHOP))
    for origin in (EVIL, None):
        assert ask(app, "/", origin) == Received(200, "/", CLOSED)
        assert ask(app, "/", origin, "HEAD") == Received(200, "", CLOSED)
        assert ask(app, "/", origin, "POST") == Received(405, "", CLOSED)


def test_cve_2017_11173() -> None:
    """The pattern made from an origin was open at the end: `https://shop.example.evil.example`"""
    longer = [f"{SHOP}.evil.example", f"{SHOP}-evil.example", f"{SHOP}:8080", f"{SHOP}/"]
    check_origins(SHOP, [SHOP], longer, re.compile(re.escape(SHOP)).match)
    subdomains = ["https://a.shop.example", "https://a.b.shop.example"]
    wrong = [f"{origin}.evil.example" for origin in subdomains]
    flaw = re.compile(r"https://.*\.shop\.example").match
    check_origins("https://*.shop.example", subdomains, wrong, flaw)


# None of them is an origin. Repeated, the first would even stand for all.
ODD = ["*", "null", "", f"{SHOP}, {EVIL}", f"{SHOP} {EVIL}", f"https://shop.example@{EVIL}"]
ODD += [EVIL + end for end in (f"#{SHOP}", f"/{SHOP}", r"\.shop.example", "%00.shop.example")]
ODD += ["HTTPS://EVIL.EXAMPLE", "https://evil.example.", f"{EVIL}:443", f"{EVIL}\t"]


def test_cve_2017_20146() -> None:
    """The request could choose the value of `Access-Control-Allow-Origin`"""
    check_origins(re.compile(".*"), [EVIL], ODD, lambda origin: True)
    check_origins(lambda origin: True, [EVIL], ODD, lambda origin: True)


def test_cve_2018_8014() -> None:
    """Credentials were allowed for every origin by default, or as soon as they were turned on"""
    # in 6.0.5 they are, once they are turned on
    flawed = by_flask_cors(pages({"/": ()}), supports_credentials=True)
    assert ask(flawed, "/") == Received(200, "/", WITH_CREDENTIALS)

    for fields in ({}, {"allow_credentials": True}):
        app = guarded(unmarked(), **fields)
        for origin in (EVIL, "null", None):
            assert ask(app, "/", origin) == Received(200, "page", CLOSED)


def test_cve_2018_20744() -> None:
    """For `*`, the origin of the request was repeated, whatever it was"""
    flawed = by_flask_cors(pages({"/": "*"}), origins="*")  # 6.0.5 does the same
    assert ask(flawed, "/") == Received(200, "/", readable_by(EVIL))

    app = guarded(pages({"/": "*"}))
    for origin in (EVIL, "null", "https://a.example, https://b.example", "<script>", None):
        assert ask(app, "/", origin) == Received(200, "/", OPEN)


def test_cve_2019_25211() -> None:
    """A wildcard at the end matched more than a path: `https://shop.example*`"""
    wrong = ["https://shop.examples", f"{SHOP}.evil.example", f"{SHOP}:8080"]
    check_origins(SHOP, [SHOP], wrong, lambda origin: origin.startswith(SHOP))
    for origins, code in {
        f"{SHOP}*": "origin_wildcard",
        f"{SHOP}/*": "origin_path",
        f"{SHOP}.*": "origin_wildcard",
        "https://*": "origin_wildcard",
        "http://localhost*": "origin_wildcard",
        "http://localhost/*": "origin_path",
    }.items():
        assert refusal(origins=origins) == [code]
    right = ["http://localhost", "http://localhost:3000"]
    wrong = [f"{origin}.evil.example" for origin in right]
    check_origins("http://localhost:*", right, wrong, lambda o: o.startswith("http://localhost"))


def test_cve_2021_39185() -> None:
    """The origin `null`, which any page can have in a sandboxed frame, was allowed like others"""
    check_origins([SHOP], [SHOP], ["null"], bool)
    everyone = re.compile(".*")
    check_origins(everyone, [SHOP], ["null"], everyone.match)
    for credentials in (False, True):
        assert refusal(origins="null", allow_credentials=credentials) == ["null_origin"]


def test_cve_2022_1996() -> None:
    """Every entry of the list was used as a regular expression, and a match anywhere was enough"""
    wrong = [f"{SHOP}.evil.example", "https://shopxexample", f"https://evil.example/{SHOP}"]
    wrong += ["https://shop-example.evil.example", f"https://evil.example?{SHOP}"]
    check_origins(SHOP, [SHOP], wrong, re.compile(SHOP).search)
    assert refusal(origins="shop.example") == ["origin_no_scheme"]
    assert refusal(origins=r"https://shop\.example") == ["origin_regex"]


def test_ghsa_9895_g6x5_xwcp() -> None:
    """Requests that need no preflight reached the application from origins that were not allowed"""
    ran: list[str] = []

    def site(**fields: Any) -> Flask:
        app = Flask("site", static_folder=None)

        @app.route("/", methods=["GET", "POST"])
        @cors(**fields)
        def change() -> str:
            ran.append(request.method)
            return "done"

        return app

    # 6.0.5 does so too; it does not promise to refuse
    flawed = by_flask_cors(site(max_age=1), origins=SHOP)
    assert ask(flawed, "/", method="POST").body == "done"
    assert ran

    ran.clear()
    vary = [("Vary", "Origin, Sec-Fetch-Site, Accept")]
    for enforce, methods in (("unsafe", ("POST",)), ("all", ("GET", "POST"))):
        app = guarded(site(origins=SHOP, enforce=enforce))
        for method in methods:
            for origin, code in ((EVIL, "ORIGIN_NOT_ALLOWED"), ("null", "ORIGIN_NULL")):
                assert ask(app, "/", origin, method) == Received(403, code, vary)
    assert ran == []
    vary = [("Vary", "Origin, Sec-Fetch-Site")]
    allowed = [("Access-Control-Allow-Origin", SHOP), *vary]
    assert ask(app, "/", SHOP, "POST") == Received(200, "done", allowed)


def test_cve_2023_49803() -> None:
    """With no origin configured, the origin of the request was repeated"""
    flawed = by_flask_cors(pages({"/": ()}))  # 6.0.5 does the same
    assert ask(flawed, "/") == Received(200, "/", readable_by(EVIL))

    for fields in ({}, {"origins": ()}):
        app = guarded(unmarked(), **fields)
        for origin in (EVIL, "null", "http://localhost.evil.example", None):
            assert ask(app, "/", origin) == Received(200, "page", CLOSED)
        assert preflight(app, "/") == Received(403, "ORIGIN_NOT_ALLOWED", REFUSED)
    assert refusal(origins=None) == ["wrong_type"]
    assert refusal(origins="") == ["origin_empty"]


def test_cve_2024_25124() -> None:
    """`*` could be configured together with credentials"""
    flawed = by_origin(pages({"/": "*"}), bool, allow_credentials="true")
    assert ask(flawed, "/") == Received(200, "/", WITH_CREDENTIALS)

    assert refusal(origins="*", allow_credentials=True) == ["credentials_any_origin"]
    both = ["wildcard_not_alone", "credentials_any_origin"]
    assert refusal(origins=["*", SHOP], allow_credentials=True) == both
    app = guarded(pages({"/": "*"}), allow_credentials=True)  # they meet at the route
    assert ask(app, "/") == Received(500, "", CLOSED)


def test_ghsa_vhxv_fg4m_p2w8() -> None:
    """Two origins whose hosts end alike let in a third: with foo.com and bar.com, barfoo.com"""
    listed = ["https://foo.example", "https://bar.example", "https://*.oo.example"]
    wrong = ["https://barfoo.example", "https://foobar.example", "https://o.example"]
    wrong += ["https://oo.example", "https://xoo.example", "https://r.example"]
    right = [*listed[:2], "https://f.oo.example"]
    check_origins(listed, right, wrong, lambda o: o.endswith((".example", "foo.example")))


# As long as the servers let a header line be.
FLOODS = ["," * 8000, "a," * 4000, "\t, " * 2500, ("x" * 400 + ",") * 19, "a" * 8000]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: repr(flood[:5]))
def test_cve_2025_47908(flood: str) -> None:
    """Many commas in `Access-Control-Request-Headers` cost as many allocations"""
    # 6.0.5 reads them all, and sends them back
    flawed = by_flask_cors(pages({"/": SHOP}, method="PUT"), origins=SHOP)
    sent = dict(preflight(flawed, "/", SHOP, ACCESS_CONTROL_REQUEST_HEADERS=flood).headers)
    assert "Access-Control-Allow-Headers" in sent

    refused = Received(403, "HEADERS_MALFORMED", REFUSED)
    for allow in (["X-Trace"], "*"):
        app = guarded(pages({"/": SHOP}, method="PUT"), allow_headers=allow)
        assert preflight(app, "/", SHOP, ACCESS_CONTROL_REQUEST_HEADERS=flood) == refused


def test_cve_2025_71381() -> None:
    """The request's `Vary` was copied to the response, where it tells caches what to keep apart"""
    flawed = pages({"/": SHOP})

    @flawed.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Vary"] = request.headers["Vary"]
        return response

    assert ask(flawed, "/", VARY="X-Evil").headers == [("Vary", "X-Evil")]

    app = guarded(pages({"/": SHOP}))
    for value in ("X-Evil", "*", "", "Origin"):
        assert ask(app, "/", SHOP, VARY=value) == Received(200, "/", readable_by(SHOP))
        assert ask(app, "/", VARY=value) == Received(200, "/", CLOSED)
        refused = Received(403, "ORIGIN_NOT_ALLOWED", REFUSED)
        assert preflight(app, "/", method="GET", VARY=value) == refused


def test_cve_2026_25478() -> None:
    """A dot in a listed origin matched any character: `https://shopxexample`"""
    wrong = ["https://shopxexample", "https://shop-example", "https://shop_example"]
    check_origins(SHOP, [SHOP], wrong, re.compile(SHOP).fullmatch)
    wrong = ["https://axshop.example", "https://a.shopxexample", f"{EVIL}/a.shop.example"]
    flaw = re.compile("https://.*.shop.example").fullmatch
    check_origins("https://*.shop.example", ["https://a.shop.example"], wrong, flaw)


def seconds(run: Callable[[], object]) -> float:
    """What it costs the processor: the best of a few runs, whatever else the machine does."""
    times = []
    for _ in range(5):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return min(times)


def test_cve_2026_69207() -> None:
    """White space in `Access-Control-Request-Headers` took quadratic time"""
    long = {"ACCESS_CONTROL_REQUEST_HEADERS": " " * 60_000}
    short = {"ACCESS_CONTROL_REQUEST_HEADERS": "x-trace"}

    def ratio(app: Flask) -> float:
        """How much longer a long list takes."""
        usual = seconds(lambda: preflight(app, "/", SHOP, **short))
        return seconds(lambda: preflight(app, "/", SHOP, **long)) / usual

    flawed = pages({"/": SHOP}, method="PUT")
    split = re.compile(r"\s*,\s*")

    @flawed.before_request
    def read() -> None:
        split.split(request.headers["Access-Control-Request-Headers"][:8_000])

    assert ratio(flawed) > 20
    assert ratio(guarded(pages({"/": SHOP}, method="PUT"), allow_headers="*")) < 5


def test_starlette_800() -> None:
    """A pattern had to match only the beginning of the origin"""
    pattern = re.compile(r"https://.*\.shop\.example")
    right = ["https://a.shop.example", "https://a.b.shop.example"]
    wrong = [f"{origin}.evil.example" for origin in right] + [f"{right[0]}:8080"]
    check_origins(pattern, right, wrong, pattern.match)


def test_django_cors_headers_259() -> None:
    """Origins were listed without a scheme, so http pages could read https responses"""
    wrong = ["http://shop.example", "ftp://shop.example"]
    check_origins(SHOP, [SHOP], wrong, lambda origin: origin.endswith("://shop.example"))
    assert refusal(origins="shop.example") == ["origin_no_scheme"]
    insecure = refusal(origins="http://shop.example", allow_credentials=True)
    assert insecure == ["credentials_insecure_origin"]


def test_rs_cors_197() -> None:
    """`*` was an error with credentials, but `h*` was not"""
    for origins, code in {
        "h*": "origin_no_scheme",
        "http*": "origin_no_scheme",
        "https://*": "origin_wildcard",
        "https://*:*": "origin_wildcard",
        "*://shop.example": "origin_wildcard",
        "https://*.com": "credentials_public_suffix",
        "https://*.github.io": "credentials_public_suffix",
    }.items():
        assert refusal(origins=origins, allow_credentials=True) == [code]
