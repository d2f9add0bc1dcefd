"""Where each browser engine departs from the standard.

Measured, not remembered: ``tests/data/verdicts.json`` holds what the real ones did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EngineName = Literal["standard", "chromium", "firefox", "webkit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine. The defaults are the standard.

    :ivar safelisted_names: request headers that are safelisted beyond the standard's.
    :ivar joins_repeated_headers: whether a header that script set twice is judged as one value.
    :ivar safelist_total: the bytes that all safelisted values may have together, or None.
    :ivar non_ascii_is_unsafe: whether bytes from 0x80 up are unsafe in Accept and Content-Type.
    :ivar range_in_any_case: whether ``Bytes=0-1`` is a safelisted ``Range`` too.
    :ivar wildcard_covers_authorization: whether ``Access-Control-Allow-Headers: *`` does.
    :ivar default_same_site: how a cookie without ``SameSite`` is treated: ``lax`` or ``none``.
    :ivar lax_post_window: the seconds for which such a cookie goes along with a form all the same.
    :ivar none_needs_secure: whether ``SameSite=None`` is refused without ``Secure``.
    :ivar third_party_cookies: what becomes of cookies on requests to other sites, where
        ``SameSite`` lets them pass: ``allowed``, ``partitioned`` by the page's site, ``blocked``.
    :ivar max_age_limit: the seconds that a preflight is remembered for at most, or None.
    """

    name: EngineName
    safelisted_names: frozenset[str] = frozenset()
    joins_repeated_headers: bool = True
    safelist_total: int | None = None
    non_ascii_is_unsafe: bool = False
    range_in_any_case: bool = False
    wildcard_covers_authorization: bool = True
    default_same_site: Literal["lax", "none"] = "lax"
    lax_post_window: float = 0
    none_needs_secure: bool = True
    third_party_cookies: Literal["allowed", "partitioned", "blocked"] = "allowed"
    max_age_limit: int | None = None


ENGINES: dict[EngineName, Engine] = {
    "standard": Engine(
        name="standard",
        joins_repeated_headers=False,
        safelist_total=1024,
        wildcard_covers_authorization=False,
    ),
    "chromium": Engine(
        name="chromium",
        safelisted_names=frozenset(
            {
                "device-memory",
                "downlink",
                "dpr",
                "ect",
                "rtt",
                "save-data",
                "viewport-width",
                "width",
            }
        ),
        max_age_limit=7200,
    ),
    "firefox": Engine(
        name="firefox",
        joins_repeated_headers=False,
        non_ascii_is_unsafe=True,
        max_age_limit=86400,
    ),
    "webkit": Engine(name="webkit", range_in_any_case=True, max_age_limit=600),
}
