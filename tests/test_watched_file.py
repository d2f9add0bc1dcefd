"""A file that is read again when it has changed."""

import os
import re
import shutil
import time

import pytest

from flask_corsguard import watched_file
from flask_corsguard.watched_file import LARGEST_FILE, WatchedFile, WatchedFileError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a file.txt"
    put(path, b"one")
    return path


def put(path, content, age=10.0):
    """Write in place, so many seconds ago."""
    path.write_bytes(content)
    path.chmod(0o644)
    os.utime(path, (time.time() - age,) * 2)


@pytest.fixture
def later(monkeypatch):
    """Has so many seconds pass on the monotonic clock."""
    passed = [0.0]
    real = time.monotonic
    monkeypatch.setattr(watched_file.time, "monotonic", lambda: real() + passed[0])

    def wait(seconds):
        passed[0] += seconds

    return wait


def test_the_content_as_it_is_now(path):
    file = WatchedFile(str(path), 1.0)
    assert (file.version, file.pending) == ("", False)
    assert file.read() == b"one"
    version = file.version
    assert re.fullmatch("[0-9a-f]{12}", version)
    assert file.look() is None
    put(path, b"half of it", age=0)
    assert file.read() == b"half of it"
    assert file.version != version


def test_the_first_look_takes_the_content(path):
    file = WatchedFile(str(path), 1.0)
    assert (file.look(), file.look()) == (b"one", None)


def test_the_version_is_that_of_the_content(path, tmp_path):
    """In every process and on every machine."""
    other = tmp_path / "other"
    put(other, b"one", age=1000)
    versions = [WatchedFile(str(each), 1.0) for each in (path, other)]
    assert [file.read() for file in versions] == [b"one"] * 2
    assert versions[0].version == versions[1].version


def in_place(path):
    put(path, b"two")


def longer(path):
    put(path, b"three")


def another(path):
    other = path.with_name("other")
    put(other, b"two")
    other.replace(path)


