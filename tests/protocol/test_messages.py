"""What people read: each sentence about a policy that cannot be used, in full."""

from __future__ import annotations

import datetime
import pickle
import re
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError, Problem
from flask_corsguard.protocol.policy import check_combination

A = "https://a.example.com"


async def asynchronous(origin: str) -> bool:
    return origin == A


class Impostor:
    async def __call__(self, origin: str) -> bool:
        return origin == A

    def late(self) -> bool: ...


impostor = Impostor()


def one(origin: str) -> bool:
    return origin == A


def three(origin: str, request: object, more: object) -> bool:
    return origin == A


def id_of(fields: dict[str, Any]) -> str:
    """The same in every process: a repr can hold an address."""
    return re.sub(r" at 0x\w+", "", repr(fields))[:60]


# Fields, and the problems as they are printed.
MESSAGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"orgins": A},
     ["orgins: there is no policy field 'orgins'. Did you mean 'origins'? [unknown_field]"]),
    ({"allowed_origins": A},
     ["allowed_origins: there is no policy field 'allowed_origins'. Did you mean 'origins'?"
      " [unknown_field]"]),
    ({"resources": {}},
     ["resources: there is no policy field 'resources'. Give a path its own policy"
      " with guard.for_path('/api', origins=[...]), a view or a blueprint with"
      " @cors(origins=[...]). [unknown_field]"]),
    ({"vary_header": True},
     ["vary_header: there is no policy field 'vary_header'. It is not needed here: leave it out."
      " [unknown_field]"]),
    ({"zzz": A},
     ["zzz: there is no policy field 'zzz'. Known: allow_credentials, allow_headers,"
      " allow_private_network, answer_preflight, deny_origins, enforce, expose_headers, max_age,"
      " methods, origins, origins_vary, raw_origins. [unknown_field]"]),
    *(
        ({"origins": one, "origins_vary": name}, [f"origins_vary: {message} [{code}]"])
        for code, message, names in [
            ("vary_useless", "with '*', no cache could reuse a response. List the headers that the"
                             " callable looks at.", ["*", ["X-A", "*"]]),
            ("vary_useless", "a preflight has no Cookie or Authorization header, so the callable"
                             " would decide about preflights without it. Have the callable look"
                             " only at the origin, and check the user in the view.",
             ["Cookie", "authorization"]),
            ("vary_useless", "responses vary by Origin anyway. Leave it out.", ["origin"]),
            ("vary_useless", "leave it out: the guard names it in Vary where it matters. If the"
                             " callable depends on what a preflight requests, set max_age=0 too.",
             ["Access-Control-Request-Method", "access-control-request-headers"]),
            ("header_malformed", "'X-*' is not a header name, and names cannot be patterns: list"
                                 " each one.", ["X-*"]),
            ("header_malformed", "'X A' is not a header name: commas separate names. Write"
             ' ["X", "A"].', [["X A"]]),
        ]
        for name in names
    ),
    *(
        ({**fields, "origins_vary": "X-Tenant"},
         ["origins_vary: nothing in origins looks at a header: no callable, and no source with"
          " by. Add it to origins, or set origins_vary=[]. [vary_without_callable]"])
        for fields in ({}, {"origins": A}, {"origins": "*"}, {"origins": "*", "deny_origins": A})
    ),
    ({"origins": ["*", A]},
     ["origins: '*' must be the only item: it makes the other items meaningless. Write '*' for"
      f' all, or ["{A}"] for only these. [wildcard_not_alone]']),
    ({"origins": ["*", re.compile("x")]},
     ["origins: '*' must be the only item: it makes the other items meaningless. Write '*' for"
      " all, or take it out. [wildcard_not_alone]"]),
    ({"origins": ["*", one]},
     ["origins: '*' must be the only item: it makes the other items meaningless. Write '*' for"
      " all, or take it out. [wildcard_not_alone]"]),
    ({"origins": "https://*"},
     ["origins: 'https://*': a wildcard can stand only for whole sub-domains"
      " (https://*.example.com), for part of the first label (https://pr-*.example.com) or for"
      " the port (http://localhost:*); list the hosts. [origin_wildcard]"]),
    ({"origins": ["https://a.com/x", "*"]},
     ["origins: '*' must be the only item: it makes the other items meaningless. Write '*' for"
      " all, or take it out. [wildcard_not_alone]",
      "origins: 'https://a.com/x': an origin has no path: CORS is decided for whole origins."
      " Write 'https://a.com'. [origin_path]"]),
    ({"origins": "10.0.0.0/8"},
     ["origins: '10.0.0.0/8': an origin says where a page is from, not from which network somebody"
      " asks: leave that to the server or a proxy. [origin_no_scheme]"]),
    ({"origins": "file://"},
     ["origins: 'file://': in browsers, pages loaded from file: send the origin 'null', never this"
      " one; serve them over http instead, with 'python -m http.server'."
      ' If a native program sends exactly that, list it in raw_origins=["file://"].'
      " [origin_scheme]"]),
    ({"origins": "wss://host:443"},
     ["origins: 'wss://host:443': browsers leave out :443, the default port of wss. Write"
      " 'wss://host'. If a native program sends exactly that, list it in"
      ' raw_origins=["wss://host:443"]. [origin_default_port]']),
    ({"origins": "app://."},
     ["origins: 'app://.': '.' is not a host name. If a native program sends exactly that, list it"
      ' in raw_origins=["app://."]. [origin_host]']),
    ({"origins": "moz-extension://*", "allow_credentials": True, "enforce": "all"},
     ["origins: 'moz-extension://*' with allow_credentials=True: anything with a moz-extension"
      " origin that the user has installed could act as the user. List your own program, such as"
      " 'moz-extension://its-own-id'. [credentials_any_host]",
      "origins: 'moz-extension://*' with enforce='all': anything with a moz-extension origin"
      " that the user has installed would be let through. List your own program, such as"
      " 'moz-extension://its-own-id'. [enforce_any_host]"]),
    ({"origins": "https://*example.com"},
     ["origins: 'https://*example.com': anybody can register a name under 'com' that the"
      " wildcard covers. Write 'https://*.example.com', or set"
      " dangerously_allow_public_suffixes=True. [origin_wildcard]"]),
    ({"deny_origins": "https://shop-*.co.uk:*"},
     ["deny_origins: 'https://shop-*.co.uk:*': anybody can register a name under 'co.uk' that"
      " the wildcard covers. Name the site, such as 'https://shop-*.your-site.co.uk:*', or set"
      " dangerously_allow_public_suffixes=True. [origin_wildcard]"]),
    ({"origins": "https://my-*.vercel.app", "enforce": "report"},
     ["origins: 'https://my-*.vercel.app' with enforce='report': anybody can register a name"
      " under 'vercel.app', so nobody is kept out. List each host, or set"
      " dangerously_allow_public_suffixes=True. [enforce_public_suffix]"]),
    ({"origins": "https://my-*.vercel.app", "allow_credentials": True},
     ["origins: 'https://my-*.vercel.app' with allow_credentials=True: anybody can register a"
      " name under 'vercel.app' and act as the user. List each host, give it its own policy"
      " without credentials (in a list of policies), or set"
      " dangerously_allow_public_suffixes=True. [credentials_public_suffix]"]),
    ({"raw_origins": "file://,app://."},
     ["raw_origins: 'file://,app://.': this is not split at commas: write several as a JSON"
      ' list. Write ["file://", "app://."]. [raw_origin_malformed]']),
    ({"raw_origins": "['file://']"},
     ["""raw_origins: "['file://']": a list inside a string must be JSON (double quotes, no"""
      """ trailing comma), not Python. Write ["file://"]. [list_in_string]"""]),
    ({"raw_origins": ""},
     ["raw_origins: '' names nothing: is a variable unset? Give a list, such as [\"file://\","
      ' "app://."], or [] for none; an environment variable can hold either. [origin_empty]']),
    ({"raw_origins": [None]},
     ["raw_origins: None is not a string. Is a variable unset? [wrong_type]"]),
    ({"raw_origins": "https://a.com"},
     ["raw_origins: 'https://a.com': this belongs in origins, where every check applies. List it"
      " there. [raw_origin_needless]"]),
    ({"raw_origins": "null"},
     ["raw_origins: 'null': any site can send that, from a sandboxed frame. Leave it out."
      " [raw_origin_malformed]"]),
    ({"raw_origins": "app://x y"},
     ["raw_origins: 'app://x y': an Origin is at most 320 characters of ASCII, without spaces."
      " [raw_origin_malformed]"]),
    ({"raw_origins": "APP://*"},
     ["raw_origins: 'APP://*': this is compared exactly as written, without wildcards. List what"
      " is sent. [raw_origin_malformed]"]),
    ({"raw_origins": "https://a.com/"},
     ["raw_origins: 'https://a.com/': for http and https, only origins in upper case or with the"
      " default port belong here. List what is sent. [raw_origin_malformed]"]),
    ({"raw_origins": "http://A.com", "allow_credentials": True},
     ["raw_origins: 'http://A.com' with allow_credentials=True: whoever controls the network in"
      " between can pose as that origin and act as the user. Make it use TLS and list what it"
      " sends then, or set dangerously_allow_insecure_origins=True."
      " [credentials_insecure_origin]"]),
    ({"origins": 5},
     ["origins: 5 is neither a string nor a list. Give a list, such as"
      ' ["https://app.example.com"]. [wrong_type]']),
    ({"origins": [5]},
     ["origins: 5 is not a string, a compiled pattern, a function or a source. [origin_type]"]),
    ({"origins": f"{A},"},
     [f"origins: '{A},' has an empty item: is there a comma too many, or a variable unset?"
      f' Write ["{A}"]. [origin_empty]']),
    ({"methods": ","},
     ["methods: ',' names nothing: is a variable unset? Give a list, such as [\"PUT\","
      ' "DELETE"], or [] for none; an environment variable can hold either. [name_empty]']),
    ({"origins": f"['{A}']"},
     [f"""origins: "['{A}']": a list inside a string must be JSON (double quotes, no trailing"""
      f' comma) or separated by commas, not Python. Write ["{A}"]. [list_in_string]']),
    ({"origins": re.compile(rb"x")},
     ["origins: re.compile(b'x') matches bytes; compile it from a str. [origin_type]"]),
    ({"origins": re.compile(r"^app\.a\.com$")},
     [r"origins: re.compile('^app\\.a\\.com$') can match no origin: each begins with its scheme,"
      r" and the pattern must match the whole of it. Write re.compile('https://app\\.a\\.com')."
      " [origin_regex]"]),
    ({"origins": "redis://me:secret@a:1/0"},
     ["origins: 'redis://me:***@a:1/0': this is a database, which a source reads. Write"
      " RedisOrigins(url, key='cors:origins'). [origin_invalid]"]),
    # The wildcard is refused once, with one correction.
    ({"origins": "https://*partner.com", "allow_credentials": True, "enforce": "unsafe"},
     ["origins: 'https://*partner.com': anybody can register a name under 'com' that the"
      " wildcard covers. Write 'https://*.partner.com', or set"
      " dangerously_allow_public_suffixes=True. [origin_wildcard]"]),
    ({"origins": asynchronous},
     [f"origins: {asynchronous!r} is asynchronous, but its result is needed at once. Write"
      " `def allowed(origin): ...`, without async. [origin_callable]"]),
    *(
        ({"origins": check}, [f"origins: {check!r} {words} [origin_callable]"])
        for check, words in [
            (re.compile("x").fullmatch,
             "returns a match, not True or False. Give the pattern itself, without a method."),
            (lambda: [A], "must take (origin) or (origin, request). Write `def allowed(origin):"
                          " ...`. If it returns the origins, call it: <lambda>()."),
            (lambda request: True,
             "takes one parameter, which is the origin. Write (origin, request)."),
            (lambda request, origin: True,
             "takes (request, origin), but is called with (origin, request). Swap them."),
            (Impostor.late,
             "needs an instance, as in Impostor().late."),
        ]
    ),
    ({"origins": Impostor},
     [f"origins: {Impostor!r} is not a string, a compiled pattern, a function or a source. It is a"
      " class: give an instance, Impostor(...). [origin_type]"]),
    ({"origins": impostor},
     [f"origins: {impostor!r} is asynchronous, but its result is needed at once. Write"
      " `def allowed(origin): ...`, without async. [origin_callable]"]),
    ({"origins": three},
     [f"origins: {three!r} must take (origin) or (origin, request). Write"
      " `def allowed(origin): ...`. [origin_callable]"]),
    ({"origins": [one, one.__call__]},
     ["origins: give at most one callable, which can call the others. [origin_type]"]),
    ({"origins": "https://A.com/"},
     ["origins: 'https://A.com/': an origin has no trailing slash. Write 'https://a.com'."
      " [origin_trailing_slash]",
      "origins: 'https://A.com/': browsers send origins in lower case, so this would never"
      " match. Write 'https://a.com'. [origin_case]"]),
    ({"origins": "null"},
     ["origins: any site can send the origin 'null' from a sandboxed frame, so allowing it"
      " allows everybody. Leave it out, or set dangerously_allow_null_origin=True. [null_origin]"]),
    ({"origins": "all"},
     ["origins: 'all': for everybody, write '*'. Write '*'. [origin_no_scheme]"]),
    ({"deny_origins": "all"},
     ["deny_origins: list the origins: '*', callables and sources are allowed only in origins."
      " [origin_type]"]),
    ({"deny_origins": "*"},
     ["deny_origins: list the origins: '*', callables and sources are allowed only in origins."
      " [origin_type]"]),
    ({"deny_origins": "null,x"},
     ["deny_origins: 'x': an origin starts with its scheme, such as https://. Write 'https://x'."
      " [origin_no_scheme]"]),
    ({"origins": "htps://a.com"},
     ["origins: 'htps://a.com': 'htps' is not a scheme. Write 'https://a.com'. [origin_scheme]"]),
    ({"origins": "Authorization, PUT"},
     ["origins: 'Authorization': this is a header, which belongs in allow_headers."
      " [origin_no_scheme]",
      "origins: 'PUT': this is a method, which belongs in methods. [origin_no_scheme]"]),
    ({"allow_headers": A},
     ["allow_headers: 'https://a.example.com' is not a header name, but an origin: it belongs in"
      " origins. [header_malformed]"]),
    ({"allow_headers": "GET", "expose_headers": "PUT"},
     ["allow_headers: 'GET' is a method, not a header: it belongs in methods, or nowhere."
      " [header_malformed]",
      "expose_headers: 'PUT' is a method, not a header: it belongs in methods, or nowhere."
      " [header_malformed]"]),
    ({"methods": "Content-Type"},
     ["methods: 'Content-Type' is a header, not a method: it belongs in allow_headers."
      " [method_malformed]"]),
    *(
        ({field: name}, [f"{field}: {name!r} is not {words} [{code}]"])
        for field, name, words, code in [
            ("methods", "ALL",
             "an HTTP method name, but stands for all. Write '*'.", "method_malformed"),
            ("methods", "none",
             "an HTTP method name, but stands for none. Write [].", "method_malformed"),
            ("allow_headers", "any",
             "a header name, but stands for all. Write '*'.", "header_malformed"),
            ("expose_headers", "HTTP_X_TOTAL",
             "a header name, but a key of the WSGI environ. Write 'X-Total'.", "header_malformed"),
        ]
    ),
    ({"max_age": datetime.timedelta(milliseconds=1600)},
     ["max_age: datetime.timedelta(seconds=1, microseconds=600000) is not a whole number of"
      " seconds. Write 2. [wrong_type]"]),
    ({"policy": "own"},
     ["policy: there is no policy field 'policy'. A policy, or its name, comes first, without"
      " policy=: @cors('partners'). [unknown_field]"]),
    ({"methods": "get"},
     ["methods: 'get': method names are case-sensitive. Write 'GET'. [method_case]"]),
    ({"methods": "Trace"},
     ["methods: browsers never let a page send Trace. Leave it out. [method_forbidden]"]),
    ({"methods": "G ET"},
     ["methods: 'G ET' is not an HTTP method name: commas separate names. Write"
      ' ["G", "ET"]. [method_malformed]']),
    ({"methods": ["*", "PUT"]},
     ["methods: '*' must be the only item: it makes the other methods meaningless. Write '*' for"
      ' all, or ["PUT"] for only these. [wildcard_not_alone]']),
    ({"methods": [1]},
     ["methods: 1 is not a string. [wrong_type]"]),
    ({"methods": 5},
     ['methods: 5 is neither a string nor a list. Give a list, such as ["PUT", "DELETE"].'
      " [wrong_type]"]),
    ({"allow_headers": 5},
     ["allow_headers: 5 is neither a string nor a list. Give a list, such as"
      ' ["Content-Type", "Authorization"]. [wrong_type]']),
    ({"expose_headers": [5]}, ["expose_headers: 5 is not a string. [wrong_type]"]),
    ({"allow_headers": "X\xe4"},
     ["allow_headers: 'X\xe4' is not a header name. [header_malformed]"]),
    ({"allow_headers": "Cookie"},
     ["allow_headers: browsers never let a page set Cookie. Leave it out; for cookies, set"
      " allow_credentials=True. [header_forbidden]"]),
    ({"allow_headers": "Access-Control-Allow-Origin"},
     ["allow_headers: Access-Control-Allow-Origin is a response header, which the guard writes."
      " Leave it out here, and out of the headers that the page sends. [header_is_response]"]),
    ({"expose_headers": "X:Y"},
     ["expose_headers: 'X:Y' is not a header name: it has a colon. Write 'X'."
      " [header_malformed]"]),
    ({"expose_headers": "Set-Cookie"},
     ["expose_headers: browsers never show Set-Cookie to a page. Leave it out."
      " [header_forbidden]"]),
    ({"expose_headers": "Access-Control-Request-Method"},
     ["expose_headers: Access-Control-Request-Method is a request header, which the browser"
      " writes. Leave it out. [header_is_request]"]),
    ({"expose_headers": "Access-Control-Max-Age"},
     ["expose_headers: Access-Control-Max-Age is only for the browser itself. Leave it out."
      " [header_forbidden]"]),
    ({"expose_headers": ["*", "X-A"]},
     ["expose_headers: '*' must be the only item: it makes the other names meaningless."
      " Write '*' for all, or [\"X-A\"] for only these. [wildcard_not_alone]"]),
    ({"allow_credentials": "yes"},
     ["allow_credentials: 'yes' is of type str, not bool. Write True"
      " (FLASK_CORSGUARD_ALLOW_CREDENTIALS=true in the environment, os.environ[...] == 'true' in"
      " code)."
      " [bool_expected]"]),
    ({"allow_credentials": "include"},
     ["allow_credentials: 'include' is of type str, not bool. Write True"
      " (FLASK_CORSGUARD_ALLOW_CREDENTIALS=true in the environment, os.environ[...] == 'true' in"
      " code)."
      " [bool_expected]"]),
    ({"allow_credentials": "maybe"},
     ["allow_credentials: 'maybe' is not a bool. Give True or False. [bool_expected]"]),
    ({"max_age": -1},
     ["max_age: -1 is outside 0 to 86400 seconds. Write 0. [max_age_range]"]),
    ({"max_age": datetime.timedelta(days=2)},
     ["max_age: datetime.timedelta(days=2) is outside 0 to 86400 seconds. Write 86400;"
      " Chromium keeps a preflight for at most 7200. [max_age_range]"]),
    ({"max_age": "600"},
     ["max_age: '600' is not a whole number of seconds or a timedelta. Write 600."
      " [wrong_type]"]),
    # What cannot be read is taken for what is safest: no further problem comes of it.
    ({"origins": "*", "allow_credentials": "maybe"},
     ["allow_credentials: 'maybe' is not a bool. Give True or False. [bool_expected]"]),
    ({"origins": "https://*.co.uk", "enforce": "every"},
     ["enforce: there is no enforce value 'every'. Known: all, off, report, unsafe."
      " [enforce_unknown]"]),
    ({"max_age": "86400"},
     ["max_age: '86400' is not a whole number of seconds or a timedelta. Write 86400."
      " [wrong_type]"]),
    ({"max_age": "100000"},
     ["max_age: '100000' is not a whole number of seconds or a timedelta. Give a number, such as"
      " 600. [wrong_type]"]),
    ({"max_age": "X60"},
     ["max_age: 'X60' is not a whole number of seconds or a timedelta. Give a number, such as 600."
      " [wrong_type]"]),
    ({"max_age": "ten"},
     ["max_age: 'ten' is not a whole number of seconds or a timedelta. Give a number, such as 600."
      " [wrong_type]"]),
    ({"enforce": "All"},
     ["enforce: there is no enforce value 'All'. Did you mean 'all'? [enforce_unknown]"]),
    ({"enforce": "strict"},
     ["enforce: 'strict' is not one of its values. Write enforce='unsafe'. [enforce_unknown]"]),
    ({"enforce": "every"},
     ["enforce: there is no enforce value 'every'. Known: all, off, report, unsafe."
      " [enforce_unknown]"]),
    ({"enforce": True},
     ["enforce: True is not one of its values. Write enforce='unsafe'. [enforce_unknown]"]),
    ({"enforce": False},
     ["enforce: False is not one of its values. Write enforce='off'. [enforce_unknown]"]),
    ({"enforce": None},
     ["enforce: None is not one of its values. Write enforce='off'. [enforce_unknown]"]),
    ({"enforce": "POST"},
     ["enforce: 'POST' is not one of its values. Write enforce='unsafe'. [enforce_unknown]"]),
    ({"enforce": ["POST", "PUT"]},
     ["enforce: ['POST', 'PUT'] is not one of its values. Write enforce='unsafe'."
      " [enforce_unknown]"]),
    ({"origins": "*", "allow_credentials": True},
     ["origins: '*' with allow_credentials=True would let every site on the web act as the"
      " signed-in user. List the origins that may do so, such as"
      " origins=['https://app.example.com'], or leave allow_credentials out."
      " [credentials_any_origin]"]),
    ({"origins": "http://*.a.com:8080", "allow_credentials": True},
     ["origins: 'http://*.a.com:8080' with allow_credentials=True: whoever controls the network"
      " in between can pose as that origin and act as the user. Write 'https://*.a.com:8080', or"
      " set dangerously_allow_insecure_origins=True. [credentials_insecure_origin]"]),
    ({"origins": "https://*.co.uk", "allow_credentials": True},
     ["origins: 'https://*.co.uk' with allow_credentials=True: anybody can register a name under"
      " 'co.uk' and act as the user. Name the site, such as 'https://*.your-site.co.uk', or set"
      " dangerously_allow_public_suffixes=True. [credentials_public_suffix]"]),
    ({"origins": "https://*.amazonaws.com", "allow_credentials": True},
     ["origins: 'https://*.amazonaws.com' with allow_credentials=True: anybody can register a"
      " name under 's3.amazonaws.com' and act as the user. List each host, such as"
      " 'https://your-site.s3.amazonaws.com', or set dangerously_allow_public_suffixes=True."
      " [credentials_public_suffix]"]),
    ({"origins": "https://*.amazonaws.com:*", "enforce": "unsafe"},
     ["origins: 'https://*.amazonaws.com:*' with enforce='unsafe': anybody can register a name"
      " under 's3.amazonaws.com', so nobody is kept out. List each host, such as"
      " 'https://your-site.s3.amazonaws.com', or set dangerously_allow_public_suffixes=True."
      " [enforce_public_suffix]"]),
    ({"origins": "ws://a.com", "allow_credentials": True},
     ["origins: 'ws://a.com' with allow_credentials=True: whoever controls the network in"
      " between can pose as that origin and act as the user. Write 'wss://a.com', or set"
      " dangerously_allow_insecure_origins=True. [credentials_insecure_origin]"]),
    ({"origins": "http://a.com:443", "allow_credentials": True},
     ["origins: 'http://a.com:443' with allow_credentials=True: whoever controls the network in"
      " between can pose as that origin and act as the user. Write 'https://a.com', or set"
      " dangerously_allow_insecure_origins=True. [credentials_insecure_origin]"]),
    ({"origins": "https://*.co.uk", "enforce": "report"},
     ["origins: 'https://*.co.uk' with enforce='report': anybody can register a name under"
      " 'co.uk', so nobody is kept out. Name the site, such as 'https://*.your-site.co.uk', or"
      " set dangerously_allow_public_suffixes=True. [enforce_public_suffix]"]),
    ({"origins": "*", "enforce": "all"},
     ["enforce: origins='*' lets the pages of every site read, but enforce='all' refuses their"
      " requests. For a view that everybody may read, set enforce='unsafe', which refuses only"
      " requests that could change something, or enforce='off', which refuses nothing."
      " [enforce_all_any_origin]"]),
    ({"expose_headers": "*", "allow_credentials": True},
     ["expose_headers: with allow_credentials=True, browsers take '*' as the name of a header."
      " List the names. [expose_all_with_credentials]"]),
]  # fmt: skip

