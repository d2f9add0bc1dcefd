"""A SOCKS proxy for which every host is this machine, https://www.rfc-editor.org/rfc/rfc1928.

WebKit has no switch for host names. Such a proxy is given the name and is not seen by HTTP, and it
needs no rights: no line in /etc/hosts, no namespace.
"""

import select
import socket
import socketserver
import struct
import threading
from contextlib import suppress
from typing import Self

IPV4, NAME, IPV6 = 1, 3, 4
SUCCEEDED, REFUSED = 0, 5


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with suppress(OSError, struct.error):
            _version, count = self.rfile.read(2)
            self.rfile.read(count)
            self.wfile.write(b"\x05\x00")  # no authentication
            _version, _command, _reserved, kind = self.rfile.read(4)
            self.rfile.read({IPV4: 4, IPV6: 16}.get(kind) or self.rfile.read(1)[0])
            (port,) = struct.unpack("!H", self.rfile.read(2))
            try:
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:
                self.reply(REFUSED)
                return
            with server:
                self.reply(SUCCEEDED)
                self.relay(server)

    def reply(self, code: int) -> None:
        self.wfile.write(bytes((5, code, 0, IPV4)) + bytes(6))

    def relay(self, server: socket.socket) -> None:
        """Pass bytes on until one of the two sides ends."""
        ends = {self.connection: server, server: self.connection}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)


class LocalProxy(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()
