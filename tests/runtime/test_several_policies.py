"""Several policies for one route: what pages of each audience get, in browsers of every engine, and
what is said about it."""

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy
from tests.several_policies import CALLS, CASES, INCLUDE, create_api

OWN = "https://own.example"
PAGES = {
    "own": OWN,
    "partner": "https://partner.example",
    "denied": "https://denied.example",
    "other": "https://other.example",
    "null": "null",
}
API = "https://api.test"


@pytest.fixture
def app():
    return create_api(OWN, PAGES["partner"], PAGES["denied"])


@pytest.mark.parametrize("engine", ["standard", "chromium", "firefox", "webkit"])
@pytest.mark.parametrize(("page", "case"), CASES, ids=[f"{page}, {case}" for page, case in CASES])
def test_what_a_page_gets(cors_browser, engine, page, case):
    browser = cors_browser(PAGES[page], engine)
    for call in CALLS[page][case]:
        method, path = call.request.split()
        response = browser.fetch(API + path, method=method, **call.options)
        arrived = " ".join(exchange.method for exchange in response.exchanges)
        assert (response.readable, call.arrived or arrived) == (call.reads, arrived)
        assert not response.readable or response.text == method


@pytest.mark.parametrize("engine", ["standard", "chromium", "firefox", "webkit"])
def test_one_browser_with_pages_of_each(cors_browser, engine):
    """What a browser remembers for one audience, it does not use for another."""
    browser = cors_browser(OWN, engine)
    for _ in range(2):
        for page, method in (("own", "PUT"), ("partner", "DELETE"), ("other", "GET")):
            browser.page = PAGES[page]
            for asked in ("PUT", "DELETE", "GET"):
                # Each has a URL of its own: after a refusal, browsers forget what they know of one.
                response = browser.fetch(f"{API}/open?{asked}", method=asked)
                assert response.readable is (asked in (method, "GET")), (page, asked)


# Page, fetch options -> what is said of the policy, and what to change.
ADVICE = {
    "credentials, by *": (
        ["own", Policy(origins="*")],
        PAGES["other"],
        INCLUDE,
        "",
        'To allow it: list "https://other.example" in an earlier policy, one with'
        " allow_credentials=True (policy: default, policy 2 of 2,",
    ),
    "credentials, by * but one": (
        ["own", Policy(origins="*", deny_origins="https://x.example")],
        PAGES["other"],
        INCLUDE,
        "",
        'To allow it: list "https://other.example" in an earlier policy, one with',
    ),
    "credentials, by one that lists it": (
        ["own", "partners", Policy(origins="*")],
        PAGES["partner"],
        INCLUDE,
        "",
        "To allow it: allow_credentials=True (policy: default, policy 'partners' (2 of 3),",
    ),
    "credentials, nobody": (
        ["own", "partners"],
        PAGES["other"],
        INCLUDE,
        "Policy: default, policy 'own' (1 of 2), policy 'partners' (2 of 2),",
        'To allow it: origins=["https://partner.example", "https://other.example"],'
        " allow_credentials=True (policy: default, policy 'partners' (2 of 2),",
    ),
    "a method of another": (
        ["own", "partners", Policy(origins="*")],
        PAGES["partner"],
        {"method": "DELETE"},
        "Policy: default, policy 'partners' (2 of 3),",
        'To allow it: methods=["PUT", "DELETE"] (policy: default, policy \'partners\' (2 of 3),',
    ),
    "denied": (
        ["own", Policy(origins="*", deny_origins=PAGES["denied"])],
        PAGES["denied"],
        {},
        "Policy: default, policy 2 of 2,",
        "To allow it: deny_origins=[] (policy: default, policy 2 of 2,",
    ),
}


@pytest.mark.parametrize(
    ("policies", "page", "options", "policy", "advice"), ADVICE.values(), ids=ADVICE
)
def test_the_advice_is_about_the_policy_to_change(
    cors_browser, policies, page, options, policy, advice
):
    app = Flask("advised", static_folder=None)
    named = {
        "own": Policy(origins=OWN, allow_credentials=True),
        "partners": Policy(origins=PAGES["partner"], methods=["PUT"]),
    }
    CorsGuard(app, policies, policies=named)
    app.add_url_rule("/", "index", lambda: "", methods=["GET", "DELETE"])
    response = cors_browser(page, servers=app).fetch(f"{API}/", **options)
    with pytest.raises(AssertionError) as caught:
        response.assert_readable()
    assert policy in str(caught.value)
    assert advice in str(caught.value)