def same_time(path):
    """Of the same size too. When the file was changed, the system notes to a few milliseconds."""
    times = os.stat(path)
    time.sleep(0.02)
    put(path, b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("change", [in_place, longer, another, same_time])
def test_a_change(path, change):
    file = WatchedFile(str(path), 1.0)
    file.read()
    version = file.version
    change(path)
    assert file.look() == path.read_bytes()
    assert file.version != version
    assert file.look() is None


def touched(path):
    os.utime(path)


def replaced(path):
    other = path.with_name("other")
    shutil.copyfile(path, other)
    other.replace(path)


def changed_mode(path):
    path.chmod(0o600)


@pytest.mark.parametrize("change", [touched, replaced, changed_mode])
def test_the_same_content(path, change):
    file = WatchedFile(str(path), 1.0)
    file.read()
    change(path)
    os.utime(path, (1, 1))
    assert (file.look(), file.pending) == (None, False)


@pytest.mark.parametrize(
    ("age", "taken"), [(0, False), (0.5, False), (1.1, True), (-100, False), (-1e9, False)]
)
def test_how_old_a_change_has_to_be(path, age, taken):
    """One look is enough: a worker that has had nothing to do may get no second one in time."""
    file = WatchedFile(str(path), 1.0)
    file.read()
    put(path, b"two", age)
    assert (file.look(), file.pending) == ((b"two", False) if taken else (None, True))


def test_a_time_in_the_future(path, later):
    """The clock of a file server may be ahead. Two looks far enough apart have to see the same."""
    file = WatchedFile(str(path), 1.0)
    file.read()
    put(path, b"two", age=-1000)
    assert (file.look(), file.pending) == (None, True)
    later(0.6)
    assert file.look() is None
    put(path, b"2", age=-1000)
    later(0.6)
    assert file.look() is None
    later(1)
    assert (file.look(), file.pending) == (b"2", False)


def test_back_to_what_it_was(path):
    """A change that was never taken leaves nothing behind."""
    file = WatchedFile(str(path), 1.0)
    file.read()
    moved = path.rename(path.with_name("moved"))
    put(path, b"two", age=0)
    assert (file.look(), file.pending) == (None, True)
    moved.replace(path)
    assert (file.look(), file.pending) == (None, False)


def test_a_change_while_it_is_read(path, monkeypatch):
    file = WatchedFile(str(path), 1.0)
    file.read()
    put(path, b"two")
    real, facts = os.fstat, []

    def fstat(descriptor):
        if len(facts) == 1:
            put(path, b"three")
        facts.append(real(descriptor))
        return facts[-1]

    monkeypatch.setattr(watched_file.os, "fstat", fstat)
    assert (file.look(), file.pending) == (None, True)
    monkeypatch.setattr(watched_file.os, "fstat", real)
    assert file.look() == b"three"


def test_another_file_after_it_was_opened(path, monkeypatch):
    """What is looked at is what is read."""
    file = WatchedFile(str(path), 1.0)
    file.read()
    put(path, b"two")
    real = os.fstat

    def fstat(descriptor):
        another_one = path.with_name("another one")
        put(another_one, b"three")
        another_one.replace(path)
        return real(descriptor)

    monkeypatch.setattr(watched_file.os, "fstat", fstat)
    assert file.look() in (b"two", None)
    monkeypatch.setattr(watched_file.os, "fstat", real)
    assert file.look() == b"three"


def test_a_mounted_configmap(tmp_path):
    """``cors.toml -> ..data/cors.toml``, ``..data -> ..2026_1``, in a folder that all can write."""
    for name in ("..2026_1", "..2026_2"):
        (tmp_path / name).mkdir()
        put(tmp_path / name / "cors.toml", name.encode())
    tmp_path.chmod(0o777)
    (tmp_path / "..data").symlink_to("..2026_1")
    (tmp_path / "cors.toml").symlink_to("..data/cors.toml")
    file = WatchedFile(str(tmp_path / "cors.toml"), 1.0)
    assert file.read() == b"..2026_1"
    (tmp_path / "..data_tmp").symlink_to("..2026_2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    shutil.rmtree(tmp_path / "..2026_1")
    assert file.look() == b"..2026_2"


def test_a_relative_path(path, monkeypatch):
    """It starts at the working directory that there was at first."""
    monkeypatch.chdir(path.parent)
    file = WatchedFile(path.name, 1.0)
    monkeypatch.chdir("/")
    assert file.path == str(path)
    assert file.read() == b"one"


# What cannot be used


def removed(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def device(path):
    path.unlink()
    path.symlink_to("/dev/null")


def loop(path):
    path.unlink()
    path.symlink_to(path)


def too_long(path):
    put(path, b"x" * (LARGEST_FILE + 1))


def of_the_group(path):
    path.chmod(0o664)


def of_everybody(path):
    path.chmod(0o646)


UNUSABLE = {
    removed: r"there is no such file\. Create it, or correct the path\.",
    folder: r"it is a folder, not a regular file: name a file\.",
    pipe: r"it is not a regular file: name a regular file, or a link to one\.",
    device: r"it is not a regular file: name a regular file, or a link to one\.",
    loop: r"it cannot be read: Too many levels of symbolic links\.",
    too_long: r"it has 1,000,001 bytes; at most 1,000,000 are read\.",
    of_the_group: r"it can be changed .* \(its mode is 0664\): chmod go-w 'PATH'",
    of_everybody: r"it can be changed .* \(its mode is 0646\): chmod go-w 'PATH'",
}


@pytest.mark.parametrize("change", UNUSABLE)
def test_a_file_that_cannot_be_used(path, change):
    """Neither at first nor later; and what was there before comes back into use."""
    file = WatchedFile(str(path), 1.0)
    file.read()
    kept = path.with_name("kept")
    shutil.copy2(path, kept)
    change(path)
    message = UNUSABLE[change].replace("PATH", re.escape(str(path)))
    for ask in (file.look, file.look, WatchedFile(str(path), 1.0).read):
        with pytest.raises(WatchedFileError, match=f"^{message}$"):
            ask()
    assert not file.pending
    if change is folder:
        path.rmdir()
    put(kept, b"two")
    kept.replace(path)
    assert file.look() == b"two"


def test_the_largest_file(path):
    put(path, b"x" * LARGEST_FILE)
    assert len(WatchedFile(str(path), 1.0).read()) == LARGEST_FILE


@pytest.mark.parametrize("owner", [0, os.geteuid(), 12345])
def test_who_owns_the_file(path, monkeypatch, owner):
    real = os.fstat

    def fstat(descriptor):
        found = real(descriptor)
        return os.stat_result((*found[:4], owner, *found[5:10]), _times(found))

    monkeypatch.setattr(watched_file.os, "fstat", fstat)
    file = WatchedFile(str(path), 1.0)
    if owner != 12345:
        assert file.read() == b"one"
        return
    words = rf"belongs to user 12345.*root or to user {os.geteuid()}.*: chown root '.*'$"
    with pytest.raises(WatchedFileError, match=words):
        file.read()


def _times(found):
    names = ("st_atime", "st_mtime", "st_ctime", "st_atime_ns", "st_mtime_ns", "st_ctime_ns")
    return {name: getattr(found, name) for name in names}


def test_without_users(path, monkeypatch):
    """As on Windows, whose modes say nothing."""
    monkeypatch.delattr(watched_file.os, "geteuid")
    monkeypatch.delattr(watched_file.os, "O_NONBLOCK")
    path.chmod(0o666)
    assert WatchedFile(str(path), 1.0).read() == b"one"


def test_a_file_that_may_not_be_opened(path, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(watched_file.os, "open", refuse)
    words = r"cannot be opened by the user who runs this process: chmod a\+r '.*a file\.txt'; the"
    with pytest.raises(WatchedFileError, match=words):
        WatchedFile(str(path), 1.0).read()


def test_a_path_that_no_file_can_have():
    with pytest.raises(WatchedFileError, match="cannot be read: embedded null"):
        WatchedFile("a\0b", 1.0).read()
