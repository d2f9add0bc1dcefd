"""A browser in the test client: what script would see, without a browser."""

from flask_corsguard.errors import BrowserError, FetchTypeError
from flask_corsguard.testing.blocks import Block
from flask_corsguard.testing.browser import Browser
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.fetch_arguments import Blob, FormData
from flask_corsguard.testing.fetch_response import Answer, VisibleHeaders

__all__ = [
    "Answer",
    "Blob",
    "Block",
    "Browser",
    "BrowserError",
    "Exchange",
    "FetchTypeError",
    "FormData",
    "VisibleHeaders",
]
