"""Entries of the index lead to the section that they are written above, by that section's own id.

Sphinx gives each ``{index}`` an empty element to lead to. Then the search could show neither a
heading nor an excerpt of what it has found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class EntriesOfSections(SphinxTransform):
    default_priority = 800  # after docutils has moved the ids, before Sphinx reads the entries

    def apply(self) -> None:
        sections = {
            name: section["ids"][0]
            for section in self.document.findall(nodes.section)
            for name in section["ids"]
        }
        for index in self.document.findall(addnodes.index):
            index["entries"] = [
                (kind, value, sections.get(target, target), main, key)
                for kind, value, target, main, key in index["entries"]
            ]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(EntriesOfSections)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
