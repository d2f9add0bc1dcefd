"""The policy table: (URL rule, method) to a policy, and how a request finds its line."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from flask import Flask, Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import MapAdapter, RequestRedirect, Rule

from flask_corsguard.config import Settings
from flask_corsguard.decorators import marked_blueprints
from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.protocol.decision import (
    CorsRequest,
    Decision,
    Scope,
)
from flask_corsguard.protocol.headers import KNOWN_METHODS, MAX_METHOD_LENGTH
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.protocol.tuples import named
from flask_corsguard.routing.layers import Answer, EndpointMarks, Layer, Layers, Resolver
from flask_corsguard.routing.overlap import Claim, methods_governed_elsewhere, shape_of
from flask_corsguard.routing.prefixes import BlueprintPrefixes
from flask_corsguard.routing.table import Place, Route, file_argument
from flask_corsguard.runtime.decision_cache import LONGEST_LIST_REMEMBERED, Key, Memory, short

# The URL map redirects to a merged path, from there to one with a slash, from there to an alias.
_MOST_STEPS = 5
_NO_PLACES: Mapping[str, Place] = {}
# Bound once: these are read for every request.
_REJECTED = Outcome.REJECTED


class _Line(NamedTuple):
    """What is worked out for a rule: the answer for each method, with "" for any other."""

    rule: Rule
    answers: Mapping[str, Answer]
    files: Sequence[tuple[re.Pattern[str], Answer]]


class LateRuleError(Exception):
    """A rule was added to the URL map after the table was built. Flask has no way to add one
    then, but Werkzeug's map has. Such a rule is known from its first request on.

    :ivar rule: the rule.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.rule = rule


