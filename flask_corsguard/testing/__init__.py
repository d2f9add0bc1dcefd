"""A browser in the test client: what script would see, without a browser."""

from flask_corsguard.testing.answers import Answer, VisibleHeaders
from flask_corsguard.testing.blocks import Block
from flask_corsguard.testing.browser import Browser
from flask_corsguard.testing.errors import BrowserError, FetchTypeError
from flask_corsguard.testing.requests import Blob, FormData
from flask_corsguard.testing.wire import Exchange

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
