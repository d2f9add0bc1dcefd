"""Whether a wildcard spans sites that belong to different people."""

from __future__ import annotations

from functools import cache

# Names that are never sold to the public (RFC 6761, RFC 6762, ICANN on .internal): the default
# rule of the list would call each of them a public suffix.
_PRIVATE_SUFFIXES = frozenset(
    {"example", "home.arpa", "internal", "invalid", "local", "localhost", "test"}
)


@cache
def is_public_suffix(host: str) -> bool:
    """Whether anybody may register a name directly below *host* (https://publicsuffix.org/list/)."""
    if host in _PRIVATE_SUFFIXES:
        return False
    # Imported where it is needed: reading the list takes longer than everything else here.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList().is_public(host)
