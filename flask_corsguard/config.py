"""Settings: the constructor's arguments over ``app.config``, read once."""

# Without "from __future__ import annotations", under which each field of a NamedTuple would be
# compiled when this is imported.

import ast
import contextlib
import json
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeGuard, cast

from flask_corsguard.decorators import Mark, make_mark
from flask_corsguard.errors import PolicyError, Problem, is_function
from flask_corsguard.path_prefix import read_prefix
from flask_corsguard.protocol.audiences import (
    Audiences,
    Written,
    origins_beside,
    policies_of,
    read_policy,
    resolve,
)
from flask_corsguard.protocol.fields import (
    OriginList,
    is_asynchronous,
    read_bool,
    read_listed_origins,
)
from flask_corsguard.protocol.lists import read_entries
from flask_corsguard.protocol.policy import (
    FIELDS,
    Policy,
    PolicyFields,
    check_combination,
    fields_meant,
    read_fields,
)
from flask_corsguard.text import name_of, text_of
from flask_corsguard.unread_settings import PREFIX, Reading, is_ours, unknown_key

#: The keys that aren't policy fields, in lower case and without the prefix.
OTHER_KEYS = (
    "policy",
    "policies",
    "paths",
    "report_only",
    "self_origins",
    "settings_file",
    "log_rejections",
    "audit_accept",
    "inspector",
    "inspector_check",
)
#: The configuration key that names the settings file.
SETTINGS_FILE = f"{PREFIX}SETTINGS_FILE"


class WrittenPolicy(NamedTuple):
    """A policy as it was written, to be worked out anew when the named policies change.

    :ivar policy: the policy, the name of one, or several.
    :ivar fields: the fields that are changed in each.
    """

    policy: Written
    fields: Mapping[str, Any]

    def resolved(
        self, named: Mapping[str, Policy], where: str, problems: list[Problem]
    ) -> Policy | Audiences:
        """The policy that was meant. Its problems are added to *problems*, with *where*."""
        try:
            return resolve(self.policy, named, self.fields)
        except PolicyError as error:
            problems += [problem._replace(where=where) for problem in error.problems]
            return Policy()


class ReportOnly(NamedTuple):
    """A report-only policy, or several, and where it was set."""

    policy: Policy | Audiences
    source: str
    written: WrittenPolicy


class InspectorSettings(NamedTuple):
    """How the inspector is served.

    :ivar check: called with every request to the inspector; None if debug mode alone permits them.
    :ivar outside_debug: whether it is served without debug mode too.
    """

    check: Callable[[Any], object] | None
    outside_debug: bool


class Settings(NamedTuple):
    """The settings that guard one app.

    :ivar default: the app's default policy, or several.
    :ivar written: the same as it was written.
    :ivar source: file and line, or configuration keys, that the default policy comes from.
    :ivar policies: the named policies.
    :ivar report_only: the policy that only reports what it would reject, or None.
    :ivar self_origins: origins that count as the app's own.
    :ivar log_rejections: whether rejections are logged.
    :ivar configured: field of the default policy -> the configuration key that sets it.
    :ivar audit_accept: findings of an audit that are accepted -> the reason.
    :ivar inspector: how the inspector is served, or None.
    :ivar reading: ``app.config`` and the environment when they were read.
    :ivar is_report_only: whether these are the settings of :attr:`report_only`.
    :ivar unread: the problems of settings that were not read.
    :ivar without_effect: field of the default policy -> where it is set without effect, in words;
        and ``settings_file``.
    :ivar paths: path prefix -> the mark that the configuration puts on it.
    :ivar in_code: what is set elsewhere than in the settings file.
    """

    default: Policy | Audiences
    written: WrittenPolicy
    source: str
    policies: Mapping[str, Policy]
    report_only: ReportOnly | None
    self_origins: OriginList
    log_rejections: bool
    configured: Mapping[str, str]
    audit_accept: Mapping[str, str]
    inspector: InspectorSettings | None
    reading: Reading
    is_report_only: bool = False
    unread: tuple[Problem, ...] = ()
    without_effect: Mapping[str, str] = MappingProxyType({})
    paths: Mapping[str, Mark] = MappingProxyType({})
    in_code: "InCode | None" = None

    def for_report_only(self) -> "Settings | None":
        """The same settings with the report-only policy as the default one, or None."""
        if self.report_only is None:
            return None
        policy, source, _ = self.report_only
        return self._replace(
            default=policy, source=source, report_only=None, is_report_only=True, without_effect={}
        )

    def compared(self, config: Mapping[str, Any], *, in_time: bool) -> "Settings":
        """The same settings, with a record of what has been set since then, without effect.

        :param config: ``app.config`` as it is now.
        :param in_time: whether no request has come yet. Later changes are not problems.
        """
        return self._replace(
            unread=tuple(self.reading.problems(config, self)) if in_time else (),
            without_effect=self.reading.without_effect(config, self),
        )

    def noting(self, mistake: str | None) -> "Settings":
        """The same settings, with a record of why the settings file is not in force as it is now,
        if it is not."""
        if mistake is None:
            return self
        words = f"the change of the settings file, which cannot be used as it is now: {mistake}"
        return self._replace(without_effect={**self.without_effect, "settings_file": words})


