"""Which files there are, and reading them."""

from __future__ import annotations

import functools
import io
import os
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import libcst as cst
from libcst.metadata import (
    ByteSpanPositionProvider,
    CodeRange,
    CodeSpan,
    MetadataWrapper,
    PositionProvider,
)

_DEEPEST = 250
_SKIPPED = {"__pycache__", "env", "node_modules", "site-packages", "venv"}


class Module:
    """One file of Python, parsed.

    :ivar path: the file.
    :ivar original: its bytes.
    :ivar encoding: how they are read.
    :ivar data: its text as UTF-8, which the spans count in.
    :ivar tree: its syntax.
    """

    def __init__(self, path: Path, original: bytes) -> None:
        """:raises ValueError: if it is no Python, or would not come back byte by byte."""
        self.path = path
        self.original = original
        try:
            self.encoding, _ = tokenize.detect_encoding(io.BytesIO(original).readline)
            text = original.decode(self.encoding)
            self._wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
            self.tree = self._wrapper.module
            is_whole = self.tree.code == text and text.encode(self.encoding) == original
            self._parents: dict[cst.CSTNode, cst.CSTNode] = {}
            self.nodes = tuple(self._walk())
        except (SyntaxError, LookupError, RecursionError, cst.ParserSyntaxError) as error:
            raise ValueError(str(error).partition("\n")[0]) from error
        if not is_whole:
            raise ValueError("it would not come back byte by byte")
        self.data = text.encode()

    # Asked for of few files, and dear.
    @functools.cached_property
    def _spans(self) -> Mapping[cst.CSTNode, CodeSpan]:
        return self._wrapper.resolve(ByteSpanPositionProvider)

    @functools.cached_property
    def _positions(self) -> Mapping[cst.CSTNode, CodeRange]:
        return self._wrapper.resolve(PositionProvider)

    def _walk(self) -> Iterator[cst.CSTNode]:
        """Every node, those that stand first before the others. Notes what each is a part of."""
        waiting: list[tuple[cst.CSTNode, int]] = [(self.tree, 0)]
        while waiting:
            node, depth = waiting.pop()
            if depth > _DEEPEST:
                # What is done with it later goes deeper than this.
                raise RecursionError("it is nested too deeply")
            yield node
            children = node.children
            self._parents.update(dict.fromkeys(children, node))
            waiting += [(child, depth + 1) for child in reversed(children)]

    def line(self, node: cst.CSTNode) -> int:
        """The line that *node* begins in."""
        return self._positions[node].start.line

    def lines(self, node: cst.CSTNode) -> range:
        """The lines that *node* stands in."""
        position = self._positions[node]
        return range(position.start.line, position.end.line + 1)

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Where *node* stands in :attr:`data`."""
        span = self._spans[node]
        return span.start, span.start + span.length

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """What *node* is a part of."""
        return self._parents.get(node)

    def parents(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """What *node* is a part of, the innermost first."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def statement(self, node: cst.CSTNode) -> cst.CSTNode:
        """The statement that *node* belongs to."""
        for above in (node, *self.parents(node)):
            if isinstance(above, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
                return above
        return node

    def code(self, node: cst.CSTNode) -> str:
        """The text of *node*."""
        return self.tree.code_for_node(node).strip()


def python_files(path: Path) -> Iterator[Path]:
    """The files to read, in a stable order.

    :raises FileNotFoundError: if there is no such path.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such file or directory")
    for folder, names, files in os.walk(path):
        names[:] = sorted(
            name
            for name in names
            if name not in _SKIPPED
            and not name.startswith(".")
            and not Path(folder, name, "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            if name.endswith(".py") and Path(folder, name).is_file():
                yield Path(folder, name)
