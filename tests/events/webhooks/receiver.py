"""A real HTTP server on this machine that answers as it is told, and keeps what it gets."""

import base64
import hashlib
import hmac
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET


@dataclass(frozen=True)
class Call:
    """What came."""

    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    at: float = field(default_factory=time.monotonic)

    def fits(self, secret: str) -> bool:
        """Tell whether it is signed with a secret, reckoned anew from Standard Webhooks' own words."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        id_, stamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = id_.encode() + b"." + stamp.encode() + b"." + self.body
        ours = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return ours in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """The server; ``status`` is a number, or 'hang', 'drop', 'drip'. It may be changed at any time."""

    port: int = 0
    status: int | str = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"thanks"
    calls: list[Call] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?game=1"

    @property
    def ids(self) -> list[str]:
        return [call.headers["webhook-id"] for call in self.calls]

    def wait(self, calls: int = 1, timeout_s: float = 30) -> None:
        """Wait until so many more calls have come."""
        for _ in range(calls):
            assert self.came.acquire(timeout=timeout_s), f"nobody called within {timeout_s} s"


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver for as long as the context lasts."""
    receiver = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.status
            receiver.calls.append(Call(self.path, headers, body))
            receiver.came.release()
            with suppress(OSError):  # whoever asked may have gone
                self._answer(status)

        def _answer(self, status: int | str) -> None:
            if status == "hang":
                receiver.over.wait(60)
            elif status == "drop":
                self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            elif status == "drip":
                while not receiver.over.wait(0.05):
                    self.wfile.write(b"H")
            else:
                self._whole(int(status))

        def _whole(self, status: int) -> None:
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(receiver.answer)))
            self.end_headers()
            self.wfile.write(receiver.answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
