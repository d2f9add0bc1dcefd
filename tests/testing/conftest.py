from __future__ import annotations

import time

import pytest

from .servers import ENGINES


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(autouse=True)
def _clock_stands_still(monkeypatch):
    """But for Browser.advance(), however slow the machine is."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
