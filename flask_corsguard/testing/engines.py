"""How each browser engine departs from the standard.

Measured: ``tests/data/verdicts.json`` holds what the real ones did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from flask_corsguard.protocol.fields import MAX_AGE_CHROMIUM, MAX_AGE_LIMIT
from flask_corsguard.protocol.safelist import STANDARD, Safelist

EngineName = Literal["standard", "chromium", "firefox", "webkit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine. The defaults are the standard."""

    name: EngineName

    # Request headers

    #: headers that JavaScript cannot set, beyond the standard's
    forbidden_names: frozenset[str] = frozenset()
    safelist: Safelist = STANDARD  #: which headers need no permission
    #: whether a header that is set twice has to be safelisted as one value
    joins_repeated_headers: bool = False
    repeats_names: bool = False  #: whether a preflight names such a header twice
    utf8_values: bool = False  #: whether values are sent as UTF-8
    single_headers: frozenset[str] = frozenset()  #: headers of which only the last value is sent
    #: whether ``Origin`` stays on a request that a redirect within one origin has made a GET
    origin_stays: bool = False

    # Preflights

    #: whether ``Sec-Fetch-Mode`` is sent to untrustworthy servers
    preflight_mode_everywhere: bool = False
    #: whether ``Access-Control-Allow-Headers: *`` covers ``Authorization``
    wildcard_covers_authorization: bool = False
    #: whether a request that once needed a preflight needs another one after every redirect: for
    #: the headers that it still has (``current``), or for those that it had then (``first``)
    sticky_preflight: Literal["", "current", "first"] = ""
    #: whether a preflight names the page's origin even if redirects have made that ``null``
    preflight_keeps_origin: bool = False
    #: whether a preflight's ``Sec-Fetch-Site`` ignores the redirects before it
    preflight_forgets_redirects: bool = True

    # Remembered preflights

    #: what is remembered of a URL: every ``grant``; the ``latest`` preflight; or each grant by its
    #: ``literal`` name, for requests that are alike in credentials
    cache: Literal["grant", "latest", "literal"] = "grant"
    #: whether a remembered ``*`` covers ``Authorization``
    cached_wildcard_covers_authorization: bool = False
    caches_for_opaque: bool = True  #: whether anything is remembered for pages without an origin
    max_age_limit: int | None = None  #: the most seconds that anything is remembered, or None
    #: a valid ``Access-Control-Max-Age``
    max_age_pattern: re.Pattern[str] = re.compile(r"[0-9]+")
    max_age_if_invalid: int = 5  #: the seconds that an invalid one stands for
    #: whether a preflight's grants are remembered even if they do not cover the request
    remembers_what_did_not_suffice: bool = False
    #: whether a response that the page may not read makes the browser forget
    failure_clears_cache: bool = True

    beacon_limit: int | None = 65536  #: the bytes that a beacon may have, or None

    # Redirects

    #: whether a redirect by another origin has to allow credentials, if the request began at the
    #: page's own origin
    redirects_need_credentials: bool = False
    #: the modes besides ``cors`` in which the first redirect across origins makes the origin
    #: ``null``
    origin_lost: frozenset[str] = frozenset()
    #: whether a user name in ``Location`` is refused on the page's own origin
    refuses_userinfo: bool = False
    #: whether CORS requests have no ``Sec-Fetch-*`` headers after a redirect across origins
    fetch_metadata_lost: bool = False
    #: whether ``redirect: "error"``, too, treats a redirect without ``Location`` as a response
    redirects_have_locations: bool = False
    equal_locations_are_one: bool = False  #: whether one ``Location`` may be sent twice
    delete_becomes_get: bool = False  #: whether a redirect across origins makes DELETE a GET
    #: whether the next redirect brings back the headers that go with the body
    body_headers_come_back: bool = False

    # Pages with https

    #: whether ``Referer`` is kept back from plain http, loopback or not
    referrer_by_scheme: bool = False
    #: from which servers ``Origin`` is kept back: from plain ``http``, from ``untrustworthy`` ones,
    #: or from ``none``
    hides_origin: Literal["http", "untrustworthy", "none"] = "http"
    loopback_is_mixed: bool = False  #: whether http on loopback is mixed content
    #: whether a form is sent to plain http: ``sent``, ``warned`` of, or warned of even if a
    #: redirect leads there
    mixed_forms: Literal["sent", "warned", "warned of redirects"] = "sent"

    # Cookies

    schemeful: bool = True  #: whether https and http of one host are two sites
    #: the requests that a redirect by another site makes cross-site
    cookies_see_redirects: Literal["none", "navigations", "all"] = "none"
    #: how a cookie without ``SameSite`` is treated
    default_same_site: Literal["lax", "none"] = "lax"
    #: the seconds for which such a cookie is sent with a form nevertheless
    lax_post_window: float = 0
    none_needs_secure: bool = True  #: whether ``SameSite=None`` is refused without ``Secure``
    #: what becomes of cookies on requests to other sites, if ``SameSite`` lets them pass:
    #: ``allowed``; ``partitioned`` by the page's site; ``blocked`` unless they were set as
    #: ``Partitioned``; or ``unset``: sent, but not stored
    third_party_cookies: Literal["allowed", "partitioned", "blocked", "unset"] = "allowed"
    #: whether ``__Host-``, ``__Secure-`` and ``Partitioned`` mean anything
    cookie_prefixes: bool = True
    secure_on_loopback: bool = True  #: whether plain http on loopback may set ``Secure`` cookies
    max_cookie: int | None = 4096  #: the bytes that name and value may have together, or None


