"""Whether a wildcard spans sites that belong to different people."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

# Names that are never sold to the public (RFC 6761, RFC 6762, ICANN on .internal): the default
# rule of the list would call each of them a public suffix.
_PRIVATE_SUFFIXES = frozenset(
    {"example", "home.arpa", "internal", "invalid", "local", "localhost", "test"}
)


def is_public_suffix(host: str) -> bool:
    """Whether anybody may register a name directly below *host* (https://publicsuffix.org/list/)."""
    return host not in _PRIVATE_SUFFIXES and _list().is_public(host)


def is_listed_suffix(host: str) -> bool:
    """Whether the list names *host*. By its default rule, any other last label is one too."""
    return _list().publicsuffix(host, accept_unknown=False) == host


def is_reserved_suffix(host: str) -> bool:
    """Whether names below *host* are never sold to the public."""
    return host in _PRIVATE_SUFFIXES


def registrable_domain(host: str) -> str | None:
    """The part of *host* that somebody registered: one label more than its public suffix, or
    None if it is such a suffix itself (https://url.spec.whatwg.org/#host-registrable-domain)."""
    return _list().privatesuffix(host)


def suffix_below(host: str) -> str | None:
    """An example of a public suffix below *host*, or None if there is none."""
    listed: frozenset[str] = getattr(_list(), "_publicsuffix", frozenset())
    below = (name for name in listed if name.endswith(f".{host}") and name[0] not in "*!")
    return min(below, default=None)


@cache
def _list() -> PublicSuffixList:
    # Imported only here, because reading the list takes longer than everything else.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
