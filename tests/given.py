"""How tests bring a state about: by events, as production does."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from events import log
from events.envelope import Envelope
from events.hubs.registry import hubs
from events.hubs.run import run
from events.lanes import Lane
from events.log.entries import Entry, Outcome
from events.models import Checkpoint, DeadLetter, Game
from events.tenancy import create_game

_counter = itertools.count(1)


def given_game(slug: str | None = None, **fields: Any) -> Game:
    """Make a game with a name of its own."""
    return create_game(slug or f"game-{next(_counter)}", **fields)


def an_event(
    *,
    type: str = "level.reached",
    id: str | None = None,
    source: str = "/tests",
    stream: str | None = None,
    data: Any = None,
    expected_version: int | None = None,
    expires: datetime | None = None,
    time: datetime | None = None,
) -> Envelope:
    """Return a valid envelope; what is not given is plausible."""
    event_id = id or f"e{next(_counter)}"
    return Envelope(
        id=event_id,
        source=source,
        type=type,
        subject=None,
        time=time or datetime.now(UTC),
        datacontenttype="application/json" if data is not None else None,
        dataschema=None,
        data=orjson.dumps(data).decode() if data is not None else None,
        data_encoding="json" if data is not None else "",
        stream=stream or f"{source}#{event_id}",
        expected_version=expected_version,
        expires=expires,
        traceparent="",
        extensions="{}",
    )


def given_events(game: Game, *envelopes: Envelope, lane: Lane = Lane.NORMAL) -> list[Outcome]:
    """Append events to the game's log and return what each came to."""
    return log.append(game.id, [Entry(envelope=envelope, lane=lane) for envelope in envelopes])


def given_age(**units: float) -> None:
    """Let everything in the log, and every advance, be older; no other code may change an event."""
    before = datetime.now(UTC) - timedelta(**units)
    Checkpoint.objects.update(advanced=before)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_event SET recorded = %s", [connection.ops.adapt_datetimefield_value(before)]
        )


def given_letter(game: Game, stream: str = "mallory") -> DeadLetter:
    """Park a stream."""
    return DeadLetter.objects.create(
        hub="decisions", game=game, partition=game.partition_rows.all()[0], lane=Lane.NORMAL, stream=stream, version=1,
        event_offset=1, event_type="level.reached", cause="KeyError", traceback="here", tries=3,
    )  # fmt: skip


def hubs_catch_up(names: Iterable[str] | None = None) -> None:
    """Run all hubs (or these), as a worker does, until nothing waits."""
    for name in names or [hub.name for hub in hubs()]:
        for lane in Lane:
            while run(name, lane, seconds=30):
                pass
