"""The documentation's figures are those of the last run of ``make bench``."""

import json

from . import document, results


def test_the_page_shows_the_figures() -> None:
    found = json.loads(document.JSON.read_text("utf-8"))
    page = document.PAGE.read_text("utf-8")
    assert document.filled(page, results.tables(found)) == page
