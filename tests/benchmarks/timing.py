"""Timing things turn by turn, so that what else the machine does hits all of them alike."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict, TypeVar

Name = TypeVar("Name", bound=Hashable)

TURN_SECONDS = 0.01
_MOST_CALLS = 1000
_WARM_UP_CALLS = 5


class Contender(NamedTuple):
    """One thing to time.

    :ivar play: does it once, with an input.
    :ivar make: makes an input. The clock stands still meanwhile, and an input is used once: a
        server reads every request anew, so nothing is known of it yet, such as a string's hash.
    """

    play: Callable[[Any], object]
    make: Callable[[], Any]


class Spread(TypedDict):
    """The middle of several figures, and between which two the middle half of them lies."""

    median: float
    low: float
    high: float


def seconds(contender: Contender, calls: int) -> float:
    """What one call takes of this process's time; others may have the processor meanwhile."""
    play = contender.play
    inputs = [contender.make() for _ in range(calls)]
    take = inputs.pop
    begin = time.process_time()
    for _ in range(calls):
        play(take())
    return (time.process_time() - begin) / calls


def turns(contenders: Mapping[Name, Contender], rounds: int) -> dict[Name, list[float]]:
    """Time each contender in every round, in another order each time.

    :returns: the seconds that a call took, round by round.
    """
    calls = {}
    for name, contender in contenders.items():
        seconds(contender, _WARM_UP_CALLS)
        cost = seconds(contender, _WARM_UP_CALLS)
        calls[name] = max(1, min(_MOST_CALLS, round(TURN_SECONDS / cost)))
    # What has been set up by now must not be searched for garbage time and again.
    gc.collect()
    gc.freeze()
    times: dict[Name, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    shuffle = random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            times[name].append(seconds(contenders[name], calls[name]))
    gc.unfreeze()
    return times


def spread(figures: Sequence[float]) -> Spread:
    low, median, high = statistics.quantiles(figures, n=4, method="inclusive")
    return {"median": round(median, 4), "low": round(low, 4), "high": round(high, 4)}


def ratio(times: Sequence[float], base: Sequence[float]) -> Spread:
    """How many times as long one took as the other in the same round."""
    return spread([one / other for one, other in zip(times, base, strict=True)])
