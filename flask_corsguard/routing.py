"""The policy table: (URL rule, method) to a policy, and how a request finds its line."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from flask import Flask, Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, Map, MapAdapter, RequestRedirect, Rule

from flask_corsguard.config import Settings
from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.marks import marked_blueprints
from flask_corsguard.overlap import Claim, methods_governed_elsewhere, shape_of
from flask_corsguard.protocol.decision import (
    CorsRequest,
    Decision,
    Scope,
    allow_methods,
    decide,
    exempt,
)
from flask_corsguard.protocol.headers import KNOWN_METHODS, MAX_METHOD_LENGTH
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.resolution import Answer, EndpointMarks, Layer, Layers, Resolver

# The URL map redirects to a merged path, from there to one with a slash, from there to an alias.
_MOST_STEPS = 5
# Decisions about ordinary requests. Most come from the few pages that an app has; whoever makes
# up origins only makes the others be worked out anew.
_MOST_REMEMBERED = 4096


class Place:
    """One line of the table: a policy where it applies.

    :ivar policy: the policy, or None where the guard leaves the route alone.
    :ivar is_constant: whether the rule, the method and the origin alone make the decision.
    """

    __slots__ = ("_file_argument", "_files", "_scope", "is_constant", "policy")

    def __init__(self, policy: Policy | None, scope: Scope) -> None:
        self.policy = policy
        self._scope = scope
        allow = policy.compiled.allow if policy else None
        self.is_constant = allow is None or allow.is_constant
        self._files: Sequence[tuple[re.Pattern[str], Place]] = ()
        self._file_argument = ""

    def decide(self, asked: CorsRequest) -> Decision:
        """The decision about a request that reaches this place."""
        if self.policy is not None:
            return decide(self.policy, asked, self._scope)
        return exempt(asked, self._scope)

    def add_files(self, argument: str, files: Iterable[tuple[re.Pattern[str], Place]]) -> None:
        """Give files a place of their own: those whose name, in *argument*, fits a pattern."""
        self._file_argument = argument
        self._files = tuple(files)
        for place in (self, *(place for _, place in self._files)):
            place.is_constant = False

    def for_arguments(self, arguments: Mapping[str, Any] | None) -> Place:
        """The place of the file that the route captured, or this one."""
        if self._files:
            # As werkzeug.utils.safe_join does before it opens the file: otherwise "a/../b" would
            # be served as "b" but judged as something else.
            name = posixpath.normpath(str((arguments or {}).get(self._file_argument, "")))
            for pattern, place in self._files:
                if pattern.match(name):
                    return place
        return self


class _Row(NamedTuple):
    rule: str
    methods: tuple[str, ...]
    policy: Policy | None
    source: str


class Route(_Row):
    """One line of :meth:`flask_corsguard.CorsGuard.routes`: a tuple of four, and two attributes.

    :ivar rule: the URL rule.
    :ivar methods: the methods that this line is about, sorted.
    :ivar policy: the policy that answers, or None for an exempt route.
    :ivar source: in words, what set the policy.
    :ivar endpoint: the rule's endpoint (an attribute only).
    :ivar location: file and line of what set the policy (an attribute only).
    """

    endpoint: str
    location: str

    @classmethod
    def of(cls, rule: Rule, methods: Iterable[str], answer: Answer) -> Route:
        """The line for those *methods* of *rule* that have the same *answer*."""
        route = cls(rule.rule, tuple(sorted(methods)), answer.policy, answer.source)
        route.endpoint = rule.endpoint
        route.location = answer.location
        return route


class _Line(NamedTuple):
    """What is worked out for a rule: the answer for each method, with "" for any other."""

    rule: Rule
    answers: Mapping[str, Answer]
    files: Sequence[tuple[Sequence[str], Answer]]


class PolicyTable:
    """Every route's policy, worked out once.

    :ivar known: decisions about ordinary requests, by the rule's identity, method and origin.
    :raises PolicyError: with everything that is wrong with any route.
    """

    def __init__(self, app: Flask, settings: Settings, marks: EndpointMarks) -> None:
        self._app = app
        self._marks = marks
        self._resolver = Resolver(app, settings, marks)
        self.known: dict[tuple[int, str, str | None], Decision] = {}
        self._lines = [self._line(rule) for rule in app.url_map.iter_rules()]
        self._places = self._prepare(self._lines)
        self._default = self._unrouted_place(())
        self._blueprints = _prefix_map(app)
        self._blueprint_places = {
            name: self._unrouted_place(tuple(self._resolver.blueprint_layers(name)))
            for name in marked_blueprints(app)
        }
        # Where every route answers OPTIONS, the rule that matched a preflight is the first that
        # matches its URL at all. If it accepts the announced method, it is that method's rule too.
        self._options_everywhere = all("OPTIONS" in line.answers for line in self._lines)
        self._raise_problems()

    def decide(self, request: Request) -> Decision:
        """The decision about a request, but for what only the app's own URL can tell."""
        environ = request.environ
        method = request.method
        origin: str | None = environ.get("HTTP_ORIGIN")
        announced: str | None = None
        if origin is not None and method == "OPTIONS":
            announced = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        if origin is not None and announced is not None:
            announced = announced[: MAX_METHOD_LENGTH + 1]
            place = self._preflight_place(request, announced)
            return place.decide(_preflight(origin, announced, request))
        place = self._place(request)
        asked = CorsRequest(origin, method, request.path, False, None, False, request)
        decision = place.decide(asked)
        # Not OPTIONS: whoever looks a decision up would have to tell preflights apart.
        if place.is_constant and request.url_rule is not None and method != "OPTIONS":
            self._remember(request, origin, decision)
        return decision

    def _remember(self, request: Request, origin: str | None, decision: Decision) -> None:
        if len(self.known) >= _MOST_REMEMBERED:
            self.known.clear()
        if origin is None or len(origin) <= MAX_ORIGIN_LENGTH:
            self.known[id(request.url_rule), request.method, origin] = decision

    def _place(self, request: Request) -> Place:
        """The place of an ordinary request, by the rule that Flask matched."""
        rule = request.url_rule
        if rule is None:
            return self._search(request, request.method)
        places = self._places.get(id(rule)) or self._late(rule)
        return (places.get(request.method) or places[""]).for_arguments(request.view_args)

    def _preflight_place(self, request: Request, method: str) -> Place:
        """The place of the request that a preflight announces."""
        rule = request.url_rule
        if rule is not None and self._options_everywhere:
            places = self._places.get(id(rule))
            if places is not None and method in places:
                return places[method].for_arguments(request.view_args)
        return self._search(request, method)

    def routes(self) -> list[Route]:
        """The table, for people and tools: in the order of the rules, one line for each policy."""
        routes: list[Route] = []
        for line in self._lines:
            methods: dict[Answer, list[str]] = {}
            for method, answer in line.answers.items():
                if method:
                    methods.setdefault(answer, []).append(method)
            routes += [Route.of(line.rule, names, answer) for answer, names in methods.items()]
            accepted = [method for method in line.answers if method]
            routes += [Route.of(line.rule, accepted, answer) for _, answer in line.files]
        return routes

    # Building

    def _line(self, rule: Rule) -> _Line:
        resolver = self._resolver
        view = resolver.view_layers(rule.endpoint)
        answers = {
            method: resolver.answer(view + resolver.handler_layers(rule.endpoint, method))
            for method in sorted(KNOWN_METHODS if rule.methods is None else rule.methods)
        }
        answers[""] = resolver.answer(view)
        files: list[tuple[Sequence[str], Answer]] = []
        for globs, mark in self._marks.files.get(rule.endpoint, ()):
            source = f"files {', '.join(globs)} of endpoint {rule.endpoint}"
            files.append((globs, resolver.answer((*view, Layer(mark, source)))))
            if _file_argument(rule) is None:
                message = (
                    f"the rule {rule.rule!r} captures no file name; it needs one argument, or one"
                    " that is called 'filename'."
                )
                problem = Problem("no_file_name", "for_files", rule.endpoint, message)
                self._resolver.problems.append(problem._replace(where=mark.location))
        return _Line(rule, answers, files)

    def _prepare(self, lines: Iterable[_Line]) -> dict[int, dict[str, Place]]:
        """The places of each rule. Keyed by identity, because rules have no hash; the lines keep
        the rules alive."""
        accepted: dict[tuple[str, str | None, str | None], frozenset[str] | None] = {}
        claims: dict[tuple[int, Answer], Claim] = {}
        for rule, answers, _ in lines:
            url = (rule.rule, rule.subdomain, rule.host)
            methods = frozenset(answers) - {""}
            known = accepted.get(url, frozenset())
            if rule.methods is None or known is None:
                accepted[url] = None
            else:
                accepted[url] = methods | known
            shape = shape_of(rule)
            for answer in set(answers.values()):
                own = frozenset(method for method in methods if answers[method] == answer)
                claims[id(rule), answer] = Claim(shape, own, answer.policy)
        elsewhere = methods_governed_elsewhere(claims.values())
        nowhere: frozenset[str] = frozenset()
        places: dict[int, dict[str, Place]] = {}
        for line in lines:
            rule = line.rule
            at_url = accepted[rule.rule, rule.subdomain, rule.host]
            places[id(rule)] = {
                method: _place(
                    line, answer, at_url, elsewhere.get(claims[id(rule), answer], nowhere)
                )
                for method, answer in line.answers.items()
            }
        return places

    def _unrouted_place(self, layers: Layers) -> Place:
        """The place of URLs without a route. Any method may ask, so script can read the 404."""
        policy, source, location = self._resolver.answer(layers)
        return Place(policy, Scope(None, source, location))

    def _late(self, rule: Rule) -> dict[str, Place]:
        """The places of a rule that was added to the URL map after the table was built."""
        line = self._line(rule)
        self._raise_problems()
        self._lines.append(line)
        places = self._places[id(rule)] = self._prepare([line])[id(rule)]
        return places

    def _raise_problems(self) -> None:
        if self._resolver.problems:
            raise PolicyError(self._resolver.problems)

    # Searching

    def _search(self, request: Request, method: str) -> Place:
        """Find a place by matching the URL, for everything that Flask did not match itself."""
        try:
            adapter = self._app.create_url_adapter(request)
        except HTTPException:
            return self._default  # a host that the app does not trust
        if adapter is None:
            return self._default
        path = adapter.path_info
        for _ in range(_MOST_STEPS):
            try:
                rule, arguments = adapter.match(path, method, return_rule=True)
            except RequestRedirect as redirect:
                target = _local_path(redirect.new_url, adapter)
                if target is None:
                    break
                path = target
            except MethodNotAllowed as error:
                # No method of that name: the policy is that of a route at the same URL.
                valid = error.valid_methods or ["GET"]
                method = "GET" if "GET" in valid else min(valid)
            except Exception:
                break  # no route, or a converter of the app's that fails
            else:
                places = self._places.get(id(rule)) or self._late(rule)
                return (places.get(method.upper()) or places[""]).for_arguments(arguments)
        return self._claimed_place(adapter)

    def _claimed_place(self, adapter: MapAdapter) -> Place:
        """The place of a URL without a route: that of the blueprint that it lies under."""
        if not self._blueprint_places:
            return self._default
        prefixes = self._blueprints.bind(
            adapter.server_name or "localhost", subdomain=adapter.subdomain
        )
        try:
            name, _ = prefixes.match(adapter.path_info)
        except Exception:
            return self._default  # no blueprint, or a converter of the app's that fails
        return self._blueprint_places[name]


