"""What is said of a string that isn't an origin, and the string that was meant."""

from __future__ import annotations

import pytest

from flask_corsguard.errors import PolicyError
from flask_corsguard.protocol.origin_errors import diagnose
from flask_corsguard.protocol.origins import parse_pattern
from flask_corsguard.protocol.policy import Policy

WORDS_FOR_NOBODY = "none nobody False self 'self' same-origin"
# What is given, the code of each problem, and the suggestion.
TABLE = [
    ("", ["origin_empty"], None),
    ("NULL", ["origin_case"], None),
    ("HTTPS://Example.com", ["origin_case"], "'https://example.com'"),
    ("https://*.[::1]", ["origin_wildcard"], None),
    ("https://*.*", ["origin_wildcard"], None),
    ("https://Example.com/", ["origin_trailing_slash", "origin_case"], "'https://example.com'"),
    ("https://ex\xe4mple.com", ["origin_not_ascii"], "'https://xn--exmple-cua.com'"),
    ("https://stra\xdfe.de", ["origin_not_ascii"], "'https://xn--strae-oqa.de'"),
    ("https://\uff45xample.com", ["origin_not_ascii"], "'https://example.com'"),
    ("https://*.\xe4.com", ["origin_not_ascii"], "'https://*.xn--4ca.com'"),
    ("https://a.com|https://b.com", ["origin_separator"], '["https://a.com", "https://b.com"]'),
    ("https://a.com;https://b.com", ["origin_separator"], '["https://a.com", "https://b.com"]'),
    ("https://a.com https://B.com/", ["origin_separator"], '["https://a.com", "https://b.com"]'),
    ("https://a.com | https://*x", ["origin_separator"], '["https://a.com", "https://*.x"]'),
    ("https://a.com | https://a.*.x", ["origin_separator"], None),
    ("a.com;b.com", ["origin_separator"], '["https://a.com", "https://b.com"]'),
    ("https://a.comhttp://b.com:80", ["origin_separator"], '["https://a.com", "http://b.com"]'),
    ("http://a.com:80http://b.com/", ["origin_separator"], '["http://a.com", "http://b.com"]'),
    ("a.comwss://b.com", ["origin_separator"], '["https://a.com", "wss://b.com"]'),
    ("https://a.*.xhttps://b.com", ["origin_separator"], None),
    ("https://a.com/https://b.com", ["origin_path"], "'https://a.com'"),
    ("https://a.com?u=https://b.com", ["origin_query"], "'https://a.com'"),
    ("content-type", ["origin_no_scheme"], None),
    ("X-API-Key", ["origin_no_scheme"], None),
    ("x-api", ["origin_no_scheme"], "'https://x-api'"),
    ("X-a.com", ["origin_no_scheme"], "'https://x-a.com'"),
    ("GET", ["origin_no_scheme"], None),
    ("get", ["origin_no_scheme"], "'https://get'"),
    (r"^https://.*\.example\.com$", ["origin_regex"], "'https://*.example.com'"),
    (r"https://.+\.example\.com", ["origin_regex"], "'https://*.example.com'"),
    (r"https://([a-z]+\.)example\.com", ["origin_regex"], None),
    (
        r"https://[a-z]+.example.com",
        ["origin_regex"],
        r're.compile(r"https://[a-z]+\.example\.com")',
    ),
    (r"https://[a-z+\.example\.com", ["origin_regex"], None),
    (r"~^https?://.*\.example\.com$", ["origin_regex"], "'https://*.example.com'"),
    (r"https?://localhost(:\d+)?", ["origin_regex"], "'http://localhost:*'"),
    (
        r"^https://(www\.)?example\.com$",
        ["origin_regex"],
        '["https://www.example.com", "https://example.com"]',
    ),
    ("http(s)://a.com", ["origin_regex"], "'https://a.com'"),
    ("https://{a,b}.com", ["origin_regex"], '["https://a.com", "https://b.com"]'),
    ("http://localhost:{1,2}", ["origin_regex"], '["http://localhost:1", "http://localhost:2"]'),
    ("https://{a,b}{c,d}{e,f}{g,h}{i,j}.com", ["origin_regex"], None),
    ("http://a.com:1-2", ["origin_port"], '["http://a.com:1", "http://a.com:2"]'),
    ("http://a.com:1-22", ["origin_port"], None),
    ("http://a.com:2-1", ["origin_port"], None),
    ("https?://example.com", ["origin_regex"], "'https://example.com'"),
    (r"https://(a|b)\.com", ["origin_regex"], '["https://a.com", "https://b.com"]'),
    ("https://(a.com", ["origin_regex"], None),
    ("example.com", ["origin_no_scheme"], "'https://example.com'"),
    ("//example.com", ["origin_no_scheme"], "'https://example.com'"),
    ("*.example.com", ["origin_no_scheme"], "'https://*.example.com'"),
    ("localhost:3000", ["origin_no_scheme"], "'http://localhost:3000'"),
    ("127.0.0.1", ["origin_no_scheme"], "'http://127.0.0.1'"),
    ("*.*", ["origin_no_scheme"], None),
    ("HTTPS://example.com", ["origin_case"], "'https://example.com'"),
    ("ht_tps://example.com", ["origin_scheme"], None),
    ("htps://example.com", ["origin_scheme"], "'https://example.com'"),
    ("hhtp://*.example.com:80", ["origin_scheme"], "'http://*.example.com'"),
    ("javascript://example.com", ["origin_scheme"], None),
    ("file:///", ["origin_scheme"], None),
    ("https://", ["origin_no_host"], None),
    ("https://a.com/path", ["origin_path"], "'https://a.com'"),
    ("https://a.com?x", ["origin_query"], "'https://a.com'"),
    ("https://a.com#x", ["origin_fragment"], "'https://a.com'"),
    ("https://me:pw@a.com", ["origin_userinfo"], "'https://a.com'"),
    ("https://*", ["origin_wildcard"], None),
    ("https://*example.com", ["origin_wildcard"], "'https://*.example.com'"),
    ("https://a.*.com", ["origin_wildcard"], None),
    ("*://example.com", ["origin_wildcard"], "'https://example.com'"),
    ("*://localhost:1", ["origin_wildcard"], "'http://localhost:1'"),
    ("http*://a.com", ["origin_scheme"], "'https://a.com'"),
    ("https://http://a.com/", ["origin_scheme"], "'http://a.com'"),
    ("https://a .b.com", ["origin_separator"], "'https://a.b.com'"),
    ("http://localhost : 1", ["origin_separator"], "'http://localhost:1'"),
    ("https:// a.com", ["origin_separator"], "'https://a.com'"),
    ("https://a.com\u200b", ["origin_invalid"], "'https://a.com'"),
    ("\ufeffhttps://*.a.com", ["origin_invalid"], "'https://*.a.com'"),
    ("\u201chttps://a.com\u201d", ["origin_quotes"], "'https://a.com'"),
    ("<https://a.com>", ["origin_quotes"], "'https://a.com'"),
    *((text, ["origin_invalid"], None) for text in "undefined https://None https://$A:1".split()),
    ("http://localhost:undefined", ["origin_invalid"], None),
    (
        "http://192.168.0.0/24",
        ["origin_path"],
        r're.compile(r"http://192\.168\.0\.[0-9]{1,3}")',
    ),
    ("http://172.16.0.0/12", ["origin_path"], None),
    ("http://8.8.8.0/24", ["origin_path"], None),
    ("o.txt", ["origin_no_scheme"], "FileOrigins('o.txt')"),
    ("/etc/shop/o.json", ["origin_no_scheme"], "FileOrigins('/etc/shop/o.json')"),
    ("a.com/o.json", ["origin_no_scheme"], "'https://a.com'"),
    ("//a.com/o.json", ["origin_no_scheme"], "'https://a.com'"),
    ("redis://a:1/0", ["origin_invalid"], "RedisOrigins(url, key='cors:origins')"),
    (
        "postgresql+psycopg://a/b",
        ["origin_invalid"],
        "SQLOrigins(url, 'SELECT origin FROM cors_origins')",
    ),
    ("https://*.1.2.3.4", ["origin_wildcard"], None),
    ("https://a.com:443", ["origin_default_port"], "'https://a.com'"),
    ("https://a.com:0443", ["origin_default_port"], "'https://a.com'"),
    ("https://a.com:08443", ["origin_port"], "'https://a.com:8443'"),
    ("https://a.com:", ["origin_port"], "'https://a.com'"),
    ("https://a.com:x", ["origin_port"], None),
    ("https://a.com:0", ["origin_port"], None),
    ("https://a.com:99999", ["origin_port"], None),
    ("https://a.com:" + "9" * 5000, ["origin_port"], None),
    ("http://2130706433", ["origin_ip"], "'http://127.0.0.1'"),
    ("http://127.1", ["origin_ip"], "'http://127.0.0.1'"),
    ("http://0x7f.0.0.1", ["origin_ip"], "'http://127.0.0.1'"),
    ("http://010.0.0.1:80", ["origin_ip", "origin_default_port"], "'http://8.0.0.1'"),
    ("http://1.2.3.256", ["origin_host"], None),
    ("http://[0:0::1]", ["origin_ip"], "'http://[::1]'"),
    ("http://[::ffff:127.0.0.1]:1", ["origin_ip"], "'http://[::ffff:7f00:1]:1'"),
    ("http://[::1", ["origin_ip", "origin_port"], None),
    ("http://[::z]", ["origin_ip"], None),
    ("http://::1:3000", ["origin_ip"], "'http://[::1]:3000'"),
    ("http://::1", ["origin_ip"], "'http://[::1]'"),
    ("::1:3000", ["origin_no_scheme"], "'http://[::1]:3000'"),
    ("http://::1:*", ["origin_ip"], "'http://[::1]:*'"),
    ("http://::1:", ["origin_ip", "origin_port"], "'http://[::1]'"),
    ("https://2001:db8::1", ["origin_ip"], "'https://[2001:db8::1]'"),
    ("https://2001:db8::1:8443", ["origin_ip"], "'https://[2001:db8::1]:8443'"),
    ("http://1:2:3:4:5:6:7:8:3000", ["origin_ip"], "'http://[1:2:3:4:5:6:7:8]:3000'"),
    ("http://fe80::1%eth0", ["origin_port"], None),
    ("https://a..com", ["origin_host"], None),
    ("https://a.com.", ["origin_host"], "'https://a.com'"),
    ("https://-a.com", ["origin_host"], None),
    ("https://*.cluster2.", ["origin_host"], "'https://*.cluster2'"),
    ("https://a..com:*", ["origin_host"], None),
    ("https://localhost:*:*", ["origin_port"], None),
    ("https://a.foX", ["origin_case"], "'https://a.fox'"),
    ("https://*Xa.com", ["origin_wildcard"], "'https://*.xa.com'"),
    (
        "https://*.*.a.com|https://b.com",
        ["origin_separator"],
        '["https://*.a.com", "https://b.com"]',
    ),
    ("https://a.com|https://b.com|", ["origin_separator"], '["https://a.com", "https://b.com"]'),
    ("https://a.com|", ["origin_separator"], "'https://a.com'"),
    ("|https://a.com", ["origin_separator"], "'https://a.com'"),
    ("https://a://b", ["origin_path", "origin_port"], "'https://a'"),
    ("https://a\u3002com", ["origin_not_ascii"], "'https://a.com'"),
    (r"https:\/\/a\-b\.com", ["origin_regex"], "'https://a-b.com'"),
    (r"^https://a\.com/$", ["origin_regex"], "'https://a.com'"),
    ("https://A.*", ["origin_wildcard"], None),
    ("Xample.com", ["origin_no_scheme"], "'https://xample.com'"),
    ("[::1]:3000", ["origin_no_scheme"], "'http://[::1]:3000'"),
    ("https://a.com:655350", ["origin_port"], None),
    ("http://a.com:065535", ["origin_port"], "'http://a.com:65535'"),
    ("http://[::A]", ["origin_case"], "'http://[::a]'"),
    ("http://x::1]", ["origin_host"], None),
    ("https://a.com; ", ["origin_separator"], "'https://a.com'"),
    (";", ["origin_no_scheme"], None),
    ("'https://A.com/'", ["origin_quotes"], "'https://a.com'"),
    ('"https://a.com', ["origin_quotes"], "'https://a.com'"),
    ("`https://a.com`", ["origin_quotes"], "'https://a.com'"),
    ("'*'", ["origin_quotes"], "'*'"),
    ("'null'", ["origin_case"], None),
    ("''", ["origin_quotes"], None),
    *((word, ["origin_no_scheme"], "'*'") for word in "all ANY everyone Everybody true".split()),
    *((word, ["origin_no_scheme"], "[]") for word in WORDS_FOR_NOBODY.split()),
    *((text, ["origin_invalid"], None) for text in "$A ${A} $(A) %A% {{a}} '$A'".split()),
    ("https//a.com", ["origin_no_scheme"], "'https://a.com'"),
    ("https:a.com:8443", ["origin_no_scheme"], "'https://a.com:8443'"),
    ("http:/a.com", ["origin_no_scheme"], "'http://a.com'"),
    ("HTTPS;//a.com", ["origin_no_scheme"], "'https://a.com'"),
    ("wss:a.com", ["origin_no_scheme"], "'wss://a.com'"),
    ("ws:/[::1]", ["origin_no_scheme"], "'ws://[::1]'"),
    ("https:*.a.com", ["origin_no_scheme"], "'https://*.a.com'"),
    ("https:8080", ["origin_no_scheme"], "'https://https:8080'"),
    (".example.com", ["origin_no_scheme"], "'https://*.example.com'"),
    ("https://.example.com", ["origin_host"], "'https://*.example.com'"),
    # https://url.spec.whatwg.org/#concept-ipv4-parser
    ("http://0x", ["origin_ip"], "'http://0.0.0.0'"),
    ("http://0x00007f000001", ["origin_ip"], "'http://127.0.0.1'"),
    ("http://0177.0.0.1", ["origin_ip"], "'http://127.0.0.1'"),
    ("http://0.0.0.00", ["origin_ip"], "'http://0.0.0.0'"),
    ("http://08.0.0.1", ["origin_host"], None),
    ("http://1_0.0.0.1", ["origin_host"], None),
    ("http://1.2.3.4.5", ["origin_host"], None),
    ("http://1.2.3.4.0", ["origin_host"], None),
    ("http://255.1", ["origin_ip"], "'http://255.0.0.1'"),
    ("http://256.1", ["origin_host"], None),
    ("http://1.2.65535", ["origin_ip"], "'http://1.2.255.255'"),
    ("http://1.2.65536", ["origin_host"], None),
    ("http://1.16777215", ["origin_ip"], "'http://1.255.255.255'"),
    ("http://1.16777216", ["origin_host"], None),
    ("http://4294967295", ["origin_ip"], "'http://255.255.255.255'"),
    ("http://4294967296", ["origin_host"], None),
]


