"""A policy: its fields, and the checks on them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import (
    Any,
    Generic,
    Literal,
    Never,
    NoReturn,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.protocol import fields as read
from flask_corsguard.protocol.compiled import Audience, CompiledPolicy
from flask_corsguard.protocol.origins import DEFAULT_PORTS, OriginPattern
from flask_corsguard.protocol.publicsuffix import is_public_suffix, suffix_below
from flask_corsguard.text import source_of, text_of

_T = TypeVar("_T")


class PolicyFields(TypedDict, total=False):
    """The policy fields as keyword arguments, for type checkers."""

    origins: read.OriginForm | Iterable[read.OriginForm]
    deny_origins: str | re.Pattern[str] | Iterable[str | re.Pattern[str]]
    methods: str | Iterable[str] | None
    allow_headers: str | Iterable[str]
    expose_headers: str | Iterable[str]
    allow_credentials: bool
    max_age: int | datetime.timedelta | None
    enforce: read.Enforce
    origins_vary: str | Iterable[str]
    raw_origins: str | Iterable[str]
    answer_preflight: bool
    dangerously_let_views_override: bool
    allow_private_network: bool
    dangerously_allow_null_origin: bool
    dangerously_allow_insecure_origins: bool
    dangerously_allow_public_suffixes: bool


class Field(Generic[_T]):
    """One field of :class:`Policy`.

    :param reader: reads its value, and adds its problems to a list.
    :param default: its value if none is given.
    :param meaning: what to compare, instead of the value, when policies are compared: everything
        about it that can change a byte of a response.
    """

    def __init__(
        self,
        reader: Callable[[str, object, list[Problem]], _T],
        default: object,
        meaning: Callable[[Policy], Hashable] | None = None,
    ) -> None:
        self.reader = reader
        self.default: _T = reader("", default, [])
        self.meaning = meaning
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Policy, owner: type) -> _T: ...
    def __get__(self, instance: Policy | None, owner: type) -> Self | _T:
        if instance is None:
            return self
        value: _T = instance.values[self.name]
        return value


def _where_rows_are_checked(name: str) -> Callable[[Policy], Hashable]:
    return lambda policy: policy.compiled.sources and policy.values[name]


class Policy:
    """The origins that may read the responses of a route, and under which conditions.

    Immutable and hashable. Two policies are equal if they always send the same headers. The fields
    are checked, alone and in combination, when the policy is created. The reference describes them
    under "Policy fields".

    :param fields: any of the fields; those left out have their defaults.
    :raises PolicyError: with every problem found.
    """

    __slots__ = ("_meaning", "compiled", "values")

    # The order of origins does not matter; names are sent in their order.
    origins = Field(read.read_origins, default=(), meaning=lambda p: p.compiled.allow)
    deny_origins = Field(read.read_listed_origins, default=(), meaning=lambda p: p.compiled.deny)
    methods = Field(read.read_methods, default=None)
    allow_headers = Field(read.read_allow_headers, default=("Content-Type",))
    expose_headers = Field(read.read_expose_headers, default=())
    allow_credentials = Field(read.read_bool, default=False)
    max_age = Field(read.read_max_age, default=600)
    enforce = Field(read.read_enforce, default="off")
    origins_vary = Field(read.read_vary, default=())
    raw_origins = Field(read.read_raw_origins, default=(), meaning=lambda p: p.compiled.raw)
    answer_preflight = Field(read.read_bool, default=True)
    dangerously_let_views_override = Field(read.read_bool, default=False)
    allow_private_network = Field(read.read_bool, default=False)
    dangerously_allow_null_origin = Field(
        read.read_bool, default=False, meaning=lambda p: p.compiled.null
    )
    # These two only lift a check. They matter to policies with sources, whose rows are checked at
    # run time.
    dangerously_allow_insecure_origins = Field(
        read.read_bool,
        default=False,
        meaning=_where_rows_are_checked("dangerously_allow_insecure_origins"),
    )
    dangerously_allow_public_suffixes = Field(
        read.read_bool,
        default=False,
        meaning=_where_rows_are_checked("dangerously_allow_public_suffixes"),
    )

    #: the normalised value of every field
    values: Mapping[str, Any]
    #: what a decision needs, prepared
    compiled: CompiledPolicy
    _meaning: tuple[Hashable, ...]

    def __init__(self, *unnamed: Never, **fields: Unpack[PolicyFields]) -> None:
        if unnamed:
            raise PolicyError([_unnamed_fields(unnamed[0])])
        self._set({name: field.default for name, field in FIELDS.items()}, fields)

    def derive(self, **fields: Unpack[PolicyFields]) -> Policy:
        """Return a copy with some fields changed.

        :param fields: the fields to change.
        :raises PolicyError: with every problem of the fields and their combination.
        """
        derived = object.__new__(Policy)
        derived._set(self.values, fields)
        return derived

    def as_audience(self, audience: Audience) -> Policy:
        """The same policy, prepared for a list of policies. Equal to this one."""
        return self._standing_in(self.values, audience)

    def with_origins(self, origins: read.OriginList) -> Policy:
        """The same policy with the rows of its sources as listed origins, to check these. Equal to
        this one."""
        values = MappingProxyType({**self.values, "origins": origins})
        return self._standing_in(values, self.compiled.audience)

    def _standing_in(self, values: Mapping[str, Any], audience: Audience | None) -> Policy:
        policy = object.__new__(Policy)
        object.__setattr__(policy, "values", values)
        object.__setattr__(policy, "compiled", CompiledPolicy(policy, audience))
        object.__setattr__(policy, "_meaning", self._meaning)
        return policy

    def _set(self, base: Mapping[str, object], fields: PolicyFields) -> None:
        given, problems = read_fields(fields)
        values = {**base, **given}
        problems += check_combination(values)
        if problems:
            is_inherited = "allow_credentials" not in fields
            raise PolicyError(map(_if_inherited, problems) if is_inherited else problems)
        object.__setattr__(self, "values", MappingProxyType(values))
        object.__setattr__(self, "compiled", CompiledPolicy(self))
        special = [meaning(self) for meaning in _MEANINGS]
        object.__setattr__(self, "_meaning", (*_values_compared(values), *special))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Policy cannot be changed; use derive({name}=...)")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Policy cannot be changed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        return self is other or self._meaning == other._meaning

    def __hash__(self) -> int:
        return hash(self._meaning)

    def __repr__(self) -> str:
        changed = [
            f"{name}={source_of(value)}"
            for name, value in self.values.items()
            if value != FIELDS[name].default
        ]
        return f"Policy({', '.join(changed)})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, ({name: _plain(value) for name, value in self.values.items()},)


FIELDS: Mapping[str, Field[Any]] = {
    name: getattr(Policy, name) for name in PolicyFields.__annotations__
}

_MEANINGS = [field.meaning for field in FIELDS.values() if field.meaning is not None]
_values_compared = itemgetter(*(name for name in FIELDS if FIELDS[name].meaning is None))


def read_fields(
    fields: Mapping[str, Any] | PolicyFields,
) -> tuple[dict[str, Any], list[Problem]]:
    """Read each field separately.

    :returns: the normalised values of the fields given, and every problem found.
    """
    given: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in fields.items():
        field = FIELDS.get(name)
        if field is None:
            from flask_corsguard.protocol.field_names import unknown_field

            kind = "policy field"
            problems.append(
                unknown_field("unknown_field", name, kind, FIELDS, "", value, fields_meant)
            )
        else:
            given[name] = field.reader(name, value, problems)
    return given, problems


def fields_meant(value: object) -> str | None:
    """The keyword arguments to write, as source, if *value*, given without a name, is origins or a
    mapping of fields. Otherwise None."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[object, object]", value)
        names = [_field_meant(name) for name in fields]
        if not fields or not all(name in FIELDS for name in names):
            return None
        given = zip(names, fields.values(), strict=True)
        return ", ".join(f"{name}={text_of(each)}" for name, each in given)
    is_list = isinstance(value, (list, tuple, set, frozenset))
    entries = tuple(cast("Iterable[object]", value)) if is_list else (value,)
    if not entries or not all(map(_is_written_origin, entries)):
        return None
    return f"origins={text_of(value)}"


