"""The files of a code base: reading them, and writing them so that none is lost."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import stat
import tempfile
import threading
import tokenize
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from flask_corsguard.migrate.findings import File, Finding

#: Matches in Python code that uses Flask-CORS.
USES = re.compile(rb"flask_cors\b|flask\.ext\.cors|flask\.ext import.*cors")
_DEPENDENCY = re.compile(rb"^[^#\n]*?(?<![\w.-])flask[-_.]cors(?![\w-]|\.\*)", re.I | re.M)
_DEPENDENCY_FILE = re.compile(
    r"(.*/)?(requirements(/[^/]+|[^/]*)\.(txt|in)|pyproject\.toml|setup\.(cfg|py)|Pipfile"
    r"|environment[^/]*\.ya?ml)"
)
_CONFIGURATION_FILE = re.compile(r"\.env.*|.*\.(env|toml|ya?ml|json|cfg|ini)|Dockerfile.*")
# Flask-CORS's key -> the guard's, or "" for what nothing replaces.
_KEYS = {
    **dict.fromkeys(("SEND_WILDCARD", "VARY_HEADER", "INTERCEPT_EXCEPTIONS", "ALWAYS_SEND"), ""),
    **{key: key for key in ("ORIGINS", "METHODS", "ALLOW_HEADERS", "EXPOSE_HEADERS", "MAX_AGE")},
    "SUPPORTS_CREDENTIALS": "ALLOW_CREDENTIALS",
    "AUTOMATIC_OPTIONS": "ANSWER_PREFLIGHT",
    "RESOURCES": "PATHS",
    "ALLOW_PRIVATE_NETWORK": "ALLOW_PRIVATE_NETWORK",
}
_KEY = re.compile(rf"(?<!\w)(FLASK_)?CORS_({'|'.join(_KEYS)})\b".encode())
_OTHER_CODE = (".ipynb", ".j2", ".jinja", ".pyw", ".tmpl", ".wsgi")
_LEFT_OUT = {"__pycache__", "__pypackages__", "dist-packages", "node_modules", "site-packages"}
_ENVIRONMENT = {"pyvenv.cfg", "conda-meta"}
# In bytes. The syntax of a larger file takes hundreds of megabytes.
_LARGEST = 2**20
# In what is left out: a link may lead to "/".
_MOST_ENTRIES = 20_000


class Source(NamedTuple):
    """A Python file.

    :ivar data: its bytes.
    :ivar text: the same, decoded, with its line ends.
    :ivar encoding: what encodes *text* as *data*.
    """

    path: Path
    data: bytes
    text: str
    encoding: str


class Tree(NamedTuple):
    """The files that were read.

    :ivar findings: what uses Flask-CORS, but is not among the sources.
    :ivar notes: what else has to do with Flask-CORS, or cannot be looked at.
    """

    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


class WriteError(OSError):
    """Files cannot be written. The message says which ones were written: normally none."""


def read_tree(path: Path, words: Collection[bytes]) -> Tree:
    """Read the files at a path.

    Hidden folders, installed packages and virtual environments are left out, and so are the targets
    of links that lead outside *path*. If code of the project there uses Flask-CORS, that is a
    finding.

    :param path: a file or a folder.
    :param words: a Python file with any of these words is a source, and so is one that uses
        Flask-CORS.
    :raises OSError: if *path* cannot be read.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory")
    if not path.is_dir() and not path.is_file():
        raise OSError(f"{path} is neither a file nor a directory")
    return _Reading(path, words).tree()


