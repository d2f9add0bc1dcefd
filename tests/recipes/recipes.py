"""The recipes of ``docs/migrating/``, read from the pages that show them.

A recipe is a section (``##``) of a page with three blocks: the original configuration, the app that
stands for it (``# app.py``), and what both answer to the same requests. The last is a block
``text`` like this one::

    GET /fonts/body.woff2 from https://shop.example
      Apache: 200
        Access-Control-Allow-Origin: *
      Guard: the same

    preflight for PUT /orders with x-trace from https://shop.example
      Apache: 200
      Guard: 403
        Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers
      Because: a refused preflight says so, and a cache has to keep it apart.

What a block ``sh`` before the comparison exports is the environment of the app.
The method ``WEBSOCKET`` is a GET that opens a WebSocket.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "migrating"
# By the language of the block; ``py`` is Python that is no part of the guide itself.
ORIGINALS = ("apache", "nginx", "php", "js", "py", "xml")

HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket"}
HANDSHAKE |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r'^export (\w+)="(.*)"$', re.MULTILINE)
_REQUEST = re.compile(
    r"(?:(?P<method>[A-Z]+)|preflight for (?P<requested>\S+)) (?P<path>/\S*)"
    r"(?: with (?P<headers>[\w,-]+))?(?: from (?P<origin>\S+))?(?: to (?P<host>\S+))?"
)


class Request(NamedTuple):
    """One request, as a page writes it.

    :ivar headers: those that a preflight requests.
    """

    line: str
    method: str
    path: str
    fields: dict[str, str]


class Row(NamedTuple):
    """A request, and why the two answers to it differ; empty where they are the same."""

    request: Request
    because: str


class Recipe(NamedTuple):
    """One recipe.

    :ivar language: that of the original.
    :ivar name: what the answers of the original are called.
    """

    page: Path
    title: str
    language: str
    original: str
    app: str
    environment: dict[str, str]
    name: str
    rows: list[Row]
    compared: str

    @property
    def place(self) -> str:
        """For the names of tests."""
        return f"{self.page.stem}: {self.title}"


def read_request(line: str) -> Request:
    """Read one line; an unknown form is an error in the page."""
    found = _REQUEST.fullmatch(line)
    assert found, f"not a request: {line!r}"
    fields = {"Host": found["host"] or "api.example.com"}
    if found["origin"]:
        fields["Origin"] = found["origin"]
    if found["requested"]:
        fields["Access-Control-Request-Method"] = found["requested"]
        if found["headers"]:
            fields["Access-Control-Request-Headers"] = found["headers"]
    else:
        assert not found["headers"], "only a preflight requests headers"
    method = found["method"] or "OPTIONS"
    if method == "WEBSOCKET":
        method, fields = "GET", fields | HANDSHAKE
    return Request(line, method, found["path"], fields)


def _read_rows(text: str) -> Iterator[Row]:
    for part in re.split(r"^(?=\S)", text, flags=re.MULTILINE):
        if part:
            line, _, rest = part.partition("\n")
            _, _, because = rest.partition("\n  Because: ")
            yield Row(read_request(line), " ".join(because.split()))


def recipes_of(page: Path) -> Iterator[Recipe]:
    """Every recipe of one page."""
    _, *parts = _SECTION.split(page.read_text("utf-8"))
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        blocks = _BLOCK.findall(body)
        originals = [(name, text) for name, text in blocks if name in ORIGINALS]
        compared = [text for name, text in blocks if name == "text" and "\n  Guard:" in text]
        if not compared:
            continue
        apps = [text for name, text in blocks if name == "python" and text.startswith("# app.py")]
        assert (len(originals), len(apps), len(compared)) == (1, 1, 1), (page.name, title)
        name = compared[0].splitlines()[1].strip().partition(":")[0]
        rows = list(_read_rows(compared[0]))
        exported = dict(_EXPORT.findall(body.partition(compared[0])[0]))
        yield Recipe(page, title, *originals[0], apps[0], exported, name, rows, compared[0])


def all_recipes() -> list[Recipe]:
    """Those of all pages."""
    return [recipe for page in sorted(PAGES.glob("*.md")) for recipe in recipes_of(page)]


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of a page's table below a heading, without the marks around code."""
    below = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    _, *lines = (line for line in below.splitlines() if line.startswith("| "))
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]
