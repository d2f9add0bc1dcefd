"""Values in words that are safe to print."""

from __future__ import annotations

import re
import sys
from typing import cast

#: What no function holds back: it ends the process, the generator or the coroutine.
SHUTDOWNS = (KeyboardInterrupt, SystemExit, GeneratorExit)
# What Flask calls an app's function through: an asynchronous one, or a receiver of a signal.
_CARRIERS = {"asgiref", "asyncio", "blinker", "concurrent"}


def text_of(value: object, limit: int = 200) -> str:
    """A value as Python source, cut after *limit* characters; for any object, however odd."""
    try:
        text = repr(value)
    except SHUTDOWNS:
        raise
    except BaseException:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else f"{text[:limit]}..."


def source_of(value: object) -> str:
    """The value of a policy field, or one entry of it, as Python source that can be pasted back."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(source_of, cast('tuple[object, ...]', value)))}]"
    if isinstance(value, re.Pattern):
        regex = cast("re.Pattern[str]", value)
        flags = re.RegexFlag(regex.flags & ~re.UNICODE)
        return f"re.compile({regex.pattern!r}{f', {flags!r}' if flags else ''})"
    return name_of(value) if callable(value) else repr(value)


def name_of(target: object) -> str:
    """The name of a callable in its code; of a callable object, the name of its class."""
    try:
        return str(getattr(target, "__qualname__", type(target).__qualname__))
    except SHUTDOWNS:
        raise
    except BaseException:  # from a __getattr__, say
        return type(target).__qualname__


def shown(value: str, limit: int = 100) -> str:
    """Text from the network, safe for a log line: quoted printable ASCII, cut after *limit*
    characters, so that it can neither end the line nor close its own quotes."""
    escaped = value[:limit].encode("unicode_escape").decode("ascii").replace("'", r"\x27")
    rest = f"... ({len(value)} characters)" if len(value) > limit else ""
    return f"'{escaped}'{rest}"


def on_one_line(text: str) -> str:
    """Text with everything escaped that could end a line, move a cursor or hide something."""
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def printable(text: str) -> str:
    """Text from anywhere, with everything escaped that could move a cursor, hide something or end
    a line, and whatever the terminal has no character for."""
    encoding = sys.stdout.encoding or "utf-8"
    return on_one_line(text).encode(encoding, "backslashreplace").decode(encoding)


def described(error: BaseException) -> str:
    """An exception in one safe line, with the file and line that raised it."""
    if type(error).__module__.startswith(f"{__package__}."):
        return on_one_line(str(error))  # it says what to do
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    location = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    try:
        message = str(error)
    except SHUTDOWNS:
        raise
    except BaseException:
        message = ""
    return f"{type(error).__name__} {text_of(message)}{location}"


def called_by(error: BaseException, *functions: str) -> str:
    """What one of *functions* of Flask called when an exception was raised: name, file and line; or
    "" if none of them is in the traceback, or if it was the guard."""
    trace, is_called = error.__traceback__, False
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if is_called and package not in _CARRIERS:
            code = frame.f_code
            place = f"{code.co_qualname} ({code.co_filename}:{code.co_firstlineno})"
            return place if package != __package__ else ""
        is_called = is_called or frame.f_code.co_name in functions
    return ""