class _Reading:
    def __init__(self, top: Path, words: Collection[bytes]) -> None:
        self._top = top
        self._real_top = os.path.realpath(top)
        self._words = words
        self._sources: list[Source] = []
        self._findings: list[Finding] = []
        self._notes: list[str] = []
        self._dependencies: list[str] = []
        self._is_used = False
        self._entries_left = _MOST_ENTRIES

    def tree(self) -> Tree:
        if self._top.is_dir():
            for entry in self._entries(str(self._top), is_top=True):
                self._entry(entry)
        else:
            self._python(self._top)
            with os.scandir(self._top.parent) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    self._other(entry)
        if self._entries_left < 0:
            self._notes.append("the targets of links were only partly read: there are too many.")
        change = "when nothing needs it any more, write flask-corsguard."
        if not self._is_used:
            change = "no Python file here uses it. If the app is migrated, write flask-corsguard."
        notes = [f"{place} names flask-cors: {change}" for place in self._dependencies]
        return Tree(tuple(self._sources), tuple(self._findings), (*self._notes, *notes))

    def _entries(self, top: str, is_top: bool = False) -> Iterator[os.DirEntry[str]]:
        """Everything except folders in a folder and below it, one folder after the other."""
        waiting = [top]  # not recursive: Python allows only a thousand nested calls
        while waiting:
            folder = waiting.pop()
            try:
                listed = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                if is_top and folder == top:
                    raise
                self._notes.append(f"{folder} cannot be read: {error.strerror}.")
                continue
            names = {entry.name for entry in listed}
            if is_top and folder != top and not _ENVIRONMENT.isdisjoint(names):
                self._elsewhere(folder, f"{folder} is a virtual environment, which is skipped")
                continue
            folders: list[str] = []
            for entry in listed:
                if not entry.is_dir(follow_symlinks=False):
                    yield entry
                elif _is_read(entry.name) and entry.path != self._real_top:
                    folders.append(entry.path)
            waiting += reversed(folders)

    def _entry(self, entry: os.DirEntry[str]) -> None:
        is_python = entry.name.endswith(".py")
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            if not self._is_read_itself(target) and (is_python or os.path.isdir(target)):
                self._elsewhere(entry.path, f"a link to {target}, which is not followed", target)
        elif not entry.is_file():
            if is_python:
                self._notes.append(f"{Path(entry.path)} is not a regular file, and is skipped.")
        elif is_python:
            self._python(Path(entry.path))
        if not is_python or entry.name == "setup.py":
            self._other(entry)

    def _python(self, path: Path) -> None:
        try:
            data, is_used = _read(path)
        except OSError as error:
            self._unreadable(path, b"", str(error.strerror))
            return
        self._is_used = self._is_used or is_used
        if not is_used and not any(word in data for word in self._words):
            return
        try:
            if len(data) > _LARGEST:
                raise ValueError("it is larger than 1 MB")
            if b"\0" in data:
                raise ValueError("it has NUL bytes, as UTF-16 has")
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            text = data.decode(encoding)
            if text.encode(encoding) != data:
                raise ValueError(f"written back in {encoding}, it would not have the same bytes")
        except (SyntaxError, LookupError, ValueError) as error:
            if is_used:
                self._unreadable(path, data, str(error))
        else:
            self._sources.append(Source(path, data, text, encoding))

    def _unreadable(self, path: Path, data: bytes, problem: str) -> None:
        choices = ("fix it, and run this again.", "delete it, if nothing needs it.")
        message = f"the file cannot be read: {problem}"
        self._find(path, _line(USES, data), "unreadable_file", message, choices)

    def _elsewhere(self, path: str, message: str, target: str = "") -> None:
        """Add a finding about what is left out, if it uses Flask-CORS."""
        used = self._first_use(target or path)
        if used is not None:
            message += f", though {used} uses Flask-CORS"
            choices = (f"if it belongs to the project, run this on {target or path} as well.",)
            self._find(Path(path), 1, "left_out", message, choices)

    def _find(
        self, path: Path, line: int, code: str, message: str, choices: tuple[str, ...]
    ) -> None:
        today = "other sites may still do there what Flask-CORS allows."
        self._findings.append(Finding(path, line, code, message, today, choices))

    def _is_read_itself(self, target: str) -> bool:
        """Whether the target of a link is read anyway."""
        *folders, name = Path(os.path.relpath(target, self._real_top)).parts or [""]
        is_read = _is_read(name) if os.path.isdir(target) else name.endswith(".py")
        return is_read and all(map(_is_read, folders))

    def _first_use(self, path: str) -> str | None:
        if os.path.isfile(path):
            return path if _uses(path) else None
        for entry in self._entries(path):
            self._entries_left -= 1
            if self._entries_left < 0:
                return None
            is_python = entry.name.endswith(".py") and entry.is_file(follow_symlinks=False)
            if is_python and _uses(entry.path):
                return entry.path
        return None

    def _other(self, entry: os.DirEntry[str]) -> None:
        """Note how a file of another kind, or setup.py, concerns Flask-CORS."""
        path = Path(entry.path)
        is_dependency = _DEPENDENCY_FILE.fullmatch(path.as_posix())
        is_configuration = _CONFIGURATION_FILE.fullmatch(entry.name)
        is_code = entry.name.endswith(_OTHER_CODE)
        if not (is_dependency or is_configuration or is_code) or not entry.is_file():
            return
        try:
            data, is_used = _read(path)
        except OSError as error:
            self._notes.append(f"{path} cannot be read: {error.strerror}.")
            return
        if is_code and is_used:
            words = "is not rewritten. Write `from flask_corsguard.compat import CORS` there."
            self._notes.append(f"{path}:{_line(USES, data)} uses Flask-CORS, and {words}")
        if is_dependency and _DEPENDENCY.search(data):
            self._dependencies.append(f"{path}:{_line(_DEPENDENCY, data)}")
        # The pattern alone takes seconds on data files.
        if is_configuration and b"CORS_" in data:
            for found in {found[0]: found for found in _KEY.finditer(data)}.values():
                line = data.count(b"\n", 0, found.start()) + 1
                self._notes.append(f"{path}:{line}: {_in_configuration(found)}")


def _in_configuration(found: re.Match[bytes]) -> str:
    key, new = found[0].decode(), _KEYS[found[2].decode()]
    name = f"{'FLASK_' if found[1] else ''}CORSGUARD_{new}"
    if not new:
        return f"{key}: remove it; only flask_corsguard.compat still reads CORS_ keys."
    return (
        f"{key}: flask_corsguard.compat reads it, the guard does not. If the code imports CORS from"
        f" there, leave it; otherwise write {name}."
    )


