"""Hostile origins, fitted to those that a policy was made for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask_corsguard.protocol.origins import PROBE_HOST, Origin, OriginPattern

#: Whose pages may never read.
ATTACKER = PROBE_HOST
#: Labels that somebody could choose for a host below, or beside, another's.
LABELS = ("attacker", "evil", "corsguard-audit", "x", "1")

# An address on the internet: Python counts those reserved for documentation as private.
_ADDRESS = "8.8.8.8"

#: Origins that have nothing to do with any policy.
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

# Grouped by what a matcher may get wrong. {o} is the whole origin, {s} its scheme, {n} its host,
# {h} its host with the port, {p} the colon and the port; {S} and {H} are in upper case.
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


# What a wildcard inside a label does not stand for, and wrong ways to put a name together around
# it. {b} and {a} are the texts before and after it.
_IN_LABEL = (
    "{s}://{b}{a}.{h}", "{s}://{b}x.y{a}.{h}", "{s}://{b}.{a}.{h}", "{s}://{b}x_y{a}.{h}",
    "{s}://{b}X{a}.{h}", "{s}://{b}*{a}.{h}", "{s}://{b}%78{a}.{h}", "{s}://{b}x@{a}.{h}",
    "{s}://{b}x:1{a}.{h}", "{s}://{b}\xe1{a}.{h}", "{s}://{b}-{a}.{h}", "{s}://evil{b}x{a}.{h}",
    "{s}://{b}x{a}evil.{h}", "{s}://{b}x{a}{h}", "{s}://{b}x{a}-{h}", "{s}://{b}x{a}_{h}",
    "{s}://{b}x{a}." + ATTACKER, "{s}://{b}x." + ATTACKER + "{a}.{h}", "{s}://a.{b}x{a}.{h}",
    "{s}://{b}x{a}.a.{h}", "{s}://{b}x{a}", "{s}://" + ATTACKER + "/{b}x{a}.{h}",
)  # fmt: skip

# What some browsers leave in host names.
_ODD_CHARACTERS = "`}'$(+;~!&*,=_{|\"<^%"


def fitted(origins: Iterable[Origin]) -> Iterator[str]:
    """The hostile variants of some origins."""
    for origin in origins:
        scheme, host, port = origin
        colon_port = "" if port is None else f":{port}"
        names = {"o": str(origin), "s": scheme, "n": host, "p": colon_port, "h": host + colon_port}
        names |= {name.upper(): names[name].upper() for name in "sh"}
        for template in _FITTED:
            yield template.format_map(names)
        for character in _ODD_CHARACTERS:
            yield f"{origin}{character}.{ATTACKER}"
        # Many callables that look at one label of several have a single label in their code.
        for ending in (".com", ".co") if "." in host else (".invalid",):
            yield f"{scheme}://{host}{ending}"
            yield f"{scheme}://evil.{host}{ending}"
        for name in () if origin.is_address else _altered(host):
            yield f"{scheme}://{name}{colon_port}"


def around_wildcard(pattern: OriginPattern) -> Iterator[str]:
    """The hostile variants of what an entry with a wildcard stands for."""
    yield from fitted([pattern.example("x")])
    if pattern.in_label:
        scheme, _, host = str(pattern.origin).partition("://")
        before, _, after = pattern.label.partition("*")
        for template in _IN_LABEL:
            yield template.format(s=scheme, b=before, a=after, h=host)


def around_raw(text: str) -> Iterator[str]:
    """A raw origin, and what only looks like it."""
    yield from (text, text.lower(), text.upper(), text.title(), text[:-1], f"x{text}", f"{text}x")
    yield from (f"{text}/", f"{text}{ATTACKER}", f"{text}.{ATTACKER}", f"{text}:1", f"{text} ")
    yield from (f"{text}, {text}", f"null, {text}", f"https://{ATTACKER}/{text}")


def _altered(host: str) -> Iterator[str]:
    """Other host names: one character changed, left out or put in."""
    yield host[:-1]
    labels = host.split(".")
    for number, label in enumerate(labels):
        # A name beside the intended one, at each level.
        for other in (*LABELS, f"evil{label}", f"{label}evil"):
            yield ".".join([*labels[:number], other, *labels[number + 1 :]])
    for number, character in enumerate(host):
        for other in "x-7" if character == "." else "q7":
            yield host[:number] + other + host[number + 1 :]