def _field_meant(name: object) -> object:
    """The field that a name stands for, also where another library calls it so."""
    if name in FIELDS:
        return name
    from flask_corsguard.protocol.field_names import unknown_field

    return unknown_field("unknown_field", name, "policy field", FIELDS).suggestion


def _is_written_origin(entry: object) -> bool:
    return isinstance(entry, re.Pattern) or (
        isinstance(entry, str)
        and (re.match(r"[\s'\"]*[\w*+.-]+://", entry) is not None or entry.strip() == "*")
    )


def _unnamed_fields(value: object) -> Problem:
    meant = fields_meant(value) or "origins=['https://app.example.com']"
    message = f"fields are given by name, not as {text_of(value)}. Write Policy({meant})."
    return Problem("wrong_type", "policy", value, message)


def check_combination(values: Mapping[str, object]) -> list[Problem]:
    """Find the fields that are dangerous together.

    :param values: normalised values. A check is skipped if a field that it depends on is missing: a
        mark has only some fields, and the others come from further out.
    """
    return [
        problem
        for names, needs, check in _CHECKS
        if needs <= values.keys()
        for problem in check(*map(values.__getitem__, names))
    ]


_Origins = Literal["*"] | read.OriginList

_OR_SAY = ", or set dangerously_allow_public_suffixes=True."


