"""What to change for another verdict about a request: complete values to paste, for everything that
is wrong, and nothing that :class:`~flask_corsguard.Policy` would reject."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from flask_corsguard.errors import Problem
from flask_corsguard.protocol.audiences import OF_ONE
from flask_corsguard.protocol.fields import OriginForm, OriginList, is_raw, read_listed_origins
from flask_corsguard.protocol.headers import KNOWN_METHODS, SAFE_METHODS
from flask_corsguard.protocol.lists import is_source, source_name
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH, Origin, parse_origin
from flask_corsguard.protocol.policy import FIELDS, Policy, check_combination, read_fields
from flask_corsguard.protocol.reasons import NOT_LISTED, Outcome, Reason
from flask_corsguard.text import name_of, shown, source_of

if TYPE_CHECKING:
    from flask_corsguard.protocol.decision import Decision

#: How many names of a list are shown.
MOST_SHOWN = 5
# The most entries, and characters of source, of a list that is shown whole.
_MOST_ENTRIES = 20
_LONGEST_VALUE = 600
# The most characters of a name in a list that is not shown whole.
_LONGEST_NAME = 320
# Locations that are only configuration keys, and only names in a settings file.
_ONLY_CONFIGURED = re.compile(r"[A-Z_, ]+ in app\.config")
_ONLY_IN_FILE = re.compile(r"[a-z_, ]+ in .*?(?P<is_json>\.json)?")
# What a preflight asks about.
_ASKED = ("methods", "allow_headers", "allow_private_network")
# What sets a policy for no other view.
_OF_ONE_VIEW = re.compile("(view|method|endpoint|files) .*")
# What policies without a mark are called in sentences.
_POLICIES = {"default": "the default policy", "report_only": "the report-only policy"}
_LISTS = {"default": "the default policies", "report_only": "the report-only policies"}


def set_by(decision: Decision) -> str:
    """What set the policy that decided, and where; for a list, also which of its policies, or all
    that were tried."""
    return _place(decision, _policies_to_name(decision))


def set_by_in_words(decision: Decision) -> str:
    """:func:`set_by`, as part of a sentence."""
    source = decision.policy_source
    names = " and ".join(filter(None, map(name_in_list, _policies_to_name(decision))))
    location = f" ({decision.policy_location})" if decision.policy_location else ""
    if names:
        return f"{names} of {_LISTS.get(source, source)}{location}"
    return f"{_POLICIES.get(source, f'the policy of {source}')}{location}"


def _policies_to_name(decision: Decision) -> Sequence[Policy]:
    is_foreign = decision.origin is not None and decision.outcome is not Outcome.SAME_ORIGIN
    one_decided = is_foreign and not nobody_admits(decision)
    return decision.policies[-1:] if one_decided else decision.policies


def _place(decision: Decision, policies: Iterable[Policy]) -> str:
    names = map(name_in_list, policies)
    return ", ".join(filter(None, (decision.policy_source, *names, decision.policy_location)))


def name_in_list(policy: Policy) -> str:
    """The name of a policy in a list; "" if it is the only one."""
    audience = policy.compiled.audience
    return audience.name if audience else ""


def nobody_admits(decision: Decision) -> bool:
    """Whether several policies were tried, and none admits or denies the origin."""
    return len(decision.policies) > 1 and decision.reason in NOT_LISTED


def to_allow(decision: Decision, *, credentials: bool = False) -> str:
    """What to change so that a request is admitted.

    :param credentials: whether the page's request has credentials.
    """
    policy = decision.policy
    assert policy is not None
    is_speculative = decision.reason is Reason.SPECULATIVE
    is_unrouted = decision.endpoint is None and not decision.in_front
    if is_unrouted and not is_speculative:
        # Not the policy: a misspelt URL would make people open it for the whole app.
        return (
            "check the URL, the method and the trailing slash: no route of the app matches this"
            f" request (policy: {set_by(decision)}; it matters only to a page that must read the"
            " error)"
        )
    method = "" if is_speculative else missing_route(decision)
    add_route = f"add a route that accepts {method} at this URL"
    if method and _OF_ONE_VIEW.match(decision.policy_source):
        return add_route  # which need not have the policy of the other views there
    change = _Change(decision, policy)
    change.credentials = credentials or policy.allow_credentials
    reasons = [*reasons_of(decision)]
    if credentials and not policy.allow_credentials:
        _allow_credentials(change)
        if policy.origins == "*" and Reason.CROSS_SITE_REQUEST in reasons:
            reasons.remove(Reason.CROSS_SITE_REQUEST)  # an origin that is listed passes
    for each in reasons:
        remedy = _REMEDIES[each]
        if isinstance(remedy, str):
            change.elsewhere.append(remedy)
        else:
            remedy(change)
    if method:
        change.elsewhere.append(add_route)
    return str(change)


def missing_route(decision: Decision) -> str:
    """The method, if routes are at the URL, but none accepts it; otherwise ""."""
    method, accepted = decision.method, decision.route_methods
    # In lower case, it is another method, which no route can accept.
    is_missing = accepted is not None and method not in accepted and method == method.upper()
    return plain(method) if is_missing and not decision.in_front and _can_list(method) else ""


def upper_case_of(decision: Decision) -> str:
    """The method in upper case, if the page has probably meant that; otherwise ""."""
    upper = decision.method.upper()
    is_meant = upper in KNOWN_METHODS or upper in (decision.route_methods or ())
    return upper if is_meant and upper != decision.method else ""


def _can_list(method: str) -> bool:
    """Whether a policy can allow a method."""
    return not read_fields({"methods": [method]})[1]


def to_send_credentials(decision: Decision) -> str:
    """What to change so that an allowed page can send credentials."""
    assert decision.policy is not None
    change = _Change(decision, decision.policy)
    change.credentials = True
    _allow_credentials(change)
    return str(change)


def reasons_of(decision: Decision) -> tuple[Reason, ...]:
    """The reason for a rejection, with the further ones unless nothing can help."""
    assert decision.reason is not None
    is_hopeless = decision.reason is Reason.ORIGIN_MALFORMED and not _can_be_listed_raw(decision)
    return (decision.reason, *(() if is_hopeless else decision.further_reasons))


def _can_be_listed_raw(decision: Decision) -> bool:
    origin = decision.origin or ""
    # One of that length may have been cut.
    return "://" in origin and len(origin) < MAX_ORIGIN_LENGTH and is_raw(origin)


def to_expose(decision: Decision, names: Sequence[str]) -> str:
    """What to change so that an allowed page can read response headers."""
    assert decision.policy is not None
    change = _Change(decision, decision.policy)
    change.extend("expose_headers", decision.policy.expose_headers, names)
    return str(change)


def to_allow_headers(decision: Decision, names: Sequence[str]) -> str:
    """What to change so that an allowed page can send request headers."""
    assert decision.policy is not None
    change = _Change(decision, decision.policy)
    change.extend("allow_headers", decision.policy.allow_headers, names)
    return str(change)


def to_refuse(decision: Decision) -> str:
    """What to change so that a WebSocket handshake that nothing refuses is refused."""
    assert decision.policy is not None
    change = _Change(decision, decision.policy)
    change.set_if_it_may({"enforce": "unsafe"})
    return str(change)


class _Change:
    """Everything that has to change for one decision.

    :ivar credentials: whether the page has credentials, or may have them.
    :ivar fields: field of the policy -> its new value, whole.
    :ivar listed: the fields of another policy, to be tried before this one, which is for everybody.
    :ivar stays: whether *fields* are then for that policy too, and this one stays as it is.
    :ivar in_policy: what else to change at the policy, in words.
    :ivar elsewhere: what to change in the page or in the app, in words.
    """

    def __init__(self, decision: Decision, policy: Policy) -> None:
        self.decision = decision
        self.policy = policy
        self.credentials = False
        self.fields: dict[str, object] = {}
        self.listed: Mapping[str, object] = {}
        self.stays = False
        self.in_policy: list[str] = []
        self.elsewhere: list[str] = []

    def set_if_it_may(self, fields: dict[str, Any]) -> None:
        """Change fields; or, if the rest of the policy does not permit these values, name what must
        be fixed first."""
        values, problems = read_fields({**self.fields, **fields})
        # All policies of a list get the same enforce.
        for policy in self.decision.policies if "enforce" in fields else (self.policy,):
            problems += check_combination({**policy.values, **values})
        if not problems:
            self.fields |= fields
            return
        given = ", ".join(f"{field}={_source(value)}" for field, value in fields.items())
        self.in_policy.append(_after_fixing(problems, f"set {given}"))

    def extend(self, field: str, entries: Iterable[object], added: Iterable[str]) -> None:
        """Add names to a list, which is shown whole if it is short enough to be pasted."""
        entries, added = [*entries], [*added]
        whole: list[object] = [*entries, *added]
        # Another policy needs no more than what the page asks for.
        for value in (whole, added) if self.stays else (whole,):
            if len(value) <= _MOST_ENTRIES and len(_source(value)) <= _LONGEST_VALUE:
                self.fields[field] = value
                return
        named = ", ".join(json.dumps(name[:_LONGEST_NAME]) for name in added[:MOST_SHOWN])
        number = "1 item" if len(entries) == 1 else f"{len(entries):,} items"
        self.in_policy.append(f"add {named}{and_more(added)} to {field}, which has {number}")

    def _listed_first(self) -> str:
        """A policy for the listed origin, before this one, in words."""
        changes = {n: v for n, v in self.fields.items() if n not in OF_ONE}
        first = {**self.listed, **changes}
        present = {n: v for n, v in self.policy.values.items() if v != FIELDS[n].default}
        if self.policy.compiled.audience:
            words = f"list {json.dumps(self.decision.origin)} in an earlier policy"
            asked = {n: present[n] for n in _ASKED if n in present and self.decision.preflight}
            others = {n: v for n, v in (asked | first).items() if n not in OF_ONE}
            text = ", ".join(_written(others))
            if len(text) > _LONGEST_VALUE:
                return f"{words}, one that allows what the page asks for"
            return f"{words}, one with {text}" if text else words
        own = {n: v for n, v in present.items() if n in first or n in OF_ONE}
        beside = {n: v for n, v in present.items() if n not in own}
        policies = ", ".join(f"Policy({', '.join(_written(fields))})" for fields in (first, own))
        text = ", ".join([f"write [{policies}]", *_written(beside)])
        source, location = self.decision.policy_source, self.decision.policy_location
        is_in_code = "report_only" not in source and " in " not in location
        if is_in_code and len(text) <= _LONGEST_VALUE:
            return text
        enforce = f", with enforce={_source(beside['enforce'])}" if "enforce" in beside else ""
        words = f"make it a list of policies{enforce}: one with {', '.join(_written(first))}"
        return f"{words}, then the present one"

    def __str__(self) -> str:
        decision = self.decision
        is_default = decision.policy_source == "default"
        in_list = self.policy.compiled.audience is not None
        location = decision.policy_location
        is_configured = is_default and _ONLY_CONFIGURED.fullmatch(location) is not None
        file = _ONLY_IN_FILE.fullmatch(location)
        all_configured = is_configured and not in_list
        here: list[str] = []
        of_all: list[str] = []
        in_config: list[str] = []
        fields = {} if self.stays else self.fields
        for field in (name for name in FIELDS if name in fields):
            source = _source(fields[field])
            given, key = f"{field}={source}", f"CORSGUARD_{field.upper()}={source}"
            if file:
                value = json.dumps(fields[field]) if source in ("True", "False") else source
                given = f'"{field}": {value}' if file["is_json"] else f"{field} = {value}"
            if all_configured:
                here.append(key)
            elif field in decision.configured or (is_configured and field == "enforce"):
                in_config.append(key)
            elif in_list and field == "enforce":
                of_all.append(f"{given} (policy: {_place(decision, ())}, beside the list)")
            else:
                here.append(given)
        if self.stays:
            values, problems = read_fields(self.listed)
            problems += check_combination({**Policy().values, **values})
            self.in_policy.insert(0, _after_fixing(problems, self._listed_first()))
        pieces = [*filter(None, [", ".join(here)]), *self.in_policy]
        if pieces:
            pieces[-1] += f" (policy: {_place(decision, [self.policy])})"
        pieces += of_all
        if in_config:
            pieces.append(f"{', '.join(in_config)} (in app.config)")
        if "allow_credentials" in self.listed and "allow_credentials" in fields:
            # In a hurry, a public route would be closed to all pages but one.
            everybody = "pages of other origins can then no longer read; if they should, "
            pieces.append(f"{everybody}{self._listed_first()}")
        return "; ".join([*pieces, *self.elsewhere])


def _written(fields: Mapping[str, object]) -> list[str]:
    """Fields as keyword arguments, in the usual order."""
    return [f"{name}={_source(fields[name])}" for name in FIELDS if name in fields]


def _source(value: object) -> str:
    """A value as Python source. Strings and lists of them are JSON too, for environment
    variables."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_source, cast('Sequence[object]', value)))}]"
    return source_of(value)


