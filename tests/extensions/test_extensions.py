"""Every row of the page, in both orders."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .extension import ORDERS, Extension, check
from .kinds import EXTENSIONS
from .page import rows

# What other packages warn of is not the guard's.
pytestmark = pytest.mark.filterwarnings("ignore", "error:::flask_corsguard")
# Packages may bring a module of that name, which would hide the folder here.
APART = f"""
import runpy, sys, types
sys.modules["tests"] = types.ModuleType("tests")
sys.modules["tests"].__path__ = [{str(Path(__file__).parents[1])!r}]
runpy.run_module("tests.extensions", run_name="__main__")
"""


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda each: f"{each.name} {each.way}".strip())
def test_beside(extension: Extension, order: str) -> None:
    extension.require()
    if not extension.apart:
        check(extension, order)
        return
    command = [sys.executable, "-P", "-c", APART, extension.name, extension.way, order]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def test_each_row_of_the_page_is_tested() -> None:
    assert {extension.name for extension in EXTENSIONS} == {*rows()}
