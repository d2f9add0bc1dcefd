"""Values in words that are safe to print."""

from __future__ import annotations

import re
import sys
from typing import cast

#: Exceptions that are never caught: they end the process, the generator or the coroutine.
SHUTDOWNS = (KeyboardInterrupt, SystemExit, GeneratorExit)
# Packages through which Flask calls asynchronous functions and receivers of signals.
_CARRIERS = {"asgiref", "asyncio", "blinker", "concurrent"}


def text_of(value: object, limit: int = 200) -> str:
    """Any value as Python source, cut after *limit* characters."""
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
    """The qualified name of a callable; if it has none, that of its class."""
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
    """Text with everything escaped that could end a line, move a cursor or hide text."""
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def printable(text: str) -> str:
    """Text like :func:`on_one_line`'s, with everything escaped that the terminal cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    return on_one_line(text).encode(encoding, "backslashreplace").decode(encoding)


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural if need be: ``1,200 routes``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def described(error: BaseException) -> str:
    """An exception on one line that is safe to print, with the file and line that raised it."""
    if type(error).__module__.startswith(f"{__package__}."):
        return on_one_line(str(error))  # it says what to do
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    location = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    try:
        # str() of a KeyError is the key in quotes.
        message = str(error.args[0] if type(error) is KeyError and error.args else error)
    except SHUTDOWNS:
        raise
    except BaseException:
        message = ""
    return f"{type(error).__name__} {text_of(message)}{location}"


def without_traceback(message: str) -> str:
    """Flask's message about a failed import, with only the last line of the traceback in it."""
    words, _, trace = message.partition("\n\nTraceback")
    return f"{words}\n{trace.strip().rpartition(chr(10))[2]}".strip()


def called_by(error: BaseException, *functions: str) -> str:
    """The function that one of Flask's *functions* had called when an exception was raised: its
    name, file and line; "" if it is the guard's, or if none of them is in the traceback."""
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
