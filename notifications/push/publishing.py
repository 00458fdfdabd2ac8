"""Publishing after commit, over whichever transport this deployment has."""

from collections.abc import Sequence
from functools import cache

import structlog
from django.conf import settings

from notifications.push.memory import MemoryTransport
from notifications.push.redis import RedisTransport
from notifications.push.transport import Announced, Change, Changes, Control, Transport

log = structlog.get_logger(__name__)


@cache
def transport() -> Transport:
    """Return this process's transport: Redis on services, memory when embedded."""
    if settings.REDIS_URL:
        return RedisTransport(settings.REDIS_URL, settings.CLARION_PREFIX)
    return MemoryTransport()


def publish(changes: Sequence[Change]) -> None:
    """Hint at the changes of one batch, in one message. Call it after commit, never before."""
    if changes:
        transport().publish(Changes(changes))
        if log.is_enabled_for(10):
            log.debug(
                "push.published", players=len(changes), traces=[each.trace for each in changes if each.trace]
            )


def publish_announcement(game_id: int, from_: int, to: int, frame: str) -> None:
    """Hint at a game's announcements."""
    transport().publish(Announced(game_id, from_, to, frame))


def publish_control(player_id: int, device: str, socket: str) -> None:
    """Tell all gateways that a device has a newer socket."""
    transport().publish(Control(player_id, device, socket))
