"""The policy table: every (URL rule, method) with its policy, built once."""

from __future__ import annotations

import fnmatch
import functools
import posixpath
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flask.app import Flask
from flask.views import View
from werkzeug.routing import Rule

from flask_corsguard.config import Settings
from flask_corsguard.decorators import Mark
from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.path_prefix import is_alias, normalised
from flask_corsguard.protocol.audiences import Audiences, policies_of
from flask_corsguard.protocol.decision import Scope
from flask_corsguard.protocol.fields import WAYS_TO_ENFORCE, Enforce
from flask_corsguard.protocol.headers import KNOWN_METHODS
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.blueprints import prefix_map, prefixes_of
from flask_corsguard.routing.layers import (
    PATH_PATTERNS_KEY,
    GuardMarks,
    Layer,
    Layers,
    PathPatterns,
    Resolver,
    RoutePolicy,
)
from flask_corsguard.routing.overlap import (
    Governed,
    groups_that_may_meet,
    methods_governed_elsewhere,
    shape_of,
)
from flask_corsguard.routing.paths import Paths
from flask_corsguard.text import shown

_NOWHERE: frozenset[str] = frozenset()
# The result of paths.of_rule() if no path has a mark.
_NO_PREFIX = ("",)
_NARROWED = "flask_corsguard.compat narrows it by pattern"


@functools.cache
def _nobody(enforce: Enforce) -> Policy:
    """A policy that admits nobody."""
    return Policy(enforce=enforce)


class Globs(NamedTuple):
    """The globs of a mark on files.

    :ivar texts: the globs as given.
    :ivar pattern: matches the file names that match one of them.
    """

    texts: tuple[str, ...]
    pattern: re.Pattern[str]


class Entry:
    """One entry of the table: a policy and where it applies.

    :ivar policy: the policy, a list of them, or None for an exempt route.
    :ivar has_sources: whether a source may decide.
    :ivar live: the state of :mod:`flask_corsguard.runtime.live_origins` for the sources.
    :ivar scope: where it applies.
    :ivar is_constant: whether the decision by the policy, apart from its callable and sources,
        depends only on the rule, the path prefix, the method and the CORS headers, so that it can
        be cached.
    :ivar prefix: the longest path prefix with a mark that its URLs are under, or "".
    :ivar layers: the marks that add up to the policy, the outermost first.
    :ivar files: the entries for marked files; the first that matches counts.
    :ivar file_argument: the argument of the rule that holds the file's name.
    """

    __slots__ = (
        "_by_prefix",
        "file_argument",
        "files",
        "has_sources",
        "is_constant",
        "layers",
        "live",
        "policy",
        "prefix",
        "scope",
    )

    def __init__(
        self,
        policy: Policy | Audiences | None,
        scope: Scope,
        prefix: str = "",
        layers: Layers = (),
        *,
        is_constant: bool = True,
    ) -> None:
        self.policy = policy
        if isinstance(policy, Policy):  # nearly always, and there are many
            self.has_sources = bool(policy.compiled.sources)
        else:
            self.has_sources = any(each.compiled.sources for each in policies_of(policy))
        self.live: Any = None
        self.scope = scope
        self.prefix = prefix
        self.layers = layers
        self.is_constant = is_constant
        self._by_prefix: dict[str, Entry] | None = None
        self.files: Sequence[tuple[Globs, Entry]] = ()
        self.file_argument = ""

    def add_files(self, argument: str, files: Iterable[tuple[Globs, Entry]]) -> None:
        """Add the entries for marked files.

        :param argument: the argument of the rule that holds the file's name.
        """
        self.file_argument = argument
        self.files = tuple(files)
        for entry in (self, *(entry for _, entry in self.files)):
            entry.is_constant = False

    def add_other(self, entry: Entry) -> None:
        """Add the entry of the same rule and method under another path prefix."""
        self._by_prefix = {**(self._by_prefix or {}), entry.prefix: entry}

    def at(self, path: str, paths: Paths) -> Entry:
        """The entry of the same rule and method for a request's path."""
        return self._by_prefix.get(paths.longest(path), self) if self._by_prefix else self

    def for_arguments(self, arguments: Mapping[str, Any] | None) -> Entry | None:
        """The entry for the file that the route captured, or this one.

        :param arguments: what the route captured.
        :returns: None if the file's name is not among the arguments.
        """
        if self.files:
            if not arguments or self.file_argument not in arguments:
                return None
            # As in werkzeug.utils.safe_join: otherwise "a/../b" would be served as "b", but under
            # the policy of another file.
            name = posixpath.normpath(str(arguments[self.file_argument]))
            for globs, entry in self.files:
                if globs.pattern.match(name):
                    return entry
        return self


