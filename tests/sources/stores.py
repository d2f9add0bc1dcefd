"""Redis and PostgreSQL, on loopback, with nothing in them."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from tests.listening import do_without, free_port, listening, require

# What has to be percent-encoded in a URL, or quoted in a message.
PASSWORD = "s3cr/t@:'é#\\"
QUOTED = quote(PASSWORD, safe="")


class Store(NamedTuple):
    """A server that listens.

    :ivar user: the administrator, and a colon before the password.
    """

    scheme: str
    user: str
    port: int
    path: str

    def at(self, port: int, user: str = "") -> str:
        """The URL of something that listens on another port, such as a proxy.

        :param user: a user with password, percent-encoded; the administrator by default.
        """
        return f"{self.scheme}://{user or self.user}@127.0.0.1:{port}/{self.path}"

    @property
    def own_url(self) -> str:
        return self.at(self.port)


@contextmanager
def redis_server(*options: str) -> Iterator[Store]:
    """Run Redis until the block is left."""
    require(["redis-server", "redis"])
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--requirepass", PASSWORD, "--dir", folder, *options]
        with listening(command, port, Path(folder, "log"), {}):
            yield Store("redis", f":{QUOTED}", port, "0")


@contextmanager
def postgresql() -> Iterator[Store]:
    """Run PostgreSQL until the block is left."""
    require(["sqlalchemy", "psycopg"])
    programs = _postgresql_programs()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        password = Path(folder, "password")
        password.write_text(PASSWORD)
        data = Path(folder, "data")
        become: list[str] = []
        if os.geteuid() == 0:  # whom PostgreSQL refuses
            become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            for path in (folder, str(password)):
                shutil.chown(path, "nobody", "nogroup")
        begin = [*become, str(programs / "initdb"), "-D", str(data), "-U", "shop", "--no-sync"]
        begin += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--no-locale"]
        subprocess.run(begin, check=True, capture_output=True, cwd=folder)
        command = [*become, str(programs / "postgres"), "-D", str(data), "-p", str(port)]
        for setting in (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "shared_buffers=16MB",
            "max_connections=60",
        ):
            command += ["-c", setting]
        with listening(command, port, Path(folder, "log"), {}, Path(folder)) as process:
            yield Store("postgresql", f"shop:{QUOTED}", port, "postgres")
            process.send_signal(signal.SIGQUIT)  # or it would wait for its clients


def _postgresql_programs() -> Path:
    """Where the newest version is installed: Debian has only the client's programs on the path."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin")]
    if found:
        return max(found, key=lambda path: int(path.parts[-2]))
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else do_without("not installed: postgresql")
