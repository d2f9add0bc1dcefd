"""Settings: the constructor's arguments over ``app.config``, read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from flask_corsguard.errors import PolicyError, Problem, unknown_name
from flask_corsguard.protocol.fields import OriginList, read_bool, read_listed_origins
from flask_corsguard.protocol.policy import FIELDS, Policy, PolicyFields, read_fields

PREFIX = "CORSGUARD_"


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


def read_settings(
    config: Mapping[str, Any],
    policy: Policy | None,
    fields: PolicyFields,
    policies: Mapping[str, object] | None,
    self_origins: object,
    location: str,
) -> Settings:
    """Read everything that is known when the guard meets an app.

    :param config: ``app.config``.
    :param policy: the constructor's policy; it replaces the one from *config*.
    :param fields: the constructor's fields; each overrides the one from *config*.
    :param policies: the constructor's named policies; they are added to those from *config*.
    :param location: file and line of the constructor's call.
    :raises PolicyError: with every problem found anywhere in the settings.
    """
    known = {PREFIX + name.upper(): name for name in (*FIELDS, *_OTHERS)}
    problems: list[Problem] = []
    given: dict[str, Any] = {}
    for key, value in config.items():
        if not key.startswith(PREFIX):
            continue
        if key in known:
            given[known[key]] = value
        else:
            problems.append(unknown_name("unknown_key", key, key, "setting", known))
    others = {name: given.pop(name) for name in _OTHERS if name in given}

    usable: dict[str, Any] = {}
    for name, value in given.items():
        _, found = read_fields({name: value})
        problems += [problem._replace(where=PREFIX + name.upper()) for problem in found]
        if not found:
            usable[name] = value
    overridden = usable if policy is None else {}
    default = _policy({**overridden, **fields}, policy or Policy(), location, problems)
    named = _read_policies(others.get("policies", {}), "CORSGUARD_POLICIES", problems)
    named |= _read_policies(policies or {}, location, problems)
    own = read_listed_origins(
        "self_origins", self_origins or others.get("self_origins", ()), problems
    )
    if "null" in own:
        message = "any site can send the origin 'null' from a sandboxed frame. Leave it out."
        problems.append(Problem("null_origin", "self_origins", "null", message))
    log_rejections = read_bool("log_rejections", others.get("log_rejections", True), problems)
    if problems:
        raise PolicyError(problems)
    used = ", ".join(PREFIX + name.upper() for name in given)
    source = f"app.config ({used})" if used and policy is None and not fields else location
    return Settings(default, source, named, own, log_rejections)


_OTHERS = ("policies", "self_origins", "log_rejections")


def _policy(fields: Mapping[str, Any], base: Policy, where: str, problems: list[Problem]) -> Policy:
    try:
        return base.derive(**cast("PolicyFields", fields))
    except PolicyError as error:
        problems += [problem._replace(where=where) for problem in error.problems]
        return base


def _read_policies(value: object, where: str, problems: list[Problem]) -> dict[str, Policy]:
    policies: dict[str, Policy] = {}
    if not isinstance(value, Mapping):
        message = f"{value!r} does not map names to policies."
        problems.append(Problem("wrong_type", "policies", value, message, where=where))
        return policies
    for name, policy in cast("Mapping[str, object]", value).items():
        if isinstance(policy, Policy):
            policies[name] = policy
        elif isinstance(policy, Mapping):
            fields = cast("Mapping[str, Any]", policy)
            policies[name] = _policy(fields, Policy(), f"{where}, policy {name!r}", problems)
        else:
            message = f"{policy!r} is neither a Policy nor a mapping of fields."
            place = f"{where}, policy {name!r}"
            problems.append(Problem("wrong_type", "policies", policy, message, where=place))
    return policies
