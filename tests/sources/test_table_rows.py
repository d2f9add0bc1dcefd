"""The rows of a source mean what they mean in a list, and bad ones are left out."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy, PolicyError, cors
from tests.extension.test_label_wildcards_table import FORMS
from tests.sources.memory_store import (
    ALLOWED,
    NOT_ALLOWED,
    LoggedStore,
    Site,
    Store,
    VersionedStore,
    Wire,
    announcements,
    preflight,
    wire,
)

CORPUS = json.loads((Path(__file__).parents[1] / "data" / "origins.json").read_text("utf-8"))
LONGEST = "x" * 64 + "://" + ".".join(["a" * 63, "a" * 63, "a" * 63, "a" * 61])
ROWS = [
    *CORPUS["allow_list"],
    *FORMS,
    "https://one.example.org",
    "https://one.example.org:8443",
    "https://*.ports.example.org:*",
    "https://*.at.example.org:8443",
    "https://any.example.org:*",
    "https://xn--bcher-kva.example",
    "https://under_score.example.org",
    "https://example",
    "http://plain.example.org",
    "http://*.plain.example.org",
    "http://localhost:3000",
    "http://127.0.0.1:3000",
    "http://127.0.0.1:*",
    "https://192.0.2.1",
    "http://[::1]:3000",
    "https://[2001:db8::1]",
    "http://[::1]:*",
    "capacitor://localhost",
    "app+x-1.y://host",
    "moz-extension://0b0e1a52-5a7a-4e0c-9a0e-6b8a1f3f5d11",
    "wss://socket.example.org",
    "ws://socket.example.org",
    "https://*.co.uk",
    "https://*.github.io",
    "https://*.amazonaws.com",
    "https://*.com",
    "https://shop-*.co.uk",
    "https://shop-*.vercel.app",
    LONGEST,
    "null",
]
# Those that the rows stand for, and some near them. Most tests take one in sixteen.
ASKING = [
    *(case["origin"] for case in CORPUS["cases"] if "origin" in case),
    *(origin for inside, outside in FORMS.values() for origin in inside + outside),
    *(row.replace("*", "x") for row in ROWS),
    *(row.replace(":*", "").replace("*", "a-1") for row in ROWS),
    *(row.replace(":*", ":8080").replace("*.", "a.b.") for row in ROWS),
    *(row.replace("*.", "") for row in ROWS),
    *(f"{row.replace('*', 'x')}.evil.test" for row in ROWS),
    *(row.replace("://", "://evil") for row in ROWS),
    f"{LONGEST}a",
    f"x{LONGEST}",
    "http://127.0.0.2:3000",
    "https://192.0.2.1:8443",
    "https://192.0.2.01",
    "https://[2001:db8:0::1]",
    "https://[2001:DB8::1]",
    "https://bücher.example",
    "",
    " ",
    "*",
    "https://*",
]
ORIGINS = list(dict.fromkeys(o.encode("utf-8").decode("latin-1") for o in ASKING))
CREDENTIALS = {"allow_credentials": True}
FLAGS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "credentials": CREDENTIALS,
    "enforce unsafe": {"enforce": "unsafe"},
    "enforce all, with credentials": {**CREDENTIALS, "enforce": "all"},
    "insecure": {**CREDENTIALS, "dangerously_allow_insecure_origins": True},
    "suffixes": {**CREDENTIALS, "enforce": "unsafe", "dangerously_allow_public_suffixes": True},
    "null": {"dangerously_allow_null_origin": True},
}


def listed(rows: list[str], **fields: Any) -> list[str]:
    """Those that a list may hold, in a policy with *fields*; never ``null``, in a source."""
    good = []
    for row in rows:
        if row == "null":
            continue
        try:
            Policy(origins=[row], **fields)
        except PolicyError:
            continue
        good.append(row)
    return good


def responses(app: Flask, origin: str) -> Iterator[Wire]:
    yield wire(app, origin)
    yield wire(app, origin, method="POST")
    yield wire(app, origin, "/none", "HEAD")
    yield wire(app, origin, HTTP_UPGRADE="websocket", HTTP_CONNECTION="Upgrade")
    yield preflight(app, origin)
    yield preflight(app, origin, "/none", HTTP_ACCESS_CONTROL_REQUEST_HEADERS="x-a")


def create(origins: Any, **fields: Any) -> Flask:
    app = Flask("shop", static_folder=None)
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT", "POST"])
    CorsGuard(app, origins=origins, **fields)
    return app


def same(static: Flask, live: Flask, origins: list[str] = ORIGINS) -> bool:
    """Whether both respond with the same bytes to every origin."""
    different = [
        (origin, expected, found)
        for origin in origins
        for expected, found in zip(responses(static, origin), responses(live, origin), strict=True)
        if expected != found
    ]
    assert different == []
    return True


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_all_rows(flags):
    """Good and bad rows together: every response is the one of a list of the good ones."""
    good = listed(ROWS, **flags)
    assert len(good) > len(ROWS) / 2
    source = Store(*ROWS)
    live = create([source], **flags)
    asking = ORIGINS if flags == {} else [*ORIGINS[::8], "null"]
    assert same(create(good, **flags), live, asking)
    assert source.asked == ["load"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[:50])
@pytest.mark.parametrize("flags", [{}, CREDENTIALS], ids=["plain", "credentials"])
def test_a_row_alone(row, flags):
    good = listed([row], **flags)
    live = create(Store(row), **flags)
    static = create(good, **flags)
    samples = FORMS.get(row, ([], []))
    near = {row, row.replace(":*", ""), row.replace("*", "a"), row.replace("*", "a.b")}
    near |= {*samples[0], *samples[1][:5], f"{row}.evil.test", "https://evil.test", "null"}
    assert same(static, live, sorted(o.encode().decode("latin-1") for o in near))


MORE_FIELDS: dict[str, dict[str, Any]] = {
    "deny": {"deny_origins": ["https://*.b.example.com", "moz-extension://*", "http://[::1]:*"]},
    "raw": {"raw_origins": ["file://", "https://PR-1.example.com"]},
    "headers": {"allow_headers": "*", "expose_headers": ["X-A"], "max_age": None},
    "methods": {"methods": "*", "max_age": 0, "allow_private_network": True},
    "own OPTIONS": {"answer_preflight": False},
    "report": {"enforce": "report"},
    "own pages": {"self_origins": ["https://example.com"], "enforce": "unsafe"},
}


@pytest.mark.parametrize("fields", MORE_FIELDS.values(), ids=MORE_FIELDS)
def test_beside_other_fields(fields):
    rows = listed(ROWS, enforce="unsafe")
    origins = ORIGINS[::16]
    if "self_origins" in fields:  # exact ones of a list come before the app's own pages
        origins = [origin for origin in origins if origin != "https://example.com"]
    assert same(create(rows, **fields), create([Store(*rows)], **fields), origins)


MIXES: dict[str, Any] = {
    "a list first": lambda rows: [*rows[::2], Store(*rows[1::2])],
    "the source first": lambda rows: [Store(*rows[::2]), *rows[1::2]],
    "two sources": lambda rows: [Store(*rows[::2]), Store(*rows[1::2])],
    "two that overlap": lambda rows: [Store(*rows), VersionedStore(*rows[5:])],
    "empty ones beside": lambda rows: [Store(), Store(*rows), Store()],
    "a pattern beside": lambda rows: [re.compile("https://evil.test"), Store(*rows)],
    "not in a list": lambda rows: Store(*rows),
    "twice each": lambda rows: Store(*rows, *rows),
    "one by one": lambda rows: OneByOne(*rows),
    "in a set": lambda rows: OfType(set, *rows),
    "in a tuple": lambda rows: OfType(tuple, *rows),
    "the same object twice": lambda rows: [(source := Store(*rows)), source],
}


class OneByOne(Store):
    def load(self) -> Any:
        return super().load()[0], (row for row in self.rows)


class OfType(Store):
    def __init__(self, kind: Any, *rows: Any) -> None:
        super().__init__(*rows)
        self.kind = kind

    def load(self) -> Any:
        return super().load()[0], self.kind(self.rows)


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_beside_others(mix):
    rows = listed(ROWS)
    static = [*rows, re.compile("https://evil.test")] if mix is MIXES["a pattern beside"] else rows
    assert same(create(static), create(mix(rows)), ORIGINS[1::16])


def test_an_empty_source(site, http):
    """It allows nobody, and is not a mistake."""
    CorsGuard(site, origins=Store())
    assert http.readers(site, "/", "PUT") == []
    assert http.readers(site, "/none", status=404) == []


def test_in_simulated_browsers(site, http):
    CorsGuard(site, origins=Store("https://shop.example", "https://*.admin.example"))
    assert http.readers(site, "/", "PUT") == ["https://shop.example"]
    assert http.readers(site, "/none", status=404) == ["https://shop.example"]


def test_marks(app):
    """A source in a mark covers what the mark covers."""
    app.add_url_rule("/plain", "plain", lambda: "ok")
    app.add_url_rule("/marked", "marked", cors(origins=[Store("https://a.example")])(lambda: "ok"))
    guard = CorsGuard(app, origins="https://b.example")
    guard.for_path("/under", origins=Store("https://c.example"))
    found = {
        (path, name)
        for path in ("/plain", "/marked", "/under/none", "/none")
        for name in "abc"
        if wire(app, f"https://{name}.example", path).allows
    }
    assert found == {("/plain", "b"), ("/marked", "a"), ("/under/none", "c"), ("/none", "b")}


# --- Rows that come and go ---


class Always(LoggedStore):
    refresh = 1e-9


class AlwaysVersioned(VersionedStore):
    refresh = 1e-9


def test_rows_that_come_one_by_one():
    """In the end, everything is as if it had been there from the start."""
    rows = listed(ROWS)
    source = Always("https://first.example")
    live = create([source])
    assert wire(live, "https://first.example").allows
    for row in rows:
        source.add(row)
        wire(live, "https://stranger.test")
    source.remove("https://first.example")
    assert wire(live, "https://first.example").allows is None
    assert same(create(rows), live, ORIGINS[2::16])
    assert source.asked.count("load") == 1
    # And all but the first few go.
    for row in rows[:12]:
        source.remove(row)
        wire(live, "https://stranger.test")
    assert same(create(rows[12:]), live, ORIGINS[2::16])
    assert source.asked.count("load") == 1


@pytest.mark.parametrize("kind", [Always, AlwaysVersioned], ids=["changes", "version"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[:50])
def test_a_row_that_comes_and_goes(row, kind):
    inside = row.replace(":*", "").replace("*", "a")
    source = kind("https://first.example")
    live = create([source])
    static = create(listed([row]))
    add, remove = (
        (source.add, source.remove)
        if isinstance(source, Always)
        else (lambda r: source.put("https://first.example", r), lambda r: source.put(*FIRST))
    )
    for _ in range(2):
        assert wire(live, inside).allows is None
        add(row)
        assert wire(live, inside) == wire(static, inside)
        assert preflight(live, inside) == preflight(static, inside)
        remove(row)
    assert wire(live, inside).allows is None
    assert preflight(live, inside).allows is None
    assert wire(live, "https://first.example").allows


FIRST = ["https://first.example"]


def test_a_row_that_another_covers():
    """What is taken out is still allowed where another row, or the list, covers it."""
    source = Always("https://a.example.com", "https://*.example.com", "https://b.example")
    live = create([source, "https://b.example"])
    for origin in ("https://a.example.com", "https://b.example"):
        assert wire(live, origin).allows
    source.remove("https://a.example.com", "https://b.example")
    assert wire(live, "https://a.example.com").allows
    assert wire(live, "https://b.example").allows
    source.remove("https://*.example.com")
    assert wire(live, "https://a.example.com").allows is None
    assert wire(live, "https://b.example").allows


def test_changes_that_change_nothing():
    """What is added was there, what is removed was not; a row more than once."""
    source = Always("https://a.example", "https://b.example")
    live = create([source])
    assert wire(live, "https://a.example").allows
    source.number += 1
    source.log[source.number] = (["https://a.example"] * 2, ["https://c.example"] * 2)
    assert wire(live, "https://a.example").allows
    assert wire(live, "https://c.example").allows is None
    source.number += 1
    source.log[source.number] = ([], ["https://a.example"])
    assert wire(live, "https://a.example").allows is None
    assert wire(live, "https://b.example").allows


# --- Bad rows ---

SUFFIX = "https://*.co.uk"
#: The row, fields of the policy, who would be let in, and part of how it is named.
BAD: dict[str, tuple[Any, dict[str, Any], list[str], str]] = {
    "upper case": ("https://Bad.example", {}, ["https://bad.example"], "Bad.example"),
    "upper-case scheme": ("HTTPS://bad.example", {}, ["https://bad.example"], "HTTPS"),
    "path": ("https://bad.example/x", {}, ["https://bad.example"], "bad.example/x"),
    "slash": ("https://bad.example/", {}, ["https://bad.example"], "bad.example/"),
    "query": ("https://bad.example?x", {}, ["https://bad.example"], "bad.example?x"),
    "user": ("https://a@bad.example", {}, ["https://bad.example"], "a@bad.example"),
    "no scheme": ("bad.example", {}, ["https://bad.example"], "bad.example"),
    "no host": ("https://", {}, [], "https://"),
    "empty": ("", {}, ["https://bad.example"], ""),
    "blank": ("   ", {}, ["https://bad.example"], ""),
    "space inside": ("https://bad .example", {}, ["https://bad"], "bad .example"),
    "two in one": (
        "https://bad.example https://evil.test",
        {},
        ["https://bad.example", "https://evil.test"],
        "bad.example",
    ),
    "any": ("*", {}, ["https://bad.example"], "*"),
    "any, with credentials": ("*", CREDENTIALS, ["https://bad.example"], "*"),
    "any, enforced": ("*", {"enforce": "unsafe"}, ["https://bad.example"], "*"),
    "any host": ("https://*", {}, ["https://bad.example"], "https://*"),
    "any scheme": ("*://bad.example", {}, ["https://bad.example"], "*://bad.example"),
    "null": ("null", {}, [], "null"),
    "null, with credentials": ("null", CREDENTIALS, [], "null"),
    "null, with its flag": ("null", {"dangerously_allow_null_origin": True}, [], "null"),
    "plain http, with credentials": (
        "http://bad.example",
        CREDENTIALS,
        ["http://bad.example"],
        "http://bad.example",
    ),
    "plain http wildcard, with credentials": (
        "http://*.bad.example",
        CREDENTIALS,
        ["http://a.bad.example"],
        "http://*.bad.example",
    ),
    "suffix, with credentials": (SUFFIX, CREDENTIALS, ["https://bad.co.uk"], SUFFIX),
    "suffix, enforced": (SUFFIX, {"enforce": "unsafe"}, ["https://bad.co.uk"], SUFFIX),
    "suffix of a company": (
        "https://*.github.io",
        {"enforce": "all"},
        ["https://bad.github.io"],
        "https://*.github.io",
    ),
    "above a suffix": (
        "https://*.amazonaws.com",
        CREDENTIALS,
        ["https://bad.s3.amazonaws.com"],
        "https://*.amazonaws.com",
    ),
    "in-label on a suffix": ("https://shop-*.co.uk", {}, ["https://shop-1.co.uk"], "shop-*.co.uk"),
    "in-label, with credentials": (
        "https://shop-*.vercel.app",
        CREDENTIALS,
        ["https://shop-1.vercel.app"],
        "shop-*.vercel.app",
    ),
    "extensions, with credentials": (
        "moz-extension://*",
        CREDENTIALS,
        ["moz-extension://bad"],
        "moz-extension://*",
    ),
    "extensions, enforced": (
        "moz-extension://*",
        {"enforce": "unsafe"},
        ["moz-extension://bad"],
        "moz-extension://*",
    ),
    "default port": ("https://bad.example:443", {}, ["https://bad.example"], "bad.example:443"),
    "port": ("https://bad.example:99999", {}, ["https://bad.example:99999"], "99999"),
    "address": ("https://192.0.2.01", {}, ["https://192.0.2.1"], "192.0.2.01"),
    "two wildcards": ("https://*.*.bad.example", {}, ["https://a.b.bad.example"], "*.*.bad"),
    "not ASCII": ("https://bäd.example", {}, ["https://bäd.example"], "d.example"),
    "regex": (r"https://.*\.bad\.example", {}, ["https://a.bad.example"], "bad"),
    "long": ("x" * 5000, {}, [], "xxxxxxxxxx"),
    "long host": (f"https://bad.{'a.' * 2500}example", {}, ["https://bad"], "bad.a.a.a."),
    "zero byte": ("https://bad.example\x00", {}, ["https://bad.example"], "bad.example"),
    "line": (
        "https://bad.example\nhttps://evil.test",
        {},
        ["https://bad.example", "https://evil.test"],
        "bad.example",
    ),
    "escape codes": ("https://\x1b[2Jbad.example", {}, ["https://bad.example"], "bad.example"),
    "half of a pair": ("https://bad\ud800.example", {}, ["https://bad.example"], "bad"),
    "no string": (98765, {}, [], "98765"),
    "None": (None, {}, [], "None"),
    "bool": (True, {}, [], "True"),
    "bytes": (b"https://bad.example", {}, ["https://bad.example"], "bad.example"),
    "list": (["https://bad.example"], {}, ["https://bad.example"], "bad.example"),
    "pair": (("a", "https://bad.example"), {}, ["https://bad.example"], "bad.example"),
    "mapping": ({"origin": "https://bad.example"}, {}, ["https://bad.example"], "bad.example"),
    "pattern": (re.compile(".*"), {}, ["https://bad.example"], "compile"),
    "callable": (lambda origin: True, {}, ["https://bad.example"], "lambda"),
    "source": (Store("https://bad.example"), {}, ["https://bad.example"], "Store"),
}
GOOD = "https://good.example"
LAST = "https://last.example"
EVERYBODY = ["https://evil.test", "https://x", "null", "", "*", "https://bad.example.evil.test"]


@pytest.mark.parametrize(("row", "fields", "lets_in", "named"), BAD.values(), ids=BAD)
def test_a_bad_row(row, fields, lets_in, named, log_lines):
    source = VersionedStore(GOOD, row, LAST, name="store-7", refresh=1e-9)
    quiet = {"CORSGUARD_LOG_REJECTIONS": False}
    site = Site(origins=[source, "https://fixed.example"], config=quiet, **fields)
    with announcements(site.app) as heard:
        for _ in range(3):
            assert {site.ask(o) for o in (GOOD, LAST, "https://fixed.example")} == {ALLOWED}
            asking = [*lets_in, *EVERYBODY, *([row] if isinstance(row, str) else [])]
            for origin in asking:
                sent = origin.encode("utf-8", "surrogatepass").decode("latin-1")
                assert ALLOWED not in (site.ask(sent), site.preflight(sent))
            source.number += 1  # and read again
    lines = log_lines()
    assert len(lines) == 1
    assert "store-7" in lines[0]
    assert named in lines[0]
    assert lines[0].isprintable()
    assert len(lines[0]) < 1500
    assert site.source()["bad_rows"] == 1
    assert site.source()["last_failure"] is None
    assert {name for name, _ in heard} == {"refreshed"}
    for _, told in heard:
        assert told["bad_rows"] == 1
    problems = heard[0][1]["problems"]
    assert problems
    assert all(isinstance(p, str) and p.isprintable() and len(p) < 1500 for p in problems)
    assert named in " ".join(problems)


def test_no_bad_row_takes_others_down(log_lines):
    """All of them at once, between good ones."""
    bad = [row for row, fields, *_ in BAD.values() if not fields]
    rows = list(
        itertools.chain.from_iterable((f"https://g{i}.example", b) for i, b in enumerate(bad))
    )
    quiet = {"CORSGUARD_LOG_REJECTIONS": False}
    site = Site(origins=Store(*rows, LAST), config=quiet)
    for i in range(len(bad)):
        assert site.ask(f"https://g{i}.example") == ALLOWED
    assert site.ask(LAST) == ALLOWED
    assert site.source()["bad_rows"] == len(bad)
    text = "\n".join(log_lines())
    for row in ("Bad.example", "bad.example/x", "a@bad.example", "*://bad.example"):
        assert row in text


def test_very_many_bad_rows(log_lines):
    """The log stays small, and so does what is kept."""
    rows = [f"https://Bad{i}.example/{'x' * 1000}" for i in range(1000)]
    source = VersionedStore(GOOD, *rows, refresh=1e-9, deadline=5)
    site = Site(origins=source, config={"CORSGUARD_LOG_REJECTIONS": False})
    with announcements(site.app) as heard:
        for _ in range(3):
            assert site.ask(GOOD) == ALLOWED
            source.number += 1
    assert site.source()["bad_rows"] == 1000
    assert sum(map(len, log_lines())) < 100_000
    assert all(len(repr(told)) < 100_000 for _, told in heard)
    assert len(json.dumps(site.guard.status(site.app))) < 100_000


def test_a_bad_row_among_changes(log_lines):
    source = LoggedStore(GOOD, refresh=1e-9, name="store-7")
    site = Site(origins=source, config={"CORSGUARD_LOG_REJECTIONS": False})
    assert site.ask(GOOD) == ALLOWED
    source.add("https://Bad.example", "https://new.example", "")
    assert site.ask("https://new.example") == ALLOWED
    assert site.ask("https://bad.example") == NOT_ALLOWED
    assert site.source()["bad_rows"] == 2
    source.remove("https://Bad.example", "")
    assert site.ask("https://new.example") == ALLOWED
    assert site.source()["bad_rows"] == 0
    assert "load" not in source.asked[1:]
    assert sum("Bad.example" in line for line in log_lines()) == 1


def test_a_bad_row_that_is_put_right():
    source = VersionedStore("https://Bad.example", refresh=1e-9)
    site = Site(origins=source)
    assert site.ask("https://bad.example") == NOT_ALLOWED
    source.put("https://bad.example")
    assert site.ask("https://bad.example") == ALLOWED
    assert site.source()["bad_rows"] == 0


def test_a_row_that_is_bad_in_one_policy_alone():
    """Each policy has its own checks, whoever was first."""
    for first in ("/a", "/b"):
        source = Store("http://plain.example", "https://*.co.uk", GOOD)
        app = Flask("shop", static_folder=None)
        for path, credentials in {"/a": True, "/b": False}.items():
            mark = cors(Policy(origins=[source], allow_credentials=credentials))
            app.add_url_rule(path, path, mark(lambda: "ok"))
        CorsGuard(app)
        for path in (first, "/a", "/b", first):
            assert wire(app, GOOD, path).allows == GOOD
            for origin in ("http://plain.example", "https://x.co.uk"):
                assert wire(app, origin, path).allows == (origin if path == "/b" else None)


def test_only_bad_rows():
    """The store has been read, and the list is as if it were empty."""
    site = Site(origins=[Store("https://Bad.example", None), "https://fixed.example"])
    assert site.ask("https://bad.example") == NOT_ALLOWED
    assert site.ask("https://fixed.example") == ALLOWED


@pytest.mark.parametrize(
    "row",
    [
        f" {GOOD}",
        f"{GOOD}\t",
        f"{GOOD}\n",
        f"{GOOD},https://evil.example",
        f"{GOOD},",
        f",{GOOD}",
        f"['{GOOD}']",
        f'["{GOOD}"]',
        f"# {GOOD}",
        f"{GOOD} # of the shop",
    ],
)
def test_rows_with_something_around(row):
    """Whether they are good or not, nobody gets in whose origin is not in them."""
    site = Site(origins=Store(row, LAST))
    for origin in EVERYBODY:
        assert site.ask(origin) != ALLOWED
    assert site.ask(LAST) == ALLOWED
    assert site.ask(GOOD) in (ALLOWED, NOT_ALLOWED)


class Str(str):
    """A string that says that it equals everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def test_an_odd_string():
    site = Site(origins=Store(Str(GOOD), LAST))
    for origin in EVERYBODY:
        assert site.ask(origin) != ALLOWED
    assert site.ask(LAST) == ALLOWED
