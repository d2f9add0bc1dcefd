"""The requests to send to both apps, the most important first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from flask_corsguard.compare.messages import Ask, Description, SampleUrl
from flask_corsguard.protocol.headers import SAFE_METHODS
from flask_corsguard.protocol.origins import parse_origin

#: A site that no app means to allow.
OTHER = "https://other.example"
_OPAQUE = "null"
_UNLISTED_HEADER = "x-corsguard-compare"
_MOST_HEADERS = 6
_TURNS_FOR_A_RANK = 10


def urls_of(descriptions: Iterable[Description], skip: Sequence[str]) -> list[SampleUrl]:
    """A URL for each rule of either app, with the methods of both; in turns from each blueprint or
    module, so that none is left out if time is short.

    :param skip: patterns of the rules to leave out.
    """
    urls: dict[str, SampleUrl] = {}
    for url in (url for description in descriptions for url in description.urls):
        if not any(fnmatchcase(url.rule, pattern) for pattern in skip):
            known = urls.setdefault(url.rule, url)
            methods = tuple(sorted({*known.methods, *url.methods}))
            urls[url.rule] = known._replace(methods=methods)
    turn: Counter[str] = Counter()
    turns: list[int] = []
    for url in urls.values():
        turns.append(turn[url.group])
        turn[url.group] += 1
    pairs = zip(turns, urls.values(), strict=True)
    return [url for _, url in sorted(pairs, key=lambda pair: pair[0])]


def representative(lists: Iterable[Iterable[str]]) -> list[str]:
    """One origin of each group that is in the same lists: no policy tells the others apart."""
    standing: dict[str, set[int]] = {}
    for number, origins in enumerate(lists):
        for origin in origins:
            if origin != OTHER and parse_origin(origin) is not None:
                standing.setdefault(origin, set()).add(number)
    found: dict[frozenset[int], str] = {}
    for origin, numbers in standing.items():
        found.setdefault(frozenset(numbers), origin)
    return [*found.values()]


def own_asks(urls: Iterable[SampleUrl]) -> list[Ask]:
    """The requests without ``Origin``."""
    return [Ask(url.url, _reading(url), "") for url in urls if _reading(url)]


def foreign_asks(
    urls: Iterable[SampleUrl],
    origins: Sequence[str],
    descriptions: Iterable[Description],
    *,
    all_methods: bool,
) -> list[Ask]:
    """The requests from other origins, the most important first: some for each route, and soon all
    for the first routes of each blueprint.

    :param origins: the pages' origins, besides ``null`` and :data:`OTHER`.
    :param all_methods: whether other methods than GET and HEAD are sent after their preflight.
    """
    asks: dict[Ask, int] = {}
    headers = _headers(descriptions)
    first, others = dict.fromkeys((*origins[:1], OTHER), 0), dict.fromkeys(origins[1:], 1)
    pages = first | others | {_OPAQUE: 3}
    turn: Counter[str] = Counter()
    for url in urls:
        reading = _reading(url)
        # Methods that change something come first.
        methods = sorted(set(url.methods) - {"HEAD"}, key=lambda name: (name in SAFE_METHODS, name))
        for page, later in pages.items():
            found = [(later, Ask(url.url, reading, page))] if reading else []
            for method in methods:
                is_first, is_safe = method == methods[0], method in SAFE_METHODS
                send, rank = all_methods and not is_safe, later or int(not is_first)
                found.append((rank, Ask(url.url, method, page, ("content-type",), send)))
                if send or not (is_safe or method == "POST"):
                    found.append((rank if send else 3, Ask(url.url, method, page, (), send)))
                rank = 2 if is_first and not later else 3
                found += [(rank, Ask(url.url, method, page, (name,), False)) for name in headers]
            for rank, ask in found:
                asks.setdefault(ask, turn[url.group] + rank * _TURNS_FOR_A_RANK)
        turn[url.group] += 1
    return sorted(asks, key=lambda ask: asks[ask])


def _headers(descriptions: Iterable[Description]) -> list[str]:
    named = sorted({name for d in descriptions for name in d.headers} - {"content-type"})
    return [*dict.fromkeys(("authorization", _UNLISTED_HEADER, *named))][:_MOST_HEADERS]


def _reading(url: SampleUrl) -> str:
    """The method that reads, or ""."""
    return next((name for name in ("GET", "HEAD") if name in url.methods or not url.methods), "")
