"""The documentation as somebody has it who opens the built files, without a network."""

from __future__ import annotations

import codeop
import json
import re
import shutil
import subprocess
import sys
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.docs.recipes_page import SEARCHES as SEARCHES_FOR_RECIPES
from tests.docs.recipes_page import found_by

from .browsers import complaints, emulate, requested_urls
from .conftest import require

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

# The first test waits for the pages to be built.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md"))

# What somebody looks for, and a page that has to be found.
SEARCHES = [
    ("preflight", "reference/wire"),
    ("how cors works", "explanation/how-cors-works"),
    ("wildcard cookies", "explanation/what-articles-get-wrong"),
    ("Access-Control-Max-Age", "explanation/max-age"),
    ("dangerously_allow_null_origin", "reference/policy-fields"),
    ("allow_origin_multiple", "reference/cors-errors"),
    ("csrf", "how-to/refuse-on-the-server"),
    ("FilesMatch", "migrating/apache"),
    ("max_age_ignored", "reference/audit"),
]


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """As ``make docs`` does."""
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", "-b", "html"]
    return subprocess.run(
        [*command, source, target], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("documentation")
    target = tmp_path_factory.mktemp("documentation")
    result = build(DOCS, target)
    assert result.returncode == 0, result.stderr
    return target


@pytest.fixture
def reader(logged: WebDriver) -> Iterator[WebDriver]:
    """A browser without a network."""
    logged.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    logged.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield logged
    online = {**offline, "offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    logged.execute_cdp_cmd("Network.emulateNetworkConditions", online)


def asked_for(driver: WebDriver) -> set[str]:
    """All that was loaded since this was last called: what needs no network, by its scheme."""
    urls = requested_urls(driver)
    return {url.partition(":")[0] if url.startswith(("file:", "data:")) else url for url in urls}


def check_quiet(driver: WebDriver) -> None:
    """Nobody else was asked for anything, and nothing was complained about."""
    assert asked_for(driver) - {"data"} == {"file"}
    assert complaints(driver) == []


# What sticks out to the right. Tables of five columns may: they scroll in a frame of their own. So
# may spaces that end a line of code.
SIDEWAYS = """
const width = document.documentElement.clientWidth;
if (innerWidth !== arguments[0]) throw Error(`the window is ${innerWidth} wide`);
const frames = "pre, .table-wrapper:not(:has(td:nth-child(5)))";
return [...document.querySelectorAll("body, article *")]
    .filter((e) => e.checkVisibility() && !e.closest(".table-wrapper *, pre *"))
    .filter((e) => e.getBoundingClientRect().right > width + 1
        || (e.matches(frames) && e.scrollWidth > e.clientWidth + 1))
    .map((e) => e.outerHTML.slice(0, 100));
"""


def test_pages_fit_and_ask_nobody(built: Path, reader: WebDriver) -> None:
    found: dict[str, Any] = {}
    for page in [*PAGES, "search", "genindex", "py-modindex"]:
        reader.get(f"{(built / page).as_uri()}.html")
        for width in (360, 1280):
            emulate(reader, width, 800, mobile=width < 500)
            if too_wide := reader.execute_script(SIDEWAYS, width):
                found[f"{page}, {width}"] = too_wide
    assert found == {}
    check_quiet(reader)


# Clicks each button of a page, as somebody would: the language of its block, its text, and what is
# copied.
COPY = """(() => {
const copied = [];
document.addEventListener("copy", (event) => copied.push(event.target.value));
const buttons = [...document.querySelectorAll("button.copybtn")];
buttons.forEach((button) => button.click());
return JSON.stringify(buttons.map((button, i) => [
    button.closest("[class*=highlight-]").className.match(/highlight-(\\S+)/)[1],
    button.previousElementSibling.textContent,
    copied[i],
]));
})()"""


def is_taken(language: str, shown: str, copied: str) -> bool:
    """Whether Python or a shell takes what is copied from a block."""
    if language in ("sh", "console"):
        command = ["bash", "-n", "-c", copied]
        good = subprocess.run(command, check=False, capture_output=True).returncode == 0
        return good and not copied.startswith("$ ")
    if language != "python":
        return copied == shown.removesuffix("\n")
    try:
        compile(copied, "app.py", "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT)
        # At a prompt line by line: before Python 3.13, a blank line has to end a block.
        waiting: list[str] = []
        for line in [*copied.split("\n"), ""] if shown.startswith(">>> ") else []:
            waiting.append(line)
            if codeop.compile_command("\n".join(waiting)) is not None:
                waiting = []
    except SyntaxError:
        return False
    return bool(copied)


def test_what_the_buttons_copy_can_be_pasted(built: Path, reader: WebDriver) -> None:
    counts: Counter[str] = Counter()
    found: list[tuple[str, str, str]] = []
    for page in PAGES:
        reader.get(f"{(built / page).as_uri()}.html")
        asked = {"expression": COPY, "userGesture": True}
        answer = reader.execute_cdp_cmd("Runtime.evaluate", asked)
        for language, shown, copied in json.loads(answer["result"]["value"]):
            counts[language] += 1
            if not is_taken(language, shown, copied):
                found.append((page, language, copied))
    assert found == []
    assert counts["python"] > 300
    assert {"sh", "console", "toml"} <= set(counts)
    assert not {"text", "none"} & set(counts)


def test_search(built: Path, reader: WebDriver) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    emulate(reader, 1280, 800)
    reader.get(f"{(built / 'index').as_uri()}.html")
    box = reader.find_element(By.CSS_SELECTOR, "input[name=q]")
    box.send_keys(SEARCHES[0][0])
    box.submit()
    missing: dict[str, list[str]] = {}
    for words, page in SEARCHES:
        if words != SEARCHES[0][0]:
            reader.get(f"{(built / 'search').as_uri()}.html?q={quote(words)}")
        links = WebDriverWait(reader, 10).until(
            lambda driver: (
                "finished" in driver.find_element(By.ID, "search-results").text
                and driver.find_elements(By.CSS_SELECTOR, "ul.search li > a")
            )
        )
        targets = [link.get_attribute("href") for link in links]
        first = [target.partition("?")[0].partition("#")[0] for target in targets[:12]]
        if f"{(built / page).as_uri()}.html" not in first:
            missing[words] = first
    assert missing == {}
    check_quiet(reader)


# The first three results for each of the arguments: what the search shows, and where it leads.
FIRST_HITS = """
return Array.from(arguments, (words) => {
    const hits = Search._performSearch(...Search._parseQuery(words)).slice(-3).reverse();
    return hits.map(([page, title, anchor]) => `${title}: ${page}${anchor}`);
});
"""


def test_search_finds_recipes(built: Path, reader: WebDriver) -> None:
    """By the words that people use; each leads to its own place on the page."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    html = (built / "how-to" / "recipes.html").read_text()
    missing: dict[str, list[str]] = {}
    reader.get(f"{(built / 'search').as_uri()}.html?q=jwt")
    link = WebDriverWait(reader, 10).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, "ul.search li > a")
    )[0]
    shown = f"{link.text}: how-to/{link.get_attribute('href').rpartition('/')[2]}"
    found = reader.execute_script(FIRST_HITS, *SEARCHES_FOR_RECIPES)
    for words, hits in zip(SEARCHES_FOR_RECIPES, found, strict=True):
        heading = found_by(words).heading
        title = re.escape(escape(heading, quote=False))
        [place] = re.findall(rf'<h3>{title}<a .*? href="(#.+?)"', html)
        if f"Recipes > {heading}: how-to/recipes{place}" not in hits:
            missing[words] = hits
        if words == "jwt":
            assert shown.replace(".html", "") == hits[0]
    assert missing == {}
    check_quiet(reader)


def test_what_is_planted_is_found(built: Path, reader: WebDriver, tmp_path: Path) -> None:
    """Each of the checks above can fail."""
    emulate(reader, 360, 800, mobile=True)
    shutil.copytree(built / "_static", tmp_path / "_static")
    text = (built / "tutorial.html").read_text()
    table = "<table><tr><td style='min-width: 400px'>wide</td></tr></table>"
    wide = f"<p style='width: 400px'>wide</p><div class='table-wrapper'>{table}</div></article>"
    asks = "<img src='https://example.com/x.png'></body>"
    planted = text.replace("</article>", wide).replace("</body>", asks)
    (tmp_path / "tutorial.html").write_text(planted)
    reader.get((tmp_path / "tutorial.html").as_uri())
    assert [line.partition(">")[0] for line in reader.execute_script(SIDEWAYS, 360)] == [
        '<p style="width: 400px"',
        '<div class="table-wrapper"',
    ]
    assert asked_for(reader) - {"data", "file"} == {"https://example.com/x.png"}
    assert complaints(reader) != []


def test_a_run_that_fails_fails_the_build(built: Path, tmp_path: Path) -> None:
    """If an ``{exchanges}`` block fails, the build of the documentation fails."""
    source = tmp_path / "docs"
    (source / "_static").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(DOCS / "conf.py", source)
    shutil.copytree(DOCS / "_ext", source / "_ext")
    page = "# Page\n\n```{exchanges}\nassert 1 == 1\n```\n"
    (source / "index.md").write_text(page)
    result = build(source, tmp_path / "html")
    (source / "index.md").write_text(page.replace("1 == 1", "1 == 2"))
    failing = build(source, tmp_path / "html")
    assert (result.returncode, failing.returncode) == (0, 1), result.stderr
    assert "index.md:3: WARNING: an {exchanges} block failed" in failing.stderr
    assert "AssertionError" in failing.stderr
