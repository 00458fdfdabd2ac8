"""The log is written once: the ORM changes and removes nothing of it."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from events.errors import AppendOnly
from events.models import ApiKey, DeadLetter, Event, EventType, Game, OutboxEvent, Partition
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def event() -> Event:
    game = given_game(partitions=1)
    given_events(game, an_event(id="e1", stream="alice", data={"a": 1}))
    return Event.objects.get()


def test_an_event_is_never_changed_nor_removed_through_the_orm(event: Event) -> None:
    event.type = "forged"
    rows = Event.objects.filter(pk=event.pk)
    tries: list[Any] = [
        event.save,
        event.delete,
        lambda: rows.update(type="forged"),
        rows.delete,
        lambda: Event.objects.bulk_update([event], ["type"]),
        lambda: Event.objects.create(type="forged"),
        lambda: Event.objects.update_or_create(pk=event.pk, defaults={"type": "forged"}),
        lambda: Event(type="forged").save(force_insert=True),
    ]
    for attempt in tries:
        with pytest.raises(AppendOnly, match="append-only"):
            attempt()
    assert Event.objects.get().type == "level.reached"


def test_a_game_with_events_cannot_be_removed_nor_its_partitions(event: Event) -> None:
    for row in (event.game, event.partition):
        with pytest.raises(ProtectedError):
            row.delete()
    assert Event.objects.count() == 1


@pytest.mark.usefixtures("event")
@pytest.mark.parametrize(
    "changed",
    [{"event_id": "e2"}, {"id": 7}, {"stream": "bob", "version": 9}],
    ids=["place and version taken", "no place of its own", "identity taken"],
)
def test_the_database_itself_refuses_what_append_never_writes(changed: dict[str, Any]) -> None:
    """Constraints are the last line: nothing can fail halfway that append has checked under its locks."""
    names = [field.column for field in Event._meta.concrete_fields]
    values = [changed.get(name, f'"{name}"') for name in names]
    shown = [repr(value) if name in changed else value for name, value in zip(names, values, strict=True)]
    columns = ", ".join(f'"{name}"' for name in names)
    copy = f"INSERT INTO events_event ({columns}) SELECT {', '.join(map(str, shown))} FROM events_event"
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(copy)
    assert Event.objects.count() == 1


def test_rows_are_named_by_what_staff_know_them_by(event: Event) -> None:
    game = event.game
    assert str(event) == "level.reached e1"
    assert str(event.partition) == f"{game.pk}/0"
    assert str(game) == game.slug
    assert game.epoch_name == "e1"
    assert str(EventType(name="gift.received")) == "gift.received"
    assert str(ApiKey(name="match-server", prefix="clk_abc")) == "match-server (clk_abc…)"
    assert str(OutboxEvent(type="reward.claimed", event_id="claim:1")) == "reward.claimed claim:1"
    assert str(DeadLetter(hub="decisions", stream="alice", version=3)) == "decisions alice@3"


def test_two_games_have_no_partition_in_common() -> None:
    first, second = given_game(partitions=3), given_game(partitions=3)
    assert Partition.objects.filter(game__in=[first, second]).count() == 6
    with pytest.raises(IntegrityError):
        Partition.objects.create(game=first, number=2)
    assert Game.objects.count() == 2