class Arguments(NamedTuple):
    """The arguments of the constructor or of ``reconfigure()``, read and checked.

    :ivar policy: the default policy, or several; it replaces the one from the configuration.
    :ivar fields: fields of the default policy; each overrides the one from the configuration.
    :ivar policies: named policies; they are added to those from the configuration.
    :ivar report_only: the report-only policy; False for none, None if not given.
    :ivar self_origins: origins that count as the app's own.
    :ivar inspector: whether there is an inspector; None if not given.
    :ivar location: file and line of the call.
    """

    policy: Written | None
    fields: Mapping[str, Any]
    policies: Mapping[str, Policy]
    report_only: Written | Literal[False] | None
    self_origins: OriginList
    inspector: bool | None
    location: str


def read_arguments(
    policy: object,
    fields: Mapping[str, Any] | PolicyFields,
    policies: object,
    report_only: object,
    self_origins: object,
    inspector: object,
    location: str,
) -> Arguments:
    """Read the arguments, and refuse those that are wrong whatever the configuration.

    :raises PolicyError: with every problem found.
    """
    problems: list[Problem] = []
    values, found = read_fields(fields)
    problems += found + check_combination(values)
    written = None if policy is None else _read_policy("policy", policy, values, problems)
    own = _read_self_origins(self_origins, problems)
    shown = None if inspector is None else read_bool("inspector", inspector, problems)
    problems = [problem._replace(where=location) for problem in problems]
    named = read_policies({} if policies is None else policies, location, problems)
    reported = _read_report_only(report_only, location, problems)
    if problems:
        raise PolicyError(problems)
    return Arguments(written, values, named, reported, own, shown, location)


def _read_policy(
    field: str, value: object, fields: Mapping[str, Any], problems: list[Problem]
) -> Written | None:
    """Read a policy, the name of one, or a list of these.

    :param fields: the fields beside it.
    """
    meant = fields_meant(value)
    if meant or not _is_policy_form(value):
        example = meant or "origins=['https://app.example.com']"
        if is_function(value) and not meant:
            example = f"origins={name_of(value)}"
        if type(value) in (set, frozenset) and not meant:
            example = "a list: policies are asked in order, and a set has no order"
        message = (
            "a policy is a Policy, the name of one, a list of these, or fields given by name, not"
            f" {text_of(value)}. Write {example}."
        )
        problems.append(Problem("wrong_type", field, value, message))
        return None
    try:
        return read_policy(field, value, fields)
    except PolicyError as error:
        problems += error.problems
        return None


def _is_policy_form(value: object) -> bool:
    return isinstance(value, (Policy, str, list, tuple))


