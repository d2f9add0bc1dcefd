"""Every row of the page, in both orders."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .extension import ORDERS, Extension, check, merged
from .kinds import EXTENSIONS, QUICK
from .page import header_names, rows
from .servers import SERVERS

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
@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda each: each.title)
def test_beside(extension: Extension, order: str) -> None:
    extension.require(always=extension.name in QUICK)
    if not extension.apart:
        check(extension, order)
        return
    command = [sys.executable, "-P", "-c", APART, extension.title, order]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def test_each_row_of_the_page_is_tested() -> None:
    names = {extension.name for extension in (*EXTENSIONS, *SERVERS)}
    # The page has a section about it, whose example is run.
    assert names == {name for name in rows() if "with cookies" not in name}
    assert names >= QUICK


def test_the_headers_are_those_of_the_rows() -> None:
    fields = merged(row.fields for row in rows().values())
    listed = [*fields["allow_headers"], *fields["expose_headers"]]
    short = {re.sub(r"(X-RateLimit-).*", r"\1*", name) for name in listed}
    assert header_names() <= short
    own = {name for name in short if name.startswith("x-datadog-")} | {"Authentication-Token"}
    assert short - header_names() == {"Content-Type", *own}
