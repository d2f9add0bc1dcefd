"""Named tuples, made quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

_T = TypeVar("_T", bound=tuple[Any, ...])

if TYPE_CHECKING:

    def named(cls: type[_T], values: tuple[Any, ...]) -> _T:
        """Make a named tuple of its class and all its values."""
        raise NotImplementedError

else:
    # To call the class takes three times as long, which matters where each request does it.
    named = tuple.__new__