def _place(
    line: _Line,
    answer: Answer,
    methods: frozenset[str] | None,
    elsewhere: frozenset[str],
) -> Place:
    place = _single_place(line.rule, answer, methods, elsewhere)
    if line.files:
        place.add_files(
            _file_argument(line.rule) or "",
            [
                (
                    re.compile("|".join(fnmatch.translate(glob) for glob in globs)),
                    _single_place(line.rule, file_answer, methods, elsewhere),
                )
                for globs, file_answer in line.files
            ],
        )
    return place


def _single_place(
    rule: Rule,
    answer: Answer,
    methods: frozenset[str] | None,
    elsewhere: frozenset[str],
) -> Place:
    policy, source, location = answer
    listed = allow_methods(policy, methods, elsewhere) if policy else None
    scope = Scope(rule.endpoint, source, location, methods, elsewhere, listed)
    return Place(policy, scope)


def _preflight(origin: str, announced: str, request: Request) -> CorsRequest:
    environ = request.environ
    return CorsRequest(
        origin,
        announced,
        request.path,
        True,
        environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS"),
        environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true",
        request,
    )


def _file_argument(rule: Rule) -> str | None:
    """The argument of a rule that holds a file's name."""
    arguments = set(map(str, rule.arguments))  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
    if "filename" in arguments:
        return "filename"
    return next(iter(arguments)) if len(arguments) == 1 else None