def _is_read(folder: str) -> bool:
    return not folder.startswith(".") and folder not in _LEFT_OUT


def _line(pattern: re.Pattern[bytes], data: bytes) -> int:
    found = pattern.search(data)
    return data.count(b"\n", 0, found.end()) + 1 if found else 1


def _open(path: str, flags: int) -> int:
    # Do not wait: a pipe may have taken the file's place.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(path: Path | str) -> tuple[bytes, bool]:
    """The bytes of a file, up to a limit; and whether it names Flask-CORS, even in UTF-16."""
    with open(path, "rb", opener=_open) as file:
        data = chunk = file.read(_LARGEST + 1)
        last = b""
        while not (is_used := bool(USES.search((last + chunk).replace(b"\0", b"")))) and chunk:
            last, chunk = chunk[-100:], file.read(_LARGEST) if len(data) > _LARGEST else b""
    return data, is_used


def _uses(path: str) -> bool:
    with suppress(OSError):
        return _read(path)[1]
    return False


def write_files(files: Sequence[File]) -> tuple[str, ...]:
    """Write all files, or none.

    Each is first written to a temporary file beside it. When all of these have been written, they
    take the places of the files, with their modes, owners and attributes. A file with several names
    (hard links) is replaced under this name only: the others may be anywhere, such as in a backup.

    :returns: notes about what could not be kept.
    :raises WriteError: if one cannot be written, or has changed since it was read.
    """
    notes: list[str] = []
    staged: list[tuple[str, str]] = []
    written, current = 0, ""
    with _held_signals() as received:
        try:
            for file in files:
                current, target = f"{file.path}: ", os.path.realpath(file.path)
                handle, temporary = tempfile.mkstemp(".tmp", ".corsguard-", os.path.dirname(target))
                staged.append((temporary, target))
                with open(handle, "wb") as opened:
                    opened.write(file.after)
                    opened.flush()
                    os.fsync(handle)
                notes += _keep_attributes(file.path, target, temporary)
            for file, (_, target) in zip(files, staged, strict=True):
                current = f"{file.path}: "
                if Path(target).read_bytes() != file.before:
                    raise OSError("it has changed since it was read. Run this again")
                if received:
                    raise OSError(f"stopped by {received[0].name}")
            for file, (temporary, target) in zip(files, staged, strict=True):
                current = f"{file.path}: "
                os.replace(temporary, target)
                written += 1
        except OSError as error:
            raise WriteError(
                _in_words(f"{current}{error.strerror or error}", files, written)
            ) from error
        finally:
            for temporary, _ in staged[written:]:
                with suppress(OSError):
                    os.unlink(temporary)
        for folder in {os.path.dirname(target) for _, target in staged}:
            _sync(folder)
    return tuple(notes)


def _keep_attributes(path: Path, target: str, temporary: str) -> Iterator[str]:
    """Give a temporary file all that its file has, except for its times, by which Python knows that
    its code in __pycache__ is old."""
    old = os.stat(target)
    if not os.access(target, os.W_OK):
        raise OSError("it is write-protected")
    with suppress(OSError, AttributeError):  # Windows has no owners
        os.chown(temporary, old.st_uid, old.st_gid)
    with suppress(OSError):
        shutil.copystat(target, temporary)
    os.utime(temporary)
    new = os.stat(temporary)
    if stat.S_IMODE(new.st_mode) != stat.S_IMODE(old.st_mode):
        raise OSError("its mode cannot be kept")
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        yield f"{path} has a new owner now: the user who ran this did not own it."
    if old.st_nlink > 1:
        yield f"{path} has other names too (hard links). Under those names it is unchanged."


def _in_words(reason: str, files: Sequence[File], written: int) -> str:
    if not written:
        return f"nothing was written. {reason}"
    done = ", ".join(str(file.path) for file in files[:written])
    left = ", ".join(str(file.path) for file in files[written:])
    return (
        f"not everything was written. {reason}. Written: {done}. Not written: {left}. They belong"
        " together: fix that, undo what was written, and run this again."
    )


def _sync(folder: str) -> None:
    """Write the names in a folder to the disk, if the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _held_signals() -> Generator[list[signal.Signals]]:
    """Hold back signals that would end the process until after the body, which checks for them. So
    nothing is left behind, and nothing is half done."""
    received: list[signal.Signals] = []
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    known = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    is_main = threading.current_thread() is threading.main_thread()
    before = {each: signal.getsignal(each) for each in known if is_main}
    held = {each: old for each, old in before.items() if old not in (None, signal.SIG_IGN)}
    for each in held:
        signal.signal(each, lambda number, _: received.append(signal.Signals(number)))
    try:
        yield received
    finally:
        for each, old in held.items():
            signal.signal(each, old)
        for each in received[:1]:
            signal.raise_signal(each)
