"""One nginx and one Apache, which load the exports of many apps: a virtual host for each."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from tests.cli.command_line import run
from tests.listening import free_port, listening, require
from tests.nginx import nginx
from tests.recipes.apache import HTTPD, httpd

FILES = "x.js f1.ttf fonts/body.woff2 private/x.js private/own/x private/report.json a;b".split()
SERVERS = ("nginx", "apache")


def lay_out(directory: Path) -> None:
    for name in FILES:
        path = directory / "www" / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("some text")


@contextmanager
def serving(
    server: str,
    apps: Mapping[str, Flask],
    directory: Path,
    around: str = "",
    arguments: Sequence[str] = ("--path", "/static"),
) -> Iterator[int]:
    """A server with a virtual host for each app; the port.

    :param around: further lines for each host.
    :param arguments: what is exported.
    """
    require(["nginx" if server == "nginx" else HTTPD])
    lay_out(directory)
    for name, app in apps.items():
        output = directory / "conf" / name
        output.mkdir(parents=True)
        ran = run(["export", server, *arguments, "--output", str(output)], app)
        assert (ran.code, ran.out) == (0, ""), ran.err
    port = free_port()
    start = _nginx if server == "nginx" else _apache
    command = start(list(apps), port, directory, around)
    with listening(command, port, directory / "log", {}, directory):
        yield port


def _nginx(names: Sequence[str], port: int, directory: Path, around: str) -> list[str]:
    lines: list[str] = ["keepalive_requests 100000;", "variables_hash_max_size 65536;"]
    for name in names:
        of = directory / "conf" / name
        lines.append(f"include {of}/corsguard-http.conf;")
        lines.append(f"server {{ listen 127.0.0.1:{port}; server_name {name};")
        lines.append(f"root {directory}/www; {around} include {of}/corsguard-server.conf; }}")
    return nginx("\n".join(lines), directory)


def _apache(names: Sequence[str], port: int, directory: Path, around: str) -> list[str]:
    hosts = "".join(
        f"<VirtualHost *:{port}>\nServerName {name}\nDocumentRoot {directory}/www\n"
        f"{around}\nInclude {directory}/conf/{name}/corsguard.conf\n</VirtualHost>\n"
        for name in names
    )
    return httpd(port, directory, f"MaxKeepAliveRequests 0\nTraceEnable on\n{hosts}")