class Configured(NamedTuple):
    """What ``app.config``, or the settings file, says about policies.

    :ivar file: the path of the settings file; "" for ``app.config``.
    :ivar fields: the fields of the default policy.
    :ivar policy: the default policy, or several, that the fields change.
    :ivar policies: the named policies.
    :ivar paths: path prefix -> its mark.
    :ivar report_only: the report-only policy; False for none, None if not given.
    """

    file: str = ""
    fields: Mapping[str, Any] = MappingProxyType({})
    policy: Written | None = None
    policies: Mapping[str, Policy] = MappingProxyType({})
    paths: Mapping[str, Mark] = MappingProxyType({})
    report_only: Written | Literal[False] | None = None

    def where(self, name: str) -> str:
        """The key or the file to name in a problem with a setting."""
        return self.file or PREFIX + name.upper()

    def source(self, *names: str) -> str:
        """Where settings come from; "" for none."""
        keys = names if self.file else [PREFIX + name.upper() for name in names]
        return f"{', '.join(keys)} in {self.file or 'app.config'}" if keys else ""

    def source_of_default(self) -> str:
        """Where the default policy, or a part of it, comes from; "" if not from here."""
        return self.source(*(["policy"] if self.policy is not None else []), *self.fields)


class InCode(NamedTuple):
    """What is set elsewhere than in the settings file."""

    arguments: Arguments
    config: Configured


def read_settings(config: Mapping[str, Any], arguments: Arguments) -> Settings:
    """Read the settings of an app without a settings file.

    :param config: ``app.config``.
    :param arguments: the constructor's arguments.
    :raises PolicyError: with every problem found anywhere in the settings.
    """
    problems: list[Problem] = []
    settings = combined(read_config(config, arguments, problems), Configured(), problems)
    if problems:
        raise PolicyError(map(_for_variable, problems))
    return settings


def _for_variable(problem: Problem) -> Problem:
    """A problem with a key that an environment variable sets, with the value to set that to."""
    variable = f"FLASK_{problem.where}"
    if variable not in os.environ or problem.suggestion is None:
        return problem
    try:
        value: object = ast.literal_eval(problem.suggestion)
    except (SyntaxError, ValueError):
        return problem
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = [entry for entry in entries if isinstance(entry, str) and "," not in entry]
    if len(texts) < len(entries):
        return problem
    # Only a list is the whole value.
    write = f"{variable}={','.join(texts)}" if isinstance(value, list) else texts[0]
    message = problem.message.replace(f"Write {problem.suggestion}", f"Write {write}")
    return problem._replace(message=message)


def read_config(
    config: Mapping[str, Any], arguments: Arguments, problems: list[Problem]
) -> Settings:
    """Read the settings of an app except for its settings file, which :func:`combined` adds.

    :param config: ``app.config``.
    :param arguments: the constructor's arguments, which win.
    """
    known = {PREFIX + name.upper(): name for name in (*FIELDS, *OTHER_KEYS)}
    given: dict[str, Any] = {}
    for key, value in config.items():
        if key in known:
            given[known[key]] = value
        elif is_ours(key):
            problems.append(unknown_key(key, known))
    configured = read_configured("", given, problems)
    found: list[Problem] = []
    own = _read_self_origins(given.get("self_origins", ()), found)
    log_rejections = read_bool("log_rejections", given.get("log_rejections", True), found)
    accepted = _read_audit_accept(given.get("audit_accept", {}), found)
    is_debug = bool(config.get("DEBUG"))
    location = arguments.location
    served = _read_inspector(arguments.inspector, given, is_debug, location, found)
    problems += [each._replace(where=each.where or PREFIX + each.field.upper()) for each in found]
    return Settings(
        default=Policy(),
        written=WrittenPolicy(Policy(), {}),
        source=location,
        policies={},
        report_only=None,
        self_origins=arguments.self_origins or own,
        log_rejections=log_rejections,
        configured={},
        audit_accept=accepted,
        inspector=served,
        reading=Reading(config, known, winning(arguments), arguments.policies, location),
        in_code=InCode(arguments, configured),
    )


