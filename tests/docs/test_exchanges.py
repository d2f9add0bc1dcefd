"""Every ``{exchanges}`` block of the docs runs, and what is said around them is there."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from flask_corsguard.testing import Browser, FetchTypeError

ROOT = Path(__file__).parents[2]
BLOCK = "\n```{exchanges}\n"
PAGES = [page for page in (ROOT / "docs").rglob("*.md") if BLOCK in page.read_text()]
EXPLANATION = sorted((ROOT / "docs" / "explanation").glob("*.md"))
# Those of the Fetch standard that there are: a misspelt one leads to its first page.
SECTIONS = """
basic-safe-cors-protocol-setup concept-cors-check concept-filtered-response-opaque
cors-non-wildcard-request-header-name cors-preflight-cache cors-preflight-fetch
cors-protocol-and-credentials cors-protocol-and-http-caches cors-safelisted-method
cors-safelisted-request-header cors-safelisted-response-header-name forbidden-request-header
http-cors-protocol http-fetch http-new-header-syntax http-requests http-responses ok-status
origin-header
""".split()


@pytest.fixture
def playing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The part of the extension that needs no Sphinx."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    monkeypatch.delitem(sys.modules, "playing", raising=False)
    import playing

    return playing


def play(playing: ModuleType, page: str) -> list[object]:
    stage = playing.Stage()
    return [event for block in playing.blocks(page) for event in stage.play(block)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_run_and_come_out_the_same_each_time(playing: ModuleType, page: Path) -> None:
    text = page.read_text()
    assert len(playing.blocks(text)) == text.count(BLOCK)
    events = play(playing, text)
    assert any(isinstance(event, playing.Played) for event in events)
    assert events == play(playing, text)


PAGE = """
Text.

```{exchanges}
# app.py
from flask import Flask
from flask_corsguard import CorsGuard
from flask_corsguard.testing import Browser

app = Flask(__name__)
guard = CorsGuard(app, origins="https://app.example.com", expose_headers="X-Total")

@app.route("/", methods=["GET", "PUT"])
def index(): return "one\\ntwo", {"X-Total": "2"}

browser = Browser(app, engine="firefox")
```

```python
raise RuntimeError("this is not one of them")
```

```{exchanges}
:printed-only:
print("first")
browser.fetch("https://api.test/", method="PUT", body="x").assert_readable()
browser.page = "https://evil.example"
browser.fetch("https://api.test/").assert_blocked()
browser.send_beacon("https://api.test/")
print("last")
```
"""


def test_what_is_told(playing: ModuleType) -> None:
    fetched = "fetch() of {} https://api.test/ (firefox)"
    sent = ("> Origin: https://app.example.com", "> Sec-Fetch-Site: cross-site")
    from_evil = ("> Origin: https://evil.example", "> Sec-Fetch-Site: cross-site")
    preflight = (
        "> OPTIONS https://api.test/",
        "> Access-Control-Request-Method: PUT",
        *sent,
        "< 204 No Content",
        "< Access-Control-Allow-Origin: https://app.example.com",
        "< Access-Control-Allow-Headers: Content-Type",
        "< Access-Control-Max-Age: 600",
        "< Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        "< Access-Control-Allow-Methods: GET, HEAD, OPTIONS, PUT",
    )
    ok, body = ("< 200 OK", "< X-Total: 2"), ("< Vary: Origin", "<", "< one two")
    put = (
        *("> PUT https://api.test/", "> content-type: text/plain;charset=UTF-8", *sent, ">", "> x"),
        *ok,
        "< Access-Control-Allow-Origin: https://app.example.com",
        "< Access-Control-Expose-Headers: X-Total",
        *body,
    )
    get = ("> GET https://api.test/", *from_evil, *ok, *body)
    first, read, kept, beacon, last = play(playing, PAGE)
    assert (first, last) == ("first", "last")
    assert read == playing.Played(
        f"https://app.example.com: {fetched.format('PUT')}",
        (("Preflight", "\n".join(preflight)), ("Request", "\n".join(put))),
        "status 200, 'one two', x-total",
    )
    assert kept == playing.Played(
        f"https://evil.example: {fetched.format('GET')}",
        (("Request", "\n".join(get)),),
        "The response has no Access-Control-Allow-Origin, so pages of https://evil.example may not"
        " read it.",
        "allow_origin_missing",
    )
    assert beacon.reason == "beacon"


def test_what_fetch_refuses_is_told_and_raised(playing: ModuleType) -> None:
    stage = playing.Stage()
    stage.play("from flask_corsguard.testing import Browser, FetchTypeError")
    fetch = "Browser(lambda *_: []).fetch('https://api.test/', method='TRACE')"
    with pytest.raises(FetchTypeError):
        stage.play(fetch)
    refused = "Failed to execute 'fetch': 'TRACE' is unsupported."
    told = playing.Played("https://app.example.com: fetch()", (), refused)
    assert stage.play("") == []
    assert stage.play(f"try: {fetch}\nexcept FetchTypeError: pass") == [told]


def test_a_run_that_ends_differently_fails(playing: ModuleType) -> None:
    with pytest.raises(AssertionError, match="is not readable"):
        play(playing, PAGE.replace('origins="https://app', 'origins="https://www'))


def test_nothing_stays_changed(playing: ModuleType) -> None:
    before = {name: getattr(Browser, name) for name in dir(Browser)}
    play(playing, PAGE)
    assert {name: getattr(Browser, name) for name in dir(Browser)} == before


def test_sections_of_the_standard() -> None:
    text = "".join(page.read_text() for page in EXPLANATION)
    assert set(re.findall(r"https://fetch\.spec\.whatwg\.org/#([\w-]+)\)", text)) == set(SECTIONS)


def test_what_is_missing_from_threats() -> None:
    """Each attack says what it needs, what stops it and what tests it; the table lists them all."""
    text = (ROOT / "docs" / "explanation" / "threats.md").read_text()
    table = re.findall(r"^\| \d+ \| \[(.+?)\]\(#", text, re.MULTILINE)
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    attacks = [section.partition("\n")[0] for section in sections[:-1]]
    assert table == attacks
    for section in sections[:-1]:
        for part in ("**Needs:**", "**Stopped by:**", "**Tests:**"):
            assert section.count(part) == 1, (section[:40], part)
