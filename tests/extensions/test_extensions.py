"""Every row of the page, in both orders."""

import pytest

from . import apis, around, limits, logins, pages, serverless, sockets
from .extension import ORDERS, Extension, check

MODULES = (logins, limits, apis, pages, sockets, around, serverless)
EXTENSIONS = [extension for module in MODULES for extension in module.EXTENSIONS]

# What other packages warn of is not the guard's.
pytestmark = pytest.mark.filterwarnings("ignore", "error:::flask_corsguard")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda extension: extension.name)
def test_beside(extension: Extension, order: str) -> None:
    extension.require()
    check(extension, order)