def _check_any_origin(origins: _Origins, credentials: bool) -> Iterable[Problem]:
    if credentials and origins == "*":
        message = (
            "'*' with allow_credentials=True would let every site on the web act as the signed-in"
            " user. List the origins that may do so, such as origins=['https://app.example.com'],"
            " or leave allow_credentials out."
        )
        yield Problem("credentials_any_origin", "origins", "*", message)


def _if_inherited(problem: Problem) -> Problem:
    """A problem where ``allow_credentials`` comes from another policy, and cannot be left out."""
    if problem.code != "credentials_any_origin":
        return problem
    message = problem.message.replace("True would", "True, which is inherited, would")
    message = message.replace("leave allow_credentials out", "add allow_credentials=False here")
    return problem._replace(message=message)


def _check_null(origins: _Origins, dangerously: bool) -> Iterable[Problem]:
    if origins != "*" and "null" in origins and not dangerously:
        message = (
            "any site can send the origin 'null' from a sandboxed frame, so allowing it allows"
            " everybody. Leave it out, or set dangerously_allow_null_origin=True."
        )
        yield Problem("null_origin", "origins", "null", message)


def _check_insecure(origins: _Origins, credentials: bool, dangerously: bool) -> Iterable[Problem]:
    if not credentials or dangerously or origins == "*":
        return
    for pattern in origins.patterns(lambda text: text.startswith(("http:", "ws:"))):
        origin = pattern.origin
        if not origin.is_loopback:
            scheme = f"{origin.scheme}s"
            port = None if origin.port == DEFAULT_PORTS[scheme] else origin.port
            fixed = str(pattern._replace(origin=origin._replace(scheme=scheme, port=port)))
            message = (
                f"{str(pattern)!r} with allow_credentials=True: whoever controls the network in"
                f" between can pose as that origin and act as the user. Write {fixed!r}, or set"
                " dangerously_allow_insecure_origins=True."
            )
            code = "credentials_insecure_origin"
            yield Problem(code, "origins", str(pattern), message, repr(fixed))


