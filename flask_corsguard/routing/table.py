"""The policy table: every (URL rule, method) with its policy, worked out once."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flask.app import Flask
from werkzeug.routing import Rule

from flask_corsguard.config import Settings
from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.protocol.audiences import Audiences, policies_of
from flask_corsguard.protocol.decision import Scope
from flask_corsguard.protocol.headers import KNOWN_METHODS
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.blueprints import prefixes_of
from flask_corsguard.routing.layers import EndpointMarks, Layer, Layers, Resolver, RoutePolicy
from flask_corsguard.routing.overlap import Governed, methods_governed_elsewhere, shape_of


class Entry:
    """One entry of the table: a policy and where it applies.

    :ivar policy: the policy, or several, or None if the guard leaves the route alone.
    :ivar scope: where it applies.
    :ivar is_constant: whether what the policy says, without its callable, depends on nothing but
        the rule, the method and the CORS headers, so that it can be kept.
    """

    __slots__ = ("_file_argument", "_files", "is_constant", "policy", "scope")

    def __init__(
        self, policy: Policy | Audiences | None, scope: Scope, *, is_constant: bool = True
    ) -> None:
        self.policy = policy
        self.scope = scope
        self.is_constant = is_constant
        self._files: Sequence[tuple[re.Pattern[str], Entry]] = ()
        self._file_argument = ""

    def add_files(self, argument: str, files: Iterable[tuple[re.Pattern[str], Entry]]) -> None:
        """Give an entry of their own to the files whose name, in *argument*, fits a pattern."""
        self._file_argument = argument
        self._files = tuple(files)
        for entry in (self, *(entry for _, entry in self._files)):
            entry.is_constant = False

    def for_arguments(self, arguments: Mapping[str, Any] | None) -> Entry | None:
        """The entry of the file that the route captured, or this one.

        :param arguments: what the route captured.
        :returns: None if the file's name is not among the arguments (any more).
        """
        if self._files:
            if not arguments or self._file_argument not in arguments:
                return None
            # werkzeug.utils.safe_join does this before it opens the file: otherwise "a/../b" would
            # be served as "b" under the policy of something else.
            name = posixpath.normpath(str(arguments[self._file_argument]))
            for pattern, entry in self._files:
                if pattern.match(name):
                    return entry
        return self


class _RouteRow(NamedTuple):
    rule: str
    methods: tuple[str, ...]
    policy: Policy | Audiences | None
    source: str


class Route(_RouteRow):
    """One row of :meth:`flask_corsguard.CorsGuard.routes`: a tuple of four, and attributes.

    :ivar rule: the URL rule.
    :ivar methods: the methods that this row is about, sorted.
    :ivar policy: their policy; a tuple of several that are asked in order; or None for an exempt
        route.
    :ivar source: in words, what set the policy.
    :ivar endpoint: the rule's endpoint (an attribute only).
    :ivar location: file and line of what set the policy (an attribute only).
    :ivar layers: the marks that add up to the policy, the outermost first (an attribute only).
    :ivar url_rule: the rule itself (an attribute only).
    """

    endpoint: str
    location: str
    layers: Layers
    url_rule: Rule

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Every policy that may decide: none for an exempt route, one, or several."""
        return policies_of(self.policy)

    @classmethod
    def of(cls, rule: Rule, methods: Iterable[str], found: RoutePolicy) -> Route:
        """The row for those *methods* of *rule* that have the same policy."""
        route = cls(rule.rule, tuple(sorted(methods)), found.policy, found.source)
        route.url_rule = rule
        route.endpoint = rule.endpoint
        route.location = found.location
        route.layers = found.layers
        return route


class _RulePolicies(NamedTuple):
    """The policies of a rule: for each method, with "" for any other, and for its files."""

    rule: Rule
    by_method: Mapping[str, RoutePolicy]
    files: Sequence[tuple[re.Pattern[str], RoutePolicy]]


