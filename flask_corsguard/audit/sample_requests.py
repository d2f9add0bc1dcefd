"""Requests to a route, made up from its rule."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, cast

from flask import Request
from flask.testing import EnvironBuilder
from werkzeug.routing import BaseConverter, Rule

from flask_corsguard.audit.patterns import samples
from flask_corsguard.errors import is_shutdown
from flask_corsguard.routing.layers import GuardMarks
from flask_corsguard.routing.overlap import VARIABLE
from flask_corsguard.routing.table import Route, file_argument
from flask_corsguard.runtime.requests import matched_request
from flask_corsguard.runtime.state import AppState

# Values to try for the variables of a rule.
_VALUES = ("1", "x", "12345678", "00000000-0000-4000-8000-000000000000")
# The methods that matter most first: those that change state, then the one that reads.
_METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")


class SampleRequests:
    """Makes requests to one route.

    :param base: the URL of the app's root; if left out, one that the rule is for.
    :ivar path: the requested path, below the app's root.
    :ivar is_reachable: whether a URL is known that leads to the route.
    """

    def __init__(self, state: AppState, route: Route, base: str | None = None) -> None:
        self._app = state.app
        self._base = base
        self._prefix = route.prefix
        self._marked_paths = state.current().table.paths
        self._rule = route.url_rule
        self._arguments = _file_arguments(route, state.marks)
        methods = route.methods or ("GET",)
        self._method = next(m for m in (*_METHODS, *methods) if m in methods)
        self.path = ""
        self.is_reachable = any(map(self._reaches, dict.fromkeys(self._paths())))

    def environ(self, *, preflight: bool) -> dict[str, Any]:
        """The environment of a request, or of its preflight; without an origin."""
        config = cast("dict[str, Any]", self._app.config)
        builder = EnvironBuilder(
            self._app,
            self.path,
            base_url=self._base
            or f"{config['PREFERRED_URL_SCHEME']}://{host_for(self._rule, config)}/",
            method="OPTIONS" if preflight else self._method,
            headers={"Access-Control-Request-Method": self._method} if preflight else {},
        )
        with contextlib.closing(builder):
            return builder.get_environ()

    def request(self, *, preflight: bool) -> Request:
        """A request that has reached the route."""
        environ = self.environ(preflight=preflight)
        request = self._matched(environ)
        if request is None or request.url_rule is not self._rule:
            try:
                request = self._app.request_class(environ)
            except BaseException as error:  # from the app's own request class
                if is_shutdown(error):
                    raise
                request = Request(environ)
            request.url_rule, request.view_args = self._rule, dict(self._arguments)
        return request

    def spelled(self, paths: Iterable[str]) -> Iterator[tuple[str, Request]]:
        """Requests for other paths, as a server passes them on, if they reach the route."""
        environ = self.environ(preflight=False)
        for path in paths:
            request = self._matched({**environ, "PATH_INFO": path.encode().decode("latin-1")})
            if request is not None and request.url_rule is self._rule:
                yield path, request

    def _matched(self, environ: dict[str, Any]) -> Request | None:
        try:
            return matched_request(self._app, environ)
        except BaseException as error:  # from one of the app's converters
            if is_shutdown(error):
                raise
            return None

    def _reaches(self, path: str) -> bool:
        self.path = path
        matched = self._matched(self.environ(preflight=False))
        if matched is None or matched.url_rule is not self._rule:
            return False
        return self._marked_paths.longest(matched.path) == self._prefix

    def _paths(self) -> Iterator[str]:
        fitting, *others = values_for(self._rule)
        under_prefix = ({**fitting, **values} for values in self._values_under_prefix())
        for values in chain([fitting], others, under_prefix):
            yield filled(self._rule.rule, {**values, **self._arguments})

    def _values_under_prefix(self) -> Iterator[dict[str, str]]:
        """Values that may put the rule's URL under the route's path prefix."""
        wanted = self._prefix.split("/")[1:]
        values: dict[str, str] = {}
        for number, segment in enumerate(self._rule.rule.strip("/").split("/")):
            for variable in VARIABLE.finditer(segment):
                rest = "/".join(wanted[number:]).removeprefix(segment[: variable.start()])
                for value in (rest, f"{rest}/x"):
                    yield {**values, variable["name"]: value}
                if rest:
                    value = rest.partition("/")[0]
                    values[variable["name"]] = value.removesuffix(segment[variable.end() :])


def values_for(rule: Rule) -> Iterator[dict[str, str]]:
    """Values to try for the variables of a rule, those first that their converters accept."""
    # A private attribute. Without it, every value is guessed to be "x".
    converters: Mapping[str, BaseConverter] = getattr(rule, "_converters", {})
    yield {name: _fitting(converter.regex) for name, converter in converters.items()}
    yield from (dict.fromkeys(converters, value) for value in _VALUES)


def filled(text: str, values: Mapping[str, str]) -> str:
    """A rule, or its host, with values in place of its variables."""
    return VARIABLE.sub(lambda match: values.get(match["name"], "x"), text)


def host_for(rule: Rule | None, config: Mapping[str, Any]) -> str:
    """A host that the rule is for and that the app trusts; if there is none, the app's own."""
    # In the forms that werkzeug.sansio.utils.host_is_trusted takes.
    trusted: str | Iterable[str] = config.get("TRUSTED_HOSTS") or "localhost"
    first = trusted if isinstance(trusted, str) else next(iter(trusted))
    name: str = config.get("SERVER_NAME") or first.lstrip(".")
    if rule is not None and rule.host:
        return filled(rule.host, {})
    if rule is not None and rule.subdomain:
        return f"{filled(rule.subdomain, {})}.{name}"
    return name


@functools.lru_cache
def _fitting(text: str) -> str:
    """A value that a converter with this regular expression probably accepts."""
    try:
        regex = re.compile(text)
        return next(sample for sample in samples(regex) if regex.fullmatch(sample))
    except (StopIteration, re.error):
        return "x"


def _file_arguments(route: Route, marks: GuardMarks) -> dict[str, str]:
    """What a route that serves files must capture for its own mark to count."""
    name = file_argument(route.url_rule)
    # The folder that is the route's path prefix.
    start, prefix = route.rule.partition("<")[0], f"{route.prefix}/"
    folder = prefix.removeprefix(start) if prefix.startswith(start) else ""
    taken: list[str] = []
    for globs, mark in marks.files.get(route.endpoint, ()):
        if name is not None and route.layers and route.layers[-1].mark is mark:
            for text in chain.from_iterable(_names_like(glob, folder) for glob in globs):
                # The first mark that fits a file is the one that counts.
                if text == posixpath.normpath(text) and not any(
                    fnmatch.fnmatchcase(text, glob) for glob in taken
                ):
                    return {name: text}
        taken += globs
    return {}


def _names_like(glob: str, folder: str) -> list[str]:
    regex = re.compile(fnmatch.translate(glob))
    names = (f"{folder}{text}" for text in samples(regex))
    return [name for name in names if regex.match(name)]