class PolicyTable:
    """Every route's policy, worked out once.

    :ivar rules: the rules of the routes.
    :ivar memory: what it decided lately.
    :raises PolicyError: with everything that is wrong with any route.
    """

    def __init__(
        self, app: Flask, settings: Settings, marks: EndpointMarks, rules: Iterable[Rule]
    ) -> None:
        self._app = app
        self._marks = marks
        self._resolver = Resolver(app, settings, marks)
        self.memory = Memory(has_trial=settings.is_trial or settings.report_only is not None)
        self.rules = tuple(rules)
        self._lines = [self._line(rule) for rule in self.rules]
        self._places = self._prepare(self._lines)
        # Where every route answers OPTIONS, the rule that matched a preflight is the first that
        # matches its URL at all. If it accepts the announced method, it is that method's rule too.
        self._options_everywhere = all("OPTIONS" in line.answers for line in self._lines)
        self._default = self._unrouted_place(())
        self._prefixes = BlueprintPrefixes(app)
        self._blueprint_places = {
            name: self._unrouted_place(tuple(self._resolver.blueprint_layers(name)))
            for name in marked_blueprints(app)
        }
        self._raise_problems()

    def decide(self, request: Request) -> Decision:
        """The decision about a request, but for what only the app's own URL can tell.

        :raises LateRuleError: if the rule that the request reaches is not in the table.
        """
        environ = request.environ
        method = request.method
        origin: str | None = environ.get("HTTP_ORIGIN")
        if origin is not None and method == "OPTIONS":
            announced: str | None = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
            if announced is not None:
                return self._decide_preflight(request, origin, announced[: MAX_METHOD_LENGTH + 1])
        rule = request.url_rule
        key: Key | None = None
        # A long origin is not looked up: that would read all of it.
        if origin is None or len(origin) <= MAX_ORIGIN_LENGTH:
            key = (id(rule), method, origin)
            memory = self.memory
            decision = memory.open.get(key)
            if decision is not None:
                return decision
        places = self._places.get(id(rule), _NO_PLACES)
        place = places.get(method) or places.get("")
        if place is None or place.has_files:
            place, key = self._careful_place(request, place), None
        asked = named(CorsRequest, (origin, method, request.path, False, None, False, request))
        decision = place.decide(asked)
        # Not OPTIONS: whoever looks a decision up would have to tell preflights apart.
        if (
            key is not None
            and place.is_constant
            and method != "OPTIONS"
            and len(method) <= MAX_METHOD_LENGTH
        ):
            if decision.outcome is _REJECTED or (origin is None and place.enforces):
                self.memory.open.keep(key, short(decision))
            else:
                self.memory.settled.keep(key, decision)
        return decision

    def _decide_preflight(self, request: Request, origin: str, announced: str) -> Decision:
        environ = request.environ
        names: str | None = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
        private = environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true"
        memory = self.memory
        key: Key | None = None
        if len(origin) <= MAX_ORIGIN_LENGTH and len(names or "") <= LONGEST_LIST_REMEMBERED:
            key = (id(request.url_rule), announced, origin, names, private)
            decision = memory.preflights.get(key)
            if decision is not None:
                return decision
        place = self._matched_preflight_place(request, announced)
        asked = CorsRequest(origin, announced, request.path, True, names, private, request)
        if place is None:
            return self._search(request, announced).decide(asked)
        decision = place.decide(asked)
        if key and place.is_constant:
            memory.preflights.keep(key, short(decision))
        return decision

    def _careful_place(self, request: Request, place: Place | None) -> Place:
        """The place of a request where its rule and method alone do not tell.

        :param place: what they do tell.
        """
        rule = request.url_rule
        if place is None and rule is not None:
            places = self._late_places(rule)
            place = places.get(request.method) or places[""]
        of_file = place and place.for_arguments(request.view_args)
        return of_file or self._search(request, request.method)

    def _late_places(self, rule: Rule) -> dict[str, Place]:
        """The places of a rule that is not in the table.

        :raises LateRuleError: if it is to be.
        """
        if rule.map is self._app.url_map:
            raise LateRuleError(rule)
        # The app has made a map of its own, perhaps for this request alone. Nothing of it is kept.
        places = self._prepare([self._line(each) for each in rule.map.iter_rules()])
        self._raise_problems()
        return places[id(rule)]

    def _matched_preflight_place(self, request: Request, method: str) -> Place | None:
        """The place of the request that a preflight announces, where the rule that Flask matched
        for the preflight itself tells it."""
        rule = request.url_rule
        if rule is None or not self._options_everywhere:
            return None
        # What is too long for a method is refused by every policy, so that of GET will do.
        name = method if len(method) <= MAX_METHOD_LENGTH else "GET"
        place = self._places.get(id(rule), _NO_PLACES).get(name)
        return place and place.for_arguments(request.view_args)

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
        files: list[tuple[re.Pattern[str], Answer]] = []
        for globs, mark in self._marks.files.get(rule.endpoint, ()):
            source = f"files {', '.join(globs)} of endpoint {rule.endpoint}"
            pattern = re.compile("|".join(map(fnmatch.translate, globs)))
            files.append((pattern, resolver.answer((*view, Layer(mark, source)))))
            if file_argument(rule) is None:
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
        for rule, answers, files in lines:
            at_url = accepted[rule.rule, rule.subdomain, rule.host]
            of_rule = places[id(rule)] = {}
            for method, answer in answers.items():
                others = elsewhere.get(claims[id(rule), answer], nowhere)
                of_rule[method] = place = Place.of(rule, answer, at_url, others)
                if files:
                    of_files = [(p, Place.of(rule, a, at_url, others)) for p, a in files]
                    place.add_files(file_argument(rule) or "", of_files)
        return places

    def _unrouted_place(self, layers: Layers) -> Place:
        """The place of URLs without a route. Any method may ask, so script can read the 404."""
        policy, source, location, _ = self._resolver.answer(layers)
        return Place(policy, Scope(None, source, location))

    def _raise_problems(self) -> None:
        problems, self._resolver.problems = self._resolver.problems, []
        if problems:
            raise PolicyError(problems)

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
                places = self._places.get(id(rule)) or self._late_places(rule)
                place = places.get(method.upper()) or places[""]
                return place.for_arguments(arguments) or place
        return self._claimed_place(adapter)

    def _claimed_place(self, adapter: MapAdapter) -> Place:
        """The place of a URL without a route: that of the blueprint that it lies under."""
        name = self._prefixes.find(adapter) if self._blueprint_places else None
        return self._blueprint_places[name] if name else self._default


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
