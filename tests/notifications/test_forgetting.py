"""What rules have decided about an erased player leads to the events that are about them."""

import pytest

from events.models import Event, Game
from notifications.models import Decision
from players import forgetting
from players.erasing import erase
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.given import LEVEL, decide, given_levels, given_rule, player

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    return given_game(partitions=2)


def forget(game: Game, key: str = "alice") -> None:
    erase(player(game, key))
    hubs_catch_up()
    while forgetting.step():
        pass


def test_events_about_them_in_other_streams_lose_their_payloads(game: Game) -> None:
    given_rule(game, condition="data.level > 1")
    for key in ("alice", "bob"):
        given_events(
            game, *[an_event(type=LEVEL, stream="guild", data={"player_id": key, "level": n}) for n in (7, 8)]
        )
    decide()
    forget(game)
    left = Event.objects.filter(type=LEVEL, data__isnull=False)
    assert [("bob" in (event.data or "")) for event in left] == [True, True]


def test_an_event_about_many_stays(game: Game) -> None:
    given_rule(game, audience_path="data.players")
    given_events(game, an_event(type=LEVEL, data={"players": ["alice", "bob"], "level": 3}))
    decide()
    forget(game)
    assert Event.objects.get(type=LEVEL).data


def test_decisions_about_them_stay_without_the_values_that_were_compared(game: Game) -> None:
    given_rule(game, condition="data.level > 1")
    given_levels(game, 7)
    decide()
    assert any(gate.get("values") for gate in Decision.objects.get().gates)
    forget(game)
    row = Decision.objects.get(event__type=LEVEL)
    assert [gate["name"] for gate in row.gates] == ["condition", "audience", "expiry"]
    assert not any(gate.get("values") for gate in row.gates)
