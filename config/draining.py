"""Letting every connection end its own way when the server stops.

daphne ends all applications by cancellation and waits for them together; the first that
raises the cancellation again ends the wait for all, and players' sockets are then cut off
(1006) in the middle of their good-bye. A plain request that is under way does raise it.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Draining:
    """Wraps an ASGI application so that a cancelled connection ends normally."""

    def __init__(self, application: Application) -> None:
        """Take the application."""
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection; its cancellation is its end, and nobody else's."""
        try:
            await self._application(scope, receive, send)
        except asyncio.CancelledError:
            return
