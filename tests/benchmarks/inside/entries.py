"""Events as game servers send them, made before any clock runs."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from events.envelope import Envelope
from events.lanes import Lane
from events.log import Entry

STREAMS = 1_000
TYPE = "guild.invite.received"


def entries(count: int, *, players: int = STREAMS) -> list[Entry]:
    """Return new events, spread over so many players' streams."""
    run, now = secrets.token_hex(4), datetime.now(UTC)
    return [
        Entry(
            envelope=Envelope(
                id=f"{run}-{n}", source="/bench", type=TYPE, subject=None, time=now,
                datacontenttype="application/json", dataschema=None,
                data=f'{{"player_id":"load-{n % players}","guild":"guild {run} {n}","from":"bench"}}',
                data_encoding="json", stream=f"load-{n % players}", expected_version=None, expires=None,
                traceparent="", extensions="{}",
            ),
            lane=Lane.NORMAL,
        )
        for n in range(count)
    ]  # fmt: skip


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