def _local_path(url: str, adapter: MapAdapter) -> str | None:
    """The path, within the app, of a URL that the map redirects to; None for one elsewhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    root = adapter.script_name.rstrip("/")
    path = unquote(parts.path)
    if parts.netloc != adapter.get_host(None) or not path.startswith(f"{root}/"):
        return None
    return path.removeprefix(root)


class _Rest(BaseConverter):
    """Whatever follows a prefix."""

    part_isolating = False
    regex = ".*?"
    weight = 10_000


def _prefix_map(app: Flask) -> Map:
    """A URL map with the prefixes of the marked blueprints: it finds the one that a URL without a
    route lies under, by whole segments, with the app's own converters and subdomains."""
    rules: list[Rule] = []
    for name, (prefix, subdomain) in marked_blueprints(app).items():
        if not prefix:
            continue  # a blueprint without a prefix of its own lays claim to no URL
        base = prefix.rstrip("/")
        rules.append(Rule(base or "/", endpoint=name, subdomain=subdomain))
        rest = f"{base}/<corsguard_rest:_corsguard_rest>"
        rules.append(Rule(rest, endpoint=name, subdomain=subdomain))
    return Map(
        rules,
        default_subdomain=app.url_map.default_subdomain,
        strict_slashes=False,
        merge_slashes=False,
        redirect_defaults=False,
        converters={**app.url_map.converters, "corsguard_rest": _Rest},
    )
