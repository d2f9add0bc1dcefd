"""Each part is measured in a process of its own: what the others leave behind would count too."""

import logging
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def alone(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=quiet) as executor:
        return executor.submit(function, *args, **kwargs).result()


def quiet() -> None:
    """Rejections are logged, but nowhere to be seen."""
    logging.getLogger("flask_corsguard").addHandler(logging.NullHandler())
    logging.getLogger("flask_corsguard").propagate = False
