"""Wildcards inside a label, for all hosts of a scheme, and raw origins: what only looks alike."""

import re
from typing import Any

import pytest
from werkzeug.utils import import_string

from flask_corsguard.audit import Level, audit
from tests.audit.cases import check_clean, codes_of, guarded, told

# Marks of other tests are not marks of the app.

PR, BOTH, PORTS = "https://pr-*.example.com", "https://a*z.example.com", "https://*-x.example.com:*"
PREVIEW = "https://deploy-preview-*--shop.netlify.app"
ACT: dict[str, Any] = {"allow_credentials": True, "enforce": "unsafe"}
SUFFIXES_TOO: dict[str, Any] = {"dangerously_allow_public_suffixes": True}
EXTENSION = "moz-extension://*"

CLEAN: dict[str, dict[str, Any]] = {
    "at the end": {"origins": PR},
    "at the beginning": {"origins": "https://*-shop.example.com"},
    "in between": {"origins": BOTH},
    "any port": {"origins": PORTS},
    "of a service, with the site beside it": {"origins": PREVIEW},
    "of another service": {"origins": "https://shop--pr-*.web.app"},
    "above a suffix": {"origins": "https://x*.amazonaws.com"},
    "beside what it covers": {"origins": [PR, "https://pr-1.example.com", "https://*.example.org"]},
    "but for one": {"origins": PR, "deny_origins": "https://pr-x.example.com"},
    "all but those": {"origins": "https://*.example.com", "deny_origins": PR},
    "a long label": {"origins": f"https://{'x' * 60}*.example.com"},
    "a scheme": {"origins": EXTENSION},
    "a scheme and others": {"origins": [EXTENSION, "chrome-extension://*", "https://a.example"]},
    "raw": {"origins": (), "raw_origins": ["file://", "app://.", "wss://a.example:443"]},
    "raw and others": {"origins": PR, "raw_origins": "HTTPS://A.example"},
}


@pytest.mark.parametrize("fields", CLEAN.values(), ids=CLEAN)
def test_clean(fields: dict[str, Any]) -> None:
    """Every look-alike is rejected, as it is written; nothing else is wrong."""
    check_clean(lambda: guarded(**fields))


FOUND: dict[str, tuple[str, Level, dict[str, Any], str]] = {
    "a name beside another's": (
        "public_suffix_wildcard", Level.WARNING, {"origins": "https://shop-*.vercel.app"},
        "https://shop-attacker.vercel.app"),
    "a name beside another's, with credentials": (
        "public_suffix_wildcard", Level.ERROR,
        {"origins": "https://shop-*.vercel.app", **ACT, **SUFFIXES_TOO},
        "https://shop-attacker.vercel.app"),
    "in the site's name": (
        "public_suffix_wildcard", Level.WARNING, {"origins": "https://pr-1--*.netlify.app"},
        "https://pr-1--attacker.netlify.app"),
    "previews that act": (
        "subdomains_with_credentials", Level.WARNING, {"origins": PR, **ACT},
        "https://pr-attacker.example.com"),
    "previews of a service that act": (
        "subdomains_with_credentials", Level.WARNING, {"origins": PREVIEW, **ACT, **SUFFIXES_TOO},
        "https://deploy-preview-attacker--shop.netlify.app"),
    "plain http": (
        "insecure_origin", Level.WARNING, {"origins": "http://pr-*.example.com", "enforce": "all"},
        "http://pr-attacker.example.com"),
    "raw, over plain http": (
        "insecure_origin", Level.WARNING,
        {"origins": (), "raw_origins": "http://a.example:80", "enforce": "unsafe"},
        "http://a.example:80"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "level", "fields", "let_in"), FOUND.values(), ids=FOUND)
def test_found(code: str, level: Level, fields: dict[str, Any], let_in: str) -> None:
    """What is wrong with a wildcard is found with an origin that it lets in."""
    app = guarded(**fields)
    (finding,) = audit(app).findings
    assert (finding.code, finding.level, finding.evidence) == (code, level, let_in)
    response = app.test_client().get("/", headers={"Origin": let_in})
    assert response.headers["Access-Control-Allow-Origin"] == let_in


# An entry, and how a careless matcher would read it.
CARELESS: dict[str, tuple[dict[str, Any], str]] = {
    "a dot for the star": ({"origins": PR}, r"https://pr-.+\.example\.com"),
    "an underscore": ({"origins": PR}, r"https://pr-[a-z0-9_-]+\.example\.com"),
    "nothing for the star": ({"origins": BOTH}, r"https://a[a-z0-9-]*z\.example\.com"),
    "no end": ({"origins": PR}, r"https://pr-[a-z0-9-]+\.example\.com.*"),
    "no beginning": ({"origins": PR}, r"https://.*pr-[a-z0-9-]+\.example\.com"),
    "no dot after it": ({"origins": PR}, r"https://pr-[a-z0-9-]+.example\.com"),
    "no label": ({"origins": PORTS}, r"https://[a-z0-9.-]*\.example\.com"),
    "another site": ({"origins": PR}, r"https://pr-[a-z0-9-]+\.[a-z.-]+"),
    "another port": ({"origins": PR}, r"https://pr-[a-z0-9-]+\.example\.com(:\d+)?"),
    "another scheme": ({"origins": PR}, r"[a-z]+://pr-[a-z0-9-]+\.example\.com"),
    "upper case": ({"origins": PR}, r"(?i)https://pr-[a-z0-9-]+\.example\.com"),
    "a label below": ({"origins": PR}, r"https://pr-[a-z0-9-]+\.[a-z]+\.example\.com"),
    "a label above": ({"origins": PR}, r"https://[a-z]+\.pr-[a-z0-9-]+\.example\.com"),
    "a port of an extension": ({"origins": EXTENSION}, r"moz-extension://[a-z]+:\d+"),
    "any extension": ({"origins": EXTENSION}, r"[a-z:-]+://x"),
    "a raw one in upper case": ({"origins": (), "raw_origins": "file://"}, r"(?i)file://"),
    "the beginning of a raw one": ({"origins": (), "raw_origins": "app://."}, r"app://\..+"),
    "a part of a raw one": ({"origins": (), "raw_origins": "app://."}, r".*app://\.$"),
}


@pytest.mark.parametrize(("fields", "careless"), CARELESS.values(), ids=CARELESS)
def test_look_alikes_that_are_let_in(
    fields: dict[str, Any], careless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would the guard let in more than is written, the audit would find it."""
    name = "flask_corsguard.protocol.decision._check_origin"
    check = import_string(name)
    admits = re.compile(careless).fullmatch
    monkeypatch.setattr(name, lambda c, text: None if admits(text) else check(c, text))
    report = audit(guarded(**fields))
    assert "wrong_policy" in codes_of(report), told(report)
    (finding,) = (each for each in report.findings if each.code == "wrong_policy")
    assert admits(finding.evidence)


def test_a_matcher_that_takes_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entries are read in another way than the guard looks them up."""
    name = "flask_corsguard.protocol.origins.OriginSet._matches_wildcard"
    monkeypatch.setattr(name, lambda _, origin: origin.host.endswith("example.com"))
    (finding,) = audit(guarded(origins=PR)).findings
    assert finding.code == "wrong_policy"
    assert not re.fullmatch(r"https://pr-[a-z0-9-]+\.example\.com", finding.evidence)
