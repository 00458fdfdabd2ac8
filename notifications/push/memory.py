"""Within one process: from the worker's thread to the gateway's loop."""

import asyncio
import contextlib
import threading

from notifications.push.transport import Message, Receive, Subscribed, Transport


class MemoryTransport(Transport):
    """Hands messages over with the loop's own thread-safe call."""

    def __init__(self) -> None:
        """Start without subscribers."""
        self._lock = threading.Lock()
        self._subscribers: dict[object, tuple[asyncio.AbstractEventLoop, Receive]] = {}

    def publish(self, message: Message) -> None:
        """Call every subscriber on its own loop, soon."""
        with self._lock:
            subscribers = list(self._subscribers.values())
        for loop, receive in subscribers:
            with contextlib.suppress(RuntimeError):  # that loop has just ended; its sockets with it
                loop.call_soon_threadsafe(receive, message)

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Receive until cancelled."""
        me = object()
        with self._lock:
            self._subscribers[me] = (asyncio.get_running_loop(), receive)
        try:
            subscribed()
            await asyncio.Event().wait()
        finally:
            with self._lock:
                self._subscribers.pop(me, None)
