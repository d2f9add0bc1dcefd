"""What a page can do with one app that it cannot do with the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from flask_corsguard.compare.app_process import AppProcess
from flask_corsguard.compare.asks import foreign_asks, own_asks, representative, urls_of
from flask_corsguard.compare.changes import TITLES, Kind, What, changes
from flask_corsguard.compare.messages import Ask, Seen
from flask_corsguard.protocol.headers import ALLOW_ORIGIN

Progress = Callable[[int, int], None]
Mode = Literal["any", "with", "without"]
# The results of one request: before and after, each without and with credentials.
_Both = tuple[tuple[Seen, Seen], tuple[Seen, Seen]]
_Key = tuple[Kind, What, Mode]

_MOST_ORIGINS = 6
_AT_ONCE = 64
# How often requests with different results are repeated, and the part of the time for that.
_REPEATS = 2
_TIME_FOR_REPEATS = 0.25
_MOST_NAMED = 5
_ORDER: tuple[Kind, ...] = ("wider", "narrower", "error")


class AppDifference(NamedTuple):
    """A difference, with all requests that show it.

    :ivar kind: ``wider``, ``narrower``, or ``error``: an origin can now read an error where it
        could already read other responses.
    :ivar what: ``sent``, ``read``, ``headers`` or ``refused``.
    :ivar title: both in words.
    :ivar credentials: ``with`` or ``without`` if it shows only with, or without, credentials;
        otherwise ``any``.
    :ivar where: the methods and rules.
    :ivar pages: the origins of the pages, "" for one of the app itself.
    :ivar headers: the request headers with which it shows; "" stands for none.
    :ivar requests: how many requests show it.
    :ivar fetch: the first of these, as JavaScript to paste into the first page.
    :ivar before: the result of that before, line by line.
    :ivar after: the result now.
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
    """The result of a comparison.

    :ivar differences: those of kind ``wider`` first; of one kind, those that most requests show.
    :ivar pages: the origins that asked.
    :ivar left_out: sentences about what was not compared.
    :ivar routes: how many rules, and paths without a route, were requested.
    :ivar requests: how many requests each app got.
    """

    differences: tuple[AppDifference, ...]
    pages: tuple[str, ...]
    left_out: tuple[str, ...]
    routes: int
    requests: int

    def has(self, kind: Kind) -> bool:
        """Whether there is a difference of this kind."""
        return any(difference.kind == kind for difference in self.differences)


def compare(
    before: AppProcess,
    after: AppProcess,
    *,
    origins: Iterable[str] = (),
    seconds: float = 1.2,
    all_methods: bool = False,
    skip: Sequence[str] = (),
    advance: Progress | None = None,
) -> Comparison:
    """Send both apps the same requests, and compare what pages can do and read.

    GET and HEAD requests are sent, which runs views; for other methods, only preflights.

    :param origins: origins to ask from, besides those that the apps name.
    :param seconds: the CPU time that each app's responses may take. What does not fit is in
        ``left_out``.
    :param all_methods: send the other methods too. This changes and deletes data.
    :param skip: patterns of rules that are left out, such as ``/admin/*``.
    :param advance: called with the numbers of sent and of all requests.
    :raises AppProcessError: if an app cannot be loaded, or its process ends.
    """
    run = _Run(before, after, seconds, advance)
    descriptions = (before.description, after.description)
    urls = urls_of(descriptions, skip)
    own = own_asks(urls)
    run.ask(own[:_AT_ONCE])
    named = [origins, *(listed for each in descriptions for listed in each.origins)]
    found = representative([*named, *([origin] for origin in run.origins_in_responses())])
    asks = foreign_asks(urls, found[:_MOST_ORIGINS], descriptions, all_methods=all_methods)
    run.ask(asks)
    run.ask(own[_AT_ONCE:])
    differences = _differences(run, {url.url: url.rule for url in urls})
    reached = {url.rule for url in urls}
    left_out = [
        f"{rule}: no URL for it was found."
        for rule in dict.fromkeys(rule for each in descriptions for rule in each.unreachable)
        if rule not in reached
    ]
    left_out += run.left_out(len(urls))
    if more := found[_MOST_ORIGINS:]:
        left_out.append(f"{len(more):,} of {len(found):,} origins that policies treat differently.")
    if held_back := {(ask.url, ask.method) for ask in asks if not ask.send} - {
        (ask.url, ask.method) for ask in asks if ask.send
    }:
        left_out.append(
            f"{len(held_back):,} of the routes' methods, for which only preflights were sent."
        )
    pages = tuple(dict.fromkeys(ask.page for ask in run.results))
    routes = len({ask.url for ask in run.results})
    return Comparison(differences, pages, tuple(left_out), routes, len(run.results))


