"""Every small fault that can be put into a module, one at a time: its mutants.

The operators are mutmut's. mutmut itself leaves out what stands outside of functions, the tables
of header names and the default values among it, and functions with a decorator; here they are in.
So are three operators more: a number less one, and a condition that always or never holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import NamedTuple

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode


class Mutant(NamedTuple):
    """A module with one fault.

    :ivar was: the lines that are other in it, as they were, without indentation.
    :ivar now: the same lines as they are.
    :ivar source: the whole module.
    """

    was: str
    now: str
    source: str


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of a module, none of them twice."""
    visitor = _Visitor()
    module = MetadataWrapper(cst.parse_module(source)).visit(visitor)
    found: dict[str, Mutant] = {}
    for mutation in visitor.mutations:
        mutated = deep_replace(module, mutation.original_node, mutation.mutated_node)
        assert isinstance(mutated, cst.Module)
        if _compiles(mutated.code):
            found[mutated.code] = Mutant(*_difference(source, mutated.code), mutated.code)
    return list(found.values())


def _one_less(node: cst.Integer) -> Iterable[cst.Integer]:
    if node.evaluated_value > 0:
        yield node.with_changes(value=str(node.evaluated_value - 1))


def _constant(node: cst.If | cst.CompIf) -> Iterable[cst.CSTNode]:
    yield node.with_changes(test=cst.Name("True"))
    yield node.with_changes(test=cst.Name("False"))


class _Visitor(MutationVisitor):
    def __init__(self) -> None:
        more = [(cst.Integer, _one_less), (cst.If, _constant), (cst.CompIf, _constant)]
        super().__init__([*mutation_operators, *more], IgnoredCode(set(), set(), set()))

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return any(m.matches(d.decorator, m.Name("overload")) for d in node.decorators)
        return m.matches(node, _ONLY_FOR_TYPE_CHECKERS) or super()._skip_node_and_children(node)


_ONLY_FOR_TYPE_CHECKERS = (
    m.If(test=m.Name("TYPE_CHECKING"))
    | m.Call(func=m.Name("cast") | m.Name("TypeVar"))
    | m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias")))
)


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _difference(before: str, after: str) -> tuple[str, str]:
    old, new = before.splitlines(), after.splitlines()
    start = _same(zip(old, new, strict=False))
    end = _same(zip(old[:start:-1], new[:start:-1], strict=False))
    was, now = (" ".join(map(str.strip, lines[start : len(lines) - end])) for lines in (old, new))
    return was, now


def _same(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
