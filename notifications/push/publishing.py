"""Publishing after commit, over whichever transport this deployment has."""

import logging
import threading
from collections.abc import Sequence

import structlog
from django.conf import settings

from notifications.push.memory import MemoryTransport
from notifications.push.redis import RedisTransport
from notifications.push.transport import Announced, Change, Changes, Newest, Replaced, Transport

log = structlog.get_logger(__name__)

_chosen: list[Transport] = []
_lock = threading.Lock()


def transport() -> Transport:
    """Return this process's transport: Redis on services, memory when embedded."""
    with _lock:
        if not _chosen:
            _chosen.append(
                RedisTransport(settings.REDIS_URL, settings.CLARION_PREFIX)
                if settings.REDIS_URL
                else MemoryTransport()
            )
        return _chosen[0]


def use(transport: Transport | None) -> None:
    """Use another transport from now on; None goes back to the deployment's own. For tests."""
    with _lock:
        _chosen[:] = [] if transport is None else [transport]


def publish(changes: Sequence[Change]) -> None:
    """Hint at the changes of one batch, in one message. Call it after commit, never before."""
    if changes:
        transport().publish(Changes(changes))
        for change in changes:
            trace("push.published", change)


def publish_announcement(announced: Announced) -> None:
    """Hint at a game's announcements. Call it after commit."""
    transport().publish(announced)


def publish_newest(newest: Sequence[Newest]) -> None:
    """Tell all gateways which devices have newer sockets, in one message."""
    if newest:
        transport().publish(Replaced(newest))


def trace(step: str, change: Change) -> None:
    """Log how far each event of a change has come, as ingestion does: at debug level, by id and trace."""
    if log.is_enabled_for(logging.DEBUG):
        for each in change.traces:
            event_id, _, traceparent = each.rpartition(" ")
            log.debug(step, event_id=event_id, traceparent=traceparent, seq=change.to)
