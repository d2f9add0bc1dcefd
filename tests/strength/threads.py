"""Running code in many threads at once, with as many changes between them as there can be."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

SECONDS_TO_END = 100.0


@contextmanager
def frequent_switches() -> Iterator[None]:
    """Let the interpreter go from one thread to the next as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def run_together(functions: Iterable[Callable[[], object]]) -> None:
    """Begin all at the same moment, and wait until the last has come to its end.

    :raises BaseException: the first that any of them raised.
    """
    functions = list(functions)
    barrier = threading.Barrier(len(functions))
    errors: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            barrier.wait(SECONDS_TO_END)
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS_TO_END)
        assert not thread.is_alive()
    if errors:
        raise errors[0]
