"""Runs the examples of README.md, of the documentation and of the docstrings, with Sybil.

- A block of Python is run. One that begins with a file's name (``# app.py``) is also written to a
  file, so that places in messages (``app.py:6``) are those that a reader sees. Of these files,
  only ``app.py`` is run as well, without the names of the page so far.
- In a session (``>>>``) the output is compared. Log lines are part of it, as in a terminal.
- A block of the language ``console`` is run in the directory of these files: each ``$ flask`` or
  ``$ pytest`` command, with what it writes compared. ``...`` stands for anything. ``$ export`` sets
  a variable for the rest of the page.

With pytest-xdist (``-n 2``) the tests of a file share a process, its servers and its browsers.
"""

from __future__ import annotations

import doctest
import gc
import logging
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis  # noqa: F401 # its plugin would load it last, and warn of what pages load
import pytest
from sybil import Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.evaluators.doctest import OutputChecker
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers import myst, rest

from flask_corsguard import decorators

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

OPTIONS = doctest.ELLIPSIS


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Keep the tests of a file together, and their files in the order of the collection."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among the collected tests: not now, nor whenever a test has it done."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, lest one process be left with them in the end."""
    if hasattr(config, "workerinput"):
        marks = ("slow", "browser")
        long = {item.path for item in items if any(map(item.get_closest_marker, marks))}
        items.sort(key=lambda item: item.path not in long)


class PrintingHandler(logging.Handler):
    """Writes to whatever standard output is at the time, so into the session that is compared."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        print(record.getMessage())  # noqa: T201


class FileEvaluator(PythonEvaluator):
    """Runs a block, as a file if it begins with the name of one."""

    def __call__(self, example: Example) -> None:
        """Run it."""
        source = str(example.parsed)
        first_line = source.partition("\n")[0]
        if not (first_line.startswith("# ") and first_line.endswith(".py")):
            super().__call__(example)
            return
        name = first_line.removeprefix("# ")
        Path(example.namespace["_directory"].name, name).write_text(source)
        if name == "app.py":
            # The file must run when it is all that somebody has pasted.
            for known in [known for known in example.namespace if not known.startswith("_")]:
                del example.namespace[known]
            exec(compile(source, name, "exec"), example.namespace)  # noqa: S102


class PythonParser(myst.PythonCodeBlockParser):
    """Sessions and blocks of Python."""

    def __init__(self) -> None:
        super().__init__(doctest_optionflags=OPTIONS)
        self.codeblock_parser = self.codeblock_parser_class("python", FileEvaluator())


def run_console(example: Example) -> None:
    """Run each command and compare what it writes."""
    directory = example.namespace["_directory"].name
    for part in str(example.parsed).split("$ ")[1:]:
        command, _, wanted = part.partition("\n")
        program, *arguments = shlex.split(command)
        if program == "export":
            os.environ.update(argument.split("=", 1) for argument in arguments)
            continue
        assert program in ("flask", "pytest"), f"only flask and pytest are run, not {command!r}"
        result = subprocess.run(
            [sys.executable, "-m", program, *arguments],
            cwd=directory,
            env={**os.environ, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not OutputChecker().check_output(wanted, result.stdout, OPTIONS):
            raise AssertionError(f"$ {command}\n{result.stdout}")


def setup(namespace: dict[str, Any]) -> None:
    """Begin a page."""
    handler = PrintingHandler()
    logging.getLogger("flask_corsguard").addHandler(handler)
    decorators._targets.clear()  # the marks of what ran before, which debug mode names
    namespace.update(
        __name__="app",
        _directory=tempfile.TemporaryDirectory(),
        _environ=dict(os.environ),
        _handler=handler,
    )


def teardown(namespace: dict[str, Any]) -> None:
    """Leave nothing of it behind."""
    logging.getLogger("flask_corsguard").removeHandler(namespace["_handler"])
    os.environ.clear()
    os.environ.update(namespace["_environ"])
    namespace["_directory"].cleanup()
    namespace.clear()
    gc.collect()  # the signals know their receivers weakly


_pages = Sybil(
    parsers=[PythonParser(), myst.CodeBlockParser("console", run_console)],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=setup,
    teardown=teardown,
    name="pages",
)
_docstrings = Sybil(
    parsers=[rest.DocTestParser(OPTIONS), rest.PythonCodeBlockParser()],
    patterns=["flask_corsguard/*.py", "flask_corsguard/**/*.py"],
    document_types={".py": PythonDocStringDocument},
    setup=setup,
    teardown=teardown,
    name="docstrings",
)

pytest_collect_file = (_pages + _docstrings).pytest()
