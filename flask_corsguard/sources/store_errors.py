"""Errors of a store, without the secrets of its URL."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterable
from importlib import import_module
from urllib.parse import quote, quote_plus, unquote

from flask_corsguard.errors import CorsGuardError
from flask_corsguard.sources.deadline import is_over

_SECRET_OPTION = re.compile(r"[?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=([^&#]*)", re.IGNORECASE)
_HIDDEN = "***"


class StoreError(CorsGuardError):
    """A store could not be read, or returned something other than rows. The message contains no
    password."""


class Secrets:
    """The secrets in a store's URL.

    :param url: the URL as given.
    :param passwords: the passwords that the client has found in it.
    """

    def __init__(self, url: str, passwords: Iterable[str] = ()) -> None:
        user = url.partition("://")[2].rpartition("@")[0]
        password = user.partition(":")[2]
        found: set[str] = {password, *passwords, *_SECRET_OPTION.findall(url)}
        found.add(user if password else "")
        written: set[str] = set()
        for secret in found - {""}:
            plain = unquote(secret)
            written |= {secret, plain, repr(plain)[1:-1], repr(plain.encode())[2:-1]}
            written |= {quote(plain), quote(plain, safe=""), quote_plus(plain)}
        # The longest first, so that no part of one remains.
        longest_first = sorted(written, key=len, reverse=True)
        self._secrets = re.compile(
            "|".join(map(re.escape, longest_first)) or r"(?!)", re.IGNORECASE
        )

    def hidden(self, text: str) -> str:
        """The text without the secrets."""
        return self._secrets.sub(_HIDDEN, text)

    @contextlib.contextmanager
    def kept(self) -> Generator[None]:
        """Turn any exception in the block into a :class:`StoreError` without the secrets."""
        try:
            yield
        except Exception as error:
            # SQLAlchemy wraps the driver's errors, and adds the statement.
            cause: object = getattr(error, "orig", None) or error
            kind = "" if isinstance(cause, StoreError) else f"{type(cause).__name__}: "
            text = " ".join(str(cause).split())
            if is_over():
                kind = f"not done before the deadline: {kind}"
            # Not "from error", which would be logged too.
            raise StoreError(self.hidden(f"{kind}{text}")) from None


def require(module: str, source: str, extra: str) -> None:
    """Require the package that a source needs.

    :raises CorsGuardError: if it is not installed.
    """
    try:
        import_module(module)
    except ImportError as error:
        raise CorsGuardError(
            f"{source} needs {module}, which is not installed. Run:"
            f' pip install "flask-corsguard[{extra}]"'
        ) from error