def read_configured(file: str, given: Mapping[str, Any], problems: list[Problem]) -> Configured:
    """Read what ``app.config``, or the settings file, says about policies.

    :param file: the path of the settings file; "" for ``app.config``.
    :param given: names of settings, in lower case and without the prefix -> values.
    """
    place, fields = Configured(file), dict[str, Any]()
    for name in (name for name in given if name in FIELDS):
        values, wrong = read_fields({name: given[name]})
        problems += [problem._replace(where=place.where(name)) for problem in wrong]
        if not wrong:
            fields |= values
    policies = read_policies(given.get("policies", {}), place.where("policies"), problems)
    found: list[Problem] = []
    whole: object = given.get("policy")
    policy = _read_policy_key("policy", whole, found)
    if found:
        fields = {}  # it is not known what they change
        if not file and fields_meant(whole):
            message = f"fields have keys of their own. Write {_as_keys(whole)}."
            found = [found[0]._replace(message=message)]
        problems += [problem._replace(where=place.where("policy")) for problem in found]
    return place._replace(
        fields=fields,
        policy=policy,
        policies=policies,
        paths=_read_paths(given.get("paths", {}), place, problems),
        report_only=_read_report_only(
            given.get("report_only"), place.where("report_only"), problems
        ),
    )


def combined(settings: Settings, file: Configured, problems: list[Problem]) -> Settings:
    """The settings with what the settings file says about policies.

    :param settings: from :func:`read_config`, or from this function.
    """
    assert settings.in_code is not None
    arguments, config = settings.in_code
    location, given = arguments.location, arguments.fields
    named = {**config.policies, **file.policies, **arguments.policies}
    fields = {**config.fields, **file.fields}
    meant, where = arguments.policy, file.file if file.fields else location
    for place in (config, file):
        if meant is None and place.policy is not None:
            meant, where = place.policy, place.where("policy")
    meant = Policy() if meant is None else meant
    found = [*origins_beside(meant, fields)]
    for problem in found:
        place = file if problem.field in file.fields else config
        problems.append(problem._replace(where=place.where(problem.field)))
    used = fields if arguments.policy is None and not found else {}
    written = WrittenPolicy(meant, {**used, **given})
    default = written.resolved(named, where, problems)
    reported: ReportOnly | None = None
    if arguments.report_only is not None:
        reported = _report_only(arguments.report_only, location, named, problems)
    else:
        for place in (config, file):
            source = place.source("report_only")
            reported = _report_only(place.report_only, source, named, problems) or reported
    problems += _check_self_origins(settings.self_origins, default, location)
    is_given = arguments.policy is not None or given
    sources = location if is_given else config.source_of_default(), file.source_of_default()
    keys = {name: PREFIX + name.upper() for name in used if name in config.fields}
    return settings._replace(
        default=default,
        written=written,
        source=", ".join(filter(None, sources)) or location,
        policies=named,
        report_only=reported,
        configured={name: key for name, key in keys.items() if name not in given},
        paths={**config.paths, **file.paths},
    )


def winning(arguments: Arguments) -> set[str]:
    """The names of the settings that the arguments give. No configuration key overrides them."""
    names = {*((*FIELDS, "policy") if arguments.policy is not None else arguments.fields)}
    if arguments.report_only is not None:
        names.add("report_only")
    if arguments.self_origins:
        names.add("self_origins")
    if arguments.inspector is not None:
        names.add("inspector")
    return names


def changed_settings(old: Settings, new: Arguments) -> Settings:
    """The old settings, overridden by new arguments.

    :raises PolicyError: if the two do not fit together.
    """
    named = {**old.policies, **new.policies}
    problems: list[Problem] = []
    reported = old.report_only
    if new.report_only is not None:
        reported = _report_only(new.report_only, new.location, named, problems)
    elif reported is not None:
        where = f"{new.location}, report_only"
        policy = reported.written.resolved(named, where, problems)
        reported = reported._replace(policy=policy)
    settings = old._replace(policies=named, report_only=reported)
    written, source, configured = old.written, old.source, old.configured
    if new.policy is not None:
        written, source, configured = WrittenPolicy(new.policy, new.fields), new.location, {}
    elif new.fields:
        written = written._replace(fields={**written.fields, **new.fields})
        source = new.location
        configured = {name: configured[name] for name in configured if name not in new.fields}
    default = written.resolved(named, new.location, problems)
    problems += _check_self_origins(old.self_origins, default, new.location)
    if problems:
        raise PolicyError(problems)
    return settings._replace(default=default, written=written, source=source, configured=configured)