_INTEGER = re.compile(r"0|[1-9][0-9]*")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_SIGNED = re.compile(r"-?[0-9]+")

ENGINES: dict[EngineName, Engine] = {
    "standard": Engine(name="standard"),
    "chromium": Engine(
        name="chromium",
        wildcard_covers_authorization=True,
        referrer_by_scheme=True,
        forbidden_names=frozenset({"user-agent"}),
        joins_repeated_headers=True,
        safelist=Safelist(
            total=None,
            range_limit=2**63 - 1,
            further_values={
                **dict.fromkeys(("device-memory", "downlink", "dpr"), _NUMBER),
                **dict.fromkeys(("rtt", "viewport-width", "width"), _INTEGER),
                "ect": re.compile("slow-2g|2g|3g|4g"),
                "intervention": re.compile(".*"),
                "save-data": re.compile("on", re.IGNORECASE),
            },
        ),
        preflight_mode_everywhere=True,
        cache="latest",
        caches_for_opaque=False,
        max_age_limit=MAX_AGE_CHROMIUM,
        max_age_pattern=_SIGNED,
        failure_clears_cache=False,
        origin_lost=frozenset({"navigate", "no-cors"}),
        refuses_userinfo=True,
        redirects_have_locations=True,
        equal_locations_are_one=True,
        hides_origin="untrustworthy",
        mixed_forms="warned of redirects",
        lax_post_window=120,
        third_party_cookies="blocked",
    ),
    "firefox": Engine(
        name="firefox",
        wildcard_covers_authorization=True,
        referrer_by_scheme=True,
        beacon_limit=None,
        repeats_names=True,
        single_headers=frozenset({"authorization", "content-type"}),
        safelist=Safelist(total=None, non_ascii_is_unsafe=True, range_limit=2**64),
        sticky_preflight="current",
        preflight_keeps_origin=True,
        cache="literal",
        max_age_limit=MAX_AGE_LIMIT,
        max_age_if_invalid=0,
        equal_locations_are_one=True,
        body_headers_come_back=True,
        mixed_forms="warned",
        schemeful=False,
        cookies_see_redirects="all",
        default_same_site="none",
        third_party_cookies="partitioned",
    ),
    "webkit": Engine(
        name="webkit",
        wildcard_covers_authorization=True,
        referrer_by_scheme=True,
        joins_repeated_headers=True,
        safelist=Safelist(
            total=None,
            range_pattern=re.compile(r"bytes=\+?([0-9]+)-([0-9]*)", re.IGNORECASE),
            range_limit=2**64,
        ),
        utf8_values=True,
        origin_stays=True,
        sticky_preflight="first",
        preflight_forgets_redirects=False,
        cache="latest",
        cached_wildcard_covers_authorization=True,
        max_age_limit=600,
        max_age_pattern=_SIGNED,
        remembers_what_did_not_suffice=True,
        failure_clears_cache=False,
        redirects_need_credentials=True,
        origin_lost=frozenset({"navigate"}),
        fetch_metadata_lost=True,
        redirects_have_locations=True,
        delete_becomes_get=True,
        body_headers_come_back=True,
        hides_origin="none",
        loopback_is_mixed=True,
        schemeful=False,
        cookies_see_redirects="navigations",
        default_same_site="none",
        none_needs_secure=False,
        third_party_cookies="unset",
        cookie_prefixes=False,
        secure_on_loopback=False,
        max_cookie=None,
    ),
}
