"""A TCP proxy in front of a store, on which everything can go wrong."""

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Literal

from tests.listening import free_port

Fault = Literal["pass", "refuse", "reset", "hang", "trickle", "garbage"]
#: ``pass`` is none; each of the others concerns connections that are open, too.
FAULTS: tuple[Fault, ...] = ("refuse", "reset", "hang", "trickle", "garbage")
#: What a server of another kind, or a broken one, would send.
GARBAGE = (
    b"$99999999999\r\n",
    b"*2147483647\r\n",
    b"*1\r\n" * 5000,
    b"+OK\r\n:1\r\n$-1\r\n*0\r\n" * 100,
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"E\x7f\xff\xff\xff" + b"x" * 1000,
    b"R\x00\x00\x00\x08\x00\x00\x00\x00" * 100,
    bytes(range(256)) * 100,
    b"\x00" * 100_000,
)
_SECONDS_BETWEEN_BYTES = 0.05


class FaultProxy:
    """Forwards connections to a port, as long as :attr:`fault` is ``pass``.

    :ivar port: where it listens.
    :ivar accepted: how many connections there have been.
    :ivar garbage: what comes instead of replies; None for what was sent.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.accepted = 0
        self._target = target
        self._fault: Fault = "pass"
        self.garbage: Iterator[bytes] | None = itertools.cycle(GARBAGE)
        self._open: set[socket.socket] = set()
        self._changed = threading.Event()
        self._listener: socket.socket | None = None
        self._listen()

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        if fault in ("refuse", "reset"):
            self._reset_all()
        if fault == "refuse":
            self._stop_listening()
        elif self._listener is None:
            self._listen()
        if fault == "pass":
            # What was held back does not come late: this is a new network.
            self._reset_all()

    def close(self) -> None:
        self._fault = "refuse"
        self._stop_listening()
        self._reset_all()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which close() does not
            self._listener.close()
            self._listener = None

    def _reset_all(self) -> None:
        for one in [*self._open]:
            self._reset(one)

    def _reset(self, one: socket.socket) -> None:
        self._open.discard(one)
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.shutdown(socket.SHUT_RD)
        one.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._fault == "reset":
                self._reset(client)
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open |= {client, server}
            for source, target, is_reply in ((client, server, False), (server, client, True)):
                arguments = (source, target, is_reply)
                threading.Thread(target=self._forward, args=arguments, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_reply: bool) -> None:
        try:
            while data := source.recv(65536):
                if self._fault == "garbage" and not is_reply:
                    source.sendall(data if self.garbage is None else next(self.garbage))
                elif self._fault == "trickle" and is_reply:
                    for byte in data:
                        target.sendall(bytes([byte]))
                        self._changed.wait(_SECONDS_BETWEEN_BYTES)
                        if self._fault != "trickle":
                            break
                elif self._fault in ("pass", "trickle"):
                    target.sendall(data)
        except OSError:
            pass
        finally:
            self._reset(source)
            self._reset(target)


@contextlib.contextmanager
def fault_proxy(target: int) -> Iterator[FaultProxy]:
    """A proxy until the block is left."""
    proxy = FaultProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