def _read_inspector(
    argument: bool | None,
    keys: Mapping[str, Any],
    is_debug: bool,
    location: str,
    problems: list[Problem],
) -> InspectorSettings | None:
    """Read whether there is an inspector, and who may see it.

    :param argument: the constructor's argument, which overrides the key; None if not given.
    :param location: file and line of the constructor's call.
    """
    configured = read_bool("inspector", keys.get("inspector", False), problems)
    check = keys.get("inspector_check")
    # A class or a coroutine function would return an object, and only True lets anybody in.
    if check is not None and (
        not is_function(check) or isinstance(check, type) or is_asynchronous(check)
    ):
        message = (
            f"{text_of(check)} is not a plain function that takes the request. Write"
            " `def allowed(request): ...`."
        )
        problems.append(Problem("wrong_type", "inspector_check", check, message))
        check = None
    if not (configured if argument is None else argument):
        return None
    outside_debug = configured and check is not None
    if not is_debug and not outside_debug:
        message = (
            "the inspector shows every route and who may read it, but the app is not in debug mode."
            " Start it with 'flask run --debug' or FLASK_DEBUG=1 (app.run(debug=True) comes too"
            " late); or set both CORSGUARD_INSPECTOR = True and CORSGUARD_INSPECTOR_CHECK to a"
            " function that takes the request and returns True for users who may see the inspector."
        )
        where = location if argument else ""
        problems.append(Problem("inspector_outside_debug", "inspector", True, message, where=where))
    return InspectorSettings(check, outside_debug)


def _policy_of(fields: Mapping[str, Any], where: str, problems: list[Problem]) -> Policy:
    """The policy with these fields. Its problems are added to *problems*, with *where*."""
    values, found = read_fields(fields)
    if not found:
        try:
            return Policy(**values)
        except PolicyError as error:
            found = [*error.problems]
    problems += [problem._replace(where=where) for problem in found]
    return Policy()


def _read_self_origins(value: object, problems: list[Problem]) -> OriginList:
    own = read_listed_origins("self_origins", value, problems)
    if "null" in own:
        message = "any site can send the origin 'null' from a sandboxed frame. Leave it out."
        problems.append(Problem("null_origin", "self_origins", "null", message))
    return own


def _check_self_origins(own: OriginList, default: Policy | Audiences, where: str) -> list[Problem]:
    """Check the app's own origins as if they were those of the default policy."""
    found: list[Problem] = []
    for policy in policies_of(default):
        replaced = {"origins": own, "origins_vary": (), "dangerously_allow_null_origin": True}
        problems = check_combination({**policy.values, **replaced})
        found += [each._replace(field="self_origins", where=where) for each in problems]
    return [problem for at, problem in enumerate(found) if problem not in found[:at]]


def check_enforced_self_origins(own: OriginList, policy: Policy | Audiences) -> None:
    """Check the app's own origins against a mark's policy, which may refuse all others.

    :raises PolicyError: if strangers can have one of them.
    """
    if not own:
        return
    policies = policies_of(policy)
    lifts = any(each.dangerously_allow_public_suffixes for each in policies)
    given = {"origins": own, "enforce": policies[0].enforce, "allow_credentials": False}
    problems = check_combination({**given, "dangerously_allow_public_suffixes": lifts})
    if problems:
        raise PolicyError(problem._replace(field="self_origins") for problem in problems)


