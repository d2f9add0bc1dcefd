"""Runs below valgrind for ``instructions``: plays each request in a child of its own.

The children begin in the same state, so that what one takes more than another is what it does.
Nothing here depends on the time, on the order of a set or on when garbage is collected.
"""

import gc
import itertools
import json
import os
from collections.abc import Callable, Iterator

from flask import Flask

from flask_corsguard.runtime.state import state_of

from . import apps
from .processes import quiet
from .requests import MADE_UP, ORIGIN, Environ, get, preflight

CALLS = 200
_WARM_UP_CALLS = 20
# Until the log has all the origins that it remembers.
_WARM_UP_CALLS_MADE_UP = 1100


def made_up() -> Iterator[Environ]:
    environ = get(origin=MADE_UP).environ()
    return (
        {**environ, "HTTP_ORIGIN": f"https://u{number}.example"} for number in itertools.count()
    )


APPS: dict[str, Callable[[], Flask]] = {
    "bare Flask": apps.bare,
    "CorsGuard": apps.guarded,
    "Flask-CORS": apps.flask_cors_extension,
}
ASKED: dict[str, Callable[[], Iterator[Environ]]] = {
    "without Origin": lambda: map(dict, itertools.repeat(get().environ())),
    "allowed": lambda: map(dict, itertools.repeat(get(origin=ORIGIN).environ())),
    "rejected": lambda: map(dict, itertools.repeat(get(origin=MADE_UP).environ())),
    "made-up origins": made_up,
    "preflight": lambda: map(dict, itertools.repeat(preflight().environ())),
}


def main() -> None:
    """Print, for each case, the process that made no call and the one that made all."""
    quiet()
    cases = []
    for name, make in APPS.items():
        for asked, ask in ASKED.items():
            app = make()
            if name == "CorsGuard":
                # Otherwise the log writes again in a run that takes longer than a minute.
                state_of(app).log.rate_limit._clock = itertools.repeat(0.0).__next__
            play = apps.player(app)
            environs = ask()
            is_made_up = asked == "made-up origins"
            for _ in range(_WARM_UP_CALLS_MADE_UP if is_made_up else _WARM_UP_CALLS):
                play(next(environs))
            ready = list(itertools.islice(environs, CALLS))
            gc.collect()
            gc.disable()
            pair = [child(play, ready[:count]) for count in (0, CALLS)]
            gc.enable()
            cases.append({"app": name, "asked": asked, "processes": pair})
    print(json.dumps({"calls": CALLS, "cases": cases}))


def child(play: Callable[[Environ], None], environs: list[Environ]) -> int:
    process = os.fork()
    if process == 0:
        for environ in environs:
            play(environ)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if status:
        raise RuntimeError(f"a child ended with {status}")
    return process


if __name__ == "__main__":
    main()