class _RouteRow(NamedTuple):
    rule: str
    methods: tuple[str, ...]
    policy: Policy | Audiences | None
    source: str


class Route(_RouteRow):
    """One row of :meth:`flask_corsguard.CorsGuard.routes`: a tuple of four, with more attributes.

    :ivar rule: the URL rule.
    :ivar methods: the methods that this row is about, sorted.
    :ivar policy: their policy; a tuple for a list of policies; None for an exempt route.
    :ivar source: what set the policy, such as ``view users.list``.
    :ivar endpoint: the rule's endpoint (an attribute only).
    :ivar location: file and line of what set the policy (an attribute only).
    :ivar layers: the marks that add up to the policy, the outermost first (an attribute only).
    :ivar url_rule: the rule itself (an attribute only).
    :ivar prefix: the longest path prefix with a mark that the row's URLs are under, or "" (an
        attribute only).
    :ivar may_differ: whether some of the row's URLs have a narrower policy, or none, because
        :mod:`flask_corsguard.compat` compares each path with a pattern (an attribute only).
    """

    endpoint: str
    location: str
    layers: Layers
    url_rule: Rule
    prefix: str
    may_differ: bool = False

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Every policy that may decide: none for an exempt route, one, or several."""
        return policies_of(self.policy)

    @property
    def summaries(self) -> list[str]:
        """Each policy in words."""
        from flask_corsguard.protocol.explanation import policy_summaries

        found = policy_summaries(self.policy)
        if self.may_differ:
            return [f"at most {each}; {_NARROWED}" for each in found]
        return found

    @property
    def place(self) -> str:
        """What set the policy, in words; with the path prefix of the row's URLs, unless the source
        or the rule shows it."""
        is_said = f"{self.rule}/".startswith(f"{self.prefix}/")
        if is_said or self.source == f"path {self.prefix}":
            return self.source
        return f"{self.source}, under {self.prefix}"

    @classmethod
    def of(cls, rule: Rule, prefix: str, methods: Iterable[str], found: RoutePolicy) -> Route:
        """The row for those *methods* of *rule* that have the same policy under *prefix*."""
        route = cls(rule.rule, tuple(sorted(methods)), found.policy, found.source)
        route.url_rule = rule
        route.prefix = prefix
        route.endpoint = rule.endpoint
        route.location = found.location
        route.layers = found.layers
        return route


class _RulePolicies(NamedTuple):
    """The policies of a rule under one path prefix: for each method, for any other method (""), and
    for marked files."""

    rule: Rule
    prefix: str
    by_method: Mapping[str, RoutePolicy]
    files: Sequence[tuple[Globs, RoutePolicy]]


class _Entries(dict[int, Mapping[str, Entry]]):
    """The entries of rules: id of a rule -> method -> entry.

    A rule's entries are made when a request first reaches it: an app can have thousands of rules,
    and a process may never need most of them.
    """

    def __init__(
        self,
        policies: Sequence[_RulePolicies],
        resolver: Resolver,
        configured: frozenset[str],
        *,
        is_constant: bool = True,
    ) -> None:
        super().__init__()
        self._resolver = resolver
        self._configured = configured
        self._is_constant = is_constant
        self._accepted = _accepted_methods(policies)
        self._elsewhere = _governed_elsewhere(policies)
        self._of_rules: dict[int, list[_RulePolicies]] = {}
        for each in policies:
            self._of_rules.setdefault(id(each.rule), []).append(each)

    def of(self, rule: Rule) -> Mapping[str, Entry] | None:
        """The entries of a rule; None if it is not one of these."""
        known = self.get(id(rule))
        return self[id(rule)] if known is None and id(rule) in self._of_rules else known

    def __missing__(self, rule_id: int) -> Mapping[str, Entry]:
        # If another thread is faster, its entries count.
        return self.setdefault(rule_id, self._made(self._of_rules[rule_id]))

    def _made(self, policies: Iterable[_RulePolicies]) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for rule, prefix, by_method, files in policies:
            # Methods with the same marks have the same entry.
            made: dict[int, Entry] = {}
            for method, found in by_method.items():
                own = made.get(id(found))
                if own is None:
                    others = self._elsewhere.get((id(rule), prefix, id(found)), _NOWHERE)
                    own = made[id(found)] = self._entry(rule, prefix, found, others)
                    if files:
                        of_files = [(g, self._entry(rule, prefix, f, others)) for g, f in files]
                        own.add_files(file_argument(rule) or "", of_files)
                first = entries.setdefault(method, own)
                if first is not own:
                    first.add_other(own)
        return entries

    def _entry(self, rule: Rule, prefix: str, found: RoutePolicy, others: frozenset[str]) -> Entry:
        policy, source, location, layers = found
        at_url = self._accepted[rule.rule, rule.subdomain, rule.host]
        listed = tuple(
            each.compiled.headers.allow_methods(at_url, others) for each in policies_of(policy)
        )
        configured = _NOWHERE if layers else self._configured
        without_effect = self._resolver.without_effect(layers)
        where = (rule.endpoint, source, location)
        scope = Scope(*where, at_url, others, listed, configured, without_effect)
        return Entry(policy, scope, prefix, layers, is_constant=self._is_constant)


class LateRuleError(Exception):
    """A rule was added to the URL map after the table was built. Flask refuses that, but Werkzeug's
    map does not. The first request that reaches the rule adds it to the table.

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
    :ivar entries: id of a rule -> method -> entry. Rules cannot be hashed; *rules* keeps them
        alive.
    :ivar options_everywhere: whether every rule accepts OPTIONS.
    :ivar paths: the path prefixes that have marks.
    :ivar varying: id of a rule whose URLs may be aliases -> prefix -> the rule's cache key under
        it; no prefixes if its URLs can be under only one. Empty if no path has a mark.
    :ivar unrouted: full name of a marked blueprint, or "", and prefix -> the entry of URLs without
        a route there.
    :ivar prefixes: full name of a marked blueprint -> its URL prefix and subdomain.
    :ivar prefix_map: the same as a URL map; None if there are none.
    :raises PolicyError: with every problem of every route.
    """

    def __init__(
        self, app: Flask, settings: Settings, marks: GuardMarks, rules: Iterable[Rule]
    ) -> None:
        self.app = app
        self._marks = marks
        self._resolver = Resolver(app, settings, marks)
        self._configured = frozenset(() if settings.is_report_only else settings.configured)
        self.rules = tuple(rules)
        self._patterns: PathPatterns | None = app.extensions.get(PATH_PATTERNS_KEY)
        self.paths = self._marked_paths(settings.paths, marks.paths)
        self._policies = self._policies_of(self.rules)
        self.entries = _Entries(self._policies, self._resolver, self._configured)
        self.varying: Mapping[int, Mapping[str, object]] = {
            id(rule): self._places_of(rule)
            for rule in (self.rules if self.paths.marks else ())
            if "<" in rule.rule or is_alias(rule.rule)
        }
        self.options_everywhere = all("OPTIONS" in each.by_method for each in self._policies)
        self.prefixes = prefixes_of(app, marks.blueprints)
        self.prefix_map = prefix_map(app, self.prefixes) if self.prefixes else None
        self.unrouted = {
            (name, prefix): self._unrouted(name, prefix) for name, prefix in self._unrouted_places()
        }
        self._raise_problems()

    def _marked_paths(self, configured: Mapping[str, Mark], given: Mapping[str, Mark]) -> Paths:
        for prefix in sorted(configured.keys() & given.keys()):
            message = (
                f"for_path marks {prefix!r} too, at {given[prefix].location}. Combine the two"
                " marks."
            )
            where = configured[prefix].location
            problem = Problem("duplicate_path", "paths", prefix, message, where=where)
            self._resolver.problems.append(problem)
        return Paths({**configured, **given})

    def unless_ambiguous(self, entry: Entry, path: str) -> Entry:
        """The entry; or one that rejects the request, if its path is an alias of a path with
        another policy: some code, such as ``send_from_directory``, would serve that.

        :param path: the path as sent. The entry of a redirect is that of its target.
        """
        paths = self.paths
        if not paths.marks or not is_alias(path):
            return entry
        target = normalised(path)
        prefixes = paths.longest(path), paths.longest(target)
        if prefixes[0] == prefixes[1]:
            return entry
        resolver = self._resolver.without_problems()
        own = entry.layers[len(paths.layers[entry.prefix]) :]
        own = tuple(layer for layer in own if not layer.mark.is_of_rule)
        both = [resolver.policy_of((*paths.layers[prefix], *own)).policy for prefix in prefixes]
        is_usable = not resolver.problems
        if is_usable and both[0] == both[1]:
            return entry
        of_paths = [resolver.policy_of(paths.layers[prefix]) for prefix in prefixes]
        sent, meant = (f"{found.source} ({found.location})" for found in of_paths)
        words = (
            f"as sent, {shown(path)} has the policy of {sent}; normalised, {shown(target)} has that"
            f" of {meant}"
        )
        possible = both if is_usable else [found.policy for found in of_paths]
        each_policy = (p for policy in (entry.policy, *possible) for p in policies_of(policy))
        ways = {"off", *(policy.enforce for policy in each_policy)}
        nobody = _nobody(next(way for way in reversed(WAYS_TO_ENFORCE) if way in ways))
        endpoint, source, location, *_ = entry.scope
        scope = Scope(endpoint, source, location, ambiguous=words)
        return Entry(nobody, scope, entry.prefix, entry.layers, is_constant=False)

    def paths_without_rules(self) -> list[tuple[str, str]]:
        """The path prefixes that cover no rule, each with the location of its mark."""
        covering = {prefix for each in self._policies for prefix in self.paths.above(each.prefix)}
        marks = self.paths.marks.items()
        return [(prefix, mark.location) for prefix, mark in marks if prefix not in covering]

    def late_entries(self, rule: Rule) -> Mapping[str, Entry]:
        """The entries of a rule that is not in the table.

        :raises LateRuleError: if it is in the app's own URL map, and so belongs in the table.
        """
        if rule.map is self.app.url_map:
            raise LateRuleError(rule)
        # The app has made a map of its own, perhaps for this request only, so nothing is kept.
        policies = self._policies_of(rule.map.iter_rules())
        entries = _Entries(policies, self._resolver, self._configured, is_constant=False)
        self._raise_problems()
        return entries[id(rule)]

    def routes(self) -> list[Route]:
        """The table for people and tools: in the order of the rules, a row for each policy."""
        # A mark that replaces what applies further out makes one row for all prefixes.
        routes: dict[tuple[int, Route, str], Route] = {}
        for rule, prefix, by_method, files in self._policies:
            methods: dict[RoutePolicy, list[str]] = {}
            for method, found in by_method.items():
                if method:
                    methods.setdefault(found, []).append(method)
            accepted = [method for method in by_method if method]
            rows = [*methods.items(), *((found, accepted) for _, found in files)]
            for found, names in rows:
                route = Route.of(rule, prefix, names, found)
                if self._patterns is not None:
                    route.may_differ = self._patterns.may_differ(rule, prefix, found.layers)
                routes.setdefault((id(rule), route, route.location), route)
        return [*routes.values()]

    def policies(self) -> list[Policy]:
        """Every policy of the table, each once."""
        # For many rules, these are the same object.
        tables = {id(each.by_method): each.by_method for each in self._policies}
        rows = (found for by_method in tables.values() for found in by_method.values())
        files = (found for each in self._policies for _, found in each.files)
        routed = [found.policy for found in (*rows, *files)]
        unrouted = [entry.policy for entry in self.unrouted.values()]
        found = (policy for each in (*routed, *unrouted) for policy in policies_of(each))
        return [*{id(policy): policy for policy in found}.values()]

    def _places_of(self, rule: Rule) -> Mapping[str, object]:
        prefixes = self.paths.of_rule(rule)
        return {prefix: object() for prefix in prefixes} if len(prefixes) > 1 else {}

    def _policies_of(self, rules: Iterable[Rule]) -> list[_RulePolicies]:
        resolver, paths, of_files = self._resolver, self.paths, self._marks.files
        # Parts that rules share are made only once, but are not kept: views can change.
        blueprint_layers: dict[str, Layers] = {}
        alike: dict[tuple[frozenset[str], int], Mapping[str, RoutePolicy]] = {}
        made: list[_RulePolicies] = []
        for rule in rules:
            endpoint = rule.endpoint
            blueprint = endpoint.rpartition(".")[0]
            outer = blueprint_layers.get(blueprint)
            if outer is None:
                outer = blueprint_layers[blueprint] = tuple(resolver.blueprint_layers(blueprint))
            own, view_class = resolver.view_layers(endpoint, outer)
            names = KNOWN_METHODS if rule.methods is None else frozenset(rule.methods)
            for prefix in paths.of_rule(rule) if paths.marks else _NO_PREFIX:
                layers = paths.layers[prefix] + own
                if self._patterns is not None:
                    around = paths.layers[prefix] + outer
                    known = self._patterns.layers_of(rule, prefix, around)
                    layers = around + known + own[len(outer) :]
                found = resolver.policy_of(layers)
                by_method: Mapping[str, RoutePolicy] | None = alike.get((names, id(found)))
                if view_class is not None:
                    by_method = self._by_method(endpoint, view_class, names, layers)
                elif by_method is None:
                    by_method = dict.fromkeys((*sorted(names), ""), found)
                    alike[names, id(found)] = by_method
                files = tuple(self._files_of(rule, layers)) if endpoint in of_files else ()
                made.append(_RulePolicies(rule, prefix, by_method, files))
        return made

    def _by_method(
        self, endpoint: str, view_class: type[View], names: Iterable[str], layers: Layers
    ) -> dict[str, RoutePolicy]:
        """The policy of each method of a view class, whose handlers can have marks."""
        resolver = self._resolver
        by_method: dict[str, RoutePolicy] = {}
        for name in sorted(names):
            handler = resolver.handler_layers(endpoint, view_class, name)
            by_method[name] = resolver.policy_of(layers + handler)
        by_method[""] = resolver.policy_of(layers)
        return by_method

    def _files_of(self, rule: Rule, view: Layers) -> Iterator[tuple[Globs, RoutePolicy]]:
        resolver = self._resolver
        for globs, mark in self._marks.files[rule.endpoint]:
            source = f"files {', '.join(globs)} of endpoint {rule.endpoint}"
            pattern = re.compile("|".join(map(fnmatch.translate, globs)))
            yield Globs(tuple(globs), pattern), resolver.policy_of((*view, Layer(mark, source)))
            if file_argument(rule) is None:
                message = (
                    f"the rule {rule.rule!r} captures no file name: it needs exactly one argument,"
                    " or one called 'filename'."
                )
                problem = Problem("no_file_name", "for_files", rule.endpoint, message)
                resolver.add([problem._replace(where=mark.location)])

    def _unrouted_places(self) -> Iterator[tuple[str, str]]:
        """The keys of *unrouted*."""
        yield from (("", prefix) for prefix in ("", *self.paths.marks))
        if not self.paths.marks:
            yield from ((name, "") for name in self.prefixes)
        elif self.prefix_map is not None:
            for rule in self.prefix_map.iter_rules():
                yield from ((rule.endpoint, prefix) for prefix in self.paths.of_rule(rule))

    def _unrouted(self, name: str, prefix: str) -> Entry:
        """The entry of URLs without a route. It allows any method, so that the page can read the
        404."""
        layers = (*self.paths.layers[prefix], *self._resolver.blueprint_layers(name))
        policy, source, location, _ = self._resolver.policy_of(layers)
        without_effect = self._resolver.without_effect(layers)
        scope = Scope(None, source, location, without_effect=without_effect)
        return Entry(policy, scope, prefix, layers)

    def _raise_problems(self) -> None:
        problems, self._resolver.problems = self._resolver.problems, []
        if problems:
            raise PolicyError(problems)


def _accepted_methods(
    policies: Iterable[_RulePolicies],
) -> dict[tuple[str, str | None, str | None], frozenset[str] | None]:
    """The methods that the rules of each URL accept together, or None for any."""
    accepted: dict[tuple[str, str | None, str | None], frozenset[str] | None] = {}
    # Equal sets are one object: most rules accept the same methods.
    same: dict[frozenset[str], frozenset[str]] = {}
    for rule, _, _, _ in policies:
        url = (rule.rule, rule.subdomain, rule.host)
        known = accepted.get(url, _NOWHERE)
        if known is None or rule.methods is None:
            accepted[url] = None
        else:
            methods = known.union(rule.methods)
            accepted[url] = same.setdefault(methods, methods)
    return accepted


def _governed_elsewhere(
    policies: Sequence[_RulePolicies],
) -> dict[tuple[int, str, int], frozenset[str]]:
    """The methods that another policy may govern at a rule's URLs, by the id of the rule, the path
    prefix, and the id of what the rule has there."""
    # Many rules share these objects, so policies are compared by meaning only once each.
    tables = {id(each.by_method): each.by_method for each in policies}
    founds = {id(found): found for table in tables.values() for found in table.values()}
    numbers: dict[Hashable, int] = {}
    number_of = {at: numbers.setdefault(f.policy, len(numbers)) for at, f in founds.items()}
    elsewhere: dict[tuple[int, str, int], frozenset[str]] = {}
    if len(numbers) < 2:
        return elsewhere
    # Rules under different prefixes share no URL.
    by_prefix: dict[str, list[tuple[Rule, RoutePolicy, Mapping[str, RoutePolicy]]]] = {}
    for rule, prefix, by_method, _ in policies:
        rows = by_prefix.setdefault(prefix, [])
        of_rule = {id(found): found for found in by_method.values()}
        rows += [(rule, found, by_method) for found in of_rule.values()]
    for prefix, rows in by_prefix.items():
        texts = [(rule.rule, number_of[id(found)]) for rule, found, _ in rows]
        for group in groups_that_may_meet(texts):
            governed: dict[tuple[int, str, int], Governed] = {}
            for at in group:
                rule, found, by_method = rows[at]
                own = frozenset(name for name in by_method if name and by_method[name] is found)
                key = id(rule), prefix, id(found)
                governed[key] = Governed(shape_of(rule), own, number_of[id(found)])
            found_elsewhere = methods_governed_elsewhere(governed.values())
            for key, row in governed.items():
                elsewhere[key] = found_elsewhere.get(row, _NOWHERE)
    return elsewhere


def file_argument(rule: Rule) -> str | None:
    """The argument of a rule that holds a file's name."""
    arguments = set(map(str, rule.arguments))  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
    if "filename" in arguments:
        return "filename"
    return next(iter(arguments)) if len(arguments) == 1 else None
