"""Does what the pages do, in the simulated browser, and prints it as text."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Any

from cases import ACCOUNTS, AMOUNT, BROWSER, CASES, LIVE, MISTAKES, READ, Account, Case, Origins
from page import create_apps, started_with

from flask_corsguard.testing import Browser

# Nothing listens there: the browser calls the apps themselves.
ORIGINS = Origins("http://localhost:8001", "http://127.0.0.1:8002", "http://localhost:8003")
PAGES = {"other": "another website", "shop": "the shop's page"}
# In seconds: how long to wait for the API to follow its file. It needs 1.5 s at most.
PATIENCE = 15.0


def play(
    cases: Iterable[Case] = CASES, accounts: Iterable[Account] = ACCOUNTS, live: Case = LIVE
) -> int:
    """Do all of it, and print the results.

    :returns: the exit code: 1 if anything was not as expected.
    """
    # The same words are printed beside each call.
    logging.getLogger("flask_corsguard").setLevel(logging.CRITICAL)
    with TemporaryDirectory(prefix="corsguard-demo-") as folder:
        player = Player(Path(folder))
        player.play_pages(tuple(cases), tuple(accounts))
        player.play_live(live)
    print("\n\nMAKE A MISTAKE: it stops the app when it starts.\n")
    print(f'  CorsGuard(app, origins=["{MISTAKES[0]}"])')
    print(wrapped(started_with(MISTAKES[0])))
    right, wrong = player.verdicts.count(True), player.verdicts.count(False)
    print(f"\n{right} of {right + wrong} as expected. See it in a browser: make demo")
    return min(wrong, 1)


class Player:
    """Plays, and remembers whether each result was as expected."""

    def __init__(self, folder: Path) -> None:
        servers = dict(zip(ORIGINS, create_apps(ORIGINS, folder), strict=True))
        self.browsers = {page: Browser(servers, page=getattr(ORIGINS, page)) for page in PAGES}
        self.sandboxed = Browser(servers, page="null")
        self.verdicts: list[bool] = []

    def play_pages(self, cases: tuple[Case, ...], accounts: tuple[Account, ...]) -> None:
        """Send the forms and make the calls."""
        print("Flask-CorsGuard demo: a shop's API, and two pages that use it\n")
        print(f"  The API            {ORIGINS.api}")
        print(f"  The shop's page    {ORIGINS.shop}, allowed by the API's policy")
        print(f"  Another website    {ORIGINS.other}, not allowed")
        for page, name in PAGES.items():
            verb = "SEND" if page == "shop" else "TAKE"
            print(f"\n\nCAN {name.upper()} {verb} MONEY? It sends a form to two accounts.")
            for account in accounts:
                self.transfer(page, account)
        for page, name in PAGES.items():
            print(f"\n\nWHAT CAN {name.upper()} READ?")
            for case in cases:
                if page in case.expected:
                    self.call(page, case)

    def play_live(self, live: Case) -> None:
        """Change the file that lists who may read, and call until the API follows."""
        print("\n\nLET ANOTHER WEBSITE IN, WITHOUT A RESTART")
        self.call("other", live)
        response = self.browsers["other"].submit(f"{ORIGINS.other}/readers")
        print()
        words = "Now the file lists the other website too."
        self.expect(words, response.exchanges[-1].status, 200)
        until = time.monotonic() + PATIENCE
        while self.fetch("other", live)[0] != READ and time.monotonic() < until:
            time.sleep(0.1)
        self.call("other", live._replace(expected={"other": READ}))

    def transfer(self, page: str, account: Account) -> None:
        """Send a form, and look at the balance before and after."""
        name = f"{page}-{account.id}"
        before = self.read(page, "/balances")[account.id]
        url = f"{ORIGINS.api}{account.path}?case={name}"
        self.browsers[page].submit(url, {"amount": str(AMOUNT)})
        after = self.read(page, "/balances")[account.id]
        taken = "The money is sent." if page == "shop" else "The money is gone."
        done = taken if before != after else "The form is refused."
        words = f"{account.about}: balance {before} -> {after}. {done}"
        print()
        self.expect(words, after - before, account.expected[page])
        self.explain(self.read(page, f"/decision?case={name}"))

    def call(self, page: str, case: Case) -> None:
        """Make one call, and print it with the guard's words."""
        outcome, reads = self.fetch(page, case)
        what = ", ".join((f"{case.method} {case.path}", *case.extras))
        shown = {READ: f"Reads {reads}", BROWSER: "Reads nothing"}
        print()
        words = f"{case.about}: {what}\n  {shown.get(outcome, f'Reads nothing: {outcome}')}"
        self.expect(words, outcome, case.expected[page])
        self.explain(self.read(page, f"/decision?case={page}-{case.id}"), case.note)

    def fetch(self, page: str, case: Case) -> tuple[str, str]:
        """Make one call.

        :returns: the outcome, and what the page reads.
        """
        browser = self.sandboxed if case.sandboxed else self.browsers[page]
        response = browser.fetch(
            f"{ORIGINS.api}{case.path}?case={page}-{case.id}",
            method=case.method,
            headers=case.headers,
            credentials="include" if case.credentials else "omit",
        )
        if response.readable:
            return READ, f"{response.status} {(response.text or '').strip()}"
        return self.read(page, f"/decision?case={page}-{case.id}")["reason"] or BROWSER, ""

    def read(self, page: str, path: str) -> dict[str, Any]:
        """Call a view that is open to every page."""
        found: dict[str, Any] = self.browsers[page].fetch(ORIGINS.api + path).assert_readable().json
        return found

    def explain(self, decision: dict[str, Any], note: str = "") -> None:
        """Print the line of code that set the policy, and the guard's words."""
        policy = f"Policy: {decision['code']}  # {decision['location']}"
        for line in filter(None, (decision["effect"], policy, *decision["why"], note)):
            print(wrapped(line))

    def expect(self, words: str, got: object, expected: object) -> None:
        """Print what happened, and what was expected if that differs."""
        self.verdicts.append(got == expected)
        print(f"  {words}")
        if got != expected:
            print(f"  NOT AS EXPECTED: {expected}")


def wrapped(text: str) -> str:
    """Text for a terminal of 80 columns."""
    return fill(text, 80, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)