class LateRuleError(Exception):
    """A rule was added to the URL map after the table was built. Flask does not add one then, but
    Werkzeug's map does. Such a rule is known from its first request on.

    :ivar rule: the rule.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.rule = rule


class PolicyTable:
    """Every route's policy.

    :param rules: the rules of the routes.
    :ivar app: the app.
    :ivar rules: the rules of the routes.
    :ivar entries: id of a rule -> method -> entry. Rules have no hash; *rules* keeps them alive.
    :ivar options_everywhere: whether every rule accepts OPTIONS.
    :ivar default: the entry of URLs without a route.
    :ivar prefixes: full name of a marked blueprint -> where its URLs lie.
    :ivar of_blueprints: full name of a marked blueprint -> the entry of URLs without a route there.
    :raises PolicyError: with everything that is wrong with any route.
    """

    def __init__(
        self, app: Flask, settings: Settings, marks: EndpointMarks, rules: Iterable[Rule]
    ) -> None:
        self.app = app
        self._marks = marks
        self._resolver = Resolver(app, settings, marks)
        self._configured = frozenset(() if settings.is_report_only else settings.configured)
        self.rules = tuple(rules)
        self._policies = [self._policies_of(rule) for rule in self.rules]
        self.entries: Mapping[int, Mapping[str, Entry]] = self._entries_of(self._policies)
        self.options_everywhere = all("OPTIONS" in of_rule[1] for of_rule in self._policies)
        self.default = self._unrouted(())
        self.prefixes = prefixes_of(app, marks.blueprints)
        self.of_blueprints = {
            name: self._unrouted(tuple(self._resolver.blueprint_layers(name)))
            for name in self.prefixes
        }
        self._raise_problems()

    def late_entries(self, rule: Rule) -> Mapping[str, Entry]:
        """The entries of a rule that is not in the table.

        :raises LateRuleError: if it is in the app's own URL map, and so belongs in the table.
        """
        if rule.map is self.app.url_map:
            raise LateRuleError(rule)
        # The app has made a map of its own, perhaps for this request alone: nothing of it is kept.
        policies = [self._policies_of(each) for each in rule.map.iter_rules()]
        entries = self._entries_of(policies, is_constant=False)
        self._raise_problems()
        return entries[id(rule)]

    def routes(self) -> list[Route]:
        """The table for people and tools: in the order of the rules, a row for each policy."""
        routes: list[Route] = []
        for rule, by_method, files in self._policies:
            methods: dict[RoutePolicy, list[str]] = {}
            for method, found in by_method.items():
                if method:
                    methods.setdefault(found, []).append(method)
            routes += [Route.of(rule, names, found) for found, names in methods.items()]
            accepted = [method for method in by_method if method]
            routes += [Route.of(rule, accepted, found) for _, found in files]
        return routes

    def _policies_of(self, rule: Rule) -> _RulePolicies:
        resolver = self._resolver
        view = resolver.view_layers(rule.endpoint)
        by_method = {
            method: resolver.policy_of(view + resolver.handler_layers(rule.endpoint, method))
            for method in sorted(KNOWN_METHODS if rule.methods is None else rule.methods)
        }
        by_method[""] = resolver.policy_of(view)
        files: list[tuple[re.Pattern[str], RoutePolicy]] = []
        for globs, mark in self._marks.files.get(rule.endpoint, ()):
            source = f"files {', '.join(globs)} of endpoint {rule.endpoint}"
            pattern = re.compile("|".join(map(fnmatch.translate, globs)))
            files.append((pattern, resolver.policy_of((*view, Layer(mark, source)))))
            if file_argument(rule) is None:
                message = (
                    f"the rule {rule.rule!r} captures no file name; it needs one argument, or one"
                    " that is called 'filename'."
                )
                problem = Problem("no_file_name", "for_files", rule.endpoint, message)
                resolver.problems.append(problem._replace(where=mark.location))
        return _RulePolicies(rule, by_method, files)

    def _entries_of(
        self, policies: Iterable[_RulePolicies], *, is_constant: bool = True
    ) -> dict[int, dict[str, Entry]]:
        accepted: dict[tuple[str, str | None, str | None], frozenset[str] | None] = {}
        governed: dict[tuple[int, RoutePolicy], Governed] = {}
        for rule, by_method, _ in policies:
            methods = frozenset(by_method) - {""}
            url = (rule.rule, rule.subdomain, rule.host)
            known = accepted.get(url, frozenset())
            accepted[url] = None if rule.methods is None or known is None else methods | known
            shape = shape_of(rule)
            for found in set(by_method.values()):
                own = frozenset(method for method in methods if by_method[method] == found)
                governed[id(rule), found] = Governed(shape, own, found.policy)
        elsewhere = methods_governed_elsewhere(governed.values())
        nowhere: frozenset[str] = frozenset()

        def entry(rule: Rule, found: RoutePolicy, others: frozenset[str]) -> Entry:
            policy, source, location, layers = found
            at_url = accepted[rule.rule, rule.subdomain, rule.host]
            listed = tuple(
                each.compiled.headers.allow_methods(at_url, others) for each in policies_of(policy)
            )
            only = listed[0] if len(listed) == 1 else None
            configured = nowhere if layers else self._configured
            without_effect = self._resolver.without_effect(layers)
            where = (rule.endpoint, source, location)
            scope = Scope(*where, at_url, others, only, configured, without_effect, listed)
            return Entry(policy, scope, is_constant=is_constant)

        entries: dict[int, dict[str, Entry]] = {}
        for rule, by_method, files in policies:
            of_rule = entries[id(rule)] = {}
            for method, found in by_method.items():
                others = elsewhere.get(governed[id(rule), found], nowhere)
                of_rule[method] = entry(rule, found, others)
                if files:
                    of_files = [(pattern, entry(rule, f, others)) for pattern, f in files]
                    of_rule[method].add_files(file_argument(rule) or "", of_files)
        return entries

    def _unrouted(self, layers: Layers) -> Entry:
        """The entry of URLs without a route. It allows any method: the page can read the 404."""
        policy, source, location, _ = self._resolver.policy_of(layers)
        without_effect = self._resolver.without_effect(layers)
        return Entry(policy, Scope(None, source, location, without_effect=without_effect))

    def _raise_problems(self) -> None:
        problems, self._resolver.problems = self._resolver.problems, []
        if problems:
            raise PolicyError(problems)


def file_argument(rule: Rule) -> str | None:
    """The argument of a rule that holds a file's name."""
    arguments = set(map(str, rule.arguments))  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
    if "filename" in arguments:
        return "filename"
    return next(iter(arguments)) if len(arguments) == 1 else None
