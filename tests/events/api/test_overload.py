"""What a game server is told while its game's lanes are refused; the protocol's table, line by line."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import REGISTRY

from events import log, outbox, pressure
from events.lanes import Lane
from events.limits import Limit
from events.models import Event, EventType, Game, OutboxEvent
from events.pressure import Refusal
from tests.events.api.server import GameServer, is_problem
from tests.events.envelope.requests import BATCH, members

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game(game: Game) -> Game:
    """One that knows types of each lane."""
    for lane in Lane:
        EventType.objects.create(game=game, name=f"{lane.label}.thing.happened", lane=lane)
    return game


@pytest.fixture(autouse=True)
def refused(monkeypatch: pytest.MonkeyPatch) -> dict[int, Refusal]:
    """The lanes that are refused; tests put them in."""
    found: dict[int, Refusal] = {}
    monkeypatch.setattr(pressure, "refusals", lambda _game: found)
    monkeypatch.setattr("events.api.ingestion.jittered", int)
    return found


def given_refused(game: Game, refused: dict[int, Refusal], *lanes: Lane, wait_s: float = 7) -> None:
    for lane in lanes:
        refused[lane] = Refusal(
            game_id=game.pk, game=game.slug, lane=lane, since=timezone.now(), hub="h", events=11, oldest_s=1,
            limit=Limit(events=10), wait_s=wait_s + lane,
        )  # fmt: skip


def event(lane: Lane, event_id: str = "e1", **others: Any) -> dict[str, Any]:
    return members(id=event_id, type=f"{lane.label}.thing.happened", **others)


def test_one_event_of_a_refused_lane_is_sent_away_until_later(
    game: Game, server: GameServer, refused: dict[int, Refusal]
) -> None:
    given_refused(game, refused, Lane.BULK)
    answer = server.post(event(Lane.BULK))
    assert is_problem(answer, 429, "overloaded")
    assert answer.headers["Retry-After"] == "9"
    assert answer.json()["detail"].startswith("bulk events are refused at the moment")
    assert "RateLimit-Limit" in answer.headers
    assert not Event.objects.exists()
    assert server.post(event(Lane.NORMAL)).status_code == 201
    refused.clear()
    assert server.post(event(Lane.BULK, "e2")).status_code == 201


def test_of_a_batch_the_refused_items_say_when_to_come_again_and_the_rest_is_stored(
    game: Game, server: GameServer, refused: dict[int, Refusal]
) -> None:
    given_refused(game, refused, Lane.NORMAL, Lane.BULK)
    lanes = [Lane.BULK, Lane.URGENT, Lane.NORMAL, Lane.URGENT]
    answer = server.post([event(lane, f"e{n}") for n, lane in enumerate(lanes)], BATCH)
    assert answer.status_code == 207
    told = answer.json()
    counts = {word: told[word] for word in ("appended", "duplicate", "conflict", "invalid", "refused")}
    assert counts == {"appended": 2, "duplicate": 0, "conflict": 0, "invalid": 0, "refused": 2}
    assert [item["status"] for item in told["results"]] == ["refused", "appended", "refused", "appended"]
    assert told["results"][0] == {
        "status": "refused", "id": "e0", "source": "/tests", "lane": "bulk", "retry_after": 9,
    }  # fmt: skip
    assert told["results"][2]["retry_after"] == 8
    assert set(Event.objects.values_list("event_id", flat=True)) == {"e1", "e3"}


def test_a_batch_of_which_every_item_is_refused_is_429_and_waits_for_the_last(
    game: Game, server: GameServer, refused: dict[int, Refusal]
) -> None:
    given_refused(game, refused, Lane.NORMAL, Lane.BULK)
    answer = server.post([event(Lane.NORMAL, "e1"), event(Lane.BULK, "e2")], BATCH)
    assert is_problem(answer, 429, "overloaded")
    assert answer.headers["Retry-After"] == "9"
    assert "normal and bulk events are refused" in answer.json()["detail"]


def test_what_is_invalid_is_told_so_and_not_to_come_again(
    game: Game, server: GameServer, refused: dict[int, Refusal]
) -> None:
    given_refused(game, refused, Lane.BULK)
    answer = server.post([event(Lane.BULK), event(Lane.BULK, "e2", time="yesterday")], BATCH)
    assert answer.status_code == 207
    assert [item["status"] for item in answer.json()["results"]] == ["refused", "invalid"]
    assert server.post(event(Lane.BULK, time="yesterday")).status_code == 422


def test_an_empty_batch_is_none_that_is_refused(
    game: Game, server: GameServer, refused: dict[int, Refusal]
) -> None:
    given_refused(game, refused, *Lane)
    assert server.post([], BATCH).status_code == 200


def test_a_repeat_in_a_refused_lane_is_told_to_come_again_and_then_that_it_is_one(
    game: Game, server: GameServer, refused: dict[int, Refusal]
) -> None:
    """The log is not asked for what is refused: an overload must not cost look-ups."""
    assert server.post(event(Lane.BULK)).status_code == 201
    given_refused(game, refused, Lane.BULK)
    assert server.post(event(Lane.BULK)).status_code == 429
    refused.clear()
    assert server.post(event(Lane.BULK)).json()["status"] == "duplicate"


def test_what_is_refused_costs_the_database_nothing(
    game: Game, server: GameServer, refused: dict[int, Refusal]
) -> None:
    server.post(event(Lane.URGENT))  # key and types are known now
    given_refused(game, refused, Lane.BULK)
    with CaptureQueriesContext(connection) as queries:
        assert server.post(event(Lane.BULK, "e2")).status_code == 429
    assert len(queries) == 0


def test_what_clarion_appends_itself_is_never_refused(game: Game, refused: dict[int, Refusal]) -> None:
    given_refused(game, refused, *Lane)
    placed = log.append_own(
        game_id=game.pk, event_id="x", type="player.updated", stream="alice", data="{}", lane=Lane.URGENT
    )
    assert isinstance(placed, log.Appended)
    outbox.write(game_id=game.pk, event_id="claim:1", type="reward.claimed", stream="alice", data={})
    outbox.flush()
    assert not OutboxEvent.objects.filter(appended=None).exists()


def test_refused_events_are_counted_by_game_and_lane(
    game: Game, server: GameServer, refused: dict[int, Refusal]
) -> None:
    given_refused(game, refused, Lane.BULK)
    server.post([event(Lane.BULK, f"e{n}") for n in range(3)], BATCH)
    labels = {"game": game.slug, "lane": "bulk"}
    assert REGISTRY.get_sample_value("clarion_refused_total", labels) == 3
