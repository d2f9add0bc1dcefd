"""The public suffix list: whether a wildcard spans sites of different owners."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

    from flask_corsguard.protocol.origins import Origin

# Names that are never sold to the public (RFC 6761, RFC 6762, ICANN on .internal). By the default
# rule of the list, each of them would be a public suffix.
_PRIVATE_SUFFIXES = frozenset(
    {"example", "home.arpa", "internal", "invalid", "local", "localhost", "test"}
)


def is_public_suffix(host: str) -> bool:
    """Whether anybody may register a name directly below *host*
    (https://publicsuffix.org/list/)."""
    return host not in _PRIVATE_SUFFIXES and _list().is_public(host)


def is_listed_suffix(host: str) -> bool:
    """Whether the list names *host*. By its default rule, every top-level name is a suffix too."""
    return _list().publicsuffix(host, accept_unknown=False) == host


def is_registry_suffix(host: str) -> bool:
    """Whether registries sell names directly below *host*: it is in the list's ICANN section."""
    registries = _list(only_icann=True)
    is_listed: bool = registries.publicsuffix(host, accept_unknown=False) == host
    return is_listed and host not in _PRIVATE_SUFFIXES


def is_reserved_suffix(host: str) -> bool:
    """Whether names below *host* are never sold to the public."""
    return host in _PRIVATE_SUFFIXES


def suffix_below(host: str) -> str | None:
    """A public suffix below *host*, such as ``s3.amazonaws.com`` for ``amazonaws.com``: the
    shortest of those with the fewest labels; or None if there is none."""
    return _suffixes_below().get(host)


def registrable_domain(host: str) -> str | None:
    """The part of *host* that somebody registered: one label more than its public suffix, or
    None if it is such a suffix itself (https://url.spec.whatwg.org/#host-registrable-domain)."""
    return _list().privatesuffix(host)


def site_of(origin: Origin) -> tuple[str, str]:
    """The site that an origin belongs to (https://html.spec.whatwg.org/#obtain-a-site)."""
    host = origin.host
    return origin.scheme, host if origin.is_address else registrable_domain(host) or host


@cache
def _list(*, only_icann: bool = False) -> PublicSuffixList:
    # Imported only here, because reading the list takes longer than anything else at startup.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=only_icann)


@cache
def _suffixes_below() -> dict[str, str]:
    """Every name with public suffixes below it -> one of them. The class of publicsuffixlist cannot
    list them, so its file is read again (https://github.com/publicsuffix/list/wiki/Format)."""
    from publicsuffixlist import PSLFILE

    suffixes: set[str] = set()
    with open(PSLFILE, encoding="utf-8") as lines:
        for line in lines:
            rule = line.partition(" ")[0].strip().lower()
            # An exception (!www.ck) names no suffix.
            if rule and not rule.startswith(("//", "!")):
                ascii_rule = rule if rule.isascii() else rule.encode("idna").decode("ascii")
                # *.ck makes a suffix of every name below ck, and of ck too.
                suffixes |= {ascii_rule.removeprefix("*."), ascii_rule.replace("*", "any")}
    below: dict[str, str] = {}
    for suffix in sorted(suffixes, key=lambda name: (name.count("."), len(name), name)):
        parent = suffix.partition(".")[2]
        while parent and parent not in below:
            below[parent] = suffix
            parent = parent.partition(".")[2]
    return below
