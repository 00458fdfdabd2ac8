"""Transports in bad weather."""

import asyncio

from notifications.push.transport import Message, Receive, Subscribed, Transport


class NobodyHears(Transport):
    """Every hint is lost, and nobody knows."""

    def publish(self, message: Message) -> None:
        """Do nothing."""

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Receive nothing."""
        subscribed()
        await asyncio.Event().wait()


class Interrupted(Transport):
    """A subscription that breaks when the test says so; what is published meanwhile is lost."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.subscriptions = 0
        self._broken: asyncio.Event | None = None
        self._receive: Receive | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def publish(self, message: Message) -> None:
        """Hand it over while somebody listens."""
        self.messages.append(message)
        if self._receive is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._receive, message)

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Receive until it breaks."""
        self._loop, self._broken, self._receive = asyncio.get_running_loop(), asyncio.Event(), receive
        self.subscriptions += 1
        subscribed()
        await self._broken.wait()
        self._receive = None
        raise ConnectionResetError

    def breaks(self) -> None:
        """End the subscription that there is."""
        assert self._loop is not None
        assert self._broken is not None
        self._receive = None
        self._loop.call_soon_threadsafe(self._broken.set)
