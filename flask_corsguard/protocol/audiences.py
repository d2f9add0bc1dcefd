"""Lists of policies for one route. They are tried in order, and one of them decides alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from flask_corsguard.errors import PolicyError, Problem, unknown_name
from flask_corsguard.protocol.compiled import Audience
from flask_corsguard.protocol.policy import Policy, fields_meant, read_fields
from flask_corsguard.text import shown, text_of

#: What can be given as a policy: a policy, the name of one, or a list of these.
PolicyForm: TypeAlias = Policy | str | Sequence[Policy | str]
#: The same, once it has been read: a list is then a tuple of at least two.
Written: TypeAlias = Policy | str | tuple[Policy | str, ...]

#: The fields that cannot be given for all policies of a list together.
OF_ONE = ("origins", "raw_origins")


class Audiences(tuple[Policy, ...]):
    """Policies that are tried in order. The first that admits the origin decides alone; the search
    also ends at one that denies it, or whose check fails.

    Equal to any tuple of the same policies.

    :param policies: at least two.
    :param names: the name of each, or "".
    :raises PolicyError: if one would never be tried, or they differ in ``enforce``.
    """

    names: tuple[str, ...]

    def __new__(cls, policies: Sequence[Policy], names: Sequence[str]) -> Audiences:
        """Prepare each policy for the list."""
        numbers = [f"{at} of {len(names)}" for at in range(1, len(names) + 1)]
        labels = [
            f"policy {shown(name)} ({number})" if name else f"policy {number}"
            for name, number in zip(names, numbers, strict=True)
        ]
        problems = [*_problems(policies, labels)]
        if problems:
            raise PolicyError(problems)
        # A browser remembers a preflight for the URL, whichever policy has decided.
        forgets = any(policy.compiled.forgets_preflights for policy in policies)
        vary = tuple(name for policy in policies for name in policy.origins_vary)
        members = (
            policy.as_audience(Audience(label, label is labels[-1], forgets, vary))
            for policy, label in zip(policies, labels, strict=True)
        )
        audiences = super().__new__(cls, members)
        audiences.names = tuple(names)
        return audiences

    def derive(self, **fields: Any) -> Audiences:
        """The same policies, each with some fields changed.

        :raises PolicyError: if the fields, or their combination with one of the policies, cannot be
            used; or if ``origins`` or ``raw_origins`` is among them.
        """
        message = (
            f"it would change each of {len(self)} policies, which have their own origins. To"
            " replace them by one policy, give a whole one, as in @cors(Policy({}=...))."
        )
        problems = [*_origins_of_several(fields, message)]
        if problems:
            raise PolicyError(problems)
        return Audiences(_each(self, fields), self.names)

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"

    def __reduce__(self) -> tuple[object, ...]:
        return Audiences, (tuple(self), self.names)


def read_policy(field: str, value: object, fields: Mapping[str, Any]) -> Written:
    """Read a policy in any of its forms.

    :param value: a policy, a name, or a list of these.
    :param fields: the fields beside it.
    :raises PolicyError: if it is something else, or a list beside ``origins``.
    """
    if isinstance(value, (Policy, str)):
        return value
    if not isinstance(value, (list, tuple)):
        message = f"{text_of(value)} is not a policy, the name of one, or a list of these."
        raise PolicyError([Problem("wrong_type", field, value, message)])
    entries = cast("Sequence[object]", value)
    written = tuple(cast("Sequence[Policy | str]", value))
    problems = [*_list_problems(field, entries), *origins_beside(written, fields)]
    if problems:
        raise PolicyError(problems)
    return written[0] if len(written) == 1 else written


def origins_beside(written: Written, fields: Mapping[str, Any]) -> Iterator[Problem]:
    """The problems of ``origins`` and ``raw_origins`` beside a list of policies."""
    if isinstance(written, tuple) and len(written) > 1:
        message = (
            "next to a list of policies, it would change each of them. Leave it out, and add these"
            " origins to one of the policies."
        )
        yield from _origins_of_several(fields, message)


def _origins_of_several(fields: Mapping[str, Any], message: str) -> Iterator[Problem]:
    for name in OF_ONE:
        if name in fields:
            yield Problem("origins_of_several", name, fields[name], message.format(name))


def _list_problems(field: str, entries: Sequence[object]) -> Iterator[Problem]:
    example = "['own', Policy(origins='*')]"
    if not entries:
        message = f"an empty list of policies decides nothing. Name policies, such as {example}."
        yield Problem("policies_empty", field, entries, message)
    for entry in entries:
        meant = fields_meant(entry)
        if meant or not isinstance(entry, (Policy, str)):
            hint = f"Write Policy({meant})" if meant else f"A list of policies looks like {example}"
            message = f"{text_of(entry)} is neither a policy nor the name of one. {hint}."
            yield Problem("wrong_type", field, entry, message)


def resolve(
    written: Written, named: Mapping[str, Policy], fields: Mapping[str, Any]
) -> Policy | Audiences:
    """The policies that were written, with some fields changed in each.

    :param named: the named policies.
    :raises PolicyError: for unknown names and invalid combinations.
    """
    if isinstance(written, Policy):
        return written.derive(**fields)
    entries = written if isinstance(written, tuple) else (written,)
    names = [entry for entry in entries if isinstance(entry, str)]
    problems = [_unknown(name, named) for name in names if name not in named]
    problems += origins_beside(written, fields)
    if problems:
        raise PolicyError(problems)
    policies = [named[entry] if isinstance(entry, str) else entry for entry in entries]
    derived = _each(policies, fields)
    if len(derived) == 1:
        return derived[0]
    return Audiences(derived, [entry if isinstance(entry, str) else "" for entry in entries])


def _each(policies: Sequence[Policy], fields: Mapping[str, Any]) -> list[Policy]:
    """Each policy with the same fields changed.

    :raises PolicyError: with every problem of each of them.
    """
    values, problems = read_fields(fields)
    if problems:
        raise PolicyError(problems)
    derived: list[Policy] = []
    for policy in policies:
        try:
            # A policy from another list is still prepared for that list.
            is_ready = not values and policy.compiled.audience is None
            derived.append(policy if is_ready else policy.derive(**values))
        except PolicyError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise PolicyError(problems)
    return derived


def policies_of(policy: Policy | Audiences | None) -> tuple[Policy, ...]:
    """Every policy of a route: none, one or several."""
    if policy is None:
        return ()
    return policy if isinstance(policy, Audiences) else (policy,)


def _unknown(name: str, named: Mapping[str, Policy]) -> Problem:
    problem = unknown_name("unknown_policy", "policy", name, "policy", named)
    parts = re.findall(r"[^][\s,'\"]+", name)
    if len(parts) > 1 and all(part in named for part in parts):
        message = f"{text_of(name)} is a list inside a string. Write {parts!r}."
        return problem._replace(message=message, suggestion=repr(parts))
    from flask_corsguard.protocol.origin_errors import repair

    origin = repair(name) if "." in name or "localhost" in name else None
    if origin is not None:
        hint = f" If it is an origin, write origins={origin!r}."
        return problem._replace(message=problem.message + hint)
    if not named:
        message = (
            f"there is no policy {text_of(name)}. Define it: CorsGuard(app,"
            f" policies={{{json.dumps(name)}: Policy(...)}})."
        )
        return problem._replace(message=message)
    return problem


def _problems(policies: Sequence[Policy], labels: Sequence[str]) -> Iterator[Problem]:
    for at, policy in enumerate(policies):
        if policy.origins == "*" and at + 1 < len(policies):
            message = (
                f"{labels[at]} lets everybody read, so no policy after it is ever asked. Put"
                " it last."
            )
            yield Problem("any_origin_not_last", "origins", "*", message)
        if policy in policies[:at]:
            message = (
                f"{labels[at]} is the same as {labels[policies.index(policy)]}, so it would never"
                " decide. Take it out."
            )
            yield Problem("policy_twice", "policy", policy, message)
    ways = {policy.enforce: name for policy, name in zip(policies, labels, strict=True)}
    if len(ways) > 1:
        said = ", ".join(f"{way!r} in {name}" for way, name in ways.items())
        message = (
            f"a list of policies has a single enforce, but it is {said}. Set it next to the list,"
            " or to the same value in each policy."
        )
        yield Problem("enforce_of_several", "enforce", next(iter(ways)), message)
