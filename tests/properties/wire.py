"""What has to hold for any request: nothing that is sent gets through, or gets in the way."""

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask

from flask_corsguard import Outcome, Reason
from tests.properties import meaning, standard
from tests.properties.checks import PREFLIGHT_VARY, granted
from tests.properties.lists import is_customer_there
from tests.properties.meaning import Fields
from tests.properties.site import LOG, SELF_ORIGINS, VERDICT, Applied, Site

Environ = Mapping[str, str]
HOSTS = ("api.test", "API.test:443", "api.test:80", "localhost:8000", "[::1]:5000")


class Answer(NamedTuple):
    """A response, as it goes out, and what the guard had decided, if there is one."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    verdict: tuple[Outcome, Reason | None] | None

    @property
    def cors(self) -> dict[str, str]:
        """The headers that say who may read."""
        return {name: value for name, value in self.headers if _is_cors(name)}

    @property
    def vary(self) -> set[str]:
        value = standard.get(self.headers, "Vary") or ""
        return {name.strip().lower() for name in value.split(",") if name.strip()}

    @property
    def others(self) -> list[tuple[str, str]]:
        return [(n, v) for n, v in self.headers if not _is_cors(n) and n.lower() != "vary"]


def _is_cors(name: str) -> bool:
    return name.lower().startswith("access-control-")


def environ_of(
    method: str, path: str, headers: Mapping[str, str], scheme: str = "https"
) -> Environ:
    """A WSGI environment. The headers are named as they are in it, without ``HTTP_``."""
    environ = {f"HTTP_{name}": value for name, value in headers.items()}
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "api.test",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": scheme,
        **environ,
    }


def ask(app: Flask, environ: Environ) -> Answer:
    """Send one request, as a server does."""
    started: list[Any] = []
    own: dict[str, Any] = {**environ, "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO()}
    body = app.wsgi_app(own, lambda *arguments: started.append(arguments))
    try:
        content = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    (status, headers, *_), *more = started
    assert not more
    return Answer(int(status[:3]), list(headers), content, own.get(VERDICT))


def check_request(site: Site, environ: Environ) -> None:
    """One request, sent twice: whatever is remembered of it, the answer is the same."""
    try:
        bare = ask(site.bare, environ)
    except Exception:
        return  # nothing that a guard could put right
    LOG.broken.clear()  # lines of other tests' apps
    answer = ask(site.guarded, environ)
    assert ask(site.guarded, environ) == answer
    assert not LOG.broken, LOG.broken
    _check_headers(answer)
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"].upper()
    is_preflight = (
        method == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )
    asked = environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"] if is_preflight else method
    # If something else is odd as well, the answer must still be that of one of the policies.
    is_plain = environ.get("HTTP_HOST") in (None, *HOSTS) and environ["wsgi.url_scheme"][0] == "h"
    objections: list[AssertionError] = []
    for applied in site.candidates(path, asked.upper(), is_plain):
        try:
            if applied.fields is None:
                assert answer == bare._replace(verdict=(Outcome.EXEMPT, None))
            elif is_preflight:
                _check_preflight(applied, applied.fields, environ, answer, bare)
            else:
                _check_actual(applied.fields, environ, answer, bare)
        except AssertionError as objection:
            objections.append(objection)
        else:
            return
    raise AssertionError(environ, answer, bare) from objections[0]


def _check_headers(answer: Answer) -> None:
    names = [name.lower() for name, _ in answer.headers if _is_cors(name)]
    assert len(names) == len(set(names))
    for name, value in answer.headers:
        assert type(value) is str
        assert standard.is_token(name)
        assert not set("\r\n\0") & set(value)
        value.encode("latin-1")


def _check_actual(fields: Fields, environ: Environ, answer: Answer, bare: Answer) -> None:
    origin = environ.get("HTTP_ORIGIN")
    reason = None if origin is None else meaning.against_origin(fields, origin)
    method = environ["REQUEST_METHOD"].upper()
    verdict = meaning.verdict(fields, environ, SELF_ORIGINS, reason, method)
    assert answer.verdict == verdict
    if verdict[0] is Outcome.REJECTED and _is_refused(fields, environ):
        _check_refused(fields, environ, answer)
    elif meaning.stands(fields, bare.cors):
        _check_overridden(answer, bare)
    elif meaning.is_constant(fields):
        _check_untouched(answer, bare, granted(fields, "*"), _of_everyone(fields))
    elif origin is not None and reason is None:
        is_all = fields["enforce"] == "all"
        looked_at = "Origin, Sec-Fetch-Site" if is_all else "Origin"
        _check_untouched(answer, bare, granted(fields, origin), _names(fields, looked_at))
    else:
        _check_untouched(answer, bare, {}, _names(fields))


def _names(fields: Fields, first: str = "Origin") -> set[str]:
    """What a response varies by, in lower case."""
    return set(meaning.vary(fields, first).lower().split(", "))


def _of_everyone(fields: Fields) -> set[str]:
    """The same where everybody may read, whoever asks; but the view may say something else."""
    return {"origin"} if fields.get("dangerously_let_views_override") else set()


def _is_refused(fields: Fields, environ: Environ) -> bool:
    method = environ["REQUEST_METHOD"].upper()
    return fields["enforce"] != "report" and meaning.is_refusable(fields, environ, method)


def _check_untouched(
    answer: Answer, bare: Answer, expected: Mapping[str, str], vary: set[str]
) -> None:
    assert (answer.status, answer.body) == (bare.status, bare.body)
    assert answer.others == bare.others
    assert answer.cors == expected
    assert answer.vary == bare.vary | vary if expected else answer.vary >= bare.vary | vary


def _check_overridden(answer: Answer, bare: Answer) -> None:
    assert (answer.status, answer.body) == (bare.status, bare.body)
    assert answer.others == bare.others
    assert answer.cors == bare.cors
    assert answer.vary >= bare.vary | {"origin"}


def _check_refused(fields: Fields, environ: Environ, answer: Answer) -> None:
    assert (answer.status, answer.cors) == (403, {})
    assert answer.vary >= _names(fields, "Origin, Sec-Fetch-Site")
    assert standard.get(answer.headers, "Cache-Control") == "no-store"
    assert (b"refused" in answer.body) is (environ["REQUEST_METHOD"].upper() != "HEAD")


def _check_preflight(
    applied: Applied, fields: Fields, environ: Environ, answer: Answer, bare: Answer
) -> None:
    origin = environ["HTTP_ORIGIN"]
    method = environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"]
    requested = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    private = environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true"
    about_origin = meaning.against_origin(fields, origin)
    reason = about_origin or meaning.against_preflight(
        fields, method, applied.accepted, requested, private, origin
    )
    answers = fields.get("answer_preflight", True)
    verdict = meaning.verdict(fields, environ, SELF_ORIGINS, reason, method)
    assert answer.verdict == verdict
    is_own = verdict[0] is Outcome.SAME_ORIGIN
    is_refused = reason is None and verdict[0] is Outcome.REJECTED
    if verdict[1] is Reason.SPECULATIVE or (is_refused and fields["enforce"] != "report"):
        _check_refused(fields, environ, answer)
    elif is_own and meaning.stands(fields, bare.cors):
        _check_overridden(answer, bare)
    elif reason is not None and is_own:
        is_constant = meaning.is_constant(fields)
        cors = granted(fields, "*") if is_constant else {}
        vary = _of_everyone(fields) if is_constant else _names(fields)
        _check_untouched(answer, bare, cors, vary)
    elif not (answers or _is_refused(fields, environ)) and meaning.stands(fields, bare.cors):
        _check_overridden(answer, bare)
    elif reason is None:
        is_apps = is_own or not answers
        _check_allowed_preflight(applied, fields, environ, answer, bare if is_apps else None)
    elif answers:
        _check_refused_preflight(fields, answer, reason)
    elif about_origin is not None and _is_refused(fields, environ):
        _check_refused(fields, environ, answer)
    else:
        _check_untouched(answer, bare, {}, _names(fields, PREFLIGHT_VARY))


def _check_refused_preflight(fields: Fields, answer: Answer, reason: Reason) -> None:
    assert (answer.status, answer.cors) == (403, {})
    assert standard.get(answer.headers, "Vary") == meaning.vary(fields, PREFLIGHT_VARY)
    assert standard.get(answer.headers, "Content-Type") == "application/problem+json"
    assert f'"{reason.name}"'.encode() in answer.body


def _check_allowed_preflight(
    applied: Applied, fields: Fields, environ: Environ, answer: Answer, bare: Answer | None
) -> None:
    origin = environ["HTTP_ORIGIN"]
    method = environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"]
    requested = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    asked = meaning.read_requested_headers(requested) or []
    if bare is None:
        assert (answer.status, answer.body) == (204, b"")
        assert standard.get(answer.headers, "Vary") == meaning.vary(fields, PREFLIGHT_VARY)
    else:
        assert (answer.status, answer.body, answer.others) == (bare.status, bare.body, bare.others)
        assert answer.vary == bare.vary | _names(fields, PREFLIGHT_VARY)
    # What a browser makes of it
    for credentials in (False, True):
        goes_on = standard.preflight_check(
            origin, method, asked, credentials, answer.status, answer.headers
        )
        assert goes_on is (not credentials or fields.get("allow_credentials", False))
    sent = answer.cors
    everyone = meaning.is_constant(fields)
    assert sent.pop("Access-Control-Allow-Origin") == ("*" if everyone else origin)
    assert sent.pop("Access-Control-Allow-Credentials", None) == (
        "true" if fields.get("allow_credentials") else None
    )
    is_private = "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK" in environ
    assert is_private or "Access-Control-Allow-Private-Network" not in sent
    _check_remembered(applied, environ, sent)


def _check_remembered(applied: Applied, environ: Environ, sent: Mapping[str, str]) -> None:
    """A browser keeps the answer for the whole URL: it must not speak for another policy there."""
    method = environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"]
    listed = standard.read_tokens(sent.get("Access-Control-Allow-Methods", "")) or []
    fields, _, at_url = applied
    others = {name for name, other in at_url.items() if other != fields}
    assert not others & set(listed) - {method}
    forgets = meaning.may_look_at_method(fields or {}, is_customer_there)
    assert not forgets or listed == [method]
    max_age = sent.get("Access-Control-Max-Age")
    wanted = (fields or {}).get("max_age", 600)
    if forgets or others & set(standard.SAFELISTED_METHODS):
        assert max_age == "0"
    elif at_url:
        assert max_age == (None if wanted is None else str(wanted))