# What a message ends with, and what would be right. "Name the site" names none.
SUGGESTED = re.compile(
    r"(?:Did you mean |Write (?:enforce=)?|set enforce=)"
    r"('[^']*'|\[.*?\](?=\.)|\w[\w.]*\(.*\)|\w+)"
)


@pytest.mark.parametrize(("fields", "texts"), MESSAGES, ids=[id_of(row[0]) for row in MESSAGES])
def test_each_message(fields: dict[str, Any], texts: list[str]) -> None:
    """Each problem says its field, its value, what is right instead, and a code for tools."""
    with pytest.raises(PolicyError) as caught:
        Policy(**fields)
    assert [str(problem) for problem in caught.value.problems] == texts
    for problem in caught.value.problems:
        given = fields[problem.field]
        # The value, one entry of it, or the name of a field that there is not.
        assert problem.value in (given, problem.field) or problem.value in given
        said = SUGGESTED.search(problem.message)
        suggestion = said and (said[1].strip("'") if problem.code == "unknown_field" else said[1])
        assert problem.suggestion == ("'*'" if problem.code == "wildcard_not_alone" else suggestion)


# A field, its value, the code of the problem and what is suggested.
REFUSED: list[tuple[str, Any, str, str | None]] = [
    ("origins", b"https://a.com", "wrong_type", "'https://a.com'"),
    ("origins", {A: True}, "wrong_type", None),
    ("origins", None, "wrong_type", None),
    ("origins", "", "origin_empty", None),
    ("deny_origins", one, "origin_type", None),
    ("deny_origins", "a.com", "origin_no_scheme", "'https://a.com'"),
    ("methods", "patch", "method_case", "'PATCH'"),
    ("methods", "connect", "method_forbidden", None),
    ("methods", "M" * 41, "method_malformed", None),
    ("max_age", 86401, "max_age_range", "86400"),
    ("max_age", 600.0, "wrong_type", "600"),
    ("max_age", True, "wrong_type", None),
    ("max_age", "", "wrong_type", None),
    ("max_age", "10m", "wrong_type", "600"),
    ("max_age", "10 minutes", "wrong_type", "600"),
    ("max_age", "90s", "wrong_type", "90"),
    ("max_age", "1h", "wrong_type", "3600"),
    ("max_age", "1 day", "wrong_type", "86400"),
    ("max_age", "2 days", "wrong_type", None),
    ("max_age", "10ms", "wrong_type", None),
    ("max_age", datetime.timedelta(milliseconds=1500), "wrong_type", "2"),
    ("enforce", "Unsafe", "enforce_unknown", "'unsafe'"),
    ("enforce", "repot", "enforce_unknown", "'report'"),
    ("enforce", True, "enforce_unknown", "'unsafe'"),
    ("enforce", False, "enforce_unknown", "'off'"),
    ("enforce", None, "enforce_unknown", "'off'"),
    ("enforce", 1, "enforce_unknown", "'unsafe'"),
    ("enforce", ["all"], "enforce_unknown", None),
]


