"""nginx, with a configuration and a directory of its own."""

from pathlib import Path

_CONFIGURATION = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{http}
}}
"""


def nginx(http: str, directory: Path) -> list[str]:
    """The command line, given the contents of the block ``http``."""
    path = directory / "nginx.conf"
    path.write_text(_CONFIGURATION.format(directory=directory, http=http))
    return ["nginx", "-c", str(path), "-e", str(directory / "nginx.log")]
