"""Hostile origins, fitted to the hosts that a policy means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask_corsguard.protocol.origins import Origin

#: Hosts of nobody: the top-level domain is reserved (RFC 2606 section 2).
ATTACKER = "corsguard-audit.invalid"
#: Labels that somebody could choose for a host below, or beside, another's.
LABELS = ("attacker", "evil", "corsguard-audit", "x", "1")

# An address on the internet: those that are reserved for documents count as private in Python.
_ADDRESS = "8.8.8.8"

#: Origins that have to do with no policy.
UNRELATED = (
    f"https://{ATTACKER}",
    f"http://{ATTACKER}",
    f"https://www.{ATTACKER}:8443",
    f"https://{_ADDRESS}",
    f"http://{ATTACKER}:3000",
    f"https://{ATTACKER}:3000",
    f"http://{ATTACKER}:8080",
    "null",
    "",
    "Null",
    "https://null",
    "file://",
    "about:blank",
    "https://*",
    "https://%2A",
    f"https://{ATTACKER}, https://{ATTACKER}",
    f"null, https://{ATTACKER}",
    "https://" + "a." * 200 + ATTACKER,
)

# By what a matcher gets wrong. {o} is the whole origin, {h} its host with the port, {n} without.
_FITTED = (
    # no end, or no beginning
    "{o}." + ATTACKER, "{o}" + ATTACKER, "{s}://{n}." + ATTACKER, "{s}://{n}-" + ATTACKER,
    "{s}://{n}" + ATTACKER, "{s}://evil{h}", "{s}://evil-{h}", "{s}://evil_{h}",
    # anywhere in it
    "https://" + ATTACKER + "/{o}", "https://" + ATTACKER + "#{o}", "https://" + ATTACKER + "?{o}",
    "https://" + ATTACKER + "\\.{n}", "https://{n}." + ATTACKER + ":8443",
    # nothing but the scheme and the port
    "{s}://" + ATTACKER + "{p}",
    # user names and passwords
    "{o}@" + ATTACKER, "{s}://{n}:443@" + ATTACKER, "{s}://@{h}", "{s}://" + ATTACKER + "@{h}",
    # the scheme
    "http://{h}", "http://{n}", "ws://{h}", "ftp://{h}", "{n}", "{s}:{h}", "//{h}",
    "javascript://{h}", "blob:{o}/x", "data:{o}", "view-source:{o}",
    # the port
    "{s}://{n}:8443", "{s}://{n}:1", "{s}://{n}:0", "{s}://{n}:99999", "{s}://{n}:", "{s}://{n}:443",
    "{s}://{n}:080", "{s}://{n}:*",
    # sub-domains
    "{s}://attacker.{h}", "{s}://a.b.c.{h}", "{s}://x.{h}", "{s}://.{h}", "{s}://-.{h}",
    "{s}://*.{h}", "{s}://%2A.{h}", "http://attacker.{n}",
    # what only looks alike
    "{S}://{H}", "{o}.", "{o}/", "{o} ", " {o}", "{o}\t", "{o}\n", "{o}\x00", "{o}\x0b", "{o}\x85",
    "{o}\r\nX-Injected: 1", "{o}\u200b", "{o}%00", "{o}%0d%0a", "{o}?x", "{o}#x", "{o}, {o}",
    "{s}://{n}\uff0e" + ATTACKER, "{s}://\u2147{h}", "{s}://\xad{h}", "{s}://\xe1{h}",
    "{s}://{n}.evil\u3002com",
)  # fmt: skip


# What some browsers leave in host names.
_ODD_CHARACTERS = "`}'$(+;~!&*,=_{|\"<^%"


def long_ones(start: str) -> Iterator[list[str]]:
    """Origins that take long to tell from one that a pattern might match: each list holds some of
    a kind, every one a little longer than the one before, up to the longest that there are.

    :param start: how all of them begin.
    """
    for unit in ("a", "a-", "a.", "1", "a1", "ab."):
        longest = (240 if "." in unit else 60) // len(unit)
        for end in ("_:1", "0.invalid:1"):
            yield [f"{start}{unit * length}{end}" for length in range(1, longest)]


def fitted(origins: Iterable[Origin]) -> Iterator[str]:
    """The hostile variants of some origins."""
    for origin in origins:
        scheme, host, port = origin
        with_port = host if port is None else f"{host}:{port}"
        names = {
            "o": str(origin), "s": scheme, "n": host, "h": with_port,
            "p": with_port.removeprefix(host), "S": scheme.upper(), "H": with_port.upper(),
        }  # fmt: skip
        for template in _FITTED:
            yield template.format_map(names)
        for character in _ODD_CHARACTERS:
            yield f"{origin}{character}.{ATTACKER}"
        # A single label stands in the code of many callables that look at one of several.
        endings = (".com", ".co") if "." in host else (".invalid",)
        for ending in endings:
            yield f"{scheme}://{host}{ending}"
            yield f"{scheme}://evil.{host}{ending}"
        if not origin.is_address:
            rest = "" if port is None else f":{port}"
            for name in _altered(host):
                yield f"{scheme}://{name}{rest}"


def _altered(host: str) -> Iterator[str]:
    """Other host names: one character changed, left out or put in."""
    yield host[:-1]
    labels = host.split(".")
    for place in range(len(labels)):
        # A name beside the one that is meant, at each level.
        for label in (*LABELS, f"evil{labels[place]}", f"{labels[place]}evil"):
            yield ".".join([*labels[:place], label, *labels[place + 1 :]])
    for place, character in enumerate(host):
        for other in "x-7" if character == "." else "q7":
            yield host[:place] + other + host[place + 1 :]
