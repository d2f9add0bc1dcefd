"""Requests to a route, made up from its rule."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Request
from flask.testing import EnvironBuilder
from werkzeug.routing import BaseConverter, Rule

from flask_corsguard.audit.pattern_samples import samples
from flask_corsguard.routing.layers import EndpointMarks
from flask_corsguard.routing.table import Route, file_argument
from flask_corsguard.simulate import matched_request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# <converter(arguments):name>, as werkzeug.routing.rules reads it
_VARIABLE = re.compile(r"<(?:[^<>:]*(?:\([^<>]*\))?:)?([A-Za-z_]\w*)>")
_VALUES = ("1", "x", "12345678", "00000000-0000-4000-8000-000000000000")


class RouteRequests:
    """Makes requests to one route.

    :param marks: the marks on files, for a route that serves some.
    """

    def __init__(self, app: Flask, route: Route, marks: EndpointMarks) -> None:
        self._app = app
        self._rule = route.url_rule
        self._arguments = _file_arguments(route, marks)
        self._method = next(iter(_by_interest(route.methods)), "GET")
        self._path = self._reachable_path()

    @property
    def method(self) -> str:
        """The method of the actual request."""
        return self._method

    @property
    def is_reachable(self) -> bool:
        """Whether a URL is known that leads to the route."""
        return self._path is not None

    def environ(self, *, preflight: bool) -> WSGIEnvironment:
        """The environment of a request, or of its preflight; without an origin."""
        headers = {"Access-Control-Request-Method": self._method} if preflight else {}
        config = cast("dict[str, Any]", self._app.config)
        builder = EnvironBuilder(
            self._app,
            self._path or "/",
            base_url=f"{config['PREFERRED_URL_SCHEME']}://{self._host(config)}/",
            method="OPTIONS" if preflight else self._method,
            headers=headers,
        )
        try:
            return builder.get_environ()
        finally:
            builder.close()

    def request(self, *, preflight: bool) -> Request:
        """A request that has reached the route."""
        environ = self.environ(preflight=preflight)
        request = self._matched(environ)
        if request is None or request.url_rule is not self._rule:
            request = self._unmatched(environ)
            request.url_rule, request.view_args = self._rule, dict(self._arguments)
        return request

    def _unmatched(self, environ: WSGIEnvironment) -> Request:
        try:
            return self._app.request_class(environ)
        except Exception:  # of a class of the app's
            return Request(environ)

    def _matched(self, environ: WSGIEnvironment) -> Request | None:
        try:
            return matched_request(self._app, environ)
        except Exception:  # of a converter of the app's
            return None

    def _host(self, config: Mapping[str, Any]) -> str:
        """A host that the rule is for, and that the app trusts."""
        rule = self._rule
        # As werkzeug.sansio.utils.host_is_trusted takes it.
        trusted: str | Iterable[str] = config.get("TRUSTED_HOSTS") or "localhost"
        first = trusted if isinstance(trusted, str) else next(iter(trusted))
        name: str = config.get("SERVER_NAME") or first.lstrip(".")
        if rule.host:
            return _VARIABLE.sub("x", rule.host)
        if rule.subdomain:
            return f"{_VARIABLE.sub('x', rule.subdomain)}.{name}"
        return name

    def _reachable_path(self) -> str | None:
        for path in dict.fromkeys(self._paths()):
            self._path = path
            matched = self._matched(self.environ(preflight=False))
            if matched is not None and matched.url_rule is self._rule:
                return path
        return None

    def _paths(self) -> Iterator[str]:
        fitting = {**{name: _sample(c) for name, c in _converters(self._rule)}, **self._arguments}
        yield self._filled(fitting)
        for value in _VALUES:
            yield self._filled({**dict.fromkeys(fitting, value), **self._arguments})

    def _filled(self, values: Mapping[str, str]) -> str:
        return _VARIABLE.sub(lambda match: values.get(match[1], "x"), self._rule.rule)


def _by_interest(methods: tuple[str, ...]) -> list[str]:
    """Those that matter most first: what changes state, then what reads."""
    order = ("POST", "PUT", "PATCH", "DELETE", "GET")
    return [m for m in order if m in methods] + [m for m in methods if m not in order]


def _converters(rule: Rule) -> Iterator[tuple[str, BaseConverter]]:
    # Private, and only to make a first guess at a URL; the others need nothing of it.
    yield from getattr(rule, "_converters", {}).items()


def _sample(converter: BaseConverter) -> str:
    try:
        regex = re.compile(converter.regex)
        return next(text for text in samples(regex) if regex.fullmatch(text))
    except (StopIteration, re.error):
        return "x"


def _file_arguments(route: Route, marks: EndpointMarks) -> dict[str, str]:
    """What a route that serves files is to capture so that its line in the table counts."""
    name = file_argument(route.url_rule)
    taken: list[str] = []
    for globs, mark in marks.files.get(route.endpoint, ()):
        if name is not None and route.layers and route.layers[-1].mark is mark:
            for text in chain.from_iterable(map(_names_like, globs)):
                # The first mark that fits a file is the one that counts.
                if text == posixpath.normpath(text) and not any(
                    fnmatch.fnmatchcase(text, glob) for glob in taken
                ):
                    return {name: text}
        taken += globs
    return {}


def _names_like(glob: str) -> list[str]:
    regex = re.compile(fnmatch.translate(glob))
    return [text for text in samples(regex) if regex.match(text)]