@pytest.mark.parametrize(
    ("given", "codes", "suggestion"), TABLE, ids=[row[0][:40] for row in TABLE]
)
def test_diagnosis(given: str, codes: list[str], suggestion: str | None) -> None:
    """Each string has these codes, and the suggestion is an entry, or a list of entries."""
    found, suggested = diagnose(given)
    assert [code for code, _ in found] == codes
    assert suggested == suggestion
    is_call = suggested is not None and suggested.endswith(")")
    for text in suggested.strip("[]").split(", ") if suggested not in (None, "[]") else ():
        assert is_call or text == "'*'" or parse_pattern(text.strip("'\""))


# An entry of origins, and what is wrong with it.
SENTENCES: list[tuple[str, str]] = [
    ("", "an origin cannot be empty"),
    ("Null", "the opaque origin is 'null' in lower case, and any site can send it"),
    ("https://a.com|https://b.com",
     "these are several origins in one string: list them"),
    (r"https://(a|*)\.com",
     "a plain string is never a regular expression; re.compile(...) is one"),
    ("example.com", "an origin starts with its scheme, such as https://"),
    ("*://a.com", "the scheme cannot be a wildcard; list one item for each scheme"),
    ("HTTPS://a.com", "browsers send origins in lower case, so this would never match"),
    ("https://A.com", "browsers send origins in lower case, so this would never match"),
    ("ht_tps://a.com", "'ht_tps' is not a scheme"),
    ("file://a",
     "in browsers, pages loaded from file: send the origin 'null', never this one; serve them over"
     " http instead, with 'python -m http.server'"),
    ("https://a.com/", "an origin has no trailing slash"),
    ("https://a.com/path", "an origin has no path: CORS is decided for whole origins"),
    ("https://a.com?x", "an origin has no query"),
    ("https://a.com#x", "an origin has no fragment"),
    ("https://me@a.com", "an origin has no user name or password"),
    ("https://", "the host is missing"),
    ("https://a.*.com",
     "a wildcard can stand only for whole sub-domains (https://*.example.com), for part of the"
     " first label (https://pr-*.example.com) or for the port (http://localhost:*); list the"
     " hosts"),
    ("https://\xe4.com", "browsers send the punycode form of this host"),
    ("https://-a.com", "'-a.com' is not a host name"),
    ("http://127.1", "browsers send IP addresses in their canonical form"),
    ("http://::1:3000", "an IPv6 address is written in brackets, and its port after them"),
    ("https://*.1.2.3.4", "an IP address has no sub-domains"),
    ("'https://a.com'", "an origin has no quotes"),
    ("all", "for everybody, write '*'"),
    ("none", "for nobody, write an empty list"),
    ("self", "the app's own pages are always allowed, so do not list them"),
    ("${A}", "this is a variable that was never replaced by its value"),
    ("https://${A}", "a variable is unset: '${A}' stands in its place"),
    ("https://http://a.com", "the scheme is there twice"),
    ("https://a .com", "there is a space in it"),
    ("https://a.com\u200b", "there is an invisible character in it (U+200B)"),
    ("o.txt", "this is a file, which a source reads"),
    ("redis://a", "this is a database, which a source reads"),
    ("http://10.0.0.0/8", "a range of addresses can be allowed only by a pattern"),
    ("https://a.com:x", "'x' is not a port: write a number, or *"),
    ("https://a.com:", "the port is missing after ':'"),
    ("https://a.com:0", "port 0 is out of range (1 to 65535)"),
    ("https://a.com:65536", "port 65536 is out of range (1 to 65535)"),
    ("https://a.com:655350", "port 655350 is out of range (1 to 65535)"),
    ("http://a.com:065535", "browsers send the port without leading zeros"),
    ("https://a.com:443", "browsers leave out :443, the default port of https"),
    ("https://a.com:08443", "browsers send the port without leading zeros"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "sentence"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_each_sentence(entry: str, sentence: str) -> None:
    """The message has each sentence in full, as people read it."""
    found, _ = diagnose(entry)
    assert [words for _, words in found] == [sentence]


def test_a_good_entry_that_is_asked_about_all_the_same() -> None:
    assert diagnose("https://a.com") == (
        [("origin_invalid", "this is not scheme://host[:port]")],
        "'https://a.com'",
    )


def test_what_is_said_of_a_missing_comma() -> None:
    [(code, sentence)], _ = diagnose("https://a.comhttps://b.com")
    assert (code, sentence) == (
        "origin_separator", "two origins in one string: the comma between them is missing"
    )  # fmt: skip


def test_a_choice_of_many_is_not_listed() -> None:
    choice = ",".join(f"a{number}" for number in range(30))
    with pytest.raises(PolicyError) as caught:
        Policy(origins=[f"https://{{{choice}}}.example.com"])
    assert "Write" not in str(caught.value)