@pytest.mark.parametrize(
    ("field", "value", "code", "suggestion"), REFUSED, ids=[id_of({r[0]: r[1]}) for r in REFUSED]
)
def test_refused(field: str, value: Any, code: str, suggestion: str | None) -> None:
    """Other values that are refused with one of the same sentences."""
    with pytest.raises(PolicyError) as caught:
        Policy(**{field: value})
    (problem,) = caught.value.problems
    assert (problem.code, problem.field, problem.suggestion) == (code, field, suggestion)
    assert f"[{code}]" in str(caught.value)


def test_all_problems_at_once_in_one_text() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins=["https://A.com", "b.com"], max_age=-1)
    assert str(caught.value) == (
        "3 problems:\n"
        "  - origins: 'https://A.com': browsers send origins in lower case, so this would never"
        " match. Write 'https://a.com'. If a native program sends exactly that, list it in"
        ' raw_origins=["https://A.com"]. [origin_case]\n'
        "  - origins: 'b.com': an origin starts with its scheme, such as https://."
        " Write 'https://b.com'. [origin_no_scheme]\n"
        "  - max_age: -1 is outside 0 to 86400 seconds. Write 0. [max_age_range]"
    )
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems
    assert isinstance(caught.value, ValueError)


def test_problems_of_each_kind_in_one_policy() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(max_age=-1, orgins="*", origins="*", allow_credentials=True)  # type: ignore[call-arg]
    assert [problem.code for problem in caught.value.problems] == [
        "max_age_range",
        "unknown_field",
        "credentials_any_origin",
    ]


