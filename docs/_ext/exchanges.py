"""The directive ``{exchanges}``: Python that is run when the page is built, with everything that
the simulated browser did printed below it.

A block that raises is a warning, and so the build fails. With ``:printed-only:``, only what the
block prints is shown and not the exchanges, for runs of hundreds.
"""

from __future__ import annotations

import traceback
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from playing import Played, Stage
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

_log = logging.getLogger(__name__)


class Exchanges(SphinxDirective):
    """One block. The blocks of a page share their variables."""

    has_content = True
    option_spec: ClassVar = {"printed-only": directives.flag}

    def run(self) -> list[nodes.Node]:
        # What comes out depends on the package, not only on the page.
        self.env.note_reread()
        stage = self.env.temp_data.setdefault("exchanges", Stage())
        source = "\n".join(self.content)
        try:
            events = stage.play(source)
        except Exception:
            _log.warning(
                "an {exchanges} block failed:\n%s",
                traceback.format_exc(),
                location=self.get_location(),
            )
            return []
        if "printed-only" in self.options:
            events = ["\n".join(event for event in events if isinstance(event, str))]
        shown = map(self._shown, events)
        return [nodes.container("", _literal(source, "python"), *shown, classes=["exchanges"])]

    def _shown(self, event: Played | str) -> nodes.Node:
        return _printed(event) if isinstance(event, str) else self._played(event)

    def _played(self, played: Played) -> nodes.Node:
        parts: list[nodes.Node] = [_line(played.question, "question")]
        for title, lines in played.messages:
            parts += [_line(title, "title"), _literal(lines, "none")]
        return nodes.container("", *parts, self._verdict(played), classes=["played"])

    def _verdict(self, played: Played) -> nodes.Node:
        if played.reason is None:
            line = _line("JavaScript sees: " if played.messages else "Throws: ", "seen")
            line += nodes.literal("", played.verdict)
            return line
        line = _line("JavaScript reads nothing: ", "kept")
        link, _ = self.parse_inline(
            f"[`{played.reason}`](/reference/cors-errors.md#{played.reason})"
        )
        line += [*link, nodes.Text(f". {played.verdict}")]
        return line


def _line(text: str, kind: str) -> nodes.paragraph:
    return nodes.paragraph("", "", nodes.strong(text, text), classes=[kind])


def _printed(text: str) -> nodes.Node:
    return nodes.container(
        "", _line("Printed", "title"), _literal(text, "none"), classes=["printed"]
    )


def _literal(text: str, language: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language=language)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("exchanges", Exchanges)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
