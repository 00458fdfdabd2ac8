"""Single payloads are erased for good: on record, and never while somebody still reads them."""

import pytest
from django.db import connection

from events import erasing
from events.errors import StillNeeded
from events.hubs import needs
from events.hubs.claim import make_missing
from events.hubs.projection import Hub
from events.hubs.registry import register, unregister
from events.lanes import Lane
from events.log.erasing import SPAN_MAX, Cause, Recorded, erase_payloads, places
from events.models import Checkpoint, DeadLetter, Erasure, Event, Game, Partition
from events.models.erasures import Why
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.events.hubs.recording import Recording
from tests.events.log.test_append import chain_problems
from tests.given import an_event, given_events, given_game, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    """Six events in two streams, of which every hub has seen all."""
    game = given_game(partitions=1)
    given_events(game, *[an_event(stream=f"s{n % 2}", data={"secret": n}) for n in range(6)])
    hubs_catch_up()
    return game


def pk(game: Game, offset: int) -> int:
    return int(Event.objects.values_list("id", flat=True).get(game=game, offset=offset))


def full(game: Game) -> list[int]:
    rows = Event.objects.filter(game=game, data__isnull=False, source="/tests")
    return list(rows.order_by("offset").values_list("offset", flat=True))


def test_payload_and_salt_go_and_all_else_stays(game: Game) -> None:
    def identity() -> list[tuple[object, ...]]:
        rows = Event.objects.filter(game=game, source="/tests").order_by("id")
        return [
            (row.event_id, row.stream, row.version, row.offset, bytes(row.payload_digest), bytes(row.digest))
            for row in rows
        ]

    before = identity()
    assert erasing.erase([pk(game, 3)], "olive", "asked by the player") == 1
    row = Event.objects.get(pk=pk(game, 3))
    assert (row.data, row.salt) == (None, None)
    assert identity() == before
    assert full(game) == [1, 2, 4, 5, 6]
    assert chain_problems(game.id) == []


def test_who_and_why_is_on_record_and_in_the_log(game: Game) -> None:
    erasing.erase([pk(game, 3)], "olive", "asked by the player")
    row = Erasure.objects.get()
    assert (row.why, row.by, row.reason) == (Why.STAFF, "olive", "asked by the player")
    assert (row.start, row.stop, row.count) == (3, 3, 1)
    told = Event.objects.get(type="staff.payload.erased")
    assert "0:3" in (told.data or "")
    assert "olive" in (told.data or "")
    assert "secret" not in (told.data or "")


def test_erasing_again_adds_nothing(game: Game) -> None:
    erasing.erase([pk(game, 3)], "olive", "once")
    assert erasing.erase([pk(game, 3)], "olive", "twice") == 0
    assert Erasure.objects.count() == 1
    assert Event.objects.filter(type="staff.payload.erased").count() == 1


def test_what_a_checkpoint_has_not_passed_is_refused(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, an_event(data={"n": 1}), an_event(data={"n": 2}))
    with pytest.raises(StillNeeded, match="0:1: the hub recorder has not processed it yet"):
        erasing.erase([pk(game, 1), pk(game, 2)], "olive", "too early")
    assert full(game) == [1, 2]
    assert not Erasure.objects.exists()
    hubs_catch_up()
    assert erasing.erase([pk(game, 1), pk(game, 2)], "olive", "in time") == 2


def test_the_slowest_hub_of_that_lane_counts(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
) -> None:
    game = given_game(partitions=1)
    recording_hub("fast")
    recording_hub("slow")
    given_events(game, an_event(data={"n": 1}))
    hubs_catch_up(["fast"])
    with pytest.raises(StillNeeded, match="the hub slow"):
        erasing.erase([pk(game, 1)], "olive", "too early")
    Checkpoint.objects.filter(hub="slow", lane=Lane.NORMAL).update(position=1)
    assert erasing.erase([pk(game, 1)], "olive", "other lanes do not matter") == 1


def test_a_hub_of_a_new_release_begins_at_the_beginning(game: Game) -> None:
    register(Hub(name="newcomer", projections=(Recording("newcomer"),), lanes=(Lane.NORMAL,)))
    try:
        with pytest.raises(StillNeeded, match="newcomer"):
            erasing.erase([pk(game, 1)], "olive", "too early")
        make_missing("newcomer", (Lane.NORMAL,))
        Checkpoint.objects.filter(hub="newcomer").update(position=6)
        assert erasing.erase([pk(game, 1)], "olive", "now") == 1
    finally:
        unregister("newcomer")


def test_what_waits_behind_a_dead_letter_is_refused(game: Game) -> None:
    letter = DeadLetter.objects.create(
        hub="decisions", game=game, partition=Partition.objects.get(game=game), lane=Lane.NORMAL, stream="s0",
        version=2, event_offset=3, event_type="level.reached", cause="ValueError", traceback="", tries=3,
    )  # fmt: skip
    assert erasing.erase([pk(game, 1), pk(game, 4)], "olive", "before it, and in another stream") == 2
    for offset in (3, 5):
        with pytest.raises(StillNeeded, match="its stream is parked for the hub decisions from version 2 on"):
            erasing.erase([pk(game, offset)], "olive", "too early")
    letter.resolved = letter.created
    letter.save()
    assert erasing.erase([pk(game, 3), pk(game, 5)], "olive", "resolved") == 2


def test_another_room_may_need_it(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_needs", {"test": lambda _pks: {pk(game, 2): "it is still read"}})
    with pytest.raises(StillNeeded, match="0:2: it is still read"):
        erasing.erase([pk(game, 1), pk(game, 2)], "olive", "too early")
    assert full(game) == [1, 2, 3, 4, 5, 6]


def test_an_erasure_that_is_rolled_back_leaves_no_record(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(erasing.staff, "note", fail)
    with pytest.raises(RuntimeError):
        erasing.erase([pk(game, 1)], "olive", "never mind")
    assert full(game) == [1, 2, 3, 4, 5, 6]
    assert not Erasure.objects.exists()


def test_a_record_spans_no_more_than_verifying_looks_back(game: Game) -> None:
    found = places([pk(game, 1), pk(game, 2)])
    far = found[1]._replace(offset=found[0].offset + SPAN_MAX)
    monkey = [found[0], far]
    erase_payloads(monkey, Cause(why=Why.RETENTION))
    assert sorted(Erasure.objects.values_list("start", "stop", "count")) == [
        (1, 1, 1),
        (SPAN_MAX + 1, SPAN_MAX + 1, 1),
    ]


def test_records_tell_exactly_which_payloads_went(game: Game) -> None:
    erase_payloads(places([pk(game, 2), pk(game, 6)]), Cause(why=Why.RETENTION))
    erase_payloads(places([pk(game, 3)]), Cause(why=Why.STAFF))
    recorded = Recorded(Partition.objects.get(game=game).pk)
    assert [offset for offset in range(1, 9) if recorded.has(offset)] == [2, 3, 6]


def test_records_are_not_changed_any_more(game: Game) -> None:
    erase_payloads(places([pk(game, 2)]), Cause(why=Why.STAFF))
    with pytest.raises(Exception, match="append-only"):
        Erasure.objects.all().delete()
    assert connection.is_usable()
