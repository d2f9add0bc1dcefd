"""Where everything is."""

from __future__ import annotations

from typing import NamedTuple


class Origins(NamedTuple):
    """Where the servers are.

    The API and the pages differ only in the port, so they are on one site. The accounts are on
    another: for browsers, ``127.0.0.1`` and ``localhost`` are two sites.
    """

    api: str
    allowed: str
    stranger: str
    unprotected: str
    protected: str

    def of_page(self, page: str) -> str:
        """The origin of the page called *page*."""
        return self.allowed if page == "allowed" else self.stranger

    def of_account(self, account: str) -> str:
        """The origin of the account called *account*."""
        return self.protected if account == "protected" else self.unprotected
