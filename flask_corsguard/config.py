"""Settings: the constructor's arguments over ``app.config``, read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from flask_corsguard.errors import PolicyError, Problem, text_of, unknown_name
from flask_corsguard.protocol.fields import OriginList, read_bool, read_listed_origins
from flask_corsguard.protocol.policy import (
    FIELDS,
    Policy,
    PolicyFields,
    check_combination,
    read_fields,
)

PREFIX = "CORSGUARD_"
#: The keys that are no policy fields, in lower case and without the prefix.
OTHER_KEYS = ("policies", "self_origins", "log_rejections")


class Settings(NamedTuple):
    """What one app is guarded with.

    :ivar default: the app's default policy.
    :ivar source: file and line, or configuration keys, that the default policy comes from.
    :ivar policies: the named policies.
    :ivar self_origins: origins that count as the app's own.
    :ivar log_rejections: whether rejections are logged.
    """

    default: Policy
    source: str
    policies: Mapping[str, Policy]
    self_origins: OriginList
    log_rejections: bool


class Arguments(NamedTuple):
    """What the constructor was given, read and found usable.

    :ivar policy: the default policy; it replaces the one from the configuration.
    :ivar fields: fields of it; each overrides the one from the configuration.
    :ivar policies: named policies; they are added to those from the configuration.
    :ivar self_origins: origins that count as the app's own.
    :ivar location: file and line of the call.
    """

    policy: Policy | None
    fields: Mapping[str, Any]
    policies: Mapping[str, Policy]
    self_origins: OriginList
    location: str


def read_arguments(
    policy: object,
    fields: Mapping[str, Any] | PolicyFields,
    policies: object,
    self_origins: object,
    location: str,
) -> Arguments:
    """Read what the constructor was given, and refuse what no configuration could put right.

    :raises PolicyError: with every problem found.
    """
    problems: list[Problem] = []
    if policy is not None and not isinstance(policy, Policy):
        message = (
            "the default policy is a Policy or given by fields, such as origins=[...];"
            f" {text_of(policy)} is neither."
        )
        problems.append(Problem("wrong_type", "policy", policy, message))
    values, found = read_fields(fields)
    problems += found + check_combination(values)
    own = _read_self_origins(self_origins, problems)
    problems = [problem._replace(where=location) for problem in problems]
    named = read_policies({} if policies is None else policies, location, problems)
    if problems:
        raise PolicyError(problems)
    return Arguments(cast("Policy | None", policy), values, named, own, location)


def read_settings(config: Mapping[str, Any], arguments: Arguments) -> Settings:
    """Read everything that is known when the guard meets an app.

    :param config: ``app.config``.
    :param arguments: the constructor's arguments, which win.
    :raises PolicyError: with every problem found anywhere in the settings.
    """
    policy, fields, policies, self_origins, location = arguments
    known = {PREFIX + name.upper(): name for name in (*FIELDS, *OTHER_KEYS)}
    problems: list[Problem] = []
    given: dict[str, Any] = {}
    for key, value in config.items():
        # The bare prefix is what FLASK_CORSGUARD__ORIGINS, with two underscores, becomes.
        if not isinstance(cast("object", key), str) or not (key + "_").startswith(PREFIX):
            continue
        if key in known:
            given[known[key]] = value
        else:
            problems.append(unknown_name("unknown_key", key, key, "setting", known))
    others = {name: given.pop(name) for name in OTHER_KEYS if name in given}

    usable: dict[str, Any] = {}
    for name, value in given.items():
        values, found = read_fields({name: value})
        problems += [problem._replace(where=PREFIX + name.upper()) for problem in found]
        if not found:
            usable |= values
    overridden = usable if policy is None else {}
    default = derive(policy or Policy(), {**overridden, **fields}, location, problems)
    named = read_policies(others.get("policies", {}), "CORSGUARD_POLICIES", problems)
    named |= policies
    found = list[Problem]()
    own = _read_self_origins(others.get("self_origins", ()), found)
    log_rejections = read_bool("log_rejections", others.get("log_rejections", True), found)
    problems += [problem._replace(where=PREFIX + problem.field.upper()) for problem in found]
    if problems:
        raise PolicyError(problems)
    used = ", ".join(PREFIX + name.upper() for name in given)
    source = f"app.config ({used})" if used and policy is None and not fields else location
    return Settings(default, source, named, self_origins or own, log_rejections)


def changed_settings(old: Settings, new: Arguments) -> Settings:
    """The settings with new arguments put over them.

    :raises PolicyError: if they do not fit together.
    """
    settings = old._replace(policies={**old.policies, **new.policies})
    if new.policy is None and not new.fields:
        return settings
    problems: list[Problem] = []
    default = derive(new.policy or old.default, new.fields, new.location, problems)
    if problems:
        raise PolicyError(problems)
    return settings._replace(default=default, source=new.location)


def derive(base: Policy, fields: Mapping[str, Any], where: str, problems: list[Problem]) -> Policy:
    """Change *fields* of *base*; add what is wrong with them, and where, to *problems*."""
    values, found = read_fields(fields)
    if found:
        problems += [problem._replace(where=where) for problem in found]
        return base
    try:
        return base.derive(**cast("PolicyFields", values))
    except PolicyError as error:
        problems += [problem._replace(where=where) for problem in error.problems]
        return base


def _read_self_origins(value: object, problems: list[Problem]) -> OriginList:
    own = read_listed_origins("self_origins", value, problems)
    if "null" in own:
        message = "any site can send the origin 'null' from a sandboxed frame. Leave it out."
        problems.append(Problem("null_origin", "self_origins", "null", message))
    return own


def read_policies(value: object, where: str, problems: list[Problem]) -> dict[str, Policy]:
    """Read named policies: a mapping from names to policies or to their fields."""
    policies: dict[str, Policy] = {}
    if not isinstance(value, Mapping):
        message = f"{text_of(value)} does not map names to policies."
        problems.append(Problem("wrong_type", "policies", value, message, where=where))
        return policies
    for name, policy in cast("Mapping[str, object]", value).items():
        if not isinstance(cast("object", name), str):
            message = f"the name of a policy is a string, not {text_of(name)}."
            problems.append(Problem("wrong_type", "policies", name, message, where=where))
        elif isinstance(policy, Policy):
            policies[name] = policy
        elif isinstance(policy, Mapping):
            fields = cast("Mapping[str, Any]", policy)
            policies[name] = derive(Policy(), fields, f"{where}, policy {name!r}", problems)
        else:
            message = f"{text_of(policy)} is neither a Policy nor a mapping of fields."
            place = f"{where}, policy {name!r}"
            problems.append(Problem("wrong_type", "policies", policy, message, where=place))
    return policies
