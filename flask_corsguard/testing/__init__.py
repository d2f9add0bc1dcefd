"""A browser in the test client: what a page would see, without a browser."""

from flask_corsguard.errors import BrowserError, FetchTypeError
from flask_corsguard.testing.blocks import Block
from flask_corsguard.testing.browser import Browser
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.fetch_arguments import Blob, FormData
from flask_corsguard.testing.fetch_response import Response
from flask_corsguard.testing.visible_headers import VisibleHeaders

__all__ = [
    "Blob",
    "Block",
    "Browser",
    "BrowserError",
    "Exchange",
    "FetchTypeError",
    "FormData",
    "Response",
    "VisibleHeaders",
]
