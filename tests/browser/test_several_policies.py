"""What pages of each audience get where a route has several policies, in real browsers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from flask import Flask

from ..several_policies import CALLS, CASES, create_api
from .browsers import Browser

pytestmark = pytest.mark.browser

FETCH = """
const [url, options] = arguments;
try {
    return await (await fetch(url, options)).text();
} catch {
    return null;
}
"""
# The same in a page whose origin is null.
FETCH_FROM_SANDBOX = """
const frame = document.createElement("iframe");
frame.sandbox = "allow-scripts";
frame.srcdoc = `<script>
    addEventListener("message", async ({data}) => {
        let text = null;
        try { text = await (await fetch(...data)).text(); } catch {}
        parent.postMessage(text, "*");
    });
    parent.postMessage("ready", "*");
</` + `script>`;
const next = () => new Promise((resolve) => addEventListener("message", resolve, {once: true}));
const ready = next();
document.body.append(frame);
await ready;
const answer = next();
frame.contentWindow.postMessage([...arguments], "*");
const {origin, data} = await answer;
frame.remove();
if (origin !== "null") throw new Error(origin);
return data;
"""
# For each site that pages are on, Firefox asks again the first two times or so that a preflight
# would have been remembered. This has them over with.
WARM_UP = """
for (let count = 0; count < 5; count += 1) {
    await fetch(arguments[0], {method: arguments[1]}).catch(() => null);
}
"""


class Site(NamedTuple):
    """The API, and the pages that ask it.

    :ivar arrived: the methods that have reached the server.
    """

    api: str
    pages: dict[str, str]
    arrived: list[str]


@pytest.fixture(scope="module", params=["chromium", "firefox", "webkit"])
def browser(request: pytest.FixtureRequest) -> Browser:
    found: Browser = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def site(serve: Callable[[Flask], str]) -> Site:
    blank = Flask("blank", static_folder=None)
    blank.add_url_rule("/", "index", lambda: "<!doctype html><link rel=icon href=data:,>")
    own, partner, denied, other = (serve(blank) for _ in range(4))
    # Other hosts as well as other ports.
    partner = partner.replace("localhost", "partner.localhost")
    other = other.replace("localhost", "127.0.0.1")
    arrived: list[str] = []
    app = create_api(own, partner, denied)
    wsgi_app = app.wsgi_app

    def note_arrival(environ: dict[str, Any], start_response: Any) -> Any:
        arrived.append(environ["REQUEST_METHOD"])
        return wsgi_app(environ, start_response)

    app.wsgi_app = note_arrival  # type: ignore[method-assign]
    pages = {"own": own, "partner": partner, "denied": denied, "other": other, "null": own}
    return Site(serve(app), pages, arrived)


@pytest.mark.parametrize(("page", "case"), CASES, ids=[f"{page}, {case}" for page, case in CASES])
def test_what_a_page_gets(browser: Browser, site: Site, page: str, case: str) -> None:
    """As in the simulated browsers: what it reads, and what reaches the server."""
    browser.open(f"{site.pages[page]}/")
    script = FETCH_FROM_SANDBOX if page == "null" else FETCH
    if browser.name == "firefox" and page != "null":
        browser.run(WARM_UP, f"{site.api}/open?warm-up", "DELETE" if page == "partner" else "PUT")
    for call in CALLS[page][case]:
        site.arrived.clear()
        method, path = call.request.split()
        # A URL that no other case has: what is remembered of one, is remembered for it alone.
        url = f"{site.api}{path}?{browser.name},{page},{case.replace(' ', '-')}"
        got = browser.run(script, url, {"method": method, **call.options})
        assert got == (method if call.reads else None)
        assert call.arrived in (None, " ".join(site.arrived))


def test_one_browser_with_pages_of_each(browser: Browser, site: Site) -> None:
    """What a browser remembers for one audience, it does not use for another, for the same URL."""
    for _ in range(2):
        for page, method in (("own", "PUT"), ("partner", "DELETE"), ("other", "GET")):
            browser.open(f"{site.pages[page]}/")
            for asked in ("PUT", "DELETE", "GET"):
                # Each has a URL of its own: after a refusal, browsers forget what they know of one.
                got = browser.run(FETCH, f"{site.api}/open?each-{asked}", {"method": asked})
                assert got == (asked if asked in (method, "GET") else None)