def _read_audit_accept(value: object, problems: list[Problem]) -> dict[str, str]:
    """Read a mapping from accepted findings to the reasons."""
    example = "{'subdomains_with_credentials': 'all of them are ours'}"
    words = "findings to the reasons for accepting them"
    reasons: dict[str, str] = {}
    for key, reason in _read_mapping("audit_accept", value, words, example, problems).items():
        if isinstance(key, str) and isinstance(reason, str) and reason.strip():
            reasons[key] = reason
        else:
            message = (
                f"{text_of(key)} needs a reason in words, such as {example}, not {text_of(reason)}."
            )
            problems.append(Problem("wrong_type", "audit_accept", reason, message))
    return reasons


def _read_policy_key(field: str, value: object, problems: list[Problem]) -> Written | None:
    """Read a policy, a name, or a list of these from a configuration key, where a string with
    commas, or JSON, is a list of names."""
    if value is None:
        return None
    value = _read_json(value)
    if isinstance(value, Policy) or not _is_policy_form(value) or fields_meant(value):
        return _read_policy(field, value, {}, problems)
    found: list[Problem] = []
    names = read_entries(field, value, found)
    if found:
        problems += found
        return None
    if "" in names:
        message = (
            f"{text_of(value)} has an empty name: is a variable unset? Give a name, or a list such"
            ' as ["own", "public"].'
        )
        problems.append(Problem("policies_empty", field, value, message))
        return None
    return _read_policy(field, names, {}, problems)


def _read_report_only(
    value: object, where: str, problems: list[Problem]
) -> Written | Literal[False] | None:
    """Read the report-only policy: a policy, a name, a list of these, fields, or False for none."""
    value = _read_json(value)
    if value is None or value is False:
        return value
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return _policy_of(fields, f"{where}, report_only", problems)
    is_not_a_name = isinstance(value, str) and (not value.strip() or _is_mapping_in_text(value))
    if _is_policy_form(value) and not is_not_a_name and not fields_meant(value):
        found: list[Problem] = []
        written = _read_policy_key("report_only", value, found)
        problems += [problem._replace(where=where) for problem in found]
        return written
    message = (
        f"{text_of(value)} is not a Policy, the name of one, a list of these, a mapping of fields,"
        f" or False for none. {_what_to_write(value, _as_fields(value))}"
    )
    problems.append(Problem("wrong_type", "report_only", value, message, where=where))
    return None


def _report_only(
    policy: Written | Literal[False] | None,
    source: str,
    named: Mapping[str, Policy],
    problems: list[Problem],
) -> ReportOnly | None:
    if policy is None or policy is False:
        return None
    written = WrittenPolicy(policy, {})
    return ReportOnly(written.resolved(named, f"{source}, report_only", problems), source, written)


def read_policies(value: object, where: str, problems: list[Problem]) -> dict[str, Policy]:
    """Read named policies: a mapping from names to policies or to their fields."""
    policies: dict[str, Policy] = {}
    words, example = "names to policies", f"{{'partners': {_as_fields(value)}}}"
    for name, given in _read_mapping("policies", value, words, example, problems, where).items():
        policy = _read_json(given)
        if not isinstance(name, str):
            message = f"the name of a policy must be a string, not {text_of(name)}."
            problems.append(Problem("wrong_type", "policies", name, message, where=where))
        elif isinstance(policy, Policy):
            policies[name] = policy
        elif isinstance(policy, Mapping):
            fields = cast("Mapping[str, Any]", policy)
            policies[name] = _policy_of(fields, f"{where}, policy {name!r}", problems)
        else:
            message = (
                f"{text_of(policy)} is neither a Policy nor a mapping of fields."
                f" {_what_to_write(policy, _as_fields(policy))}"
            )
            which = f"{where}, policy {name!r}"
            problems.append(Problem("wrong_type", "policies", policy, message, where=which))
    return policies


