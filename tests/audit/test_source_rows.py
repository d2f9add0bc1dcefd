"""Sources: their rows are audited as if they were listed."""

import time
from collections.abc import Iterable
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy, cors, source_failed, source_refreshed
from flask_corsguard.audit import Finding, Level, Report, audit
from flask_corsguard.audit.source_rows import with_rows
from tests.audit.cases import check_clean, codes_of, guarded, route, shop, told

# Marks of other tests are not marks of the app.

APP, OTHER = "https://app.example.com", "https://other.example.com"
CREDENTIALS: dict[str, Any] = {"allow_credentials": True, "enforce": "unsafe"}


class Rows:
    """A source; without rows, one that nobody can reach."""

    name = "the store"

    def __init__(self, *rows: Any, is_gone: bool = False, by: Any = None) -> None:
        self.rows: Iterable[Any] = rows
        self.is_gone = is_gone
        self.by = by

    def load(self) -> tuple[object, Iterable[Any]]:
        if self.is_gone:
            raise ConnectionError("nobody is there")
        return 1, self.rows


def _host(request: Any) -> object:
    return request.host


def _fails(request: Any) -> object:
    raise ValueError("no tenant")


def _denies(origin: str) -> bool:
    return False


LISTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "nothing wrong": ([APP, OTHER], {}),
    "sub-domains": (["https://*.example.com"], CREDENTIALS),
    "sub-domains, for anybody": (["https://*.example.com"], {}),
    "in a label": (["https://pr-*.example.com", APP], CREDENTIALS),
    "several": ([f"https://*.a{n}.example.com" for n in range(5)], CREDENTIALS),
    "over plain http": (
        ["http://app.example.com"], {**CREDENTIALS, "dangerously_allow_insecure_origins": True}),
    "over plain http, enforced": (["http://app.example.com"], {"enforce": "unsafe"}),
    "the own machine": (["http://127.0.0.1:3000", "http://localhost:*"], CREDENTIALS),
    "names that anybody can rent": (["https://*.github.io", "https://shop-*.vercel.app"], {}),
    "above a public suffix": (["https://*.amazonaws.com"], {}),
    "extensions": (["moz-extension://*", "chrome-extension://abcdefgh"], {}),
    "without enforce": ([APP], {"allow_credentials": True}),
}  # fmt: skip


def _key(finding: Finding) -> object:
    return finding.code, finding.level, finding.evidence, finding.routes, finding.source


@pytest.mark.parametrize("how", ["rows", "tenants", "beside a list"])
@pytest.mark.parametrize(("origins", "fields"), LISTS.values(), ids=LISTS)
def test_the_same_as_in_a_list(origins: list[str], fields: dict[str, Any], how: str) -> None:
    """For all tenants together."""
    listed: list[Any] = origins
    given: Any = [Rows(*origins)]
    if how == "tenants":
        given = Rows(*((f"{number}.example", row) for number, row in enumerate(origins)), by=_host)
        fields = {**fields, "origins_vary": ["Host"]}
    elif how == "beside a list":
        listed, given = [*origins, "https://own.example"], ["https://own.example", *given]

    def audited(entries: Any, **fields: Any) -> Report:
        app = guarded(entries, **fields)
        route(app, "POST /items")
        return audit(app)

    report = audited(given, **fields)
    fields.pop("origins_vary", None)
    assert [*map(_key, report.findings)] == [*map(_key, audited(listed, **fields).findings)]
    assert "the store" in told(report) or codes_of(report) <= {"credentials_without_enforce"}


def test_a_row_names_its_source() -> None:
    (finding,) = audit(guarded([APP, Rows("https://*.example.com")], **CREDENTIALS)).findings
    assert finding.message == (
        "'https://*.example.com', from the store, lets in 'https://attacker.example.com', with"
        " credentials."
    )


def test_a_policy_with_rows_stands_for_the_one_with_the_source() -> None:
    policy = Policy(origins=[APP, Rows(OTHER), _denies], max_age=5, deny_origins="https://no.com")
    app = shop()
    CorsGuard(app, policy)
    audit(app)
    listed = with_rows(policy)
    assert (listed, hash(listed)) == (policy, hash(policy))
    assert listed.origins == (APP, _denies, OTHER)
    assert listed.compiled.allow == Policy(origins=[APP, OTHER, _denies]).compiled.allow
    assert (listed.max_age, listed.deny_origins) == (5, ("https://no.com",))
    assert with_rows(Policy(origins=APP)) == Policy(origins=APP)


def test_a_source_without_rows() -> None:
    check_clean(lambda: guarded(Rows()))
    check_clean(lambda: guarded([Policy(origins=APP), Policy(origins=Rows())][1].origins))


UNREAD = "the store has not been read: ConnectionError 'nobody is there' at "


@pytest.mark.parametrize(
    "origins",
    [[Rows(is_gone=True)], [APP, Rows(is_gone=True)], [APP, Rows(is_gone=True), _denies]],
    ids=["alone", "beside a list", "beside a callable"],
)
def test_a_source_that_cannot_be_read(origins: list[Any]) -> None:
    """Found once, whatever the number of routes; the rest of the policy is audited."""
    app = guarded([*origins, "https://*.example.com"], **CREDENTIALS)
    route(app, "GET,PUT /items")
    report = audit(app)
    assert codes_of(report) == {"source_unread", "subdomains_with_credentials"}, told(report)
    finding = next(each for each in report.findings if each.code == "source_unread")
    assert finding.level is Level.WARNING
    assert finding.message.startswith(UNREAD)
    assert finding.message.endswith(" The audit does not know which origins it lets in.")
    assert {each.rule for each in finding.routes} == {"/", "/items"}
    assert "cases.py:" in finding.location


