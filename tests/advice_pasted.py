"""Advice, as somebody pastes it."""

import json
import re
from typing import Any, NamedTuple

from flask_corsguard import Policy
from flask_corsguard.protocol.fields import is_raw

_FIELDS = re.compile(r"^ *(?:To allow it: )?(\w+=.*?)(?:; | \(policy: |\.?$)", re.M)
_LIST = re.compile(r"\bwrite (\[Policy\(.*?\)\](?:, \w+=.*?)?)(?:; | \(policy: |\.?$)", re.M)


_EARLIER = re.compile(
    r'\blist ("\S+") in an earlier policy(?:, one with (.*?))?(?:; | \(policy: |\.?$)', re.M
)


class Pasted(NamedTuple):
    """What to write into the parentheses of a mark or of ``CorsGuard``."""

    policies: tuple[list[Policy], ...]
    fields: dict[str, Any]


def pasted(text: str) -> list[Pasted]:
    """Everything in an explanation that can be pasted: the fields to set, and the list of policies
    to write instead."""
    names = {"Policy": Policy, "re": re, "paste": lambda *given, **fields: Pasted(given, fields)}
    found = [*_FIELDS.findall(text), *_LIST.findall(text)]
    return [eval(f"paste({source})", names) for source in found]


def listed_earlier(text: str) -> Policy | None:
    """The policy, earlier in the list, in which an explanation has the origin listed."""
    found = _EARLIER.search(text)
    if found is None:
        return None
    origin = json.loads(found[1])
    field = "raw_origins" if is_raw(origin) else "origins"
    policy: Policy = eval(f"Policy({field}=[{found[1]}], {found[2] or ''})", {"Policy": Policy})
    return policy
