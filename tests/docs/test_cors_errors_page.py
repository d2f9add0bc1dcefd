"""The page "CORS errors" has an entry for every reason, and for every one that MDN lists."""

import re
from pathlib import Path

import pytest

from flask_corsguard.testing import Block

PAGE = (Path(__file__).parents[2] / "docs/reference/cors-errors.md").read_text("utf-8")
SECTIONS = {
    section.partition("\n")[0].strip("`"): section for section in re.split("^## ", PAGE, flags=re.M)
}
MDN = "https://developer.mozilla.org/docs/Web/HTTP/Guides/CORS/Errors"
MDN_NAMES = """
CORSAllowOriginNotMatchingOrigin CORSDidNotSucceed CORSDisabled CORSExternalRedirectNotAllowed
CORSInvalidAllowHeader CORSInvalidAllowMethod CORSMethodNotFound CORSMissingAllowCredentials
CORSMissingAllowHeaderFromPreflight CORSMissingAllowOrigin CORSMultipleAllowOriginNotAllowed
CORSNotSupportingCredentials CORSOriginHeaderNotAdded CORSPreflightDidNotSucceed
CORSRequestNotHttp
""".split()


def test_an_entry_for_every_reason() -> None:
    assert sorted(re.findall(r"^## `(.+)`$", PAGE, re.MULTILINE)) == sorted(Block)
    assert "A header that JavaScript does not see" in SECTIONS


@pytest.mark.parametrize("block", Block)
def test_every_entry_shows_the_mistake_and_the_remedy(block: Block) -> None:
    assert f'assert_blocked("{block}")' in SECTIONS[block]
    assert re.search(r"print\(response(\.assert_blocked\(.+\))?\.why\)", SECTIONS[block])
    # A page reads nothing of a form's response, even if the form is sent.
    fixed = 'assert_blocked("navigation")' if block is Block.MIXED_FORM else "assert_readable()"
    assert fixed in SECTIONS[block]
    # The browsers' own words, or that they have none.
    assert re.search(
        r"^- Firefox: .+\n(  .+\n)*- Chromium: |^Browsers |^No error", SECTIONS[block], re.M
    )


def test_every_message_of_chromium() -> None:
    """Each row of the table names the sections that have the message, and all of them are there."""
    listed = set()
    for words, entries in re.findall(
        r"^\| `(.+)` \| (.+) \|$", SECTIONS["Chromium's messages"], re.M
    ):
        blocks = re.findall(r"\[`(\w+)`\]\(#\1\)", entries)
        listed.update(blocks)
        assert [name for name, text in SECTIONS.items() if words in _chromium(text)] == blocks
    assert listed == {name for name, text in SECTIONS.items() if _chromium(text)} & {*Block}


def _chromium(section: str) -> str:
    """The line about Chromium."""
    found = re.search(r"^- Chromium: (.+\n(?:  .+\n)*)", section, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def test_every_name_of_mdn() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((.+?)\) \| (.+) \|$", PAGE, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(MDN_NAMES)
    for name, address, entries in rows:
        assert address == f"{MDN}/{name}"
        for text, anchor in re.findall(r"\[`(\w+)`\]\(#(\w+)\)", entries):
            assert text == anchor
            assert text in SECTIONS
