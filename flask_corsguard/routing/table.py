"""The lines of the policy table."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from werkzeug.routing import Rule

from flask_corsguard.protocol.decision import (
    CorsRequest,
    Decision,
    Scope,
    allow_methods,
    decide,
    exempt,
)
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.layers import Answer, Layers


class Place:
    """One line of the table: a policy where it applies.

    :ivar policy: the policy, or None where the guard leaves the route alone.
    :ivar is_constant: whether the rule, the method and the origin alone make the decision.
    :ivar has_files: whether some files have a place of their own.
    :ivar enforces: whether the server refuses anything here; then a request without an origin
        calls for a look at the rest of it.
    """

    __slots__ = (
        "_file_argument", "_files", "_scope", "enforces", "has_files", "is_constant", "policy",
    )  # fmt: skip

    @classmethod
    def of(
        cls,
        rule: Rule,
        answer: Answer,
        methods: frozenset[str] | None,
        elsewhere: frozenset[str],
    ) -> Place:
        """The place of those methods of a rule that have the same answer.

        :param methods: the methods that the URL's routes accept, or None for any.
        :param elsewhere: methods for which another policy may answer at the same URL.
        """
        policy, source, location, _ = answer
        listed = allow_methods(policy, methods, elsewhere) if policy else None
        return cls(policy, Scope(rule.endpoint, source, location, methods, elsewhere, listed))

    def __init__(self, policy: Policy | None, scope: Scope) -> None:
        self.policy = policy
        self._scope = scope
        allow = policy.compiled.allow if policy else None
        self.is_constant = allow is None or allow.is_constant
        self.enforces = policy is not None and policy.compiled.enforces
        self.has_files = False
        self._files: Sequence[tuple[re.Pattern[str], Place]] = ()
        self._file_argument = ""

    def decide(self, asked: CorsRequest) -> Decision:
        """The decision about a request that reaches this place."""
        if self.policy is not None:
            return decide(self.policy, asked, self._scope)
        return exempt(asked, self._scope)

    def add_files(self, argument: str, files: Iterable[tuple[re.Pattern[str], Place]]) -> None:
        """Give files a place of their own: those whose name, in *argument*, fits a pattern."""
        self.has_files = True
        self._file_argument = argument
        self._files = tuple(files)
        for place in (self, *(place for _, place in self._files)):
            place.is_constant = False

    def for_arguments(self, arguments: Mapping[str, Any] | None) -> Place | None:
        """The place of the file that the route captured, or this one.

        :param arguments: what the route captured.
        :returns: None where the file's name is not among it (any more).
        """
        if self._files:
            if self._file_argument not in (arguments or {}):
                return None
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
    """One line of :meth:`flask_corsguard.CorsGuard.routes`: a tuple of four, and attributes.

    :ivar rule: the URL rule.
    :ivar methods: the methods that this line is about, sorted.
    :ivar policy: the policy that answers, or None for an exempt route.
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

    @classmethod
    def of(cls, rule: Rule, methods: Iterable[str], answer: Answer) -> Route:
        """The line for those *methods* of *rule* that have the same *answer*."""
        route = cls(rule.rule, tuple(sorted(methods)), answer.policy, answer.source)
        route.url_rule = rule
        route.endpoint = rule.endpoint
        route.location = answer.location
        route.layers = answer.layers
        return route


def file_argument(rule: Rule) -> str | None:
    """The argument of a rule that holds a file's name."""
    arguments = set(map(str, rule.arguments))  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
    if "filename" in arguments:
        return "filename"
    return next(iter(arguments)) if len(arguments) == 1 else None