def _check_insecure_raw(
    raw_origins: tuple[str, ...], credentials: bool, dangerously: bool
) -> Iterable[Problem]:
    for text in raw_origins if credentials and not dangerously else ():
        if read.is_insecure_raw(text):
            message = (
                f"{text!r} with allow_credentials=True: whoever controls the network in between can"
                " pose as that origin and act as the user. Make it use TLS and list what it sends"
                " then, or set dangerously_allow_insecure_origins=True."
            )
            yield Problem("credentials_insecure_origin", "raw_origins", text, message)


def _check_registry_suffix(
    origins: _Origins, deny: read.OriginList, dangerously: bool
) -> Iterable[Problem]:
    # In deny_origins too: people who meant whole sub-domains would deny hardly anybody.
    for field, forms in (("origins", origins), ("deny_origins", deny)):
        if isinstance(forms, str) or not forms.compiled.cuts or dangerously:
            continue
        # Loaded for the first such wildcard: few policies have one.
        from flask_corsguard.protocol.origin_errors import covers_strangers, repair, spans_registry

        for pattern in filter(spans_registry, forms.patterns(_has_star_in_host)):
            text = str(pattern)
            meant = repair(text)
            remedy = f"Write {meant!r}" if meant else _name_the_site(pattern, pattern.origin.host)
            message = f"{text!r}: {covers_strangers(pattern)}. {remedy}{_OR_SAY}"
            yield Problem("origin_wildcard", field, text, message, meant and repr(meant))


def _check_any_host(
    origins: _Origins, credentials: bool, enforce: read.Enforce
) -> Iterable[Problem]:
    if origins == "*" or not origins.compiled.schemes:
        return
    for pattern in origins.patterns(lambda text: text.endswith("://*")):
        text = str(pattern)
        every = f"anything with a {pattern.origin.scheme} origin that the user has installed"
        own = f"List your own program, such as '{pattern.example('its-own-id')}'."
        if credentials:
            message = f"{text!r} with allow_credentials=True: {every} could act as the user. {own}"
            yield Problem("credentials_any_host", "origins", text, message)
        if enforce != "off":
            message = f"{text!r} with enforce={enforce!r}: {every} would be let through. {own}"
            yield Problem("enforce_any_host", "origins", text, message)


def _has_star_in_host(text: str) -> bool:
    return "*" in text[:-1]


def _check_public_suffix(
    origins: _Origins, credentials: bool, dangerously: bool
) -> Iterable[Problem]:
    if credentials and not dangerously:
        otherwise = ", give it its own policy without credentials (in a list of policies)"
        for pattern, suffix in _public_suffixes(origins):
            message = (
                f"{str(pattern)!r} with allow_credentials=True: anybody can register a name under"
                f" {suffix!r} and act as the user."
                f" {_name_the_site(pattern, suffix, otherwise)}{_OR_SAY}"
            )
            yield Problem("credentials_public_suffix", "origins", str(pattern), message)


def _check_enforced_public_suffix(
    origins: _Origins, enforce: read.Enforce, dangerously: bool
) -> Iterable[Problem]:
    # A form sends the user's cookies even if the page may not use credentials.
    if enforce != "off" and not dangerously:
        for pattern, suffix in _public_suffixes(origins):
            message = (
                f"{str(pattern)!r} with enforce={enforce!r}: anybody can register a name under"
                f" {suffix!r}, so nobody is kept out. {_name_the_site(pattern, suffix)}{_OR_SAY}"
            )
            yield Problem("enforce_public_suffix", "origins", str(pattern), message)


def _public_suffixes(origins: _Origins) -> Iterator[tuple[OriginPattern, str]]:
    """The wildcards that span sites of different owners, each with a suffix that it covers."""
    for pattern in () if origins == "*" else origins.patterns(_has_star_in_host):
        host = pattern.origin.host
        suffix = host if is_public_suffix(host) else suffix_below(host)
        if suffix is not None and not _is_refused_anyway(pattern):
            yield pattern, suffix


def _is_refused_anyway(pattern: OriginPattern) -> bool:
    """Whether :func:`_check_registry_suffix` finds a better correction."""
    if not pattern.in_label:
        return False
    from flask_corsguard.protocol.origin_errors import repair, spans_registry

    return spans_registry(pattern) and repair(str(pattern)) is not None