def _after_fixing(problems: list[Problem], words: str) -> str:
    """What must be fixed first, if anything, and then what to change."""
    first = "; ".join(problem.message.removesuffix(".") for problem in problems[:MOST_SHOWN])
    return f"first fix this: {first}; then {words}" if first else words


def _allow_credentials(change: _Change) -> None:
    policy, origin = change.policy, change.decision.origin
    is_raw_origin = _can_be_listed_raw(change.decision)
    if change.decision.reason is Reason.ORIGIN_NULL:
        return  # they change nothing
    if policy.origins != "*":
        change.set_if_it_may({"allow_credentials": True})
        return
    if origin == "null":
        _not_null(change)
        return
    if parse_origin(origin or "") is None and not is_raw_origin:
        change.elsewhere.append(f"{_NOTHING_CAN}{_without_path(origin or '')}")
        return
    listed: dict[str, object] = {"raw_origins" if is_raw_origin else "origins": [origin]}
    listed["allow_credentials"] = True
    if policy.compiled.audience:
        change.listed, change.stays = listed, True
        return
    raw = {"origins": [], "raw_origins": [*policy.raw_origins, origin]} if is_raw_origin else {}
    change.set_if_it_may(listed | raw)
    if "allow_credentials" in change.fields:
        change.listed = listed