def _read_paths(value: object, place: Configured, problems: list[Problem]) -> dict[str, Mark]:
    """Read the marks on paths: a mapping from prefixes to fields or to a policy."""
    where = f"{place.file}, paths" if place.file else place.where("paths")
    paths: dict[str, Mark] = {}
    read = _read_json(value)
    names = [*cast("Mapping[Any, object]", read)] if isinstance(read, Mapping) else []
    if names and all(name in FIELDS for name in names):
        message = f"the paths are missing. Write {{'/api': {text_of(value)}}}."
        problems.append(Problem("wrong_type", "paths", value, message, where=where))
        return paths
    words, example = "paths to policies", f"{{'/api': {_as_fields(value)}}}"
    for given, policy in _read_mapping("paths", value, words, example, problems, where).items():
        found: list[Problem] = []
        prefix = read_prefix("paths", given, found)
        policy = _read_json(policy)
        whole, fields = _mark_arguments(policy)
        if [*fields] == ["policy"]:
            name = cast("Mapping[str, object]", fields)["policy"]
            message = f"a policy stands alone. Write {{{text_of(given)}: {text_of(name)}}}."
            found.append(Problem("wrong_type", "paths", policy, message))
        elif (whole is None and not fields) or fields_meant(whole):
            message = (
                f"{text_of(policy)} is not a mapping of fields, a Policy, the name of one, or a"
                f" list of these. {_write(policy)} {{{text_of(given)}: {_as_fields(policy)}}}."
            )
            found.append(Problem("wrong_type", "paths", policy, message))
        elif prefix and prefix in paths:
            message = (
                f"{prefix!r} is listed twice, with and without a trailing slash. Leave one out."
            )
            found.append(Problem("duplicate_path", "paths", given, message))
        else:
            try:
                mark = make_mark(whole, fields, "for_path", place.source("paths"))
            except PolicyError as error:
                found += error.problems
            else:
                paths[prefix] = mark
        problems += [each._replace(where=f"{where}, {text_of(given)}") for each in found]
    return paths


def _mark_arguments(value: object) -> tuple[object, PolicyFields]:
    """A policy, or the fields of one, to mark something with."""
    if isinstance(value, Mapping):
        return None, cast("PolicyFields", value)
    return value if _is_policy_form(value) else None, {}


def _read_mapping(
    field: str, value: object, words: str, example: str, problems: list[Problem], where: str = ""
) -> Mapping[Any, object]:
    """Read a mapping, or the JSON of one.

    :param words: what it should map to what, for the message.
    """
    read = _read_json(value)
    if isinstance(read, Mapping):
        return cast("Mapping[Any, object]", read)
    message = f"{text_of(value)} does not map {words}. {_what_to_write(value, example)}"
    problems.append(Problem("wrong_type", field, value, message, where=where))
    return {}


def _is_mapping_in_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.lstrip().startswith("{")


def _read_json(value: object) -> object:
    """The value; parsed if it is a mapping as JSON, as ``from_prefixed_env()`` would have done."""
    if _is_mapping_in_text(value):
        with contextlib.suppress(ValueError, RecursionError):
            return cast("object", json.loads(value))
    return value


def _what_to_write(value: object, example: str) -> str:
    """The end of a message about a value that is not a mapping: what to write instead."""
    if not _is_mapping_in_text(value):
        return f"{_write(value)} {example}."
    hint = "A mapping inside a string must be JSON (double quotes, no trailing comma), not Python."
    with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return f"{hint} Write {json.dumps(ast.literal_eval(value.strip()))}."
    return hint


def _as_fields(value: object) -> str:
    """The mapping that was meant if *value* is origins, as source; otherwise an example."""
    meant = "['https://app.example.com']"
    if not isinstance(value, Mapping) and fields_meant(value):
        meant = text_of(value)
    return f"{{'origins': {meant}}}"


def _as_keys(value: object) -> str:
    """Origins, or a mapping of fields, as configuration keys."""
    fields = cast(
        "Mapping[str, object]", value if isinstance(value, Mapping) else {"origins": value}
    )
    return "; ".join(f"{PREFIX}{name.upper()} = {text_of(fields[name])}" for name in fields)


def _write(value: object) -> str:
    return "Write" if fields_meant(value) else "Write, for example,"
