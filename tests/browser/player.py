"""Plays the cases of tests/data/verdicts.json in a real browser."""

import json
from typing import Any

from .browsers import Browser
from .raw_server import Servers
from .verdicts import NOT_FETCHED, Case, Observation, observed_requests, plan_of, steps_of

FETCH = """
const [url, init] = arguments;
let response;
try {
    response = await fetch(url, init);
} catch {
    return {readable: false, type: null, status: null, visible_headers: null};
}
return {
    readable: response.type === "basic" || response.type === "cors",
    type: response.type,
    status: response.status,
    visible_headers: [...response.headers.keys()].sort(),
};
"""
SUBMIT = """
const [url, step] = arguments;
const form = document.createElement("form");
form.action = url;
form.method = step.method;
if (step.enctype) { form.enctype = step.enctype; }
for (const [name, value] of step.data) {
    const field = document.createElement("textarea");
    Object.assign(field, {name, value});
    form.append(field);
}
document.body.append(form);
setTimeout(() => form.submit());
"""
NAVIGATE = "const [url] = arguments; setTimeout(() => location.assign(url))"
BEACON = """
const [url, step] = arguments;
const {data, type} = step;
navigator.sendBeacon(url, type === null ? data : new Blob([data], {type}));
"""
# For each site that pages are on, Firefox asks again the first two times or so that a preflight
# would have been cached. This has them over with.
WARM_UP = """
for (let count = 0; count < 5; count += 1) { await fetch(arguments[0], {method: "PUT"}); }
"""
LEAVING = {"submit": SUBMIT, "navigate": NAVIGATE, "beacon": BEACON}

# Seconds. Nobody says that no request will follow.
NOTHING = 1.5
QUIET = 0.3


def sets_cookies(case: Case) -> bool:
    return '"set-cookie"' in json.dumps(case).lower()


class Player:
    """Plays cases in one browser."""

    def __init__(self, browser: Browser, servers: Servers) -> None:
        self._browser = browser
        self._servers = servers
        self._open: tuple[str, bool] | None = None
        self._warm: set[str] = set()

    def play(self, case: Case, again: str = "") -> Any:
        """What the case's ``seen`` says of this browser.

        :param again: what tells the case's URLs from those of an earlier play
        """
        prefix = f"/{case['id']}{again}"
        case = json.loads(json.dumps(case).replace("{path}", prefix))
        observations = [self._play_step(step, prefix) for step in steps_of(case)]
        if sets_cookies(case):
            self._browser.forget_cookies()
            self._open = None
        return observations if "steps" in case else observations[0]

    def _play_step(self, step: dict[str, Any], prefix: str) -> Observation:
        self._open_page(step["page"], step["sandbox"])
        plan = plan_of(step, prefix)
        url = step.get("url", self._servers.origins[step["server"]] + plan.path)
        if step.get("wait"):
            self._browser.run(
                "await new Promise((resolve) => setTimeout(resolve, 1000 * arguments[0]))",
                step["wait"],
            )
        self._servers.begin(plan)
        if "fetch" in step:
            # The order is the file's, whatever the browser's is.
            observation = NOT_FETCHED | self._browser.run(FETCH, url, step["fetch"])
        else:
            (kind,) = LEAVING.keys() & step.keys()
            self._browser.run(LEAVING[kind], url, step[kind])
            self._servers.wait_until_quiet(NOTHING, QUIET)
            observation = NOT_FETCHED
            if kind != "beacon":
                self._open = None
        return observation | observed_requests(self._servers.seen, step)

    def _open_page(self, page: str, sandbox: bool) -> None:
        if self._open != (page, sandbox):
            self._servers.sandbox = sandbox
            self._browser.open(f"{self._servers.origins[page]}/")
            self._open = (page, sandbox)
            # Each load of a sandboxed page is a site of its own.
            if sandbox or page not in self._warm:
                self._warm.add(page)
                secure = page.startswith("S")
                other = next(o for o in ("SB", "SC", "B", "C")[0 if secure else 2 :] if o != page)
                self._browser.run(WARM_UP, f"{self._servers.origins[other]}/otherput?warm-up")
