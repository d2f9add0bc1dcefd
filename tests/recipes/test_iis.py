"""The model of the CORS module of IIS does what the module's reference says."""

import pytest

from .iis import answer, read

APP = "https://app.example.com"
ANYBODY = "https://anybody.example"
LISTED = f'<add origin="{APP}" />'
EVERYBODY = '<add origin="*" />'
EXCEPT = '<add origin="*" /><add origin="https://*.example.com" allowed="false" />'
NESTED = f'<add origin="https://*.example.com" maxAge="1" /><add origin="{APP}" maxAge="2" />'
FULL = f"""
<add origin="{APP}" allowCredentials="true" maxAge="120">
  <allowHeaders><add header="X-One" /><add header="X-Two" /></allowHeaders>
  <allowMethods><add method="PUT" /></allowMethods>
  <exposeHeaders><add header="X-Total" /></exposeHeaders>
</add>"""
REQUESTED = f'<add origin="{APP}"><allowHeaders allowAllRequestedHeaders="true" /></add>'
VARY = "Vary: Origin"


def config(rules: str, attributes: str) -> str:
    cors = f"<cors {attributes}>{rules}</cors>"
    return f"<configuration><system.webServer>{cors}</system.webServer></configuration>"


def to(origin: str) -> str:
    return f"Access-Control-Allow-Origin: {origin}"


HEADERS, MAX_AGE = "Access-Control-Allow-Headers: ", "Access-Control-Max-Age: "
METHODS = "Access-Control-Allow-Methods: PUT"
CREDENTIALS = "Access-Control-Allow-Credentials: true"
SUB = "https://a.b.example.com"
# Whether unlisted origins fail, the rules, whether it is a preflight, the origin, the answer.
RULES: dict[str, tuple[bool, str, bool, str | None, list[object]]] = {
    "listed": (True, LISTED, False, APP, [200, to(APP), VARY]),
    "unlisted, failing": (True, LISTED, False, ANYBODY, [403, VARY]),
    "a look-alike": (True, LISTED, False, f"{APP}.attacker.example", [403, VARY]),
    "unlisted": (False, LISTED, False, ANYBODY, [200, VARY]),
    "unlisted, preflight": (True, LISTED, True, ANYBODY, [403, VARY]),
    "no origin": (True, LISTED, False, None, [200]),
    "everybody": (True, EVERYBODY, False, ANYBODY, [200, to("*")]),
    "everybody else, named": (True, EXCEPT, False, ANYBODY, [200, to(ANYBODY), VARY]),
    "disallowed, failing": (True, EXCEPT, False, APP, [403, VARY]),
    "disallowed": (False, EXCEPT, False, APP, [200, VARY]),
    "the most specific": (True, NESTED, True, APP, [204, to(APP), MAX_AGE + "2", VARY]),
    "the less specific": (True, NESTED, True, SUB, [204, to(SUB), MAX_AGE + "1", VARY]),
    "a wildcard without a sub-domain": (True, NESTED, False, "https://.example.com", [403, VARY]),
    "a wildcard and the apex": (True, NESTED, False, "https://example.com", [403, VARY]),
    "all, actual": (
        *(True, FULL, False, APP),
        [200, to(APP), CREDENTIALS, "Access-Control-Expose-Headers: X-Total", VARY],
    ),
    "all, preflight": (
        *(True, FULL, True, APP),
        [204, to(APP), CREDENTIALS, HEADERS + "X-One, X-Two", METHODS, MAX_AGE + "120", VARY],
    ),
    "requested headers": (True, REQUESTED, True, APP, [204, to(APP), HEADERS + "x-one", VARY]),
}


@pytest.mark.parametrize(
    ("fails", "rules", "preflight", "origin", "wanted"), RULES.values(), ids=RULES
)
def test_a_rule_of_the_reference(
    fails: bool, rules: str, preflight: bool, origin: str | None, wanted: list[object]
) -> None:
    text = config(rules, f'enabled="true" failUnlistedOrigins="{str(fails).lower()}"')
    fields = {"Origin": origin} if origin else {}
    if preflight:
        fields["Access-Control-Request-Method"] = "PUT"
        fields["Access-Control-Request-Headers"] = "x-one"
    status, headers = answer(read(text), "OPTIONS" if preflight else "GET", fields)
    assert [status, *(f"{name}: {value}" for name, value in headers)] == wanted


def test_what_is_not_enabled_does_nothing() -> None:
    module = read(config(LISTED, 'failUnlistedOrigins="true"'))
    assert answer(module, "GET", {"Origin": ANYBODY}) == (200, [])


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        ('<add origin="*" alowed="false" />', AssertionError),
        ('<add origin="*" allowed="no" />', KeyError),
        ('<add origin="*"><allowOrigins /></add>', KeyError),
    ],
)
def test_what_nobody_documents_is_an_error(rules: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(config(rules, 'enabled="true"'))