def _list_origin(change: _Change) -> None:
    policy, origin = change.policy, change.decision.origin or ""
    allow = policy.compiled.allow
    assert allow is not None
    assert policy.origins != "*"
    if _can_be_listed_raw(change.decision):  # about://x, say
        _list_raw(change)
        return
    credentials = policy.allow_credentials or "allow_credentials" in change.fields
    values, _ = read_fields({"origins": [origin], "origins_vary": ()})
    if check_combination({**policy.values, **values, "allow_credentials": credentials}):
        # Everything else about the policy and the origin is right, except for http.
        is_listed = origin.replace("http", "https", 1) in allow.exact
        where = ", which is listed" if is_listed else " and list that origin"
        change.elsewhere.append(
            f"serve the page over https{where}: with"
            " allow_credentials=True, whoever controls the network could pose as"
            f" {json.dumps(origin)} and act as the user"
        )
    elif allow.check is not None:
        change.in_policy.append(_where_it_looks(allow.check, policy.origins, origin))
    elif allow.sources:
        names = " or ".join(map(source_name, allow.sources))
        words = f"add {json.dumps(origin)} to {names}"
        if any(live.left_out(origin) for live in policy.compiled.live or ()):
            words = f"correct its row in {names}"
        change.in_policy.append(f"{words}, or list it in origins")
    else:
        change.extend("origins", policy.origins, [origin])
    _note_earlier(change)


