"""How a request finds its entry in the policy table."""

from __future__ import annotations

import sys
from urllib.parse import unquote, urlsplit

from flask import Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, Map, MapAdapter, RequestRedirect, Rule

from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.headers import MAX_METHOD_LENGTH
from flask_corsguard.routing.table import Entry, PolicyTable

# For a method that no rule accepts, GET is tried. An alias redirects to another path, which the map
# redirects to one with single slashes and one at the end, and that to the one with the defaults.
_MOST_STEPS = 5


class Lookup:
    """Finds entries in *table*.

    :raises LateRuleError: from every method, if the rule was added to the app's URL map after the
        table was built.
    """

    def __init__(self, table: PolicyTable) -> None:
        self.table = table
        self._prefixes = _prefixes_of(table) if table.of_blueprints else None

    def by_rule(self, request: Request, method: str, *, preflight: bool) -> Entry | None:
        """The entry for the rule that Flask has matched; None if that is not enough to find it.

        :param method: the request's method; for a preflight, the requested one.
        """
        rule = request.url_rule
        if rule is None:
            return None
        entries = self.table.entries.get(id(rule))
        if not preflight:
            entries = entries or self.table.late_entries(rule)
            return (entries.get(method) or entries[""]).for_arguments(request.view_args)
        if len(method) > MAX_METHOD_LENGTH:
            method = "GET"  # every policy refuses it
        # If every rule accepts OPTIONS, the rule that matched a preflight is the first that matches
        # its URL at all. If it accepts the requested method, that method would reach it too.
        if entries is None or method not in entries or not self.table.options_everywhere:
            return None
        return entries[method].for_arguments(request.view_args)

    def by_url(self, request: Request, method: str) -> Entry:
        """The entry of what would be served for *method* at the request's URL."""
        table = self.table
        try:
            adapter = table.app.create_url_adapter(request)
        except HTTPException:
            return table.default  # a host that the app does not trust
        if adapter is None:
            return table.default
        path: str | None = None  # the adapter's own
        for _ in range(_MOST_STEPS):
            try:
                rule, arguments = adapter.match(path, method, return_rule=True)
            except RequestRedirect as redirect:
                target = _local_path(redirect.new_url, adapter)
                if target is None:
                    break
                path = target
            except MethodNotAllowed as error:
                # No route at this URL accepts the method: the policy of one of them decides.
                # A converter that raises this names no methods.
                valid = set(error.valid_methods or ())
                method = "GET" if not valid or "GET" in valid else min(valid)
            except BaseException as error:
                if is_shutdown(error):
                    raise
                break  # no route, or one of the app's converters fails
            else:
                entries = table.entries.get(id(rule)) or table.late_entries(rule)
                entry = entries.get(method.upper()) or entries[""]
                return entry.for_arguments(arguments) or entry
        return self._unrouted(adapter)

    def _unrouted(self, adapter: MapAdapter) -> Entry:
        """The entry of a URL without a route: the one of the innermost blueprint above it."""
        if self._prefixes is not None:
            # The host plays no part: every rule has a subdomain, and no redirect is followed.
            prefixes = self._prefixes.bind("", subdomain=adapter.subdomain)
            try:
                return self.table.of_blueprints[prefixes.match(adapter.path_info)[0]]
            except BaseException as error:  # no blueprint, or one of the app's converters fails
                if is_shutdown(error):
                    raise
        return self.table.default


class _Rest(BaseConverter):
    """Matches whatever follows a prefix."""

    part_isolating = False
    regex = ".*?"
    weight = sys.maxsize  # tried last


def _prefixes_of(table: PolicyTable) -> Map:
    """The URL prefixes of an app's marked blueprints, as the rules of a URL map. It matches them by
    whole segments, with the app's own converters and subdomains."""
    rules: list[Rule] = []
    for name, (prefix, subdomain) in table.prefixes.items():
        if not prefix:
            continue  # no URL lies under a blueprint without a prefix of its own
        base = prefix.rstrip("/")
        texts = (base or "/", f"{base}/<corsguard_rest:_corsguard_rest>")
        rules += [Rule(text, endpoint=name, subdomain=subdomain) for text in texts]
    url_map = table.app.url_map
    return Map(
        rules,
        default_subdomain=url_map.default_subdomain,
        converters={**url_map.converters, "corsguard_rest": _Rest},
    )


def _local_path(url: str, adapter: MapAdapter) -> str | None:
    """The path, within the app, of a URL that the map redirects to; None if it is elsewhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    root = adapter.script_name.rstrip("/")
    path = unquote(parts.path)
    if parts.netloc != adapter.get_host(None) or not path.startswith(f"{root}/"):
        return None
    return path.removeprefix(root)
