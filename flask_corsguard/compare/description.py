"""What there is to ask of an app: its URLs, and the origins and headers that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from flask.app import Flask
from flask.testing import EnvironBuilder
from werkzeug.routing import BaseConverter, Rule

from flask_corsguard.audit.intended_origins import intended_by, probably_admitted
from flask_corsguard.audit.sample_requests import VALUES, VARIABLE, fitting_value
from flask_corsguard.protocol.origins import parse_origin, parse_pattern
from flask_corsguard.runtime.requests import matched_request
from flask_corsguard.runtime.state import EXTENSION_KEY, app_context, state_of
from flask_corsguard.testing.urls import DECODED_PATH_SAFE

# Of each policy. Among more, those that nothing tells apart are left out later.
_MOST_ORIGINS = 100
_SEPARATORS = re.compile(r"[\s,;|]+")
_NOWHERE = "corsguard-compare"


class SampleUrl(NamedTuple):
    """A URL of a route.

    :ivar rule: the rule, with its host or subdomain if it has one; or a path that has no route.
    :ivar methods: what the rule accepts, without OPTIONS; empty for a path that has no route.
    :ivar group: the blueprint, or the module of the view.
    """

    rule: str
    url: str
    methods: tuple[str, ...]
    group: str


class Description(NamedTuple):
    """An app, as far as a comparison needs it.

    :ivar unreachable: the rules that no URL was found for.
    :ivar origins: for each policy, or call of Flask-CORS, the origins that it names.
    :ivar headers: the request headers that any of them names, in lower case.
    :ivar watched: what the function given as *watch* returned.
    """

    urls: tuple[SampleUrl, ...]
    unreachable: tuple[str, ...]
    origins: tuple[tuple[str, ...], ...]
    headers: tuple[str, ...]
    watched: Any


def describe(app: Flask, watched: Any) -> Description:
    """Look at an app. No view runs.

    :param watched: objects with ``options``, and perhaps ``resources``, as
        :class:`flask_corsguard.migrate.recorder.Recorded` has them; or anything else.
    """
    urls, unreachable = [*_paths_without_route(app)], list[str]()
    for rule in app.url_map.iter_rules():
        if rule.websocket or rule.build_only:
            continue
        shown = f"//{rule.host or rule.subdomain}{rule.rule}" if _has_host(rule) else rule.rule
        url = next(filter(None, (_reached(app, rule, path) for path in _paths(rule))), None)
        if url is None:
            unreachable.append(shown)
            continue
        view = app.view_functions.get(rule.endpoint)
        group = rule.endpoint.rpartition(".")[0] or getattr(view, "__module__", "")
        methods = tuple(sorted((rule.methods or {"GET"}) - {"OPTIONS"}))
        urls.append(SampleUrl(shown, url, methods, str(group)))
    named, headers = [*_named_by_guard(app), *_named_by_calls(watched)], set[str]()
    for _, listed in named:
        headers.update(name.lower() for name in listed if "*" not in name)
    origins = [tuple(islice(dict.fromkeys(found), _MOST_ORIGINS)) for found, _ in named]
    origins.append(tuple(_in_configuration(app.config)))
    return Description(tuple(urls), tuple(unreachable), tuple(origins), tuple(headers), watched)


def _has_host(rule: Rule) -> bool:
    return bool(rule.host or rule.subdomain)


def _host(app: Flask, rule: Rule | None = None) -> str:
    """A host that the rule is for, and that the app trusts."""
    # In the forms that werkzeug.sansio.utils.host_is_trusted takes.
    trusted: str | Iterable[str] = app.config.get("TRUSTED_HOSTS") or "localhost"
    first = trusted if isinstance(trusted, str) else next(iter(trusted))
    name = str(app.config.get("SERVER_NAME") or first.lstrip("."))
    if rule is not None and rule.host:
        return VARIABLE.sub("x", rule.host)
    if rule is not None and rule.subdomain:
        return f"{VARIABLE.sub('x', rule.subdomain)}.{name}"
    return name


def _paths(rule: Rule) -> Iterator[str]:
    # A private attribute. Without it, every argument is guessed to be "x".
    converters: Mapping[str, BaseConverter] = getattr(rule, "_converters", {})
    fitting = {name: fitting_value(converter) for name, converter in converters.items()}
    for values in (fitting, *(dict.fromkeys(fitting, value) for value in VALUES)):
        yield VARIABLE.sub(lambda match, v=values: v.get(match[1], "x"), rule.rule)


def _reached(app: Flask, rule: Rule, path: str) -> str | None:
    """The URL of a path, if that leads to the rule."""
    base = f"https://{_host(app, rule)}"
    method = min(rule.methods or {"GET"})
    try:
        with closing(EnvironBuilder(app, path, base_url=f"{base}/", method=method)) as builder:
            request = matched_request(app, builder.get_environ())
    except Exception:  # from one of the app's converters
        return None
    return base + quote(path, safe=DECODED_PATH_SAFE) if request.url_rule is rule else None


def _paths_without_route(app: Flask) -> Iterator[SampleUrl]:
    """What leads to a 404: below the root, and below each blueprint's prefix."""
    prefixes = (blueprint.url_prefix or "" for blueprint in app.blueprints.values())
    for prefix in dict.fromkeys(("", *prefixes)):
        if "<" not in prefix:
            path = f"{prefix.rstrip('/')}/{_NOWHERE}"
            yield SampleUrl(path, f"https://{_host(app)}{path}", (), "")


def _named_by_guard(app: Flask) -> Iterator[tuple[Iterable[str], Iterable[str]]]:
    """The origins and headers of each policy."""
    if EXTENSION_KEY not in app.extensions:
        return
    state = state_of(app)
    with app_context(app):
        state.load_sources()
        routes = state.current().table.routes()
        for policy in dict.fromkeys(policy for route in routes for policy in route.policies):
            listed = () if policy.allow_headers == "*" else policy.allow_headers
            yield probably_admitted(policy, app.config), listed


def _named_by_calls(watched: Any) -> Iterator[tuple[Iterable[str], Iterable[str]]]:
    """The same of each call of Flask-CORS, and of each of its resources."""
    for call in watched if isinstance(watched, list) else ():
        resources = (options for _, options in getattr(call, "resources", ()))
        for options in (getattr(call, "options", {}), *resources):
            headers = _listed(options.get("allow_headers"))
            origins = chain.from_iterable(map(_of_entry, _listed(options.get("origins"))))
            yield origins, [name for name in headers if isinstance(name, str)]


def _listed(value: object) -> list[Any]:
    many = isinstance(value, (list, tuple, set, frozenset))
    return [*cast("Iterable[Any]", value)] if many else [] if value is None else [value]


def _of_entry(entry: object) -> Iterator[str]:
    """The origins that one entry of Flask-CORS names."""
    if isinstance(entry, str) and parse_origin(entry) is None and entry != "*":
        try:
            entry = re.compile(entry)
        except re.error:
            return
    if isinstance(entry, re.Pattern):
        yield from map(str, intended_by(entry, {}))
    elif isinstance(entry, str) and entry != "*":
        yield entry


def _in_configuration(config: Mapping[str, Any]) -> Iterator[str]:
    """The origins in keys such as ``FRONTEND_ORIGIN``, which code of the app's own may read."""
    for key, value in config.items():
        if "CORS" in key or "ORIGIN" in key:
            texts = (entry for entry in _listed(value) if isinstance(entry, str))
            for text in chain.from_iterable(map(_SEPARATORS.split, texts)):
                if pattern := parse_pattern(text):
                    yield str(pattern.example("x"))
