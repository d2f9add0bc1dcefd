"""The tables of the pages name every option of the package that they are about, and no other."""

import inspect
import re
from importlib.metadata import version

import pytest

from ..listening import require
from .iis import ATTRIBUTES
from .originals import ORIGINALS
from .packages import node_modules
from .recipes import PAGES

_ROW = re.compile(r"^\| (.+?) \|", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Za-z_]+")


def first_column(page: str) -> str:
    """Of the table in the section ``Each …``."""
    _, _, table = (PAGES / page).read_text("utf-8").partition("\n## Each ")
    cells = _ROW.findall(table.partition("\n## ")[0])
    return " ".join(code for cell in cells for code in _CODE.findall(cell))


def starlette() -> set[str]:
    from starlette.middleware.cors import CORSMiddleware

    return set(inspect.signature(CORSMiddleware).parameters) - {"app"}


def django() -> set[str]:
    from corsheaders import conf, signals

    settings = set(re.findall(r"CORS_[A-Z_]+", inspect.getsource(conf)))
    return settings | {name for name in vars(signals) if name.startswith("check_")}


def quart() -> set[str]:
    import quart_cors

    functions = (quart_cors.cors, quart_cors.route_cors, quart_cors.websocket_cors)
    options = {name for function in functions for name in inspect.signature(function).parameters}
    return (options - {"app_or_blueprint"}) | set(quart_cors.DEFAULTS) | set(quart_cors.__all__)


PACKAGES = {
    "starlette.md": (starlette, "starlette", "Starlette with version"),
    "django-cors-headers.md": (django, "corsheaders", "Django with django-cors-headers"),
    "quart-cors.md": (quart, "quart_cors", "Quart with Quart-CORS"),
}


@pytest.mark.parametrize("page", PACKAGES)
def test_a_page_names_every_option_and_the_version_that_was_measured(page: str) -> None:
    options, module, words = PACKAGES[page]
    require([module, "hypercorn"])
    assert set(_NAME.findall(first_column(page))) == options()
    package = {"corsheaders": "django-cors-headers"}.get(module, module)
    number = ".".join(version(package).split(".")[:2])
    text = " ".join((PAGES / page).read_text("utf-8").split())
    assert f"those of {words} {number};" in text or f"those of {words} {number}." in text


def test_the_page_on_express_names_every_option() -> None:
    require(ORIGINALS["js"].needs)
    source = (node_modules() / "cors" / "lib" / "index.js").read_text("utf-8")
    options = set(re.findall(r"\boptions\.(\w+)", source))
    assert set(_NAME.findall(first_column("express.md"))) == options


def test_the_page_on_iis_names_every_attribute() -> None:
    known = set(ATTRIBUTES).union(*ATTRIBUTES.values()) - {"cors"}
    named = set(_NAME.findall(first_column("iis.md")))
    assert known <= named