def _list_raw(change: _Change) -> None:
    policy, origin = change.policy, change.decision.origin or ""
    raw_origins = [*policy.raw_origins, origin]
    credentials = policy.allow_credentials or "allow_credentials" in change.fields
    if not _can_be_listed_raw(change.decision):
        change.elsewhere.append(f"{_NOTHING_CAN}{_without_path(origin)}")
    elif check_combination(
        {**policy.values, "raw_origins": (origin,), "allow_credentials": credentials}
    ):
        change.set_if_it_may({"raw_origins": raw_origins})
    else:
        change.extend("raw_origins", policy.raw_origins, [origin])
        _note_earlier(change)


def _without_path(origin: str) -> str:
    """The end of a sentence: the origin to ask about instead of a page's URL; or ""."""
    scheme, separator, rest = origin.partition("://")
    meant = f"{scheme}{separator}{rest.partition('/')[0]}"
    if "/" not in rest or parse_origin(meant) is None:
        return ""
    return f"; in explain(), pass origin={meant!r}"


def _not_null(change: _Change) -> None:
    enforce = change.policy.enforce
    is_refused = enforce == "all" or (
        enforce != "off" and change.decision.method not in SAFE_METHODS
    )
    if change.policy.origins == "*" or change.credentials or is_refused:
        change.elsewhere.append(_NOT_NULL)
    else:
        change.elsewhere.append(f"{_NOT_NULL}; {_PUBLIC}")


