"""A simulated browser for tests: what a page would see, without a real browser."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask_corsguard.errors import BrowserError, FetchTypeError
    from flask_corsguard.testing.blocks import Block
    from flask_corsguard.testing.browser import Browser
    from flask_corsguard.testing.exchange import Exchange
    from flask_corsguard.testing.fetch_arguments import Blob, FormData
    from flask_corsguard.testing.fetch_response import Response
    from flask_corsguard.testing.visible_headers import VisibleHeaders
else:
    # For the same reason as in the package above.
    from flask_corsguard.lazy_names import load_on_use

    __getattr__, __dir__ = load_on_use(
        __name__,
        {
            "flask_corsguard.errors": ["BrowserError", "FetchTypeError"],
            "flask_corsguard.testing.blocks": ["Block"],
            "flask_corsguard.testing.browser": ["Browser"],
            "flask_corsguard.testing.exchange": ["Exchange"],
            "flask_corsguard.testing.fetch_arguments": ["Blob", "FormData"],
            "flask_corsguard.testing.fetch_response": ["Response"],
            "flask_corsguard.testing.visible_headers": ["VisibleHeaders"],
        },
    )

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
