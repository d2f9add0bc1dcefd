"""What an app hands to Flask-CORS while it is loaded."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib.machinery import SourceFileLoader
from types import FrameType, ModuleType
from typing import Any, NamedTuple, cast

from flask.app import Flask

from flask_corsguard.text import text_of

_PLAIN = (bool, int, float, bytes, type(None), re.Pattern, timedelta)
_LISTS = (list, tuple, set, frozenset)
_ORIGINAL = "_corsguard_recorded"


class Unknown(NamedTuple):
    """Stands for a value that cannot be taken along to another process: a generator, say."""

    text: str


class Recorded(NamedTuple):
    """A call of ``CORS(app)`` or ``init_app``, or a view with ``cross_origin``.

    :ivar path: the file of the call: the first one outside of Flask-CORS.
    :ivar line: its line; of a decorator, the line where ``cross_origin`` is called.
    :ivar kind: ``app``, ``blueprint`` or ``view``.
    :ivar target: the app's import name, the blueprint's name, or the view's module and name.
    :ivar options: all options: the defaults, ``CORS_*`` of the app's configuration (of a view, once
        :meth:`Recording.loaded` has been called), the constructor's, the call's.
    :ivar resources: for each of ``resources``, as given, the pattern and its options.
    :ivar given: the options of this very call.
    :ivar constructed: file and line of the constructor, and its options, if that is another call.
    """

    path: str
    line: int
    kind: str
    target: str
    options: Mapping[str, Any]
    resources: tuple[tuple[Any, Mapping[str, Any]], ...]
    given: Mapping[str, Any]
    constructed: tuple[str, int, Mapping[str, Any]] | None = None


class Recording(list[Recorded]):
    """What was recorded, in the order of the calls."""

    def loaded(self, app: Flask) -> None:
        """Give the views the app's configuration, which Flask-CORS reads in each request."""
        configured = _configured(app)
        for number, call in enumerate(self):
            if call.kind == "view":
                self[number] = call._replace(options={**call.options, **configured, **call.given})


def watch() -> Recording:
    """Record from now on what is handed to Flask-CORS, of any version from 3 to 6, wherever it comes
    from. Nothing else changes, and Flask-CORS isn't imported before the app does so."""
    recording = Recording()
    execute = SourceFileLoader.exec_module

    def execute_and_watch(loader: SourceFileLoader, module: ModuleType) -> None:
        execute(loader, module)
        _watch_module(module, recording)

    SourceFileLoader.exec_module = execute_and_watch  # type: ignore[method-assign]
    for module in [*sys.modules.values()]:
        _watch_module(module, recording)
    return recording


def _watch_module(module: ModuleType, recording: Recording) -> None:
    with _unnoticed():
        name = str(getattr(module, "__name__", ""))
        if name.endswith("flask_cors.extension"):
            _watch_extension(module.CORS, recording, module)
        elif name.endswith(("flask_cors.decorator", "flask_cors")) and "cross_origin" in vars(
            module
        ):
            module.cross_origin = _watched_decorator(module.cross_origin, recording)


def _watch_extension(cors: Any, recording: Recording, module: ModuleType) -> None:
    construct, init_app = cors.__init__, cors.init_app

    @functools.wraps(construct)
    def constructed(self: Any, *args: Any, **kwargs: Any) -> None:
        with _unnoticed():
            self.__dict__[_ORIGINAL] = (*_caller(), _kept(kwargs))
        construct(self, *args, **kwargs)

    @functools.wraps(init_app)
    def initialized(self: Any, app: Any, *args: Any, **kwargs: Any) -> Any:
        with _unnoticed():
            recording.append(_of_call(self, app, kwargs, module))
        return init_app(self, app, *args, **kwargs)

    cors.__init__, cors.init_app = constructed, initialized


def _of_call(cors: Any, app: Any, kwargs: dict[str, Any], module: ModuleType) -> Recorded:
    path, line = _caller()
    constructed = cors.__dict__.get(_ORIGINAL)
    of_constructor = getattr(cors, "_options", {})
    options = {**_defaults(module), **_configured(app), **of_constructor, **kwargs}
    given = options.get("resources")
    pairs = given.items() if isinstance(given, Mapping) else ((each, {}) for each in _many(given))
    resources = tuple((_kept(pattern), _kept({**options, **(own or {})})) for pattern, own in pairs)
    is_app = isinstance(app, Flask)
    target = app.import_name if is_app else getattr(app, "name", text_of(app))
    is_same = constructed is None or constructed[:2] == (path, line)
    return Recorded(
        path,
        line,
        "app" if is_app else "blueprint",
        target,
        _kept(options),
        resources,
        _kept(kwargs),
        None if is_same else constructed,
    )


def _watched_decorator(cross_origin: Any, recording: Recording) -> Any:
    if hasattr(cross_origin, _ORIGINAL):  # the package has what its module has
        return cross_origin

    @functools.wraps(cross_origin)
    def watched(*args: Any, **kwargs: Any) -> Any:
        path, line, given = "", 0, dict[str, Any]()
        with _unnoticed():
            (path, line), given = _caller(), _kept(kwargs)
        decorate = cross_origin(*args, **kwargs)

        def decorator(view: Callable[..., Any]) -> Any:
            with _unnoticed():
                module = sys.modules[cross_origin.__module__]
                name = f"{view.__module__}.{getattr(view, '__qualname__', text_of(view))}"
                options = {**_kept(_defaults(module)), **given}
                recording.append(Recorded(path, line, "view", name, options, (), given))
            return decorate(view)

        return decorator

    setattr(watched, _ORIGINAL, True)
    return watched


@contextmanager
def _unnoticed() -> Iterator[None]:
    """Whatever fails in the recording, the app goes on."""
    try:
        yield
    except Exception:  # noqa: S110
        pass


def _caller() -> tuple[str, int]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name != __name__ and "flask_cors" not in name.split("."):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0


def _core(module: ModuleType) -> Any:
    return sys.modules[module.__name__.rpartition(".")[0] + ".core"]


def _defaults(module: ModuleType) -> dict[str, Any]:
    return dict(_core(module).DEFAULT_OPTIONS)


def _configured(app: Any) -> dict[str, Any]:
    """What ``CORS_*`` say, as Flask-CORS reads them. A blueprint has no configuration."""
    config: Mapping[str, Any] = getattr(app, "config", {})
    return {
        key[5:].lower(): _kept(value)
        for key, value in config.items()
        if str(key).startswith("CORS_") and value is not None
    }


def _many(value: object) -> list[Any]:
    return [*cast("list[Any]", value)] if isinstance(value, _LISTS) else [value]


def _kept(value: Any) -> Any:
    """The value, in types that the other process has too."""
    if isinstance(value, str):
        return str.__str__(value)
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {_kept(key): _kept(each) for key, each in items}
    if isinstance(value, _LISTS):
        many = map(_kept, cast("list[Any]", value))
        return next(kind for kind in _LISTS if isinstance(value, kind))(many)
    return Unknown(text_of(value))
