#!/usr/bin/env python3
"""Whether a tag may be released: ``.ci/release_check.py v0.1.0``.

Prints what is wrong, and what to do.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def problems(tag: str, root: Path = ROOT) -> Iterator[str]:
    """What keeps a tag from being released, one sentence or two each."""
    module = (root / "flask_corsguard" / "__init__.py").read_text("utf-8")
    [version] = re.findall(r'^__version__ = "(.+)"$', module, re.MULTILINE)
    if tag != f"v{version}":
        yield (
            f"The tag is {tag!r}, and the version is {version!r}. Tag v{version}, or change"
            " __version__ in flask_corsguard/__init__.py."
        )
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    dated = rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d"
    if not headings or not re.fullmatch(dated, headings[0]):
        yield (
            f"CHANGELOG.md does not begin with version {version}. Write its heading as"
            f" '## [{version}] - YEAR-MONTH-DAY'."
        )
    if "ORGANISATION" in (root / "pyproject.toml").read_text("utf-8"):
        yield (
            "pyproject.toml has the placeholder ORGANISATION. Replace it with the owner of the"
            " repository on GitHub: perl -pi -e s/ORGANISATION/name/ pyproject.toml"
        )
    for name in ("README.md", "docs/index.md"):
        if "no release on the package index yet" in (root / name).read_text("utf-8"):
            yield (
                f"{name} says that there is no release yet. Delete that sentence and the next one,"
                " and write pip install flask-corsguard in the block above."
            )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the tag: make release-check TAG=v0.1.0")
    found = list(problems(sys.argv[1]))
    sys.exit("\n".join(found) if found else None)
