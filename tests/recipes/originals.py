"""The servers that the original configurations were written for, by the language of those."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..listening import free_port, listening, require
from ..nginx import nginx
from .apache import HTTPD, httpd
from .packages import node_modules

# Where the pages say that files lie.
CONTENT = "/srv/www"


class Original(NamedTuple):
    """How one is started.

    :ivar needs: the programs and modules that it takes.
    :ivar command: the command line, given the configuration, a free port and a directory in which
        ``www`` holds the files.
    """

    needs: tuple[str, ...]
    command: Callable[[str, int, Path], list[str]]

    @contextmanager
    def running(self, configuration: str, directory: Path) -> Iterator[int]:
        """Serve until the block is left; the port."""
        require(self.needs)
        port = free_port()
        text = configuration.replace(CONTENT, str(directory / "www"))
        command = self.command(text, port, directory)
        log = directory / "original.log"
        with listening(command, port, log, {}, directory):
            yield port


def _python(text: str, port: int, directory: Path) -> list[str]:
    """An ASGI or WSGI app called ``app``."""
    (directory / "original.py").write_text(text)
    return [sys.executable, "-m", "hypercorn", f"--bind=127.0.0.1:{port}", "original:app"]


def _apache(text: str, port: int, directory: Path) -> list[str]:
    """A ``.htaccess``, where people paste it; or what a ``<VirtualHost>`` has, if that includes
    a file."""
    if "Include " in text:
        return httpd(port, directory, text)
    (directory / "www" / ".htaccess").write_text(text)
    return httpd(port, directory)


def _php(text: str, port: int, directory: Path) -> list[str]:
    """One script that answers everything, without the settings of this machine."""
    (directory / "original.php").write_text(text)
    return ["php", "-n", "-S", f"127.0.0.1:{port}", "-t", "www", "original.php"]


def _nginx(text: str, port: int, directory: Path) -> list[str]:
    """What a file in ``conf.d`` holds: the inside of ``http``."""
    return nginx(text.replace("listen 80;", f"listen 127.0.0.1:{port};"), directory)


def _node(text: str, port: int, directory: Path) -> list[str]:
    """A program that listens on port 3000."""
    (directory / "node_modules").symlink_to(node_modules())
    (directory / "original.js").write_text(text.replace("listen(3000)", f"listen({port})"))
    return ["node", "original.js"]


def _iis(text: str, port: int, directory: Path) -> list[str]:
    """A ``web.config``, answered by the rules that its module documents."""
    (directory / "web.config").write_text(text)
    rules = Path(__file__).with_name("iis.py")
    return [sys.executable, str(rules), "web.config", str(port)]


ORIGINALS = {
    "js": Original(("node", "npm"), _node),
    "nginx": Original(("nginx",), _nginx),
    "apache": Original((HTTPD,), _apache),
    "php": Original(("php",), _php),
    "py": Original(("hypercorn",), _python),
    "xml": Original((), _iis),
}


@contextmanager
def guarded(
    app: str, directory: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Serve the app that stands for an original; the port."""
    (directory / "app.py").write_text(app)
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "app", "run", f"--port={port}"]
    with listening(command, port, directory / "guard.log", environment or {}, directory):
        yield port