def _fix_check(change: _Change) -> None:
    compiled, detail = change.policy.compiled, change.decision.detail
    names = [*map(source_name, compiled.sources)]
    by_failed = [name for name in names if f"by of {name}: " in detail]
    if by_failed:
        change.elsewhere.append(
            f"fix by of {' and '.join(by_failed)}, so that it returns a value for any request"
        )
    elif names:
        change.elsewhere.append(
            f"make {' and '.join(names)} readable again ('flask cors sources' says what is wrong),"
            " or list the origin itself in origins"
        )
    if compiled.allow is not None and compiled.allow.check is not None:
        change.elsewhere.append("fix the callable so that it returns True or False")


def _note_earlier(change: _Change) -> None:
    if change.decision.policies[1:]:
        change.elsewhere.append("if you list it in an earlier policy, that one decides")


def _where_it_looks(check: Callable[..., object], entries: OriginList, origin: str) -> str:
    """What to do about an origin that a callable does not admit.

    :param entries: the callable and the other entries.
    """
    words = f"have {name_of(check)} return True for {json.dumps(origin)}"
    if len(entries) == 1:
        return words
    has_name = isinstance(check, FunctionType) and check.__qualname__.isidentifier()
    # A source's repr has no passwords, and cannot be pasted.
    if has_name and len(entries) < _MOST_ENTRIES and not any(map(is_source, entries)):
        whole = _source([*entries, origin])
        if len(whole) <= _LONGEST_VALUE:
            return f"{words}, or list it: origins={whole}"
    return f"{words}, or list the origin beside it in origins"


def _one_path(change: _Change) -> None:
    change.elsewhere.append(_ONE_PATH)
    # If it is blocked without enforce, guard.wsgi has refused it, as it does every alias.
    if change.policy.compiled.enforces or not change.decision.blocked:
        change.elsewhere.append(_EVERY_PATH)


def _do_not_deny(change: _Change) -> None:
    policy, text = change.policy, change.decision.origin or ""
    if change.stays:
        return  # an earlier policy decides
    origin = parse_origin(text)
    if origin is None:  # "null"
        _not_null(change)
        return
    if len(policy.deny_origins) > _MOST_ENTRIES:
        change.in_policy.append("remove the item that covers the origin from deny_origins")
    else:
        covering = [entry for entry in policy.deny_origins if _covers(entry, text, origin)]
        rest = [entry for entry in policy.deny_origins if entry not in covering]
        change.fields["deny_origins"] = rest
        wider = [source_of(entry) for entry in covering if entry != text]
        if wider:
            change.elsewhere.append(f"note that {' and '.join(wider)} denied other origins too")
    allow = policy.compiled.allow
    audience = policy.compiled.audience
    if audience and not audience.is_last:
        change.elsewhere.append(
            "if this policy does not list the origin, a later one may then admit it"
        )
    elif allow is not None and not allow.admits(text, origin):
        _list_origin(change)


def _covers(entry: OriginForm, text: str, origin: Origin) -> bool:
    """Whether one entry of a list covers an origin."""
    return read_listed_origins("", [entry], []).compiled.matches(text, origin, None)


def _allow_method(change: _Change) -> None:
    policy, decision = change.policy, change.decision
    method, accepted = decision.method, decision.route_methods
    if upper := upper_case_of(decision):
        is_accepted = policy.methods is not None or accepted is None or upper in accepted
        must = "" if is_accepted else ", which a route at this URL must accept"
        change.elsewhere.append(f"have the page call fetch(url, {{method: '{upper}'}}){must}")
        method = upper
        if policy.compiled.allows_method(method, None):
            return
    if not _can_list(method):
        change.elsewhere.append(
            f"have the page use another method: no policy can allow {plain(method)}"
        )
    elif policy.methods is not None:
        change.extend("methods", policy.methods, [method])


def _allow_headers(change: _Change) -> None:
    names = {name: name.title() for name in refused_headers(change.decision)}
    listable = [name for name in names if not read_fields({"allow_headers": [name]})[1]]
    if listable:
        # "*" alone is kept as a string
        present = [*change.policy.allow_headers]
        change.extend("allow_headers", present, [names.pop(name) for name in listable])
    response = [names.pop(name) for name in (*names,) if name.startswith("access-control-")]
    if response:
        change.elsewhere.append(take_out_of_page(response))
    if names:
        others = [*names.values()]
        named = f"{', '.join(map(plain, others[:MOST_SHOWN]))}{and_more(others)}"
        change.elsewhere.append(f"take {named} out of the headers: no policy can allow that")


