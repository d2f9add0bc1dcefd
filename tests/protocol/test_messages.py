"""What people read: each sentence about a policy that cannot be used, in full."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError
from flask_corsguard.protocol.origin_errors import diagnose
from tests.ids import stable_id

A = "https://a.example.com"


async def asynchronous(origin: str) -> bool:
    return origin == A


class Impostor:
    async def __call__(self, origin: str) -> bool:
        return origin == A


impostor = Impostor()


def one(origin: str) -> bool:
    return origin == A


def three(origin: str, request: object, more: object) -> bool:
    return origin == A


# An entry of origins, and what is wrong with it.
SENTENCES: list[tuple[str, str]] = [
    ("", "an origin cannot be empty"),
    ("Null", "the opaque origin is 'null' in lower case, and any site can send it"),
    ("https://a.com|https://b.com",
     "one string holds one origin; give several as a list (or separated by commas)"),
    (r"https://(a|b)\.com",
     "a plain string is never taken for a regular expression; pass re.compile(...) if you mean"
     " one, or use the forms https://host and https://*.host"),
    ("example.com", "an origin starts with its scheme, such as https://"),
    ("*://a.com", "the scheme cannot be a wildcard; list one entry for each scheme"),
    ("HTTPS://a.com", "browsers send origins in lower case, so this would never match"),
    ("https://A.com", "browsers send origins in lower case, so this would never match"),
    ("ht_tps://a.com", "'ht_tps' is not a scheme"),
    ("file://a", "pages loaded from file: send the origin 'null', never this one"),
    ("https://a.com/", "an origin has no trailing slash"),
    ("https://a.com/path", "an origin has no path: CORS is decided for whole origins"),
    ("https://a.com?x", "an origin has no query"),
    ("https://a.com#x", "an origin has no fragment"),
    ("https://me@a.com", "an origin has no user name or password"),
    ("https://", "the host is missing"),
    ("https://a.*.com",
     "a wildcard stands for whole sub-domains (https://*.example.com) or for the port"
     " (http://localhost:*), and nowhere else"),
    ("https://\xe4.com", "browsers send the punycode form of this host"),
    ("https://-a.com", "'-a.com' is not a host name"),
    ("http://127.1", "browsers send IP addresses in their canonical form"),
    ("https://*.1.2.3.4", "an IP address has no sub-domains"),
    ("https://a.com:x", "'x' is not a port"),
    ("https://a.com:", "the port is missing after ':'"),
    ("https://a.com:0", "port 0 is out of range (1 to 65535)"),
    ("https://a.com:65536", "port 65536 is out of range (1 to 65535)"),
    ("https://a.com:655350", "port 655350 is out of range (1 to 65535)"),
    ("http://a.com:065535", "browsers send the port without leading zeros"),
    ("https://a.com:443", "browsers leave out :443, the default port of https"),
    ("https://a.com:08443", "browsers send the port without leading zeros"),
]  # fmt: skip

# Fields, and the problems as they are printed.
MESSAGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"orgins": A},
     ["orgins: there is no policy field 'orgins'. Did you mean 'origins'? [unknown_field]"]),
    ({"allowed_origins": A},
     ["allowed_origins: there is no policy field 'allowed_origins'. Did you mean 'origins'?"
      " [unknown_field]"]),
    ({"resources": {}},
     ["resources: there is no policy field 'resources'. Mark blueprints and views with @cors(...),"
      " or endpoints with for_endpoint(). [unknown_field]"]),
    ({"vary_header": True},
     ["vary_header: there is no policy field 'vary_header'. It is not needed here: leave it out."
      " [unknown_field]"]),
    ({"zzz": A},
     ["zzz: there is no policy field 'zzz'. Known: allow_credentials, allow_headers,"
      " allow_private_network, answer_preflight, dangerously_allow_insecure_origins,"
      " dangerously_allow_null_origin, dangerously_allow_public_suffixes, deny_origins, enforce,"
      " expose_headers, max_age, methods, origins. [unknown_field]"]),
    ({"origins": ["*", A]},
     ["origins: '*' stands alone: with it, the other entries would mean nothing."
      " [wildcard_not_alone]"]),
    ({"origins": ["*", re.compile("x")]},
     ["origins: '*' stands alone: with it, the other entries would mean nothing."
      " [wildcard_not_alone]"]),
    ({"origins": ["*", one]},
     ["origins: '*' stands alone: with it, the other entries would mean nothing."
      " [wildcard_not_alone]"]),
    ({"origins": "https://*"},
     ["origins: 'https://*': a wildcard stands for whole sub-domains (https://*.example.com) or"
      " for the port (http://localhost:*), and nowhere else. [origin_wildcard]"]),
    ({"origins": 5},
     ["origins: 5 is neither a string nor a list. [wrong_type]"]),
    ({"origins": [5]},
     ["origins: 5 is not a string, a compiled pattern or a function. [origin_type]"]),
    ({"origins": re.compile(rb"x")},
     ["origins: re.compile(b'x') matches bytes; compile it from a str. [origin_type]"]),
    ({"origins": asynchronous},
     [f"origins: {asynchronous!r} is asynchronous; the answer is needed at once, so use a plain"
      " function. [origin_callable]"]),
    ({"origins": impostor},
     [f"origins: {impostor!r} is asynchronous; the answer is needed at once, so use a plain"
      " function. [origin_callable]"]),
    ({"origins": three},
     [f"origins: {three!r} must take (origin) or (origin, request). [origin_callable]"]),
    ({"origins": [one, one.__call__]},
     ["origins: give at most one callable; let it call the others. [origin_type]"]),
    ({"origins": "https://A.com/"},
     ["origins: 'https://A.com/': an origin has no trailing slash. Write 'https://a.com'."
      " [origin_trailing_slash]",
      "origins: 'https://A.com/': browsers send origins in lower case, so this would never"
      " match. Write 'https://a.com'. [origin_case]"]),
    ({"origins": "null"},
     ["origins: any site can send the origin 'null' from a sandboxed frame, so allowing it"
      " allows everybody. Leave it out, or say dangerously_allow_null_origin=True. [null_origin]"]),
    ({"deny_origins": "*"},
     ["deny_origins: list the origins; '*' and callables are for origins only. [origin_type]"]),
    ({"deny_origins": "null,x"},
     ["deny_origins: 'x': an origin starts with its scheme, such as https://. Write 'https://x'."
      " [origin_no_scheme]"]),
    ({"methods": "get"},
     ["methods: 'get': method names are case-sensitive. Write 'GET'. [method_case]"]),
    ({"methods": "Trace"},
     ["methods: browsers never let script send Trace; leave it out. [method_forbidden]"]),
    ({"methods": "G ET"},
     ["methods: 'G ET' is not an HTTP method name. [method_malformed]"]),
    ({"methods": ["*", "PUT"]},
     ["methods: '*' stands alone: with it, the other methods would mean nothing."
      " [wildcard_not_alone]"]),
    ({"methods": [1]},
     ["methods: 1 is not a string. [wrong_type]"]),
    ({"methods": 5}, ["methods: 5 is neither a string nor a list. [wrong_type]"]),
    ({"allow_headers": 5}, ["allow_headers: 5 is neither a string nor a list. [wrong_type]"]),
    ({"expose_headers": [5]}, ["expose_headers: 5 is not a string. [wrong_type]"]),
    ({"allow_headers": "X Y"},
     ["allow_headers: 'X Y' is not a header name. [header_malformed]"]),
    ({"allow_headers": "Cookie"},
     ["allow_headers: browsers never let script set Cookie; leave it out. [header_forbidden]"]),
    ({"allow_headers": "ETag"},
     ["allow_headers: ETag is a response header; did you mean it for expose_headers?"
      " [header_is_response]"]),
    ({"allow_headers": "Access-Control-Allow-Origin"},
     ["allow_headers: Access-Control-Allow-Origin is a response header, which the guard writes;"
      " leave it out. [header_is_response]"]),
    ({"expose_headers": "X:Y"},
     ["expose_headers: 'X:Y' is not a header name. [header_malformed]"]),
    ({"expose_headers": "Set-Cookie"},
     ["expose_headers: browsers never show Set-Cookie to script; leave it out."
      " [header_forbidden]"]),
    ({"expose_headers": "Range"},
     ["expose_headers: Range is a request header; did you mean it for allow_headers?"
      " [header_is_request]"]),
    ({"expose_headers": "Access-Control-Max-Age"},
     ["expose_headers: Access-Control-Max-Age is read by the browser alone; leave it out."
      " [header_forbidden]"]),
    ({"expose_headers": ["*", "X-A"]},
     ["expose_headers: '*' stands alone: with it, the other names would mean nothing."
      " [wildcard_not_alone]"]),
    ({"allow_credentials": "yes"},
     ["allow_credentials: 'yes' is not a bool. Write True (in an environment variable: true)."
      " [bool_expected]"]),
    ({"allow_credentials": "maybe"},
     ["allow_credentials: 'maybe' is not a bool. [bool_expected]"]),
    ({"max_age": -1},
     ["max_age: -1 is outside 0 to 86400 seconds. Write 0. [max_age_range]"]),
    ({"max_age": datetime.timedelta(days=2)},
     ["max_age: datetime.timedelta(days=2) is outside 0 to 86400 seconds. Write 86400."
      " [max_age_range]"]),
    ({"max_age": "600"},
     ["max_age: '600' is not a whole number of seconds or a timedelta. Write 600. [wrong_type]"]),
    # What cannot be read is taken for what is safest: no further problem comes of it.
    ({"origins": "*", "allow_credentials": "maybe"},
     ["allow_credentials: 'maybe' is not a bool. [bool_expected]"]),
    ({"origins": "https://*.co.uk", "enforce": "every"},
     ["enforce: there is no way to enforce 'every'. Known: all, off, report, unsafe."
      " [enforce_unknown]"]),
    ({"max_age": "86400"},
     ["max_age: '86400' is not a whole number of seconds or a timedelta. Write 86400."
      " [wrong_type]"]),
    ({"max_age": "100000"},
     ["max_age: '100000' is not a whole number of seconds or a timedelta. [wrong_type]"]),
    ({"max_age": "X60"},
     ["max_age: 'X60' is not a whole number of seconds or a timedelta. [wrong_type]"]),
    ({"max_age": "ten"},
     ["max_age: 'ten' is not a whole number of seconds or a timedelta. [wrong_type]"]),
    ({"enforce": "All"},
     ["enforce: there is no way to enforce 'All'. Did you mean 'all'? [enforce_unknown]"]),
    ({"enforce": "every"},
     ["enforce: there is no way to enforce 'every'. Known: all, off, report, unsafe."
      " [enforce_unknown]"]),
    ({"origins": "*", "allow_credentials": True},
     ["origins: '*' with allow_credentials=True would let every site on the web act as the"
      " signed-in user. List the origins that may, or leave the credentials out."
      " [credentials_any_origin]"]),
    ({"origins": "http://*.a.com:8080", "allow_credentials": True},
     ["origins: 'http://*.a.com:8080' with allow_credentials=True: whoever controls the network"
      " between can pose as that origin and act as the user. Write 'https://*.a.com:8080', or"
      " say dangerously_allow_insecure_origins=True. [credentials_insecure_origin]"]),
    ({"origins": "https://*.co.uk", "allow_credentials": True},
     ["origins: 'https://*.co.uk' with allow_credentials=True: anybody can register a name under"
      " 'co.uk' and act as the user. Name the site, such as 'https://*.your-site.co.uk', or say"
      " dangerously_allow_public_suffixes=True. [credentials_public_suffix]"]),
    ({"origins": "https://*.co.uk", "enforce": "report"},
     ["origins: 'https://*.co.uk' with enforce='report': anybody can register a name under"
      " 'co.uk', so nobody is kept out. Name the site, such as 'https://*.your-site.co.uk', or"
      " say dangerously_allow_public_suffixes=True. [enforce_public_suffix]"]),
    ({"expose_headers": "*", "allow_credentials": True},
     ["expose_headers: with allow_credentials=True browsers take '*' for a header's name. List"
      " the names. [expose_all_with_credentials]"]),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "sentence"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_each_sentence_about_an_origin(entry: str, sentence: str) -> None:
    found, _ = diagnose(entry)
    assert [words for _, words in found] == [sentence]


@pytest.mark.parametrize(("fields", "texts"), MESSAGES, ids=[stable_id(row[0]) for row in MESSAGES])
def test_each_message(fields: dict[str, Any], texts: list[str]) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(**fields)
    assert [str(problem) for problem in caught.value.problems] == texts
    for problem in caught.value.problems:
        given = fields[problem.field]
        # The value, one entry of it, or the name of a field that there is not.
        assert problem.value in (given, problem.field) or problem.value in given


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["true", "True", "TRUE", "1", "yes", "on", " On ", "'on'", 1], "True"),
        (["false", "False", "FALSE", "0", "no", "off", " Off ", '"no"', "", 0], "False"),
        (["y", "n", "t", "f", "2", "-1", "none", "Xon", "oof", None, 2, [], [True]], None),
    ],
)
def test_words_that_look_like_a_bool(words: list[Any], meant: str | None) -> None:
    for word in words:
        with pytest.raises(PolicyError) as caught:
            Policy(allow_credentials=word)
        assert [p.suggestion for p in caught.value.problems] == [meant]
