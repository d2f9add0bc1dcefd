"""nginx as a cache in front of an app: no answer of one origin ever reaches another.

What the cache gives is compared with what the app says to the same request when asked itself. Where
the app leaves ``Vary`` out, or the cache ignores it, the same comparison finds what is wrong.

``python -m tests.recipes.record docs/migrating/caches.md`` writes the blocks of the page anew.
"""

import itertools
import random
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from .caching import Got, Ports, Sequence, cached, get, measured, sequences_of
from .recipes import PAGES

SEQUENCES = list(sequences_of(PAGES / "caches.md"))
APP = Path(__file__).with_name("cached_app.py").read_text("utf-8")
PROXY = """\
proxy_cache_path /var/cache/nginx keys_zone=app:10m;
server {
    listen 80;
    location / {
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $http_host;
        proxy_cache app;
        proxy_cache_valid any 10m;
        %s
    }
}
"""
KEY_WITH_ORIGIN = 'proxy_cache_key "$scheme$http_host$request_uri $http_origin";'
IGNORING = "proxy_ignore_headers Vary;"


class Client(NamedTuple):
    """Who asks, and how."""

    origin: str | None = None
    site: str | None = None
    method: str = "GET"
    requested: str | None = None
    etag: str | None = None
    tenant: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The request's headers."""
        fields = {
            "Host": "api.example.com",
            "Origin": self.origin,
            "Sec-Fetch-Site": self.site,
            "Access-Control-Request-Method": self.requested,
            "If-None-Match": self.etag,
            "X-Tenant": self.tenant,
        }
        return {name: value for name, value in fields.items() if value}


SHOP = Client("https://shop.example")
PARTNER = Client("https://partner.example")
ATTACKER = Client("https://attacker.example")
NOBODY = Client()
ALL = [SHOP, PARTNER, ATTACKER, NOBODY]

numbers = itertools.count()


def ask(port: int, path: str, client: Client) -> Got:
    return get(port, path, client.fields, client.method)


def asked(ports: Ports, path: str, clients: Iterable[Client]) -> list[tuple[Client, Got, Got]]:
    """Ask the cache for a URL that it has never seen; beside each answer, the app's own."""
    url = f"{path}?{next(numbers)}"
    through = [(client, ask(ports.cache, url, client)) for client in clients]
    own = {client: ask(ports.app, url, client) for client, _ in through}
    return [(client, got, own[client]) for client, got in through]


def astray(answers: Iterable[tuple[Client, Got, Got]]) -> list[Client]:
    """Who got what the app would not have said to them."""
    return [who for who, got, own in answers if (got.answer, got.body) != (own.answer, own.body)]


def in_every_order(
    ports: Ports, path: str, clients: Iterable[Client]
) -> Iterator[list[tuple[Client, Got, Got]]]:
    """The answers in every order, and in each of them twice, so that the second round is from the
    cache. Nobody gets what the app would not have said to them."""
    for order in itertools.permutations(clients):
        answers = asked(ports, path, order * 2)
        assert astray(answers) == []
        yield answers


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """The app behind a cache that heeds ``Vary``."""
    with cached(PROXY % "", APP, tmp_path_factory.mktemp("cache")) as ports:
        yield ports


@pytest.mark.parametrize("sequence", SEQUENCES, ids=[sequence.place for sequence in SEQUENCES])
def test_the_cache_answers_as_the_page_says(sequence: Sequence, tmp_path: Path) -> None:
    assert measured(sequence, tmp_path) == sequence.told


FOR_A_LIST = dict.fromkeys(("/list", "/pattern", "/callable", "/denied", "/credentials"), 200)
FOR_A_LIST |= {"/static/data.json": 200, "/streamed": 200, "/vary/twice": 200, "/moved": 302}
FOR_A_LIST |= {f"/several/{name}": 200 for name in ("star", "star-denied", "but-one", "closed")}
FOR_A_LIST |= {"/several/unknown": 404, "/several/moved": 302}
FOR_A_LIST |= {"/refused": 403, "/unknown": 404, "/static/unknown.json": 404, "/broken": 500}


@pytest.mark.parametrize("path", FOR_A_LIST)
def test_no_answer_of_one_origin_reaches_another(ports: Ports, path: str) -> None:
    for answers in in_every_order(ports, path, ALL):
        assert {got.answer.status for _, got, _ in answers} == {FOR_A_LIST[path]}
        assert len({got.number for _, got, _ in answers}) == len(ALL), "the second round is stored"


