"""Where an app has registered its blueprints: their URL prefixes and subdomains."""

from __future__ import annotations

import functools
import sys
from collections.abc import Container, Iterator, Mapping
from typing import Any, TypeAlias

from flask import Blueprint
from flask.app import Flask
from werkzeug.routing import BaseConverter, Map, Rule

from flask_corsguard.decorators import marked_blueprints

#: The URL prefix, or None if there is none, and the subdomain, or None for the default one.
Prefix: TypeAlias = tuple[str | None, str | None]


def prefixes_of(app: Flask, names: Container[str]) -> Mapping[str, Prefix]:
    """The prefixes of the blueprints that carry a mark, and of those in *names*, by full name, in
    the order of registration.

    Flask does not keep what was given at registration; a mark on the blueprint records it. For
    other blueprints, the prefix is the difference between the rules as they were written and the
    rules in the URL map.
    """
    recorded = marked_blueprints(app)
    rules: dict[str, list[Rule]] = {}
    if any(name in names and name not in recorded for name in app.blueprints):
        for rule in app.url_map.iter_rules():
            rules.setdefault(str(rule.endpoint), []).append(rule)
    return {
        name: recorded.get(name) or _prefix_of(app, name, rules)
        for name in app.blueprints
        if name in recorded or name in names
    }


def _prefix_of(app: Flask, name: str, rules: Mapping[str, list[Rule]]) -> Prefix:
    """:param rules: endpoint -> the rules that the URL map has for it."""
    blueprint = app.blueprints[name]
    possible: set[tuple[str, str | None]] | None = None
    for text, endpoint in _written_rules(blueprint):
        end = _joined("", text)
        fitting = {
            (rule.rule.removesuffix(end).rstrip("/"), rule.subdomain)
            for rule in rules.get(f"{name}.{endpoint}", ())
            if rule.rule.endswith(end)
        }
        possible = fitting if possible is None else possible & fitting
    if possible and len(possible) == 1:
        ((prefix, subdomain),) = possible
    else:
        prefix, subdomain = _assumed(app, name, rules)
    # Only the blueprint's own url_prefix distinguishes "/" from no prefix.
    return prefix or ("/" if blueprint.url_prefix == "/" else None), subdomain


def _assumed(app: Flask, name: str, rules: Mapping[str, list[Rule]]) -> tuple[str, str | None]:
    """The blueprint's own ``url_prefix``, after that of the blueprint around it, unless one of its
    rules is elsewhere; and its subdomain."""
    blueprint = app.blueprints[name]
    outer = name.rpartition(".")[0]
    around = _prefix_of(app, outer, rules)[0] if outer else None
    prefix = _joined(around or "", blueprint.url_prefix or "").rstrip("/")
    own = [r for endpoint in rules if endpoint.startswith(f"{name}.") for r in rules[endpoint]]
    subdomain = own[0].subdomain if own else blueprint.subdomain
    is_there = all(
        rule.subdomain == subdomain and f"{rule.rule}/".startswith(f"{prefix}/") for rule in own
    )
    return prefix if is_there else "", subdomain


def _written_rules(blueprint: Any) -> Iterator[tuple[str, str]]:
    """The rules of a blueprint and of those inside it, as they were written, with their endpoints.
    Only those on the blueprint's own subdomain count."""
    if blueprint.has_static_folder:
        yield f"{blueprint.static_url_path}/<path:filename>", "static"
    state = _SetupState()
    for function in blueprint.deferred_functions:
        # Other functions, which could do anything, are not called.
        if getattr(function, "__code__", None) is _code_that_adds_a_rule():
            function(state)
    yield from state.rules
    for inner, options in getattr(blueprint, "_blueprints", ()):
        prefix = options.get("url_prefix")
        if prefix is None:
            prefix = inner.url_prefix
        if options.get("subdomain") is None and inner.subdomain is None:
            for text, endpoint in _written_rules(inner):
                written = text if prefix is None else _joined(prefix, text)
                yield written, f"{options.get('name', inner.name)}.{endpoint}"


class _SetupState:
    """Stands in for a blueprint's setup state, and records the rules."""

    def __init__(self) -> None:
        self.rules: list[tuple[str, str]] = []

    def add_url_rule(
        self, rule: Any, endpoint: str | None = None, view_func: Any = None, **options: Any
    ) -> None:
        # Flask-RESTX passes functions that make a rule.
        if isinstance(rule, str) and "subdomain" not in options:
            self.rules.append((rule, endpoint or view_func.__name__))


@functools.cache
def _code_that_adds_a_rule() -> object:
    """The code that ``Blueprint.add_url_rule`` runs at registration, in this version of Flask."""
    blueprint = Blueprint("any", __name__)
    blueprint.add_url_rule("/")
    return getattr(blueprint.deferred_functions[0], "__code__", None)


def _joined(prefix: str, text: str) -> str:
    """A prefix and a rule, joined as Flask joins them."""
    return f"{prefix.rstrip('/')}/{text.lstrip('/')}" if text else prefix


class _Rest(BaseConverter):
    """Matches whatever follows a prefix."""

    part_isolating = False
    regex = "(?s:.*?)"
    weight = sys.maxsize  # tried last


def prefix_map(app: Flask, prefixes: Mapping[str, Prefix]) -> Map:
    """The URL prefixes of blueprints, as the rules of a URL map. It matches them by whole segments,
    with the app's own converters and subdomains."""
    rules: list[Rule] = []
    for name, (prefix, subdomain) in prefixes.items():
        if not prefix:
            continue  # no URL is under a blueprint without a prefix
        base = prefix.rstrip("/")
        texts = (base or "/", f"{base}/<corsguard_rest:_corsguard_rest>")
        rules += [Rule(text, endpoint=name, subdomain=subdomain) for text in texts]
    return Map(
        rules,
        default_subdomain=app.url_map.default_subdomain,
        converters={**app.url_map.converters, "corsguard_rest": _Rest},
    )
