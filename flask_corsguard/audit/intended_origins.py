"""The origins that a policy was probably made for, so that hostile ones can be fitted to them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice, permutations
from typing import Any, cast

from flask_corsguard.audit.patterns import literals, samples
from flask_corsguard.audit.source_code import reachable
from flask_corsguard.audit.source_rows import with_rows
from flask_corsguard.protocol.fields import parse_raw
from flask_corsguard.protocol.lists import is_source
from flask_corsguard.protocol.origins import Origin, OriginPattern, is_host, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import registrable_domain

# Limits for each entry of a policy: further origins would be attacked in the same way.
_MOST_STRINGS = 3
_MOST_SAMPLES = 8
_MOST_CONSTANTS = 60
_MOST_PATTERNS = 60
_MOST_LABELS = 5
_SHORTEST_HOST = 3
_LONGEST_TEXT = 2000
# Suffixes under which a site's previews have names of their own, and which part names the site:
# https://docs.netlify.com/manage/domains/manage-domains/manage-domains-for-deploy-previews,
# https://firebase.google.com/docs/hosting/test-preview-deploy
_PREVIEWS = {"netlify.app": -1, "web.app": 0}
# The beginning of an address.
_NETWORK = re.compile(r"(?:10|127|172|192)(?:\.[0-9]{1,3}){1,2}")
_SEPARATORS = re.compile(r"[\s,;|]+")


def intended_by(entry: object, config: Mapping[str, Any]) -> list[Origin]:
    """The origins that a pattern or a callable was made for.

    :param config: the app's configuration, which a callable may read.
    """
    if isinstance(entry, re.Pattern):
        return _plausible(of_pattern(cast("re.Pattern[str]", entry)))
    return _plausible(islice(_of_callable(entry, config), _MOST_CONSTANTS))


def probably_admitted(policy: Policy, config: Mapping[str, Any]) -> Iterator[str]:
    """Origins that a policy probably admits: those that it names, and what its wildcards, patterns
    and callables were made for. None if it admits everybody.

    :param config: the app's configuration, which a callable may read.
    """
    policy = with_rows(policy)
    if policy.origins == "*":
        return
    yield from (str(pattern.example("x")) for pattern in policy.origins.patterns())
    yield from policy.raw_origins
    for entry in policy.origins:
        if not isinstance(entry, str) and not is_source(entry):
            yield from map(str, intended_by(entry, config))


def named_by_strings(policy: Policy) -> list[Origin]:
    """The origins that the first few strings in a policy name."""
    patterns = () if policy.origins == "*" else policy.origins.patterns()
    raw = filter(None, map(parse_raw, policy.raw_origins))
    return _plausible(
        chain(map(_named_by, islice(patterns, _MOST_STRINGS)), islice(raw, _MOST_STRINGS))
    )


def _named_by(pattern: OriginPattern) -> Origin:
    return pattern.example("x") if pattern.in_label or pattern.any_host else pattern.origin


def _plausible(origins: Iterable[Origin]) -> list[Origin]:
    distinct = dict.fromkeys(origins)
    hosts = {origin.host for origin in distinct if "." in origin.host}
    # Nobody intends a host that merely extends another: shop.example.evil, or evilshop.example.
    extended = re.compile("|".join(rf"{host}\..*|.*[^.]{host}" for host in map(re.escape, hosts)))
    return [origin for origin in distinct if not extended.fullmatch(origin.host)]


def sites_of(origins: Iterable[Origin]) -> list[str]:
    """The sites that some origins belong to."""
    return list(dict.fromkeys(map(site_of, origins)))


def site_of(origin: Origin) -> str:
    """The domain that somebody registered, or the host itself if nobody did."""
    label, _, suffix = origin.host.partition(".")
    if "--" in label and suffix in _PREVIEWS:
        return f"{label.split('--')[_PREVIEWS[suffix]]}.{suffix}"
    return origin.host if origin.is_address else registrable_domain(origin.host) or origin.host


def of_pattern(pattern: re.Pattern[str]) -> list[Origin]:
    """Origins that a pattern matches, the plainest first."""
    plain = samples(pattern)
    for texts in (
        # If a pattern can begin with anything, its samples may have no scheme.
        [text if "://" in text else f"https://{text}" for text in plain],
        samples(pattern, any_character="x"),
        [start + text for text in literals(pattern) for start in ("", "https://", "http://")],
    ):
        parsed = ((text, parse_origin(text)) for text in map(str.lower, texts))
        found = [origin for text, origin in parsed if origin and pattern.fullmatch(text)]
        if found:
            return found[:_MOST_SAMPLES]
    return []


def patterns_in(entry: object) -> Iterator[re.Pattern[str]]:
    """A pattern among the origins, and those in a callable's code."""
    values = reachable(entry) if callable(entry) else (entry,)
    return islice((found for value in values for found in _patterns_in(value)), _MOST_PATTERNS)


def _of_bare_pattern(pattern: re.Pattern[str]) -> list[Origin]:
    names = (text.strip(".") for text in samples(pattern) if "." in text)
    found = (name for name in names if is_host(name) and pattern.search(name))
    return [Origin("https", name, None) for name in islice(found, _MOST_SAMPLES)]


def _of_callable(check: object, config: Mapping[str, Any]) -> Iterator[Origin]:
    """The hosts in a callable's code, and in what it can read."""
    labels: list[str] = []
    for value in (*reachable(check), *_texts(config)):
        for pattern in _patterns_in(value):
            # A pattern for the name alone has no scheme.
            yield from of_pattern(pattern) or _of_bare_pattern(pattern)
        if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
            for text in _SEPARATORS.split(value):
                yield from _in_text(text)
            label = value.strip(".")
            if "." not in label and is_host(label) and label not in labels:
                labels.append(label)
    # The callable may put a name together from labels.
    for name in permutations(labels[:_MOST_LABELS], 2):
        yield Origin("https", ".".join(name), None)


def _texts(config: Mapping[str, Any]) -> Iterator[str]:
    for key, value in config.items():
        # The guard's own settings only name the policy's other entries.
        if not str(key).startswith("CORSGUARD_"):
            is_list = isinstance(value, (list, tuple, set, frozenset))
            for text in cast("Iterable[object]", value if is_list else (value,)):
                if isinstance(text, str) and "." in text:
                    yield text


def _in_text(text: str) -> Iterator[Origin]:
    plain = text.strip().strip("./*").lower()
    origin = parse_origin(plain)
    scheme, _, host = plain.partition("://") if "://" in plain else ("http", "", plain)
    if origin is not None:
        yield origin
    elif is_host(host) and len(host) >= _SHORTEST_HOST:
        # If this is not a host, the attacks on it find nothing.
        yield Origin("https", host, None)
    elif _NETWORK.fullmatch(host):
        yield Origin(scheme, host + ".1" * (3 - host.count(".")), None)


def _patterns_in(value: object) -> Iterator[re.Pattern[str]]:
    """The value itself if it is a pattern; of a text, what can be one: all of it, or its parts."""
    if isinstance(value, re.Pattern):
        pattern: re.Pattern[Any] = value  # pyright: ignore[reportUnknownVariableType]
        if isinstance(pattern.pattern, str):
            yield pattern
    elif isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        for text in dict.fromkeys((value, *_SEPARATORS.split(value))):
            is_plain = is_host(text) or parse_origin(text)
            if not is_plain and ("\\" in text or "://" in text or text.endswith("$")):
                with contextlib.suppress(re.error, RecursionError, OverflowError):
                    yield re.compile(text)