def _name_the_site(pattern: OriginPattern, suffix: str, otherwise: str = "") -> str:
    from flask_corsguard.protocol.origin_errors import spans_registry

    if not spans_registry(pattern, whole_labels=True):
        # Most services give a site one name, and none below it.
        covered = pattern._replace(origin=pattern.origin._replace(host=suffix))
        example = f", such as '{covered.example('your-site')}'"
        return f"List each host{otherwise if pattern.in_label else example}"
    host = f"your-site.{suffix}"
    if is_public_suffix(host):  # by a rule such as *.ck
        host = f"your-site.any.{suffix}"
    site = str(pattern._replace(origin=pattern.origin._replace(host=host)))
    return f"Name the site, such as {site!r}"


def _check_enforced_any_origin(origins: _Origins, enforce: read.Enforce) -> Iterable[Problem]:
    if origins == "*" and enforce == "all":
        message = (
            "origins='*' lets the pages of every site read, but enforce='all' refuses their"
            " requests. For a view that everybody may read, set enforce='unsafe', which refuses"
            " only requests that could change something, or enforce='off', which refuses nothing."
        )
        yield Problem("enforce_all_any_origin", "enforce", "all", message, "'unsafe'")


def _check_vary(origins: _Origins, vary: tuple[str, ...]) -> Iterable[Problem]:
    sources = () if origins == "*" else origins.compiled.sources
    by_tenant = [source for source in sources if getattr(source, "by", None) is not None]
    if vary and not by_tenant and (origins == "*" or origins.compiled.check is None):
        message = (
            "nothing in origins looks at a header: no callable, and no source with by. Add it to"
            " origins, or set origins_vary=[]."
        )
        yield Problem("vary_without_callable", "origins_vary", vary[0], message)
    for source in () if vary else by_tenant:
        message = (
            f"{text_of(source)} has by, so the request decides who may read. Name the headers that"
            " by looks at, such as origins_vary=['Host']. If it looks at none, write that too:"
            " caches tell hosts apart anyway, so it changes nothing."
        )
        yield Problem("vary_required", "origins_vary", (), message, "['Host']")


def _check_expose(expose: read.Names, credentials: bool) -> Iterable[Problem]:
    # https://fetch.spec.whatwg.org/#concept-response-cors-exposed-header-name-list
    if credentials and expose == "*":
        message = (
            "with allow_credentials=True, browsers take '*' as the name of a header. List the"
            " names."
        )
        yield Problem("expose_all_with_credentials", "expose_headers", "*", message)


_COMBINATIONS: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("origins", "allow_credentials"), _check_any_origin),
    (("origins", "dangerously_allow_null_origin"), _check_null),
    (("origins", "allow_credentials", "dangerously_allow_insecure_origins"), _check_insecure),
    (("origins", "allow_credentials", "dangerously_allow_public_suffixes"), _check_public_suffix),
    (("origins", "enforce", "dangerously_allow_public_suffixes"), _check_enforced_public_suffix),
    (
        ("raw_origins", "allow_credentials", "dangerously_allow_insecure_origins"),
        _check_insecure_raw,
    ),
    (("origins", "deny_origins", "dangerously_allow_public_suffixes"), _check_registry_suffix),
    (("origins", "allow_credentials", "enforce"), _check_any_host),
    (("origins", "enforce"), _check_enforced_any_origin),
    (("origins", "origins_vary"), _check_vary),
    (("expose_headers", "allow_credentials"), _check_expose),
)


# Each check with the set of what it needs. Made once: there can be a policy for each route.
_CHECKS: list[tuple[tuple[str, ...], frozenset[str], Callable[..., Iterable[Problem]]]] = [
    (names, frozenset(names), check) for names, check in _COMBINATIONS
]


def _plain(value: object) -> object:
    return tuple(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def _rebuild(fields: PolicyFields) -> Policy:
    return Policy(**fields)
