"""Which URLs have which entry of the policy table, as regular expressions, of which the first that
matches a path counts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from werkzeug.routing import (
    AnyConverter,
    FloatConverter,
    IntegerConverter,
    PathConverter,
    Rule,
    UnicodeConverter,
    UUIDConverter,
)

from flask_corsguard.decorators import Mark
from flask_corsguard.export.expressions import (
    NOT_UTF_8,
    BeyondSubsetError,
    below,
    from_python,
    of_glob,
    path_literal,
)
from flask_corsguard.protocol.audiences import policies_of
from flask_corsguard.protocol.decision import ANYWHERE
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.overlap import VARIABLE, Shape, shape_of
from flask_corsguard.routing.paths import Paths
from flask_corsguard.routing.table import Entry, PolicyTable

# Converters that match exactly what their regular expression matches.
_CONVERTERS = (
    AnyConverter,
    FloatConverter,
    IntegerConverter,
    PathConverter,
    UnicodeConverter,
    UUIDConverter,
)
# What Werkzeug adds to the last part of a rule: a slash may follow.
_OPTIONAL_SLASH = r"(?<!/)(/?)"
_NOBODY = Entry(Policy(), ANYWHERE)


class Inexpressible(NamedTuple):
    """Something that the configuration of a server cannot express.

    :ivar where: the route, and what set its policy.
    :ivar field: the policy field, or what else is at fault.
    """

    where: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.field}: {self.message}"


class Region(NamedTuple):
    """Some URLs with the same entry.

    :ivar path: matches their paths.
    :ivar methods: the methods of the requests, or None for any.
    :ivar entry: their entry; None if nothing is written for them, as the app serves them itself.
    :ivar name: their rule or prefix, for people.
    """

    path: str
    methods: frozenset[str] | None
    entry: Entry | None
    name: str


def meaning(entry: Entry) -> tuple[object, ...]:
    """What two entries have in common if all their responses are the same."""
    scope = entry.scope
    files = tuple((globs.texts, meaning(other)) for globs, other in entry.files)
    policies = None if entry.policy is None else policies_of(entry.policy)
    return policies, scope.methods, scope.allow_methods, scope.governed_elsewhere, files


class Regions:
    """The regions of some paths and endpoints.

    :param prefixes: paths, with all that lies under them; "" is everything.
    :param endpoints: endpoints, each with only its own URLs.
    :ivar problems: why a server cannot tell some of their URLs apart.
    """

    def __init__(
        self, table: PolicyTable, prefixes: Sequence[str], endpoints: Collection[str]
    ) -> None:
        self._table = table
        self._prefixes, self._endpoints = prefixes, endpoints
        self._covered = Paths(dict.fromkeys(filter(None, prefixes), Mark(None, {}, "")))
        self.problems: list[Inexpressible] = []
        table.app.url_map.update()
        usable = [rule for rule in table.rules if not rule.build_only and not rule.websocket]
        self._rules = sorted(usable, key=_order)
        self._shapes = {id(rule): shape_of(rule) for rule in usable}

    def all(self) -> list[Region]:
        """Every region."""
        name = "what is not UTF-8"
        exact = [Region(f"{_ahead(p)}{NOT_UTF_8}", None, _NOBODY, name) for p in self._prefixes]
        exact += [Region(NOT_UTF_8, None, None, name)] if self._endpoints else []
        # Where no rule accepts the method, another rule at the URL counts: the one for GET, if any.
        for_get: list[Region] = []
        other: list[Region] = []
        for rule in self._rules:
            for under in self._parts_of(rule):
                is_for_get = rule.methods is not None and "GET" in rule.methods
                self._add(rule, under, exact, for_get if is_for_get else other)
        regions = [*exact, *for_get, *other]
        for prefix in self._prefixes:
            regions += self._unrouted(prefix)
        return regions

    def _parts_of(self, rule: Rule) -> Iterator[str | None]:
        """The prefixes under which a rule is exported; None if it is only to be left out."""
        if rule.endpoint in self._endpoints or "" in self._prefixes:
            yield ""
        else:
            places = self._covered.of_rule(rule) if self._covered.marks else []
            yield from filter(None, places)
            own = [self._shapes[id(r)] for r in self._rules if r.endpoint in self._endpoints]
            if any(may_meet(self._shapes[id(rule)], shape) for shape in own):
                yield None

    def _add(self, rule: Rule, under: str | None, exact: list[Region], other: list[Region]) -> None:
        body = self._body_of(rule)
        if body is None:
            return
        if under is not None and rule.redirect_to is not None:
            self._inexpressible(rule, "rule", "it redirects, so the policy of its target applies.")
        if under is not None and (rule.host or rule.subdomain):
            self._inexpressible(
                rule, "rule", "it is for one host, but the server's file applies to any."
            )
        if under is None:
            exact.append(Region(rf"{body}\z", None, None, rule.rule))
            return
        paths = self._table.paths
        entries = self._table.entries[id(rule)]
        own = self._shapes[id(rule)]
        is_alone = not any(may_meet(own, self._shapes[id(r)]) for r in self._rules if r is not rule)
        head = f"{VARIABLE.split(rule.rule)[0].rpartition('/')[0]}/"
        places = sorted(paths.of_rule(rule), key=len)
        for marked in places:
            ahead = _ahead(*(p for p in (under, marked) if not head.startswith(f"{p}/")))
            deeper = (p for p in places if p.startswith(f"{marked}/"))
            ahead += "".join(f"(?!{below(prefix)})" for prefix in deeper)
            found = {method: entry.at(marked, paths) for method, entry in entries.items()}
            named = sorted(filter(None, found))
            rest = found["" if rule.methods is None else "GET" if "GET" in found else named[0]]
            groups: dict[object, tuple[Entry, set[str]]] = {}
            for method in named:
                groups.setdefault(meaning(found[method]), (found[method], set()))[1].add(method)
            loose = body.replace("0-9", r"0-9\x80-\xff")
            if loose != body:
                name = f"{rule.rule}, with digits that only Python accepts"
                exact.append(Region(rf"{ahead}(?!{body}\z){loose}\z", None, _NOBODY, name))
            for entry, methods in groups.values():
                if meaning(entry) != meaning(rest) or not is_alone:
                    exact += self._with_files(rule, body, ahead, frozenset(methods), entry)
            goes_to = exact if rule.methods is None else other
            goes_to += self._with_files(rule, body, ahead, None, rest)

    def _with_files(
        self, rule: Rule, body: str, ahead: str, methods: frozenset[str] | None, entry: Entry
    ) -> Iterator[Region]:
        for globs, of_files in entry.files:
            pieces = self._body_of(rule, entry.file_argument)
            try:
                names = "|".join(map(of_glob, globs.texts))
            except BeyondSubsetError as error:
                message = f"a glob has {error}. Name the endings one by one, as in '*.woff2'."
                self._inexpressible(rule, "for_files", message)
            else:
                # The name is normalised, so it has no slash at the end.
                fits = rf"(?=(?:{names})(?<!/)/*\z)"
                path = rf"{ahead}{pieces}{fits}{body.removeprefix(str(pieces))}\z"
                yield Region(path, methods, of_files, f"{rule.rule}, {', '.join(globs.texts)}")
        yield Region(rf"{ahead}{body}\z", methods, entry, rule.rule)

    def _body_of(self, rule: Rule, up_to: str = "") -> str | None:
        """An expression for the paths of a rule, with no end; None if a server cannot express it,
        which is then among the problems.

        :param up_to: match only what precedes this argument, which must be the rule's last part.
        """
        converters: dict[str, Any] = getattr(rule, "_converters", {})
        for name, converter in converters.items():
            limits = [getattr(converter, limit, None) for limit in ("min", "max", "fixed_digits")]
            if type(converter) not in _CONVERTERS or any(limits):
                message = (
                    f"what {name!r} accepts is decided by the code of {type(converter).__name__}."
                )
                self._inexpressible(rule, "rule", message)
                return None
        # Private, as Werkzeug's own matcher reads them; the first part is the host's.
        parts: list[Any] = getattr(rule, "_parts", [])[1:]
        if up_to:
            last = VARIABLE.fullmatch(rule.rule.rpartition("/")[2])
            if last is None or last["name"] != up_to:
                message = f"the file name {up_to!r} is not the last segment of the rule."
                self._inexpressible(rule, "for_files", message)
                return None
            *parts, _ = parts
        texts: list[str] = []
        try:
            texts = [path_literal(p.content) if p.static else _expression(p) for p in parts]
        except BeyondSubsetError as error:
            self._inexpressible(rule, "rule", f"its variables have {error}.")
            return None
        text = "/+".join(texts)
        if up_to:
            return f"{text}/+"
        if rule.rule.endswith("/") and rule.rule != "/":
            return f"{text.removesuffix('/+')}/*"
        return text if rule.strict_slashes else f"{text}/*"

    def _unrouted(self, prefix: str) -> Iterator[Region]:
        """Where no route is: in a marked blueprint, or under a prefix with a mark."""
        table = self._table
        outermost = table.paths.longest(prefix)
        places = [p for p in table.paths.layers if p == outermost or p.startswith(f"{prefix}/")]
        places.sort(key=len, reverse=True)
        of_blueprints = [] if table.prefix_map is None else [*table.prefix_map.iter_rules()]
        if table.prefix_map is not None:
            table.prefix_map.update()
        for rule in sorted(of_blueprints, key=_order):
            if "<corsguard_rest:" in rule.rule:
                continue
            body = self._body_of(rule)
            for place in places if body else ():
                entry = table.unrouted.get((rule.endpoint, place))
                if entry is not None:
                    text = "" if rule.rule == "/" else body
                    path = rf"{_ahead(prefix, place)}{text}(?:/|\z)"
                    yield Region(path, None, entry, f"blueprint {rule.endpoint}")
        for place in places:
            deeper = place if len(place) > len(prefix) else prefix
            yield Region(below(deeper), None, table.unrouted["", place], f"{deeper}/")

    def _inexpressible(self, rule: Rule, field: str, message: str) -> None:
        found = Inexpressible(f"{rule.rule} ({rule.endpoint})", field, message)
        if found not in self.problems:
            self.problems.append(found)


def _order(rule: Rule) -> list[tuple[Any, ...]]:
    """Werkzeug's order: segment by segment, fixed before variable."""
    parts = getattr(rule, "_parts", ())
    return [(0,) if part.static else (1, part.weight) for part in parts]


def _ahead(*prefixes: str) -> str:
    return "".join(f"(?={below(prefix)})" for prefix in dict.fromkeys(prefixes) if prefix)


def _expression(part: Any) -> str:
    content: str = part.content.removesuffix(r"\Z")
    if re.fullmatch(rf"\(\?P<\w+>{re.escape(PathConverter.regex)}\)", content):
        return r"[^/][^\x0a]*"  # the same in bytes, and easier to read
    if content.endswith(_OPTIONAL_SLASH):
        inner = from_python(content.removesuffix(_OPTIONAL_SLASH), in_path=True)
        return f"{inner}(?<!/)/*"
    return from_python(content, in_path=True)


def may_meet(one: Shape, other: Shape) -> bool:
    """Whether a URL may have both shapes, whatever its host."""
    pairs = zip(one.segments, other.segments, strict=False)
    if any(a != b for a, b in pairs if a is not None and b is not None):
        return False
    lengths = len(one.segments), len(other.segments)
    if lengths[0] == lengths[1]:
        return True
    return (one if lengths[0] < lengths[1] else other).open_ended
