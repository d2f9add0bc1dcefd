"""What to ask an app: its URLs, and the origins and headers that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import chain, islice
from typing import Any, cast
from urllib.parse import quote

from flask.app import Flask
from werkzeug.routing import Rule
from werkzeug.test import create_environ

from flask_corsguard.audit.intended_origins import intended_by, probably_admitted
from flask_corsguard.audit.sample_requests import filled, host_for, values_for
from flask_corsguard.compare.messages import Description, SampleUrl
from flask_corsguard.decorators import EXTENSION_KEY
from flask_corsguard.protocol.origins import parse_origin, parse_pattern
from flask_corsguard.runtime.requests import matched_request
from flask_corsguard.runtime.state import app_context, state_of
from flask_corsguard.testing.urls import DECODED_PATH_SAFE

# For each policy. Origins that no policy tells apart are left out later.
_MOST_ORIGINS = 100
_MOST_PREFIXES = 20
_SEPARATORS = re.compile(r"[\s,;|]+")
_NOWHERE = "corsguard-compare"


def describe(app: Flask, watched: Any) -> Description:
    """Look at an app. No view runs.

    :param watched: objects with ``options``, and perhaps ``resources``, such as
        :class:`flask_corsguard.migrate.recorder.Recorded`; or anything else.
    """
    urls, unreachable = list[SampleUrl](), list[str]()
    for rule in app.url_map.iter_rules():
        if rule.websocket or rule.build_only:
            continue
        shown = (
            f"//{rule.host or rule.subdomain}{rule.rule}"
            if rule.host or rule.subdomain
            else rule.rule
        )
        paths = (filled(rule.rule, values) for values in values_for(rule))
        url = next(filter(None, (_reached(app, rule, path) for path in paths)), None)
        if url is None:
            unreachable.append(shown)
            continue
        view = app.view_functions.get(rule.endpoint)
        group = rule.endpoint.rpartition(".")[0] or getattr(view, "__module__", "")
        methods = tuple(sorted((rule.methods or {"GET"}) - {"OPTIONS"}))
        urls.append(SampleUrl(shown, url, methods, str(group)))
    urls += _paths_without_route(app)
    named, headers = [*_named_by_guard(app), *_named_by_calls(watched)], set[str]()
    for _, listed in named:
        headers.update(name.lower() for name in listed if "*" not in name)
    origins = [tuple(islice(dict.fromkeys(found), _MOST_ORIGINS)) for found, _ in named]
    origins.append(tuple(_in_configuration(_config(app))))
    return Description(tuple(urls), tuple(unreachable), tuple(origins), tuple(headers), watched)


def _config(app: Flask) -> dict[str, Any]:
    return cast("dict[str, Any]", app.config)


def _reached(app: Flask, rule: Rule, path: str) -> str | None:
    """The URL of a path, if it leads to the rule."""
    base = f"https://{host_for(rule, _config(app))}"
    found = _rule_at(app, base, path, min(rule.methods or {"GET"}))
    return base + quote(path, safe=DECODED_PATH_SAFE) if found is rule else None


def _rule_at(app: Flask, base: str, path: str, method: str = "GET") -> Rule | None:
    changed = {"PATH_INFO": path.encode().decode("latin-1"), "REQUEST_METHOD": method}
    try:
        return matched_request(app, {**_environ(f"{base}/"), **changed}).url_rule
    except Exception:  # from one of the app's converters
        return None


@lru_cache
def _environ(base: str) -> dict[str, Any]:
    return create_environ(base_url=base)


def _paths_without_route(app: Flask) -> Iterator[SampleUrl]:
    """Paths that lead to a 404: below the root, and below the first segments of rules."""
    base = f"https://{host_for(None, _config(app))}"
    begins = (rule.rule.split("/")[1:-1][:1] for rule in app.url_map.iter_rules())
    distinct = dict.fromkeys(f"/{first}" for (first,) in filter(None, begins) if "<" not in first)
    for prefix in ("", *islice(distinct, _MOST_PREFIXES)):
        path = f"{prefix}/{_NOWHERE}"
        if _rule_at(app, base, path) is None:
            yield SampleUrl(path, base + quote(path, safe=DECODED_PATH_SAFE), (), "")


def _named_by_guard(app: Flask) -> Iterator[tuple[Iterable[str], Iterable[str]]]:
    """The origins and headers of each policy."""
    if EXTENSION_KEY not in app.extensions:
        return
    state = state_of(app)
    with app_context(app):
        state.load_sources()
        for policy in state.current().table.policies():
            listed = () if policy.allow_headers == "*" else policy.allow_headers
            yield probably_admitted(policy, _config(app)), listed


def _named_by_calls(watched: Any) -> Iterator[tuple[Iterable[str], Iterable[str]]]:
    """The same for each call of Flask-CORS, and for each of its resources."""
    for call in _listed(watched):
        resources = (options for _, options in getattr(call, "resources", ()))
        for options in (getattr(call, "options", {}), *resources):
            headers = _listed(options.get("allow_headers"))
            origins = chain.from_iterable(map(_of_entry, _listed(options.get("origins"))))
            yield origins, [name for name in headers if isinstance(name, str)]


def _listed(value: object) -> list[Any]:
    many = isinstance(value, (list, tuple, set, frozenset))
    return [*cast("Iterable[Any]", value)] if many else [] if value is None else [value]


def _of_entry(entry: Any) -> Iterable[str]:
    """The origins that one entry of Flask-CORS names."""
    if isinstance(entry, str) and parse_origin(entry) is not None:
        return [entry]
    with suppress(re.error, TypeError):  # "*" is not a pattern
        return map(str, intended_by(re.compile(entry), {}))
    return []


def _in_configuration(config: Mapping[str, Any]) -> Iterator[str]:
    """The origins in keys such as ``FRONTEND_ORIGIN``, which the app's own code may read."""
    for key, value in config.items():
        if "CORS" in key or "ORIGIN" in key:
            texts = (entry for entry in _listed(value) if isinstance(entry, str))
            for text in chain.from_iterable(map(_SEPARATORS.split, texts)):
                if pattern := parse_pattern(text):
                    yield str(pattern.example("x"))
