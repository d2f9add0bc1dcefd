"""The servers of the page, each started with the command that its row shows."""

import shlex
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.listening import free_port, listening
from tests.recipes.apache import HTTPD, httpd
from tests.strength.servers import python_path

from .page import PAGE, rows

MOD_WSGI = "/usr/lib/apache2/modules/mod_wsgi.so"


class Server(NamedTuple):
    """A row about a server.

    :ivar needs: the programs and modules that it takes.
    """

    name: str
    needs: tuple[str, ...]

    @contextmanager
    def running(self, directory: Path, lines: Sequence[str] = ()) -> Iterator[int]:
        """Serve the app of the page until the block is left; the port.

        :param lines: others than those of the row.
        """
        port = free_port()
        lines = lines or rows()[self.name].lines
        code = "\n".join(line for line in lines if " = " in line or " import " in line)
        (directory / "app.py").write_text(f"{app_of_the_page()}\n{code}\n")
        if self.name == "mod_wsgi":
            command = _apache("\n".join(lines), port, directory)
        else:
            # The row's port is this one, and its programs are those beside the interpreter.
            program, *arguments = shlex.split(lines[-1].replace("8000", str(port)))
            beside = Path(sysconfig.get_path("scripts"), program)
            command = [str(beside) if beside.exists() else f"{program}_python3", *arguments]
        path = f"{directory}:{python_path()}"
        with listening(command, port, directory / "log", {"PYTHONPATH": path}, directory):
            yield port


def app_of_the_page() -> str:
    """The app that the page begins with."""
    return PAGE.read_text("utf-8").partition("```python\n# app.py\n")[2].partition("```")[0]


def _apache(lines: str, port: int, directory: Path) -> list[str]:
    (directory / "www").mkdir()
    directory.chmod(0o755)
    more = f"""\
LoadModule wsgi_module {MOD_WSGI}
WSGIPythonPath {directory}:{python_path()}
<Directory "{directory}">
    Require all granted
</Directory>
{lines.replace("/srv/shop", str(directory))}
"""
    (directory / "app.wsgi").write_text("from app import app as application\n")
    return httpd(port, directory, more)


SERVERS = [
    Server("gunicorn", ("gunicorn",)),
    Server("waitress", ("waitress",)),
    Server("uWSGI", ("uwsgi_python3",)),
    Server("mod_wsgi", (HTTPD, MOD_WSGI)),
    Server("uvicorn", ("uvicorn", "asgiref")),
    Server("hypercorn", ("hypercorn",)),
]
