"""The origins that a policy means, so that hostile ones can be fitted to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, permutations
from typing import Any, NamedTuple, cast

from flask_corsguard.audit.code import reachable
from flask_corsguard.audit.samples import literals, samples
from flask_corsguard.protocol.origins import Origin, is_host, parse_origin, parse_pattern
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import registrable_domain

# Of each entry of a policy. Further ones would be attacked in the same way.
_MOST_STRINGS = 3
_MOST_SAMPLES = 8
_MOST_CONSTANTS = 60
_MOST_LABELS = 5
_SHORTEST_HOST = 3
_LONGEST_TEXT = 2000
_SEPARATORS = re.compile(r"[\s,;|]+")


class Meant(NamedTuple):
    """What one entry of ``origins`` means.

    :ivar origins: origins that it names, or that it was probably made for.
    :ivar sites: the sites that these belong to.
    """

    origins: tuple[Origin, ...]
    sites: frozenset[str]

    @classmethod
    def of(cls, origins: Iterable[Origin]) -> Meant:
        """With the sites that *origins* belong to."""
        distinct = tuple(dict.fromkeys(origins))
        hosts = {origin.host for origin in distinct}
        # What goes on after the name of another, or before it without a dot, is nobody's intention.
        distinct = tuple(o for o in distinct if not any(_extends(o.host, host) for host in hosts))
        return cls(distinct, frozenset(site_of(origin) for origin in distinct))


def _extends(longer: str, host: str) -> bool:
    if longer == host or "." not in host:
        return False
    return longer.startswith(f"{host}.") or (
        longer.endswith(host) and not longer.endswith(f".{host}")
    )


def site_of(origin: Origin) -> str:
    """The domain that somebody registered, or the host itself where nobody did."""
    return origin.host if origin.is_address else registrable_domain(origin.host) or origin.host


def meant_by(entry: object, config: Mapping[str, Any]) -> Meant:
    """What one entry of ``origins`` means.

    :param config: the app's configuration, which a callable may read.
    """
    if isinstance(entry, str):
        pattern = parse_pattern(entry)
        return Meant.of([pattern.origin] if pattern else [])
    if isinstance(entry, re.Pattern):
        return Meant.of(of_pattern(cast("re.Pattern[str]", entry)))
    return Meant.of(islice(_of_callable(entry, config), _MOST_CONSTANTS))


def meant_by_strings(policy: Policy) -> Meant:
    """What the entries mean that are strings; of a long list, the first few."""
    if policy.origins == "*":
        return Meant((), frozenset())
    return Meant.of(pattern.origin for pattern in islice(policy.origins.patterns(), _MOST_STRINGS))


def of_pattern(pattern: re.Pattern[str]) -> list[Origin]:
    """Origins that a pattern matches, the plainest first."""
    plain = samples(pattern)
    for texts in (
        # Where what comes first can be anything, the scheme may be missing.
        [text if "://" in text else f"https://{text}" for text in plain],
        samples(pattern, any_character="x"),
        [start + text for text in literals(pattern) for start in ("", "https://", "http://")],
    ):
        matching = (text.lower() for text in texts if pattern.fullmatch(text.lower()))
        found = [origin for text in matching if (origin := parse_origin(text))]
        if found:
            return found[:_MOST_SAMPLES]
    return []


def _of_callable(
    check: Callable[..., object] | object, config: Mapping[str, Any]
) -> Iterator[Origin]:
    """The hosts in a callable's code, and in what it can read."""
    labels: list[str] = []
    for value in (*reachable(check), *_texts(config)):
        if isinstance(value, re.Pattern):
            yield from of_pattern(cast("re.Pattern[str]", value))
        elif isinstance(value, str) and len(value) <= _LONGEST_TEXT:
            for text in _SEPARATORS.split(value):
                yield from _in_text(text)
            if "." not in value and is_host(value) and value not in labels:
                labels.append(value)
    # Perhaps it puts the name together.
    for name in permutations(labels[:_MOST_LABELS], 2):
        yield Origin("https", ".".join(name), None)


def _texts(config: Mapping[str, Any]) -> Iterator[str]:
    for key, value in config.items():
        texts: Iterable[object] = (value,)
        if isinstance(value, (list, tuple, set, frozenset)):
            texts = cast("Iterable[object]", value)
        for text in texts:
            # The guard's own settings are what the other entries are.
            if isinstance(text, str) and "." in text and not key.startswith("CORSGUARD_"):
                yield text


def _in_text(text: str) -> Iterator[Origin]:
    plain = text.strip().strip("./*").lower()
    origin = parse_origin(plain)
    host = plain.partition("://")[2] or plain
    if origin is not None:
        yield origin
    elif is_host(host) and len(host) >= _SHORTEST_HOST:
        # Perhaps no host at all. Then the attacks on it come to nothing.
        yield Origin("https", host, None)
    elif "\\" in text or "://" in text or text.endswith("$"):
        try:
            pattern = re.compile(text)
        except re.error:
            return
        found = of_pattern(pattern)
        # Made for re.match or re.search: of a host without a scheme.
        yield from (
            found
            or [
                Origin("https", sample.strip("."), None)
                for sample in samples(pattern)
                if "." in sample and is_host(sample.strip("."))
            ][:_MOST_SAMPLES]
        )
