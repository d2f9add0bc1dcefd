"""Fails the build on a link that leads nowhere, and on a page that no other page's text links to.

Sphinx and MyST find most dead links, where they read a page. This looks at what they have written,
so it also sees raw HTML, pages that were not read again, and the project's own addresses written
out; and at the Markdown beside ``docs``, which Sphinx never reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

_log = logging.getLogger(__name__)
_TARGET = re.compile(r"\]\(<?([^)>\s]+)|^\[[^]]+\]: (\S+)|(?:href|src)=\"([^\"]+)", re.MULTILINE)
_BLOCK = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class _Page(HTMLParser):
    """The anchors of a built page, and its links: all of them, and those in its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.links_in_text: list[str] = []
        self._in_text = False
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self._in_text |= tag == "article"
        self.anchors |= {values["id"] or ""} if "id" in values else set()
        link = values.get("href") if tag == "a" else values.get("src") if tag == "img" else None
        if link:
            self.links.append(link)
            self.links_in_text += [link] if self._in_text else []

    def handle_endtag(self, tag: str) -> None:
        self._in_text &= tag != "article"


class _Site:
    """What there is to link to."""

    def __init__(self, app: Sphinx) -> None:
        self.root = Path(app.srcdir).parent
        self.built = Path(app.outdir)
        self.pages = {
            path: _Page(path)
            for name in sorted(app.env.found_docs)
            if (path := self.built / app.builder.get_target_uri(name)).is_file()
        }
        self._urls = app.config.project_urls

    def lacks(self, link: str, page: Path) -> bool:
        """Whether a link on a built page or in Markdown is to something of ours that is missing."""
        path, anchor = self.target(link, page)
        if path is None:
            return False
        if path in self.pages:
            return bool(anchor) and anchor not in self.pages[path].anchors
        if path.suffix == ".md" and path.is_file():
            return bool(anchor) and anchor not in self._anchors_of_markdown(path)
        # A page of an earlier build is still there as a file.
        is_page = path.is_relative_to(self.built) and path.suffix == ".html"
        return not path.exists() or (is_page and path.stem not in ("genindex", "search"))

    def target(self, link: str, page: Path) -> tuple[Path | None, str]:
        """The file that a link leads to, None if it is not ours, and the anchor."""
        documentation, source = self._urls["Documentation"], self._urls["Source"]
        if link.startswith(documentation):
            # Read the Docs puts a language and a version before the path.
            path = re.sub(r"^en/[\w.-]+/", "", link.removeprefix(documentation))
            link = urljoin((self.built / "index.html").as_uri(), path)
        elif match := re.match(rf"{re.escape(source)}/(?:blob|tree|raw)/main/", link):
            link = urljoin((self.root / "README.md").as_uri(), link[match.end() :])
        url = urlsplit(urljoin(page.as_uri(), link))
        if url.scheme != "file":
            return None, ""
        return Path(unquote(url.path)), unquote(url.fragment)

    def _anchors_of_markdown(self, path: Path) -> set[str]:
        """As GitHub makes them."""
        docs = self.root / "docs"
        if path.is_relative_to(docs):
            built = (self.built / path.relative_to(docs)).with_suffix(".html")
            return self.pages[built].anchors if built in self.pages else set()
        headings = _HEADING.findall(_BLOCK.sub("", path.read_text("utf-8")))
        return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


def _links_of_markdown(path: Path) -> Iterator[str]:
    for match in _TARGET.finditer(_CODE.sub("", _BLOCK.sub("", path.read_text("utf-8")))):
        yield next(filter(None, match.groups()))


def check(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    site = _Site(app)
    linked: set[Path | None] = {site.built / app.builder.get_target_uri(app.config.root_doc)}
    for path, page in site.pages.items():
        name = path.relative_to(site.built).as_posix()
        for link in dict.fromkeys(page.links):
            if site.lacks(link, path):
                _log.warning("%s: dead link: %s", name, link)
        linked |= {site.target(link, path)[0] for link in page.links_in_text} - {path}
    for path in sorted([*site.root.glob("*.md"), *site.root.glob(".github/*.md")]):
        for link in _links_of_markdown(path):
            if site.lacks(link, path):
                _log.warning("%s: dead link: %s", path.relative_to(site.root), link)
    for path in site.pages.keys() - linked:
        _log.warning(
            "%s: the text of no other page links here", path.relative_to(site.built).as_posix()
        )


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("project_urls", {}, "env", [dict])
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
