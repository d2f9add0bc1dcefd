"""Imports files that belong to no package: examples, and apps that a test has written."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run a file as a module, which *monkeypatch* forgets again."""
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Flask finds static files beside the module that it is told the name of.
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module
