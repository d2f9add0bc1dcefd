"""Public names whose modules are loaded on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import MappingProxyType


def load_on_use(
    package: str,
    names: Mapping[str, Iterable[str]],
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` of a package
    (https://docs.python.org/3/reference/datamodel.html#module.__getattr__).

    :param names: the public names, by the module that defines them.
    :param elsewhere: names that people expect here but that do not exist -> what to write instead.
    """
    modules = {name: module for module, defined in names.items() for name in defined}
    attributes = vars(sys.modules[package])

    def module_getattr(name: str) -> object:
        if name not in modules:
            if name in elsewhere:
                # ``from package import name`` would replace the message of an AttributeError.
                raise ImportError(f"{package} has no {name!r}. {elsewhere[name]}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        attributes[name] = getattr(import_module(modules[name]), name)
        return attributes[name]

    return module_getattr, lambda: sorted({*attributes, *modules})
