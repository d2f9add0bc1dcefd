"""Which blueprint a URL without a route lies under."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule

from flask_corsguard.decorators import marked_blueprints


class _Rest(BaseConverter):
    """Whatever follows a prefix."""

    part_isolating = False
    regex = ".*?"
    weight = 10_000


class BlueprintPrefixes:
    """The URL prefixes of an app's marked blueprints.

    They are rules of a URL map of their own, so a URL is matched by whole segments, with the app's
    own converters and subdomains.
    """

    def __init__(self, app: Flask) -> None:
        rules: list[Rule] = []
        for name, (prefix, subdomain) in marked_blueprints(app).items():
            if not prefix:
                continue  # a blueprint without a prefix of its own lays claim to no URL
            base = prefix.rstrip("/")
            texts = (base or "/", f"{base}/<corsguard_rest:_corsguard_rest>")
            rules += [Rule(text, endpoint=name, subdomain=subdomain) for text in texts]
        self._map = Map(
            rules,
            default_subdomain=app.url_map.default_subdomain,
            strict_slashes=False,
            merge_slashes=False,
            redirect_defaults=False,
            converters={**app.url_map.converters, "corsguard_rest": _Rest},
        )

    def find(self, adapter: MapAdapter) -> str | None:
        """The full name of the marked blueprint that a URL lies under, the innermost of several."""
        server_name = adapter.server_name or "localhost"
        prefixes = self._map.bind(server_name, subdomain=adapter.subdomain)
        try:
            name, _ = prefixes.match(adapter.path_info)
        except Exception:
            return None  # no blueprint, or a converter of the app's that fails
        return str(name)
