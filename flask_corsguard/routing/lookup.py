"""Finds the entry of a request in the policy table."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from flask import Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import MapAdapter, RequestRedirect

from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.headers import MAX_METHOD_LENGTH
from flask_corsguard.routing.table import Entry, PolicyTable

# In the worst case, a method that no rule accepts is replaced by GET, and an alias redirects to
# another path, which the map redirects to one with single slashes and one at the end, and that to
# one with default values.
_MOST_STEPS = 5


class Lookup:
    """Finds entries in *table*.

    :raises LateRuleError: from every method, if the rule was added to the app's URL map after the
        table was built.
    """

    def __init__(self, table: PolicyTable) -> None:
        self.table = table

    def by_rule(self, request: Request, method: str, *, preflight: bool) -> Entry | None:
        """The entry for the rule that Flask has matched; None if the rule does not determine it.

        :param method: the request's method; for a preflight, the requested one.
        """
        rule = request.url_rule
        if rule is None:
            return None
        entries = self.table.entries.of(rule)
        if not preflight:
            entries = entries or self.table.late_entries(rule)
            return self._at(entries.get(method) or entries[""], request)
        if len(method) > MAX_METHOD_LENGTH:
            method = "GET"  # every policy rejects it
        # If every rule accepts OPTIONS, the rule that matched a preflight is the first one for its
        # URL. If it accepts the requested method, that method would reach it too.
        if entries is None or method not in entries or not self.table.options_everywhere:
            return None
        return self._at(entries[method], request)

    def _at(self, entry: Entry, request: Request) -> Entry | None:
        table, path = self.table, request.path
        found = entry.at(path, table.paths).for_arguments(request.view_args)
        return found and table.unless_ambiguous(found, path)

    def by_url(self, request: Request, method: str) -> Entry:
        """The entry of the view that would serve *method* at the request's URL."""
        table = self.table
        # Whether routing has failed already, for the same method.
        is_unrouted = type(request.routing_exception) is NotFound and method == request.method
        if is_unrouted and table.prefix_map is None:
            return self._unrouted(request, None)
        adapter = self._adapter(request)
        if adapter is None or is_unrouted:
            return self._unrouted(request, adapter)
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
                # No route at this URL accepts the method: the policy of one of them decides. If a
                # converter has raised this, there are no methods in it.
                valid = set(error.valid_methods or ())
                method = "GET" if not valid or "GET" in valid else min(valid)
            except BaseException as error:
                if is_shutdown(error):
                    raise
                break  # no route, or one of the app's converters fails
            else:
                entries = table.entries.of(rule) or table.late_entries(rule)
                entry = entries.get(method.upper()) or entries[""]
                entry = entry.at(path or _path_of(adapter), table.paths)
                entry = entry.for_arguments(arguments) or entry
                return table.unless_ambiguous(entry, _path_of(adapter))
        return self._unrouted(request, adapter)

    def _adapter(self, request: Request) -> MapAdapter | None:
        try:
            return self.table.app.create_url_adapter(request)
        except HTTPException:
            return None  # the app does not trust the host

    def _unrouted(self, request: Request, adapter: MapAdapter | None) -> Entry:
        """The entry of a URL without a route: that of the innermost blueprint above it."""
        table, name = self.table, ""
        if adapter is not None and table.prefix_map is not None:
            # The host does not matter: every rule has a subdomain, and no redirect is followed.
            prefixes = table.prefix_map.bind("", subdomain=adapter.subdomain)
            try:
                name, _ = prefixes.match(adapter.path_info)
            except BaseException as error:  # no blueprint, or one of the app's converters fails
                if is_shutdown(error):
                    raise
        path = request.path if adapter is None else _path_of(adapter)
        return table.unless_ambiguous(table.unrouted[name, table.paths.longest(path)], path)


def _path_of(adapter: MapAdapter) -> str:
    return f"/{adapter.path_info.lstrip('/')}"


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