class _Run:
    """Both apps, and the result of each request.

    :ivar results: in the order of the requests.
    """

    def __init__(
        self, before: AppProcess, after: AppProcess, seconds: float, advance: Progress | None
    ) -> None:
        self._apps = (before, after)
        self._seconds, self._advance = seconds, advance
        self.results: dict[Ask, _Both] = {}
        self._unasked: set[str] = set()
        self._number_unasked = 0
        self._failed: Counter[str] = Counter()
        self._unstable: set[Ask] = set()

    def ask(self, asks: Sequence[Ask]) -> None:
        for start in range(0, len(asks), _AT_ONCE):
            chunk = asks[start : start + _AT_ONCE]
            if self._spent() >= self._seconds:
                self._number_unasked += len(chunk)
                self._unasked.update(ask.url for ask in chunk)
                continue
            self.results.update((ask, both) for ask, both in self._both(chunk) if both)
            if self._advance is not None:
                self._advance(start + len(chunk), len(asks))

    def is_unstable(self, groups: Iterable[Iterable[Ask]]) -> Callable[[Ask], bool]:
        """Repeat requests whose results differ, one of each group first, while there is time.

        :returns: a function that says whether a request's result changes from time to time.
        """
        end = self._spent() + self._seconds * _TIME_FOR_REPEATS
        waiting = [[*group] for group in groups]
        while (asks := [group.pop(0) for group in waiting if group]) and self._spent() < end:
            for ask, both in (pair for _ in range(_REPEATS) for pair in self._both(asks)):
                if both is None or not _is_same(both, self.results[ask]):
                    self._unstable.add(ask)
        return self._unstable.__contains__

    def _both(self, asks: Sequence[Ask]) -> Iterator[tuple[Ask, _Both | None]]:
        before, after = (app.ask([*asks]) for app in self._apps)
        for ask, *both in zip(asks, before, after, strict=True):
            one, other = both
            if not isinstance(one, str) and not isinstance(other, str):
                yield ask, (one, other)
                continue
            for app, found in zip(self._apps, both, strict=True):
                if isinstance(found, str):
                    self._failed[f"{ask.method} {ask.url}: {found} in {app.app}."] += 1
            yield ask, None

    def _spent(self) -> float:
        return max(app.spent for app in self._apps)

    def origins_in_responses(self) -> list[str]:
        """The origins that the app's own code writes into a header, whoever asks."""
        seen = (seen for both in self.results.values() for seen, _ in both)
        headers = (header for each in seen for header in each.headers)
        return [value for name, value in headers if name.lower() == ALLOW_ORIGIN.lower()]

    def left_out(self, routes: int) -> Iterator[str]:
        """Sentences about what was not compared."""
        if self._unasked:
            none = len(self._unasked - {ask.url for ask in self.results})
            yield (
                f"{self._number_unasked:,} requests, for which {self._seconds:g} s of CPU time were"
                f" not enough: of {routes:,} routes, {routes - len(self._unasked):,} were compared"
                f" in full, {len(self._unasked) - none:,} in part, {none:,} not at all."
                " Allow more with --seconds."
            )
        yield from [*self._failed][:_MOST_NAMED]
        if (more := len(self._failed) - _MOST_NAMED) > 0:
            yield f"{more:,} more requests without a response."
        if self._unstable:
            yield f"{len(self._unstable):,} requests that get a different response each time."


def _is_same(one: _Both, other: _Both) -> bool:
    """Whether each app lets a page do the same in both results. Statuses may differ."""
    pairs = zip((*one[0], *one[1]), (*other[0], *other[1]), strict=True)
    return not any(any(changes(a, b, admitted=False)) for a, b in pairs)


def _differences(run: _Run, rules: Mapping[str, str]) -> tuple[AppDifference, ...]:
    admitted = {
        (ask.url, ask.page, mode)
        for ask, (before, _) in run.results.items()
        for mode, seen in enumerate(before)
        if (seen.sent and ask.headers) or (seen.readable and seen.status < 400)
    }
    found: dict[tuple[_Key, str], list[Ask]] = {}
    for ask, both in run.results.items():
        plain, credentialed = (
            {*changes(before, after, admitted=(ask.url, ask.page, mode) in admitted)}
            for mode, (before, after) in enumerate(zip(*both, strict=True))
        )
        for what, kind in sorted(plain | credentialed):
            is_plain, is_credentialed = (what, kind) in plain, (what, kind) in credentialed
            mode: Mode = "any" if is_plain and is_credentialed else "with"
            key = (kind, what, "without" if not is_credentialed else mode)
            found.setdefault((key, ask.page), []).append(ask)
    is_unstable = run.is_unstable(found.values())
    # A difference that the same requests show for several pages is one.
    merged: dict[tuple[_Key, frozenset[Ask]], list[Ask]] = {}
    for (key, _), asks in found.items():
        stable = [ask for ask in asks if not is_unstable(ask)]
        anywhere = frozenset(ask._replace(page="") for ask in stable)
        merged.setdefault((key, anywhere), []).extend(stable)
    listed = [_difference(key, asks, run, rules) for (key, _), asks in merged.items() if asks]
    return tuple(sorted(listed, key=lambda each: (_ORDER.index(each.kind), -each.requests)))


def _difference(key: _Key, asks: list[Ask], run: _Run, rules: Mapping[str, str]) -> AppDifference:
    kind, what, credentials = key
    mode = int(credentials == "with")
    before, after = (seen[mode] for seen in run.results[asks[0]])
    return AppDifference(
        kind,
        what,
        TITLES[what, kind],
        credentials,
        tuple(dict.fromkeys(f"{ask.method} {rules[ask.url]}" for ask in asks)),
        tuple(dict.fromkeys(ask.page for ask in asks)),
        tuple(dict.fromkeys("".join(ask.headers) for ask in asks)),
        len(asks),
        asks[0].fetch(credentials=bool(mode)),
        _lines(before),
        _lines(after),
    )


def _lines(seen: Seen) -> tuple[str, ...]:
    verdict = seen.block or ("readable" if seen.readable else "the preflight passes")
    verdict = "refused by the guard" if seen.refused else verdict
    return (f"{seen.status}, {verdict}", *(f"{name}: {value}" for name, value in seen.headers))
