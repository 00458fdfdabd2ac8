"""Events that Clarion itself causes: written with the change, appended after its commit.

Append refuses to run inside a transaction, and the change (a claim, a staff action, an
erasure) needs one; so the event waits in a row of the same transaction. Its deterministic
id makes a second append harmless.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
import structlog
from django.db import transaction

from events import log as event_log
from events.errors import InvalidEvent, LogUnavailable
from events.lanes import Lane
from events.models import OutboxEvent

BATCH = 100

log = structlog.get_logger(__name__)


def write(
    *,
    game_id: int,
    event_id: str,
    type: str,
    stream: str,
    data: Mapping[str, Any],
    lane: Lane = Lane.URGENT,
    soon: bool = True,
) -> None:
    """Write an event into the current transaction; it is appended right after commit, or by the sweep.

    ``event_id`` must follow from the change, such as ``claim:<notification>``; the same id
    again does nothing. ``soon=False`` leaves it to the sweep, for callers in whose place nothing can be
    appended.
    """
    OutboxEvent.objects.bulk_create(
        [
            OutboxEvent(
                game_id=game_id,
                event_id=event_id,
                type=type,
                stream=stream,
                lane=lane,
                data=orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode(),
            )
        ],
        ignore_conflicts=True,
    )
    if soon:
        transaction.on_commit(partial(_flush_soon), robust=True)


def flush(limit: int = BATCH) -> int:
    """Append what waits, oldest first, and return how many were appended.

    One that the log refuses for ever is logged and left; it holds up none of the others.

    Raises:
        LogUnavailable: the rest goes on waiting.
    """
    waiting = OutboxEvent.objects.filter(appended__isnull=True).order_by("id")[:limit]
    return sum([_append(row) for row in waiting])


def _append(row: OutboxEvent) -> bool:
    try:
        event_log.append_own(
            game_id=row.game_id,
            event_id=row.event_id,
            type=row.type,
            stream=row.stream,
            data=row.data,
            lane=row.lane,
            time=row.created,
        )
    except InvalidEvent:
        log.exception("outbox.refused", outbox=row.pk, type=row.type)
        return False
    OutboxEvent.objects.filter(pk=row.pk).update(appended=datetime.now(UTC))
    return True


def _flush_soon() -> None:
    try:
        flush()
    except LogUnavailable as error:
        log.warning("outbox.waits", error=str(error))
