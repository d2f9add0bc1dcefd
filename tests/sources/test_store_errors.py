"""What the errors of stores do not say."""

import base64
import itertools
from urllib.parse import quote, quote_plus

import pytest

from flask_corsguard.sources.store_errors import Secrets, StoreError

PASSWORD = "p+ä ss/\\'w"


@pytest.mark.parametrize(
    "written",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe="").lower(),
        quote_plus(PASSWORD),
        repr(PASSWORD),
        repr(PASSWORD.encode()),
        repr(["AUTH", PASSWORD]),
        f"redis://user:{quote(PASSWORD, safe='')}@host",
    ],
    ids=itertools.count(),
)
@pytest.mark.parametrize(
    "url",
    [
        "redis://user:{}@host:1/0",
        "redis://:{}@host",
        "unix:///redis.sock?db=1&password={}",
        "postgresql+psycopg://user:{}@one,two/database?sslmode=require",
        "postgresql://host/database?user=shop&Password={}#end",
    ],
    ids=itertools.count(),
)
def test_a_password_in_any_form(url: str, written: str) -> None:
    secrets = Secrets(url.format(quote(PASSWORD, safe="")), [])
    with pytest.raises(StoreError) as caught, secrets.kept():
        raise ValueError(f"cannot connect:\n  {written} is wrong")
    for text in (str(caught.value), repr(caught.value)):
        assert "ss" not in text.replace("***", "")
        assert "cannot connect: " in text
        assert " is wrong" in text
    assert caught.value.__suppress_context__


def test_a_password_that_the_client_has_read_otherwise() -> None:
    """Unencoded, as SQLAlchemy takes it."""
    secrets = Secrets("postgresql://user:a/b?c@d@host/database", ["a/b?c"])
    assert secrets.hidden("a/b?c, a%2Fb%3Fc") == "***, ***"


def test_what_has_no_secret_stays_as_it_is() -> None:
    text = "redis://host:6379/0 " + base64.b64encode(bytes(range(256))).decode()
    for url in ("redis://host:6379/0", "sqlite:////srv/shop.db", "", "@", "://@"):
        assert Secrets(url).hidden(text) == text


def test_what_ends_the_process_is_left_alone() -> None:
    with pytest.raises(KeyboardInterrupt), Secrets("redis://a:b@c").kept():
        raise KeyboardInterrupt
