"""What a page can do with one app that it cannot do with the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from flask_corsguard.compare.app_process import AppProcess
from flask_corsguard.compare.description import Description, SampleUrl
from flask_corsguard.compare.page_requests import Ask, Seen
from flask_corsguard.protocol.headers import ALLOW_ORIGIN, SAFE_METHODS
from flask_corsguard.protocol.origins import parse_origin

Progress = Callable[[int, int], None]
Kind = Literal["wider", "narrower", "error"]
What = Literal["sent", "read", "headers", "refused"]
Mode = Literal["any", "with", "without"]
Key = tuple[Kind, What, Mode]
Both = tuple[tuple[Seen, Seen], tuple[Seen, Seen]]

#: A site that no app means.
OTHER = "https://other.example"
_MOST_ORIGINS = 6
_MOST_HEADERS = 6
_UNLISTED_HEADER = "x-corsguard-compare"
_AT_ONCE = 64
# How often what differs is asked for again, and in which part of the time.
_REPEATS = 2
_TIME_FOR_REPEATS = 0.25
_MOST_NAMED = 5

TITLES: dict[tuple[What, Kind], str] = {
    ("sent", "wider"): "A browser sends a request that it did not send",
    ("sent", "narrower"): "A browser no longer sends a request",
    ("read", "wider"): "A page can read a response that it could not",
    ("read", "narrower"): "A page can no longer read a response",
    ("read", "error"): "A page can read an error, where it could read the other responses",
    ("headers", "wider"): "JavaScript can read more headers of a response",
    ("headers", "narrower"): "JavaScript can read fewer headers of a response",
    ("refused", "wider"): "A request runs the view that the guard refused",
    ("refused", "narrower"): "The guard refuses a request that ran the view",
}


def changes(before: Seen, after: Seen, *, admitted: bool) -> Iterator[tuple[What, Kind]]:
    """What has become wider or narrower for one request. ``max_age``, and a status that differs
    alone, are neither.

    :param admitted: whether the origin could read a success at this URL before, or send a request
        that needs a preflight. An error that it can read now is then a kind of its own.
    """
    if before.sent != after.sent:
        yield "sent", "wider" if after.sent else "narrower"
    elif before.readable != after.readable:
        is_error = admitted and after.status >= 400
        yield "read", "narrower" if before.readable else "error" if is_error else "wider"
    elif before.refused != after.refused and (before.refused or before.status < 400):
        yield "refused", "wider" if before.refused else "narrower"
    if before.readable and after.readable:
        if _exceeds(after.exposed, before.exposed):
            yield "headers", "wider"
        if _exceeds(before.exposed, after.exposed):
            yield "headers", "narrower"


def _exceeds(names: frozenset[str], others: frozenset[str]) -> bool:
    return "*" not in others and not names <= others


class AppDifference(NamedTuple):
    """A difference, with all requests that show it.

    :ivar kind: ``wider``, ``narrower``, or ``error``: an error that can be read now, by an origin
        that could read the other responses.
    :ivar what: ``sent``, ``read``, ``headers`` or ``refused``.
    :ivar title: both in words.
    :ivar credentials: ``with``, ``without`` or ``any``: with which ``credentials`` it shows.
    :ivar where: the methods and rules.
    :ivar pages: the origins of the pages, "" for one of the app itself.
    :ivar headers: the request headers with which it shows; "" stands for none.
    :ivar requests: how many requests show it.
    :ivar fetch: the first of these, as JavaScript to paste into the first page.
    :ivar before: what came of that before, line by line.
    :ivar after: what comes of it now.
    """

    kind: Kind
    what: What
    title: str
    credentials: Mode
    where: tuple[str, ...]
    pages: tuple[str, ...]
    headers: tuple[str, ...]
    requests: int
    fetch: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Comparison(NamedTuple):
    """What came of it.

    :ivar differences: what got wider first.
    :ivar pages: the origins that asked.
    :ivar left_out: in sentences, what was not compared.
    :ivar routes: how many rules, and paths without a route, were asked for.
    :ivar requests: how many requests each app got.
    """

    differences: tuple[AppDifference, ...]
    pages: tuple[str, ...]
    left_out: tuple[str, ...]
    routes: int
    requests: int

    def has(self, *kinds: Kind) -> bool:
        """Whether there is a difference of one of these kinds."""
        return any(difference.kind in kinds for difference in self.differences)


def compare(
    before: AppProcess,
    after: AppProcess,
    *,
    origins: Iterable[str] = (),
    seconds: float = 1.5,
    all_methods: bool = False,
    skip: Iterable[str] = (),
    advance: Progress | None = None,
) -> Comparison:
    """Ask both apps the same, and say where what comes back differs.

    GET and HEAD are sent, which runs views; of other methods, the preflights alone.

    :param origins: further origins to ask from; those that the apps name are found.
    :param seconds: the CPU time that each app's responses may take; what does not fit is said.
    :param all_methods: send the other methods too. This changes and deletes data.
    :param skip: patterns of rules that are left out, such as ``/admin/*``.
    :param advance: told how many requests have been sent, of how many.
    :raises AppProcessError: if an app cannot be loaded, or its process ends.
    """
    run = _Run(before, after, seconds, advance)
    descriptions = (before.description, after.description)
    urls = _spread(_urls(descriptions, [*skip]))
    reads = [Ask(url.url, _reading(url), "") for url in urls if _reading(url)]
    run.ask(reads)
    named = [[*origins], *(list(each) for d in descriptions for each in d.origins)]
    named += [[origin] for origin in run.origins_in_responses()]
    found = _representative(named)
    headers = _headers(descriptions)
    asks = _asks(urls, [*found[:_MOST_ORIGINS], OTHER], headers, all_methods=all_methods)
    run.ask(asks)
    differences = _grouped(run, {url.url: url.rule for url in urls})
    left_out = [*_unreachable(descriptions, {url.rule for url in urls}), *run.left_out(urls)]
    if len(found) > _MOST_ORIGINS:
        left_out.append(f"{len(found) - _MOST_ORIGINS} of the {len(found)} origins that differ.")
    not_sent = {(ask.url, ask.method) for ask in asks if not ask.send and ask.method != "GET"}
    if not_sent:
        left_out.append(
            f"{len(not_sent):,} requests with other methods than GET and HEAD: only their"
            " preflights were sent."
        )
    pages = tuple(dict.fromkeys(ask.page for ask, _ in run.results))
    routes = len({ask.url for ask, _ in run.results})
    return Comparison(differences, pages, tuple(left_out), routes, len(run.results))


class _Run:
    """Both apps, and what came of each request."""

    def __init__(
        self, before: AppProcess, after: AppProcess, seconds: float, advance: Progress | None
    ) -> None:
        self._before, self._after = before, after
        self._seconds, self._advance = seconds, advance
        self.results: list[tuple[Ask, Both]] = []
        self._unasked: list[Ask] = []
        self._failed: Counter[str] = Counter()
        self.unstable = 0

    def ask(self, asks: Sequence[Ask]) -> None:
        done, total = len(self.results), len(self.results) + len(asks)
        for start in range(0, len(asks), _AT_ONCE):
            chunk = asks[start : start + _AT_ONCE]
            if self._spent() >= self._seconds:
                self._unasked += chunk
                continue
            for ask, both in self._both([*chunk]):
                if both is not None:
                    self.results.append((ask, both))
            done += len(chunk)
            if self._advance is not None:
                self._advance(done, total)

    def repeated(self, groups: Iterable[list[Ask]]) -> set[Ask]:
        """Of what differs, what does not come back the same again: one of each group first, as far
        as the time goes."""
        end = self._spent() + self._seconds * _TIME_FOR_REPEATS
        first, unstable = dict(self.results), set[Ask]()
        waiting = [[*group] for group in groups]
        while any(waiting) and self._spent() < end:
            asks = [*dict.fromkeys(group.pop(0) for group in waiting if group)]
            for ask, both in (pair for _ in range(_REPEATS) for pair in self._both(asks)):
                if both is None or not _is_same(both, first[ask]):
                    unstable.add(ask)
        self.unstable = len(unstable)
        return unstable

    def _both(self, asks: list[Ask]) -> Iterator[tuple[Ask, Both | None]]:
        answers = zip(self._before.ask(asks), self._after.ask(asks), strict=True)
        for ask, (before, after) in zip(asks, answers, strict=True):
            for app, failure in ((self._before.app, before), (self._after.app, after)):
                if isinstance(failure, str):
                    self._failed[f"{ask.method} {ask.url}: of {app}, {failure}"] += 1
            failed = isinstance(before, str) or isinstance(after, str)
            yield ask, None if failed else (before, after)

    def _spent(self) -> float:
        return max(self._before.spent, self._after.spent)

    def origins_in_responses(self) -> list[str]:
        values = (
            value
            for _, both in self.results
            for seen, _ in both
            for name, value in seen.headers
            if name.lower() == ALLOW_ORIGIN.lower()
        )
        return [value for value in dict.fromkeys(values) if parse_origin(value)]

    def left_out(self, urls: list[SampleUrl]) -> Iterator[str]:
        if self._unasked:
            asked = {ask.url for ask, _ in self.results}
            partly = {ask.url for ask in self._unasked}
            none = len(partly - asked)
            yield (
                f"{len(self._unasked):,} requests that did not fit into {self._seconds:g} s of CPU"
                f" time: of {len(urls):,} routes, {len(urls) - len(partly):,} were compared in full,"
                f" {len(partly) - none:,} in part and {none:,} not at all."
            )
        yield from (f"{words}." for words in [*self._failed][:_MOST_NAMED])
        if (more := len(self._failed) - _MOST_NAMED) > 0:
            yield f"{more:,} further requests without a response."
        if self.unstable:
            yield f"{self.unstable:,} requests that get another response each time."


def _is_same(one: Both, other: Both) -> bool:
    """Whether a page can do the same, for both apps. Statuses may differ."""
    pairs = zip((*one[0], *one[1]), (*other[0], *other[1]), strict=True)
    return all(not any(changes(a, b, admitted=False)) for a, b in pairs)


def _urls(descriptions: Iterable[Description], skip: list[str]) -> list[SampleUrl]:
    """A URL for each rule of either app, with the methods of both."""
    urls: dict[str, SampleUrl] = {}
    for url in (url for description in descriptions for url in description.urls):
        if not any(fnmatchcase(url.rule, pattern) for pattern in skip):
            known = urls.setdefault(url.rule, url)
            methods = tuple(sorted({*known.methods, *url.methods}))
            urls[url.rule] = known._replace(methods=methods)
    return [*urls.values()]


def _spread(urls: list[SampleUrl]) -> list[SampleUrl]:
    """The same in turns from each group, so that what does not fit is of all of them."""
    turn: Counter[str] = Counter()
    turns: list[int] = []
    for url in urls:
        turns.append(turn[url.group])
        turn[url.group] += 1
    return [url for _, url in sorted(zip(turns, urls, strict=True), key=lambda pair: pair[0])]


def _unreachable(descriptions: Iterable[Description], reached: set[str]) -> Iterator[str]:
    rules = dict.fromkeys(rule for d in descriptions for rule in d.unreachable)
    yield from (f"{rule}: no URL was found that leads to it." for rule in rules.keys() - reached)


def _representative(lists: list[list[str]]) -> list[str]:
    """One of the origins that stand in the same lists: no policy tells these apart."""
    standing: dict[str, set[int]] = {}
    for number, origins in enumerate(lists):
        for origin in origins:
            if origin != OTHER and parse_origin(origin) is not None:
                standing.setdefault(origin, set()).add(number)
    found: dict[frozenset[int], str] = {}
    for origin, numbers in standing.items():
        found.setdefault(frozenset(numbers), origin)
    return [*found.values()]


def _headers(descriptions: Iterable[Description]) -> list[str]:
    named = sorted({name for d in descriptions for name in d.headers} - {"content-type"})
    return [*dict.fromkeys(("authorization", _UNLISTED_HEADER, *named))][:_MOST_HEADERS]


def _reading(url: SampleUrl) -> str:
    """The method that reads, or ""."""
    return next((name for name in ("GET", "HEAD") if name in url.methods or not url.methods), "")


def _asks(
    urls: list[SampleUrl], pages: list[str], headers: list[str], *, all_methods: bool
) -> list[Ask]:
    """The requests from other origins: of all routes what matters most, then the next."""
    ranks: list[dict[Ask, None]] = [{}, {}, {}, {}]
    first_pages = [*dict.fromkeys((pages[0], OTHER))]
    for url in urls:
        reading = _reading(url)
        # Those that change something first.
        methods = sorted(set(url.methods) - {"HEAD"}, key=lambda name: (name in SAFE_METHODS, name))
        for number, page in enumerate((*first_pages, *pages[1:-1], "null")):
            later = 0 if number < len(first_pages) else 3 if page == "null" else 1
            if reading:
                ranks[later].setdefault(Ask(url.url, reading, page))
            for method in methods:
                send = all_methods and method not in SAFE_METHODS
                rank = max(later, 0 if method == methods[0] else 1)
                ranks[rank].setdefault(Ask(url.url, method, page, ("content-type",), send))
                if send:
                    ranks[rank].setdefault(Ask(url.url, method, page))
                elif method not in SAFE_METHODS and method != "POST":
                    ranks[3].setdefault(Ask(url.url, method, page, (), send=False))
                rank = 2 if method == methods[0] and not later else 3
                for name in headers:
                    ranks[rank].setdefault(Ask(url.url, method, page, (name,), send=False))
    return [ask for rank in ranks for ask in rank]


def _grouped(run: _Run, rules: dict[str, str]) -> tuple[AppDifference, ...]:
    """The differences, each with all requests that show it."""
    admitted = {
        (ask.url, ask.page, mode)
        for ask, (before, _) in run.results
        for mode, seen in enumerate(before)
        if (seen.sent and ask.headers) or (seen.readable and seen.status < 400)
    }
    found: dict[tuple[Key, str], dict[Ask, Both]] = {}
    for ask, both in run.results:
        by_mode = [
            {*changes(before, after, admitted=(ask.url, ask.page, mode) in admitted)}
            for mode, (before, after) in enumerate(zip(*both, strict=True))
        ]
        for what, kind in sorted(by_mode[0] | by_mode[1]):
            plain, credentialed = ((what, kind) in changed for changed in by_mode)
            mode: Mode = "any" if plain and credentialed else "without" if plain else "with"
            found.setdefault(((kind, what, mode), ask.page), {})[ask] = both
    unstable = run.repeated([*asks] for asks in found.values())
    # What shows at the same routes for several pages is one difference.
    merged: dict[tuple[Key, frozenset[str]], dict[Ask, Both]] = {}
    for (key, _), asks in found.items():
        stable = {ask: both for ask, both in asks.items() if ask not in unstable}
        places = frozenset(f"{ask.method} {ask.url}" for ask in stable)
        merged.setdefault((key, places), {}).update(stable)
    told = [_told(key, asks, rules) for (key, _), asks in merged.items() if asks]
    return tuple(sorted(told, key=lambda each: ("wider", "narrower", "error").index(each.kind)))


def _told(key: Key, asks: dict[Ask, Both], rules: dict[str, str]) -> AppDifference:
    kind, what, credentials = key
    ask, both = next(iter(asks.items()))
    mode = int(credentials == "with")
    return AppDifference(
        kind,
        what,
        TITLES[what, kind],
        credentials,
        tuple(dict.fromkeys(f"{each.method} {rules[each.url]}" for each in asks)),
        tuple(dict.fromkeys(each.page for each in asks)),
        tuple(dict.fromkeys("".join(each.headers) for each in asks)),
        len(asks),
        ask.fetch(credentials=bool(mode)),
        _lines(both[0][mode]),
        _lines(both[1][mode]),
    )


def _lines(seen: Seen) -> tuple[str, ...]:
    verdict = seen.block or ("readable" if seen.readable else "the preflight passes")
    if seen.refused:
        verdict = "refused by the guard"
    return (f"{seen.status}, {verdict}", *(f"{name}: {value}" for name, value in seen.headers))
