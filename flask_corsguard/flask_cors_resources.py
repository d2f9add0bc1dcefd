"""The ``resources`` of Flask-CORS, which are patterns of paths, as prefixes for ``for_path``."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from flask_corsguard.errors import Problem
from flask_corsguard.flask_cors_options import (
    HINTS,
    CompatError,
    NotInGuardError,
    check_names,
    compat_policy,
)
from flask_corsguard.path_prefix import read_prefix
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.text import text_of

# A path: what it begins with, perhaps one of several, and what may follow.
_RESOURCE = re.compile(
    r"\^?(?P<head>(?:/|\\/|[\w~@-]|\\?\.(?![*+?])|\\-)*?)"
    r"(?:\((?:\?:)?(?P<choices>[\w|~-]+)\)(?P<more>(?:/[\w~-]+)*?))?"
    r"(?:\*|/?\??\(?\.?[*+]?\)?\$?|\(/\.\*\)\?\$?)"
)
_EVERYTHING = re.compile(r"\^?(?:/?\.?\*\$?|/?\(\.\*\)\$?|\^/?)")


#: The policy of a path that no call covers.
NOBODY = compat_policy({"origins": []})


def resource_paths(resource: str | re.Pattern[str]) -> list[str]:
    """The prefixes for ``for_path`` that cover what a key of ``resources`` matches.

    A prefix covers whole segments: the key ``/api/*`` also matches ``/apix``, which the prefix
    ``/api`` does not cover; and ``/api/.*`` does not match ``/api`` itself, which it does cover.

    :param resource: a string or a pattern, matched with ``re.match`` by Flask-CORS.
    :returns: ``["/"]`` for everything.
    :raises NotInGuardError: if the prefixes would cover more.
    :raises CompatError: if it is not a pattern.
    """
    text = resource.pattern if isinstance(resource, re.Pattern) else resource
    if not isinstance(text, str):
        raise CompatError(f"resources: {text_of(resource)} is not a string. Write '/api/*'")
    if _EVERYTHING.fullmatch(text):
        return ["/"]
    found = re.match(r"\^?((?:/?[\w~-]+(?=[/$?]|$))*)", text)
    start = f"/{found[1].strip('/')}/*".replace("//", "/") if found else "/*"
    if isinstance(resource, str) and HINTS.isdisjoint(text):
        raise NotInGuardError(
            f"resources: {text!r} covers that one path and nothing below it. Write {start!r} for"
            " everything below it, or take it out and write @cross_origin() on the view"
        )
    prefixes = _prefixes(text)
    wrong: list[Problem] = []
    for prefix in prefixes:
        read_prefix("resources", prefix, wrong)
    below = (prefix + path for prefix in prefixes for path in ("/x", "/-/y.z"))
    is_cut = re.search(r"[\w~-][*+?]\$?$", text)  # the last letter may be left out
    if not prefixes or wrong or is_cut or not all(re.match(resource, path) for path in below):
        raise NotInGuardError(
            f"resources: no list of path prefixes matches the same paths as {text!r}. Write"
            f" prefixes such as {start!r}, or take it out and write @cross_origin() on the views"
        )
    return prefixes


def _prefixes(text: str) -> list[str]:
    found = _RESOURCE.fullmatch(text)
    if found is None:
        return []
    head, choices, more = found.group("head", "choices", "more")
    heads = [head + choice + more for choice in choices.split("|")] if choices else [head]
    if choices and not head.endswith("/"):
        return []
    return [re.sub(r"\\(.)", r"\1", each).rstrip("/") for each in heads]


class PathRow(NamedTuple):
    """A key of ``resources``, translated.

    :ivar pattern: what Flask-CORS matches with the beginning of a path.
    :ivar prefixes: prefixes that cover at least what it matches.
    :ivar is_exact: whether they cover no more, except for whole segments.
    :ivar start: what all paths that it matches begin with.
    """

    pattern: str | re.Pattern[str]
    prefixes: list[str]
    policy: Policy
    is_exact: bool
    start: str

    def covers(self, path: str) -> bool:
        """Whether a path is under one of the prefixes."""
        return any(covers(prefix, path) for prefix in self.prefixes)

    def may_match(self, start: str) -> bool:
        """Whether it may match a path that begins with *start*."""
        return start.startswith(self.start) or self.start.startswith(start)


class Narrowed(NamedTuple):
    """What a call says about some paths.

    :ivar policies: the policies that may count, in order.
    :ivar may_differ: whether not all of them count for every path.
    """

    policies: list[Policy]
    may_differ: bool


class PathTable:
    """What one call of ``CORS`` says about each path. The first row that matches counts.

    :param options: those of the call, after merging.
    :raises CompatError: for what cannot be translated; the message says what to write.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        common = {name: value for name, value in options.items() if name != "resources"}
        resources: Any = options.get("resources", "/*")
        check_names(common)
        if isinstance(resources, Mapping):
            pairs: list[tuple[Any, Any]] = sorted(cast("Any", resources).items(), key=_order)
        else:
            listed: Any = [resources] if isinstance(resources, (str, re.Pattern)) else resources
            pairs = [(resource, {}) for resource in listed]
        self.rows: list[PathRow] = []
        for resource, own in pairs:
            if not isinstance(own, Mapping):
                raise CompatError(
                    f"resources: {text_of(own)} is not a dictionary of options. Write"
                    f" {{{resource!r}: {{'origins': {text_of(own)}}}}}"
                )
            pattern, prefixes, is_exact = _read(resource)
            options = {**common, **cast("Mapping[str, Any]", own)}
            policy = compat_policy(options)
            self.rows.append(PathRow(pattern, prefixes, policy, is_exact, _start(pattern)))

    def at(self, path: str) -> list[Policy]:
        """The policy that Flask-CORS would use for a path, if any."""
        return [row.policy for row in self._rows_at(path)]

    def _rows_at(self, path: str) -> list[PathRow]:
        return [row for row in self.rows if re.match(row.pattern, path)][:1]

    def under(self, prefix: str, start: str = "", *, is_path: bool = False) -> Narrowed:
        """The policies for paths under a prefix: for some of them, and then for all of them.

        :param start: what these paths begin with, if that is more than the prefix.
        :param is_path: whether that is the only path.
        """
        if is_path and all(row.covers(start) for row in self._rows_at(start)):
            return Narrowed(self.at(start), may_differ=False)
        start = start or f"{prefix.rstrip('/')}/"
        found: list[Policy] = []
        may_differ = is_path  # one row's prefix stops at the end of a segment, its pattern does not
        for row in self.rows:
            if row.is_exact and row.covers(prefix):
                found.append(row.policy)
                break
            if not row.is_exact and row.may_match(start):
                found.append(row.policy)
                may_differ = True
        return Narrowed(found, may_differ)

    def of_blueprint(self, start: str, *, is_path: bool) -> Narrowed:
        """What a blueprint's own call, whose rows have one policy, says about paths that begin with
        *start*, or about that path."""
        if is_path:
            return Narrowed(self.at(start), may_differ=False)
        folder = start.rpartition("/")[0] or "/"
        if any(row.is_exact and row.covers(folder) for row in self.rows):
            return Narrowed([self.rows[0].policy], may_differ=False)
        found = [row.policy for row in self.rows if row.may_match(start)][:1]
        return Narrowed(found, may_differ=bool(found))


def _read(resource: str | re.Pattern[str]) -> tuple[str | re.Pattern[str], list[str], bool]:
    """What Flask-CORS matches, prefixes that cover all of it, and whether they cover no more."""
    try:
        prefixes = resource_paths(resource)
    except NotInGuardError:
        prefixes = ["/"]
        if isinstance(resource, str) and HINTS.isdisjoint(resource):
            return rf"{re.escape(resource)}\Z", prefixes, False
        try:
            re.compile(resource)
        except re.error as error:
            raise CompatError(f"resources: {resource!r} is not a valid pattern: {error}") from None
        return resource, prefixes, False
    return "" if prefixes == ["/"] else resource, prefixes, True


def _start(pattern: str | re.Pattern[str]) -> str:
    compiled = re.compile(pattern)
    # Python's own parser. It is not public, but another parser could read patterns differently.
    parser: Any = importlib.import_module("re._parser")
    found = ""
    for kind, value in parser.parse(compiled.pattern, compiled.flags & re.VERBOSE):
        if str(kind) == "LITERAL":
            found += chr(value)
        elif str(kind) != "AT":
            break
    return "" if compiled.flags & re.IGNORECASE else found


def in_turn(policies: Iterable[Policy]) -> Policy | tuple[Policy, ...]:
    """Policies in the form that a guard takes, without those after one that admits everybody."""
    found: list[Policy] = []
    for policy in dict.fromkeys(policies):
        found.append(policy)
        if policy.origins == "*":
            break
    return tuple(found) if len(found) > 1 else found[0] if found else NOBODY


def covers(prefix: str, path: str) -> bool:
    """Whether a path lies under a prefix, by whole segments."""
    return prefix == "/" or f"{path}/".startswith(f"{prefix}/")


def _order(pair: tuple[Any, Any]) -> tuple[bool, int, int]:
    """The key by which Flask-CORS sorts a dictionary of resources."""
    key, is_pattern = pair[0], isinstance(pair[0], re.Pattern)
    text = str(key.pattern if is_pattern else ".*" if key == "*" else key)
    return not is_pattern, -text.count("/"), -len(text)
