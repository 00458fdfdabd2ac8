"""A TCP proxy whose weather can be changed: cut, stalled, slow; also the balancer before several gateways."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine, Sequence
from math import inf
from typing import Any, Self, TypeVar

T = TypeVar("T")
CHUNK = 64 * 1024
CONNECT_S = 2.0
UPGRADED = b"HTTP/1.1 101 "
"""What is a socket from here on, whose end is a handshake of its own."""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Listens on a port of its own and forwards each connection to the first upstream that takes it.

    It lives on a loop and a thread of its own, so that a busy test does not slow it down.
    """

    def __init__(self, upstreams: Sequence[int]) -> None:
        """Listen at once; ``upstreams`` are ports of this machine and may change at any time."""
        self.upstreams = list(upstreams)
        self.port = 0
        self.stalled = False
        """Connections are accepted; not one byte goes on."""
        self.held = 0
        """The port of a client whose bytes stay here, as if it had not sent them yet; 0 is nobody's."""
        self.bytes_a_second: float | None = None
        """So much goes from each client to its server; None is as much as there is."""
        self.unanswered: list[str] = []
        """Connections whose client has said something and was told nothing: to whom, when, and how they ended."""
        self._moved = asyncio.Event()
        self._turn = 0
        self._open: dict[asyncio.Task[None], tuple[int, int]] = {}
        self._last: dict[asyncio.StreamWriter, float] = {}
        """When something was last said to each side of each connection."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._clients: dict[asyncio.Task[None], int] = {}
        self._server = self._do(self._listen(0))

    # -- the weather -----------------------------------------------------------------------------------

    def cut(self, upstream: int | None = None) -> int:
        """Break every connection (or those to one upstream) without a good-bye; return how many."""
        return self._do(self._cut(upstream))

    def stall(self) -> None:
        """Accept, and confirm nothing."""
        self._do(self._set_stalled(stalled=True))

    def flow(self) -> None:
        """Let everything through again, also what has waited."""
        self.bytes_a_second = None
        self._do(self._set_stalled(stalled=False))

    def refuse(self) -> None:
        """Be as a server that is stopped: nobody listens, and what was open is broken."""
        self._do(self._stop_listening())

    def listen(self) -> None:
        """Take connections again, on the same port."""
        self._server = self._do(self._listen(self.port))

    def hold(self, client_port: int) -> None:
        """Keep what one client sends: what a frozen process has given to the kernel would else still arrive."""
        self.held = client_port

    def release(self) -> None:
        """Let it go on."""
        self.held = 0
        self.flow()

    def open_to(self, upstream: int) -> int:
        """Return how many connections are open to an upstream."""
        return sum(port == upstream for port, _ in list(self._open.values()))

    def client_port(self, own_port: int) -> int:
        """Return the port of the client whose connection leaves here by this port; 0 when there is none."""
        return next(
            (self._clients[task] for task, (_, mine) in list(self._open.items()) if mine == own_port), 0
        )

    # -- the traffic -----------------------------------------------------------------------------------

    async def _listen(self, port: int) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        began = time.monotonic()
        try:
            port, (upstream, onward) = await self._dial()
        except OSError:
            self.unanswered.append(f"to nobody, {began:.3f} to {time.monotonic():.3f}")
            writer.transport.abort()
            return
        dialled = time.monotonic()
        self._clients[task] = writer.get_extra_info("peername")[1]
        self._open[task] = (port, onward.get_extra_info("sockname")[1])
        pumps = [
            asyncio.create_task(self._pump(reader, onward, client=self._clients[task])),
            asyncio.create_task(self._pump(upstream, writer)),
        ]
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if (silent := self._last.get(writer, 0.0)) < self._last.get(onward, 0.0):
                ended = [
                    ("client", "upstream")[pumps.index(each)] + f" {each.exception()!r}" for each in done
                ]
                self.unanswered.append(
                    f"to {port}, asked {began:.3f}, connected {dialled:.3f}, last words {silent:.3f} and"
                    f" {self._last[onward]:.3f}, ended {time.monotonic():.3f} by {ended}"
                )
            for each in (writer, onward):
                each.close()  # what is on its way still arrives: a close frame, an answer
        except asyncio.CancelledError:
            for each in (writer, onward):
                each.transport.abort()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._open.pop(task, None)
            self._clients.pop(task, None)
            self._last.pop(writer, None)
            self._last.pop(onward, None)

    async def _dial(self) -> tuple[int, Streams]:
        """Connect to the upstream whose turn it is, or to the next one that answers."""
        self._turn += 1
        first = self._turn % len(self.upstreams)  # others take their turns meanwhile
        for port in [*self.upstreams[first:], *self.upstreams[:first]]:
            with contextlib.suppress(OSError, TimeoutError):
                return port, await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), CONNECT_S)
        raise ConnectionRefusedError

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: int = 0
    ) -> None:
        """Forward what comes until one side ends, which ends the other too: half-open is no weather of ours."""
        while data := await reader.read(CHUNK):
            while self.stalled or (client and client == self.held):
                self._moved.clear()
                await self._moved.wait()
            if client and self.bytes_a_second:
                await asyncio.sleep(len(data) / self.bytes_a_second)
            self._last[writer] = (
                inf if data.startswith(UPGRADED) or self._last.get(writer) == inf else time.monotonic()
            )
            writer.write(data)
            await writer.drain()

    async def _set_stalled(self, *, stalled: bool) -> None:
        self.stalled = stalled
        self._moved.set()

    async def _cut(self, upstream: int | None) -> int:
        those = [task for task, (port, _) in self._open.items() if upstream in {None, port}]
        for task in those:
            task.cancel()
        await asyncio.gather(*those, return_exceptions=True)
        return len(those)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def close(self) -> None:
        """End with all connections."""
        self._do(self._stop_listening())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop_listening(self) -> None:
        self._server.close()
        await self._cut(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
