"""Where each browser engine departs from the standard.

Measured, not remembered: ``tests/data/verdicts.json`` holds what the real ones did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from flask_corsguard.protocol.safelist import STANDARD, Safelist

EngineName = Literal["standard", "chromium", "firefox", "webkit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine. The defaults are the standard.

    Of request headers:

    :ivar forbidden_names: those that script cannot set, beyond the standard's.
    :ivar safelist: which headers need no permission.
    :ivar joins_repeated_headers: whether a header that script set twice is judged as one value.
    :ivar repeats_names: whether a preflight names such a header twice.
    :ivar utf8_values: whether values are sent as UTF-8.
    :ivar single_headers: those of which the last value is sent alone.
    :ivar origin_stays: whether ``Origin`` stays on a request that a redirect within the page's own
        origin has made a GET.

    Of preflights:

    :ivar preflight_mode_everywhere: whether ``Sec-Fetch-Mode`` is sent to untrustworthy servers.
    :ivar wildcard_covers_authorization: whether ``Access-Control-Allow-Headers: *`` does.
    :ivar sticky_preflight: whether a request that needed one at first needs one after every
        redirect: for the headers that are left (``current``), or for those of the beginning.
    :ivar preflight_keeps_origin: whether that one still has the page's origin.
    :ivar preflight_forgets_way: whether its ``Sec-Fetch-Site`` knows nothing of the redirects.

    Of the cache of preflights:

    :ivar cache: what is remembered of a URL: every ``grant``; the ``latest`` preflight; or each
        grant by its ``literal`` name, for requests that are alike in credentials.
    :ivar cached_wildcard_covers_authorization: whether a remembered ``*`` does.
    :ivar caches_for_opaque: whether anything is, for pages without an origin.
    :ivar max_age_limit: for how many seconds at most, or None.
    :ivar max_age_pattern: a ``Access-Control-Max-Age`` that counts.
    :ivar max_age_if_invalid: the seconds that any other stands for.
    :ivar remembers_what_did_not_suffice: whether grants are remembered that were not all which
        the request needed.
    :ivar failure_clears_cache: whether a response that script may not read ends that.

    Of beacons:

    :ivar beacon_limit: the bytes that one may have, or None.

    Of redirects:

    :ivar redirects_need_credentials: whether other origins that redirect a request have to allow
        credentials if it began at the page's own.
    :ivar origin_lost: in which modes besides ``cors`` the origin becomes ``null`` with the first
        redirect across origins already.
    :ivar refuses_userinfo: whether a user name in ``Location`` is refused on the page's own origin.
    :ivar fetch_metadata_lost: whether ``Sec-Fetch-*`` are not sent after a redirect across origins,
        with what CORS is for.
    :ivar redirects_have_locations: whether a redirect without ``Location`` is none under
        ``redirect: "error"`` either.
    :ivar equal_locations_are_one: whether one ``Location`` may be sent twice.
    :ivar delete_stays_home: whether a redirect across origins makes DELETE a GET.
    :ivar body_headers_come_back: whether the headers that go with the body are back after the
        next redirect.

    Of https pages:

    :ivar referrer_by_scheme: whether ``Referer`` is kept back from plain http, loopback or not.
    :ivar hides_origin: from which servers ``Origin`` is kept back: those of plain ``http``, those
        that are ``untrustworthy``, or ``none``.
    :ivar loopback_is_mixed: whether http on loopback is mixed content.
    :ivar mixed_forms: whether a form is sent to plain http: ``sent``, ``warned`` of, or warned of
        even where a redirect leads there.

    Of cookies:

    :ivar schemeful: whether https and http of one host are two sites.
    :ivar cookies_see_redirects: the requests that a redirect by another site makes cross-site.
    :ivar default_same_site: how a cookie without ``SameSite`` is treated.
    :ivar lax_post_window: the seconds for which such a cookie goes along with a form all the same.
    :ivar none_needs_secure: whether ``SameSite=None`` is refused without ``Secure``.
    :ivar third_party_cookies: what becomes of cookies on requests to other sites, where
        ``SameSite`` lets them pass: ``allowed``; ``partitioned`` by the page's site; ``blocked``
        unless they were set as ``Partitioned``; or ``unset``: sent, but not stored.
    :ivar cookie_prefixes: whether ``__Host-``, ``__Secure-`` and ``Partitioned`` mean anything.
    :ivar secure_on_loopback: whether plain http may set ``Secure`` cookies there.
    :ivar max_cookie: the bytes that name and value may have together, or None.
    """

    name: EngineName
    forbidden_names: frozenset[str] = frozenset()
    safelist: Safelist = STANDARD
    joins_repeated_headers: bool = False
    repeats_names: bool = False
    utf8_values: bool = False
    single_headers: frozenset[str] = frozenset()
    origin_stays: bool = False

    preflight_mode_everywhere: bool = False
    wildcard_covers_authorization: bool = False
    sticky_preflight: Literal["", "current", "first"] = ""
    preflight_keeps_origin: bool = False
    preflight_forgets_way: bool = True

    cache: Literal["grant", "latest", "literal"] = "grant"
    cached_wildcard_covers_authorization: bool = False
    caches_for_opaque: bool = True
    max_age_limit: int | None = None
    max_age_pattern: re.Pattern[str] = re.compile(r"[0-9]+")
    max_age_if_invalid: int = 5
    remembers_what_did_not_suffice: bool = False
    failure_clears_cache: bool = True

    beacon_limit: int | None = 65536

    redirects_need_credentials: bool = False
    origin_lost: frozenset[str] = frozenset()
    refuses_userinfo: bool = False
    fetch_metadata_lost: bool = False
    redirects_have_locations: bool = False
    equal_locations_are_one: bool = False
    delete_stays_home: bool = False
    body_headers_come_back: bool = False

    referrer_by_scheme: bool = False
    hides_origin: Literal["http", "untrustworthy", "none"] = "http"
    loopback_is_mixed: bool = False
    mixed_forms: Literal["sent", "warned", "warned of redirects"] = "sent"

    schemeful: bool = True
    cookies_see_redirects: Literal["none", "navigations", "all"] = "none"
    default_same_site: Literal["lax", "none"] = "lax"
    lax_post_window: float = 0
    none_needs_secure: bool = True
    third_party_cookies: Literal["allowed", "partitioned", "blocked", "unset"] = "allowed"
    cookie_prefixes: bool = True
    secure_on_loopback: bool = True
    max_cookie: int | None = 4096


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
                "device-memory": _NUMBER,
                "downlink": _NUMBER,
                "dpr": _NUMBER,
                "ect": re.compile("slow-2g|2g|3g|4g"),
                "intervention": re.compile(".*"),
                "rtt": _INTEGER,
                "save-data": re.compile("on", re.IGNORECASE),
                "viewport-width": _INTEGER,
                "width": _INTEGER,
            },
        ),
        preflight_mode_everywhere=True,
        cache="latest",
        caches_for_opaque=False,
        max_age_limit=7200,
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
        max_age_limit=86400,
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
        preflight_forgets_way=False,
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
        delete_stays_home=True,
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