def test_it_can_be_accepted() -> None:
    accept = {"source_unread": "there is no database here"}
    report = audit(guarded(Rows(is_gone=True), {"CORSGUARD_AUDIT_ACCEPT": accept}))
    assert (report.findings, report.unused) == ((), ())
    assert [each.code for each in report.accepted] == ["source_unread"]


def test_bad_rows_are_named() -> None:
    (finding,) = audit(guarded(Rows(APP, "a.example", *(f"b{n}" for n in range(9))))).findings
    assert (finding.code, finding.level) == ("rows_left_out", Level.NOTE)
    assert finding.message.startswith(
        "the store has rows that are left out: 'a.example': an origin starts with its scheme"
    )
    assert finding.message.endswith("; and 7 more.")


def test_a_tenant_that_cannot_be_told() -> None:
    source = Rows(("a", APP), by=_fails)
    (finding,) = audit(guarded(source, origins_vary=["Host"])).findings
    assert (finding.code, finding.level) == ("check_failed", Level.WARNING)
    assert finding.message.startswith("The callable by of the store: ValueError 'no tenant' at ")


EARLIER, FIRST = "item_decided_earlier", "callable_asked_first"
STORE = "In policy 1 of 2: the source the store is asked before policy 2 of 2."
# Two policies, and the code and the beginning of the message of each finding about their order.
ORDER: dict[str, tuple[Policy, Policy, dict[str, str]]] = {
    "before a list": (Policy(origins=Rows(APP)), Policy(origins=OTHER), {FIRST: STORE}),
    "before a list, and a callable": (
        Policy(origins=[Rows(APP), _denies]), Policy(origins=OTHER),
        {FIRST: "In policy 1 of 2: the source the store or the callable _denies is asked "}),
    "before another source": (Policy(origins=Rows(APP)), Policy(origins=Rows(OTHER)), {}),
    "before a list with another": (
        Policy(origins=Rows(APP)), Policy(origins=[OTHER, Rows("https://a.example")]),
        {FIRST: STORE}),
    "before everybody": (Policy(origins=Rows(APP)), Policy(origins="*"), {}),
    "after a list": (Policy(origins=OTHER), Policy(origins=Rows(APP)), {}),
    "empty, after a list": (Policy(origins=OTHER), Policy(origins=Rows()), {}),
    "unread, after a list": (
        Policy(origins=OTHER), Policy(origins=Rows(is_gone=True)), {"source_unread": "In poli"}),
    "the same rows": (
        Policy(origins=[APP, OTHER]), Policy(origins=Rows(APP, OTHER)),
        {EARLIER: f"In policy 2 of 2: '{APP}', '{OTHER}' have no effect, because policy 1 of 2 "}),
    "the same row as in a list": (
        Policy(origins=Rows("https://*.example.com")), Policy(origins=[APP, "https://x.example"]),
        {EARLIER: f"In policy 2 of 2: '{APP}' has no effect, because policy 1 of ", FIRST: STORE}),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "expected"), ORDER.values(), ids=ORDER)
def test_several_policies(first: Policy, second: Policy, expected: dict[str, str]) -> None:
    app = shop()
    route(app, "GET,PUT /items")
    CorsGuard(app, [first, second])
    report = audit(app)
    messages = {finding.code: finding.message for finding in report.findings}
    assert set(messages) == set(expected), told(report)
    for code, beginning in expected.items():
        assert messages[code].startswith(beginning)


def test_a_source_for_a_path() -> None:
    """What is wrong with the paths is found with a row."""

    def build(origins: Any) -> Flask:
        app = Flask("shop", static_folder=None)
        app.url_map.merge_slashes = False
        guard = CorsGuard(app, origins="https://own.example")
        guard.for_path("/open", origins=origins, allow_credentials=True, enforce="unsafe")
        app.add_url_rule("/<path:name>", "file", lambda name: name)
        return app

    reports = [audit(build(origins)) for origins in (APP, Rows(APP))]
    assert [*map(_key, reports[0].findings)] == [*map(_key, reports[1].findings)]


def test_nothing_is_sent_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[object] = []

    def hear(_: object, **values: object) -> None:
        heard.append(values)

    with source_refreshed.connected_to(hear), source_failed.connected_to(hear):
        audit(guarded([Rows("bad", APP), Rows(is_gone=True)]))
    assert (heard, caplog.messages) == ([], [])


def test_many_rows_end_soon() -> None:
    """20,000 rows, 10 policies with the source, and 100 routes."""
    source = Rows(*(f"https://c{number}.example.com" for number in range(20_000)))
    app = guarded(source)
    for number in range(100):
        mark = cors(max_age=number % 10)
        app.add_url_rule(f"/more-{number}", f"more-{number}", mark((lambda: lambda: "")()))
    started = time.process_time()
    report = audit(app)
    assert time.process_time() - started < 5
    assert not report.findings, told(report)