def take_out_of_page(names: Collection[str]) -> str:
    """What to do about response headers among the requested ones, in words."""
    named = f"{', '.join(map(plain, [*names][:MOST_SHOWN]))}{and_more(names)}"
    why = "it is a response header" if len(names) == 1 else "they are response headers"
    return f"take {named} out of the page's fetch() or axios headers: {why}"


def _let_past_enforce(change: _Change) -> None:
    decision, policy = change.decision, change.policy
    origin = decision.origin or ""
    is_raw_origin = _can_be_listed_raw(decision)
    if policy.origins == "*" and (is_raw_origin or parse_origin(origin) is not None):
        if is_raw_origin:
            change.extend("raw_origins", policy.raw_origins, [origin])
        else:
            change.listed, change.stays = {"origins": [origin]}, True
        change.elsewhere.append(_EVERY_SITE)
        return
    # With a safe method, "unsafe" refuses only WebSocket handshakes, and those name their origin.
    is_safe = decision.method in SAFE_METHODS
    less = "unsafe" if policy.enforce == "all" and is_safe else "off"
    source = decision.policy_source
    if decision.endpoint is None or "report_only" in source or _OF_ONE_VIEW.match(source):
        change.fields["enforce"] = less
    else:
        change.elsewhere.append(f'mark this view with @cors(enforce="{less}")')
    change.elsewhere.append("other sites can then cause such requests")


def refused_headers(decision: Decision) -> list[str]:
    """The requested headers that the policy does not allow."""
    assert decision.policy is not None
    allows = decision.policy.compiled.allows_header
    return [name for name in decision.request_headers if not allows(name)]


def plain(text: str, limit: int = 200) -> str:
    """Text from the network, escaped but without quotes. Spaces are escaped too, so that its end
    can be seen."""
    escaped, _, rest = shown(text, limit)[1:].partition("'")  # those in the text are escaped
    return escaped.replace(" ", r"\x20") + rest


def and_more(entries: Collection[object]) -> str:
    """How many entries are not shown, in words."""
    return f" and {len(entries) - MOST_SHOWN} more" if len(entries) > MOST_SHOWN else ""


_NOT_NULL = (
    "serve the page from an origin of its own (a file: with 'python -m http.server'), with another"
    " Referrer-Policy; if a redirect from"
    " another origin led here, respond there with this URL in JSON, for the page to fetch, or with"
    " 401 if this is a sign-in page; do not allow 'null', which every site can send"
)
_PUBLIC = 'mark a view that everybody may read without credentials with @cors(origins="*")'
_EVERY_SITE = 'only if every site may cause such requests, set enforce="off" for this view instead'
_NOTHING_CAN = "no setting can, because no page in a browser sends this origin"
_NOT_YET = (
    "nothing to do, because the browser asks again when the user goes there; requests ahead of time"
    " are let through from the app's own pages if they send Referer, and from every site with"
    ' enforce="unsafe"'
)
_ONE_PATH = "have the page request the normalised path"
_EVERY_PATH = (
    "or mark the view with a whole policy, such as @cors(Policy(...)), which then applies to every"
    " path"
)
# What to change for each reason: words, or a function that adds the change.
_REMEDIES: dict[Reason, str | Callable[[_Change], None]] = {
    Reason.ORIGIN_NOT_ALLOWED: _list_origin,
    Reason.ORIGIN_DENIED: _do_not_deny,
    Reason.ORIGIN_NULL: _not_null,
    Reason.ORIGIN_MALFORMED: _list_raw,
    Reason.ORIGIN_CHECK_FAILED: _fix_check,
    Reason.METHOD_NOT_ALLOWED: _allow_method,
    Reason.HEADERS_NOT_ALLOWED: _allow_headers,
    Reason.HEADERS_MALFORMED: "have the page send fewer or shorter header names",
    Reason.PRIVATE_NETWORK_NOT_ALLOWED: lambda change: change.set_if_it_may(
        {"allow_private_network": True}
    ),
    Reason.CROSS_SITE_REQUEST: _let_past_enforce,
    Reason.SPECULATIVE: _NOT_YET,
    Reason.PATH_AMBIGUOUS: _one_path,
    Reason.CREDENTIALS_NOT_ALLOWED: _allow_credentials,
}