def test_a_problem_says_where() -> None:
    problem = Problem("code", "origins", "x", "is wrong.", None, "view a")
    assert str(problem) == "view a: origins: is wrong. [code]"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["true", "True", "TRUE", "1", "yes", "on", " On ", "'on'", 1], "True"),
        (["false", "False", "FALSE", "0", "no", "off", " Off ", '"no"', "", 0], "False"),
        (["y", "n", "t", "f", "2", "-1", "none", "Xon", "oof", None, 2, [], [True]], None),
    ],
    ids=["true", "false", "neither"],
)
def test_words_that_look_like_a_bool(words: list[Any], meant: str | None) -> None:
    for word in words:
        with pytest.raises(PolicyError) as caught:
            Policy(allow_credentials=word)
        assert [p.suggestion for p in caught.value.problems] == [meant]


# With credentials

INSECURE = """
    http://a.com ws://a.com http://aws:8443 http://128.0.0.1 http://notlocalhost http://http:8080
"""
SECURE = """
    https://a.com wss://a.com app://a.com xhttp://a.com news://a.com https://aws:8443
    https://http:8443 http://localhost http://a.localhost:1 http://*.localhost http://127.0.0.1
    http://[::1]
"""


def test_which_schemes_are_safe_with_credentials() -> None:
    """Insecure schemes are refused, and the suggestion differs only in the scheme."""
    for origin in SECURE.split():
        assert Policy(origins=origin, allow_credentials=True).allow_credentials
    for origin in INSECURE.split():
        with pytest.raises(PolicyError) as caught:
            Policy(origins=origin, allow_credentials=True)
        (problem,) = caught.value.problems
        assert problem.code == "credentials_insecure_origin"
        assert problem.suggestion == repr(origin.replace("://", "s://"))


def test_checks_wait_for_what_is_known_further_out() -> None:
    assert check_combination({}) == []
    assert check_combination({"origins": "*"}) == []
    assert check_combination({"allow_credentials": True}) == []
    found = check_combination({"origins": "*", "allow_credentials": True})
    assert [problem.code for problem in found] == ["credentials_any_origin"]
    assert check_combination({"origins": "*", "allow_credentials": False}) == []
    assert check_combination({"enforce": "all"}) == []
    found = check_combination({"origins": "*", "enforce": "all"})
    assert [(problem.code, problem.suggestion) for problem in found] == [
        ("enforce_all_any_origin", "'unsafe'")
    ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"allow_credentials": True}, "credentials_public_suffix"),
        ({"enforce": "unsafe"}, "enforce_public_suffix"),
        ({"enforce": "report"}, "enforce_public_suffix"),
    ],
    ids=["credentials", "unsafe", "report"],
)
def test_a_public_suffix_that_somebody_sells_names_under(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins="https://*.github.io", **fields)
    assert [problem.code for problem in caught.value.problems] == [code]
