"""Running the tests on one mutant, in a process of its own."""

import contextlib
import importlib.abc
import importlib.machinery
import os
import resource
import signal
import sys
from collections.abc import Sequence
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import flask.testing
import hypothesis.strategies
import publicsuffixlist
import pytest

# Imported before the forks, so that it is done once.
_PRELOADED = (flask.testing, hypothesis.strategies, publicsuffixlist)

_MOST_MEMORY = 4 * 2**30
# No more of pytest and of its plugins than the tests need: it starts some thousands of times.
_ARGUMENTS = (
    *("-x", "-q", "-c", os.devnull, "--rootdir=.", "--confcutdir=tests", "--import-mode=importlib"),
    *("-W", "error", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:unraisableexception"),
    *("-o", "markers=slow", "-m", "not slow"),
)


class _Mutated(importlib.machinery.SourceFileLoader):
    """Loads the source of a mutant in place of a file. No file is ever changed."""

    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self._mutated = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._mutated, self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name = name
        self._loader = _Mutated(name, str(path), source)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_file_location(fullname, self._loader.path, loader=self._loader)


def start(
    path: Path, source: str, plugins: Sequence[str], files: Sequence[str], seconds: int
) -> int:
    """Run tests in a process of their own, in which *source* stands for the file at *path*.

    :param files: one after the other, until a test fails.
    :param seconds: of processor time. A mutant that needs more does not come to an end, and is
        noticed so.
    :returns: the process, for :func:`wait`.
    """
    assert "flask_corsguard" not in sys.modules, "each mutant is to be imported anew"
    pid = os.fork()
    if pid == 0:
        os._exit(_run(path, source, plugins, files, seconds))
    return pid


def wait() -> tuple[int, int]:
    """Wait for one of the processes, and end what it has left behind, a test's server say.

    :returns: the process and its status.
    """
    pid, status = os.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return pid, status


def killed_by(status: int) -> int | None:
    """Which of the files has noticed the mutant, by its process's status."""
    code = os.waitstatus_to_exitcode(status)
    return None if code == 0 else max(code - 1, 0)


def _run(
    path: Path, source: str, plugins: Sequence[str], files: Sequence[str], seconds: int
) -> int:
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    signal.alarm(5 * seconds)  # for those that wait
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    name = ".".join(path.with_suffix("").parts)
    sys.meta_path.insert(0, _Finder(name, path, source))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    number = 0
    try:
        for number, file in enumerate(files):
            code = pytest.main([*_ARGUMENTS, *plugins, file])
            # In a file of slow tests alone, none is collected.
            if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                return number + 1
    except BaseException:
        return number + 1  # not even the package can be imported
    return 0
