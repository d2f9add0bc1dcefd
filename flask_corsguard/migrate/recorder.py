"""What an app passes to Flask-CORS while it is loaded."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from importlib.machinery import SourceFileLoader
from types import FrameType
from typing import Any, NamedTuple, cast

from flask.app import Flask

from flask_corsguard.text import text_of

_PLAIN = (bool, int, float, bytes, type(None), re.Pattern, timedelta)
_LISTS = (list, tuple, set, frozenset)
_MARK = "_corsguard_recorded"
Options = Mapping[str, Any]


class Unknown(NamedTuple):
    """Stands for a value that cannot be passed to another process, such as a generator."""

    text: str


class Recorded(NamedTuple):
    """A call of ``CORS(app)`` or ``init_app``, or a view with ``cross_origin``.

    :ivar path: the file of the call: the first one outside Flask-CORS.
    :ivar line: its line; for a decorator, the one that calls ``cross_origin``.
    :ivar kind: ``app``, ``blueprint`` or ``view``.
    :ivar target: the app's import name, the blueprint's name, or the view's module and name.
    :ivar options: all options: the defaults, ``CORS_*`` of the app's configuration (for a view,
        after :meth:`Recording.loaded`), the constructor's, the call's.
    :ivar resources: the pattern and the options of each of the ``resources``, as given.
    :ivar given: the options of this call alone.
    :ivar constructed: file, line and options of the constructor, if that was another call.
    """

    path: str
    line: int
    kind: str
    target: str
    options: Options
    resources: tuple[tuple[Any, Options], ...]
    given: Options
    constructed: tuple[str, int, Options] | None = None


class Recording(list[Recorded]):
    """What was recorded, in the order of the calls."""

    def loaded(self, app: Flask) -> None:
        """Give the views the app's configuration, which Flask-CORS reads in each request."""
        for number, call in enumerate(self):
            if call.kind == "view":
                options = {**call.options, **_configured(app, call.options), **call.given}
                self[number] = call._replace(options=options)


def watch() -> Recording:
    """Record from now on what is handed to Flask-CORS, versions 3 to 6. Nothing else changes: only
    the app imports Flask-CORS, when and from where it likes."""
    recording, execute = Recording(), SourceFileLoader.exec_module

    def execute_and_watch(loader: SourceFileLoader, module: Any) -> None:
        execute(loader, module)
        _watch_module(module, recording)

    SourceFileLoader.exec_module = execute_and_watch  # type: ignore[method-assign, assignment]
    for module in [*sys.modules.values()]:
        _watch_module(module, recording)
    return recording


# The app goes on if the recording fails, so everything is in suppress(Exception).
def _watch_module(module: Any, recording: Recording) -> None:
    with suppress(Exception):
        if module.__name__.endswith("flask_cors.extension"):
            _watch_class(module.CORS, recording)
        elif module.__name__.endswith(("flask_cors.decorator", "flask_cors")):
            module.cross_origin = _watched_decorator(module.cross_origin, recording)


def _watch_class(cors: Any, recording: Recording) -> None:
    construct, init_app = cors.__init__, cors.init_app

    @functools.wraps(construct)
    def constructed(self: Any, *args: Any, **kwargs: Any) -> None:
        with suppress(Exception):
            options = {name: value for name, value in kwargs.items() if name != "app"}
            setattr(self, _MARK, (*_caller(), _kept(options)))
        construct(self, *args, **kwargs)

    @functools.wraps(init_app)
    def initialized(self: Any, app: Any, *args: Any, **kwargs: Any) -> Any:
        with suppress(Exception):
            path, line, first = *_caller(), getattr(self, _MARK)
            defaults = _defaults(cors)
            options = {**defaults, **_configured(app, defaults), **first[2], **_kept(kwargs)}
            call = Recorded(
                path,
                line,
                "app" if isinstance(app, Flask) else "blueprint",
                app.import_name if isinstance(app, Flask) else app.name,
                options,
                tuple(_by_resource(options)),
                _kept(kwargs),
                None if first[:2] == (path, line) else first,
            )
            recording.append(call)
        return init_app(self, app, *args, **kwargs)

    cors.__init__, cors.init_app = constructed, initialized


def _by_resource(options: Options) -> Iterator[tuple[Any, Options]]:
    resources = options["resources"]
    if isinstance(resources, dict):
        named = cast("dict[Any, Options]", resources)
        yield from ((pattern, {**options, **own}) for pattern, own in named.items())
    else:
        listed: list[Any] = [*resources] if isinstance(resources, _LISTS) else [resources]
        yield from ((pattern, options) for pattern in listed)


def _watched_decorator(cross_origin: Any, recording: Recording) -> Any:
    if hasattr(cross_origin, _MARK):  # the package exports its module's function
        return cross_origin

    @functools.wraps(cross_origin)
    def watched(*args: Any, **kwargs: Any) -> Any:
        place = _caller()
        decorate = cross_origin(*args, **kwargs)

        def decorator(view: Callable[..., Any]) -> Any:
            with suppress(Exception):
                given = _kept(kwargs)
                name = f"{view.__module__}.{view.__qualname__}"
                options = {**_defaults(cross_origin), **given}
                recording.append(Recorded(*place, "view", name, options, (), given))
            return decorate(view)

        return decorator

    setattr(watched, _MARK, True)
    return watched


def _caller() -> tuple[str, int]:
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name != __name__ and "flask_cors" not in name.split("."):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0


def _defaults(of: Any) -> dict[str, Any]:
    core = sys.modules[of.__module__.rpartition(".")[0] + ".core"]
    defaults: dict[str, Any] = _kept(core.DEFAULT_OPTIONS)
    return defaults


def _configured(app: Any, known: Options) -> dict[str, Any]:
    """The *known* options that ``CORS_*`` keys set. A blueprint has no configuration."""
    values = {name: getattr(app, "config", {}).get(f"CORS_{name.upper()}") for name in known}
    return {name: _kept(value) for name, value in values.items() if value is not None}


def _kept(value: Any) -> Any:
    """The value, in types that the other process has too."""
    if isinstance(value, str):
        return str.__str__(value)
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {_kept(key): _kept(each) for key, each in value.items()}  # pyright: ignore
    for kind in _LISTS:
        if isinstance(value, kind):
            return kind(map(_kept, value))  # pyright: ignore
    return Unknown(text_of(value))
