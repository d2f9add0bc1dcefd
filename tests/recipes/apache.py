"""Apache httpd as a program of the test's own: any user can start it, and it leaves nothing."""

import os
from pathlib import Path

HTTPD = "/usr/sbin/apache2"  # not on every user's PATH
_MODULES = "mpm_event alias authz_core dir headers proxy proxy_http rewrite setenvif".split()
# Started by root, Apache would serve as a user who may not look into root's temporary directories.
# So it is nobody from the start, with root's right to look into all of them.
_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
_AS_NOBODY = (*_NOBODY, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def httpd(port: int, directory: Path, more: str = "") -> list[str]:
    """Configure it to serve ``www`` of a directory with ``.htaccess``; the command line.

    :param more: further lines of the server's configuration.
    """
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in _MODULES
    )
    path = directory / "httpd.conf"
    path.write_text(f"""\
ServerRoot "{directory}"
DefaultRuntimeDir "{directory}"
PidFile "{directory}/httpd.pid"
ErrorLog /dev/stderr
ServerName api.example.com
Listen 127.0.0.1:{port}
{modules}
StartServers 1
DocumentRoot "{directory}/www"
<Directory "{directory}/www">
    AllowOverride All
</Directory>
{more}""")
    nobody = _AS_NOBODY if os.geteuid() == 0 else ()
    return [*nobody, HTTPD, "-f", str(path), "-DFOREGROUND"]
