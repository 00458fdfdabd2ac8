"""Tasks that live as long as the process."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic

import structlog

from notifications.gateway import metrics

PAUSE_S = (0.1, 1.0)
STEADY_S = 10.0
"""Work that has lasted so long had recovered: its next failure is news again."""

log = structlog.get_logger(__name__)


def supervised(name: str, work: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
    """Run work again whenever it ends. Keep the task: asyncio has only weak references to tasks."""
    return asyncio.create_task(_supervise(name, work), name=f"gateway-{name}")


async def _supervise(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Survive and count what it raises, and log it once for as long as it stays the same."""
    known: type[Exception] | None = None
    while True:
        started = monotonic()
        try:
            await work()
        except Exception as error:
            metrics.restarts.labels(name).inc()
            if type(error) is not known or monotonic() - started > STEADY_S:
                log.warning("gateway.task_failed", task=name, error=type(error).__name__, exc_info=True)
            known = type(error)
        await asyncio.sleep(random.uniform(*PAUSE_S))  # noqa: S311 - jitter