FOR_EVERYBODY = (("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "X-Total"))


@pytest.mark.parametrize(
    "path", ["/all", "/all/broken", "/static/fonts/body.woff2", "/static/unknown.css"]
)
def test_everybody_gets_the_same_answer(ports: Ports, path: str) -> None:
    for answers in in_every_order(ports, path, ALL):
        assert {got.answer.lines for _, got, _ in answers} == {FOR_EVERYBODY}
        assert len({got.number for _, got, _ in answers}) == 1, "the app is asked once"


TENANTS = [
    SHOP._replace(tenant="shop"),
    SHOP._replace(tenant="partner"),
    PARTNER._replace(tenant="partner"),
    NOBODY._replace(tenant="shop"),
]
FOR_A_TENANT = {
    "list": 200,
    "streamed": 200,
    "several": 200,
    "moved": 302,
    "broken": 500,
    "no": 404,
}


@pytest.mark.parametrize("path", FOR_A_TENANT)
def test_no_answer_of_one_tenant_reaches_another(ports: Ports, path: str) -> None:
    """The names in ``origins_vary`` are in the cache's key, on every kind of answer."""
    for answers in in_every_order(ports, f"/tenants/{path}", TENANTS):
        assert {got.answer.status for _, got, _ in answers} == {FOR_A_TENANT[path]}
        assert len({got.number for _, got, _ in answers}) == len(TENANTS)
        allowed = [client for client, got, _ in answers if is_admitted(got, client)]
        assert set(allowed) == {TENANTS[0], TENANTS[2]}


def is_admitted(got: Got, client: Client) -> bool:
    return ("Access-Control-Allow-Origin", client.origin) in got.answer.lines


def test_what_one_tenant_is_refused_reaches_no_other(ports: Ports) -> None:
    for answers in in_every_order(ports, "/tenants/strict", TENANTS[:3]):
        passed = [client for client, got, _ in answers if got.answer.status == 200]
        assert set(passed) == {TENANTS[0], TENANTS[2]}


def test_without_its_name_a_header_is_not_in_the_key(ports: Ports) -> None:
    """The same callable, without ``origins_vary``."""
    assert astray(asked(ports, "/unnamed", TENANTS[:2])) == [TENANTS[1]]
    assert astray(asked(ports, "/unnamed", TENANTS[1::-1])) == [TENANTS[0]]


def test_head_and_get_share_what_is_stored(ports: Ports) -> None:
    clients = [client._replace(method=m) for client in (SHOP, PARTNER) for m in ("GET", "HEAD")]
    once = len(clients)
    for order in itertools.permutations(clients):
        # nginx answers HEAD before it has stored what it fetched. So it may ask the app more often
        # than there are origins; in the third round no more.
        answers = asked(ports, "/list", order * 3)
        assert astray(answers) == []
        numbers = [got.number for _, got, _ in answers]
        assert set(numbers[-once:]) <= set(numbers[:-once])


def test_not_modified_is_told_to_each_in_their_own_words(ports: Ports) -> None:
    etag = get(ports.app, "/soon", {}).etag
    again = [client._replace(etag=etag) for client in (SHOP, PARTNER, ATTACKER)]
    for answers in in_every_order(ports, "/soon", [*again, SHOP]):
        for client, got, _ in answers:
            assert got.answer.status == (304 if client.etag else 200)


def test_what_is_revalidated_stays_with_its_origin(tmp_path: Path) -> None:
    orders = list(itertools.permutations([SHOP, PARTNER, NOBODY]))
    requests = [(f"/soon?{n}", client) for n, order in enumerate(orders) for client in order]
    with cached(PROXY % "proxy_cache_revalidate on;", APP, tmp_path) as ports:

        def one_round() -> list[tuple[Client, Got, Got]]:
            return [
                (client, ask(ports.cache, url, client), ask(ports.app, url, client))
                for url, client in requests
            ]

        first = one_round()
        time.sleep(2.1)
        second = one_round()
    assert astray(first) == astray(second) == []
    assert [got.number for _, got, _ in second] == [got.number for _, got, _ in first], "kept on"
    assert second[-1][2].number == 4 * len(requests), "the app was asked each time"


def test_preflights_are_not_stored(ports: Ports) -> None:
    preflights = [client._replace(method="OPTIONS", requested="PUT") for client in (SHOP, ATTACKER)]
    for answers in in_every_order(ports, "/list", [*preflights, SHOP, NOBODY]):
        times = [got.number for client, got, _ in answers if client.requested]
        assert len(set(times)) == len(times)
        assert {got.answer.status for client, got, _ in answers if client.requested} == {204, 403}


def test_refusals_are_not_stored_and_nothing_that_is_stored_gets_past_them(ports: Ports) -> None:
    cross_site = [client._replace(site="cross-site") for client in (SHOP, ATTACKER, NOBODY)]
    caused = [*cross_site, Client(site="same-origin"), NOBODY]
    for answers in in_every_order(ports, "/strict", caused):
        refused = [got.number for _, got, _ in answers if got.answer.status == 403]
        assert len(set(refused)) == len(refused) == 4
        passed = [got.number for _, got, _ in answers if got.answer.status == 200]
        assert (len(passed), len(set(passed))) == (6, 3)


def test_many_at_once(tmp_path: Path) -> None:
    chance = random.Random(5)
    urls = [f"/list?{n}" for n in range(50)]
    requests = [(url, client) for url in urls for client in ALL * 2]
    chance.shuffle(requests)
    locking = PROXY % "proxy_cache_lock on;"
    with cached(locking, APP, tmp_path) as ports, ThreadPoolExecutor(8) as threads:
        own = {client: ask(ports.app, "/list", client) for client in ALL}
        got = threads.map(lambda one: ask(ports.cache, *one), requests)
        answers = [(who, answer, own[who]) for (_, who), answer in zip(requests, got, strict=True)]
    assert astray(answers) == []


BARE = """\
from flask import Flask, request
from flask_cors import CORS
app = Flask(__name__)

@app.get("/list")
def list_():
    return "for everybody"
"""
WITHOUT_VARY = f"""{BARE}
@app.after_request
def allow(response):
    if request.headers.get("Origin") in ("https://shop.example", "https://partner.example"):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
    return response
"""
FLASK_CORS = f"{BARE}CORS(app, origins=%s)"
TWO = [SHOP.origin, PARTNER.origin]
# A cache's options and an app that are no good together; who asks, one after the other, and who of
# them gets the answer of another.
WRONG = {
    "by hand, shop first": ("", WITHOUT_VARY, [SHOP, PARTNER], [PARTNER]),
    "by hand, attacker first": ("", WITHOUT_VARY, [ATTACKER, SHOP], [SHOP]),
    "by hand, nobody first": ("", WITHOUT_VARY, [NOBODY, SHOP, PARTNER], [SHOP, PARTNER]),
    "Flask-CORS, one origin": ("", FLASK_CORS % [SHOP.origin], [ATTACKER, SHOP], [SHOP]),
    "Flask-CORS, two origins": ("", FLASK_CORS % TWO, [ATTACKER, SHOP], [SHOP]),
    "a cache that ignores Vary": (IGNORING, APP, [SHOP, PARTNER, NOBODY], [PARTNER, NOBODY]),
}


@pytest.mark.parametrize(("options", "text", "order", "wronged"), WRONG.values(), ids=WRONG)
def test_what_goes_wrong_is_seen(
    options: str, text: str, order: list[Client], wronged: list[Client], tmp_path: Path
) -> None:
    with cached(PROXY % options, text, tmp_path) as ports:
        answers = asked(ports, "/list", order)
    assert astray(answers) == wronged
    (_, first, _), *others = answers
    assert {got.number for client, got, _ in others if client in wronged} == {first.number}


# What a policy with * sends where it is the only one: no Vary.
STAR_WITHOUT_VARY = """

class Outer:
    def __init__(self, wrapped):
        self.wrapped = wrapped

    def __call__(self, environ, start_response):
        def start(status, headers, exc_info=None):
            if ("Access-Control-Allow-Origin", "*") in headers:
                headers = [header for header in headers if header[0] != "Vary"]
            return start_response(status, headers, exc_info)
        return self.wrapped(environ, start)

app.wsgi_app = Outer(app.wsgi_app)
"""
SEVERAL_WRONG = {
    "* without Vary": ("", APP + STAR_WITHOUT_VARY, [ATTACKER, SHOP, NOBODY], [SHOP, NOBODY]),
    "a cache that ignores Vary": (IGNORING, APP, [SHOP, ATTACKER, NOBODY], [ATTACKER, NOBODY]),
}


@pytest.mark.parametrize(
    ("options", "text", "order", "wronged"), SEVERAL_WRONG.values(), ids=SEVERAL_WRONG
)
def test_what_goes_wrong_with_several_policies_is_seen(
    options: str, text: str, order: list[Client], wronged: list[Client], tmp_path: Path
) -> None:
    with cached(PROXY % options, text, tmp_path) as ports:
        assert astray(asked(ports, "/several/star", order)) == wronged


SECOND_LINE = """

class Outer:
    def __init__(self, wrapped):
        self.wrapped = wrapped

    def __call__(self, environ, start_response):
        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("Vary", "Accept-Encoding")], exc_info)
        return self.wrapped(environ, start)

app.wsgi_app = Outer(app.wsgi_app)
"""


@pytest.mark.parametrize("options", ["", KEY_WITH_ORIGIN])
def test_a_second_line_of_vary(options: str, tmp_path: Path) -> None:
    with cached(PROXY % options, APP + SECOND_LINE, tmp_path) as ports:
        answers = asked(ports, "/list", [SHOP, PARTNER, NOBODY])
    told = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    version = tuple(map(int, re.findall(r"\d+", told)[:2]))
    # What nginx 1.23.0 has put right: of several lines, only the last counted.
    reads_all = version > (1, 22) or options
    assert astray(answers) == ([] if reads_all else [PARTNER, NOBODY])


def test_a_key_with_the_origin_does_for_vary(tmp_path: Path) -> None:
    with cached(PROXY % (IGNORING + KEY_WITH_ORIGIN), APP, tmp_path) as ports:
        for answers in in_every_order(ports, "/list", ALL):
            assert len({got.number for _, got, _ in answers}) == len(ALL)
        # But not for the rest of what stands in it.
        page, site = Client(site="same-origin"), Client(site="cross-site")
        assert astray(asked(ports, "/strict", [page, site])) == [site]
