"""A dry run of decisions says what today's rules would make of what has happened; it writes nothing."""

from typing import Any

import pytest
from django.db import connection

from events.models import Event, Game, Replay
from events.replays import control
from notifications.models import Decision
from tests.events.replays.given import worked_off
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.given import decide, given_levels, given_rule, saved_again
from tests.notifications.replays.given import left, outcomes
from tests.notifications.replays.test_missed import everything

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    return given_game(partitions=2)


def dry_run(game: Game, **fields: Any) -> Replay:
    asked = {"target": "decisions", "by": "olive", "reason": "to compare", **fields}
    return worked_off(control.start("decide-again", game, **asked))


def compared(replay: Replay) -> dict[str, int]:
    return dict(replay.result["counts"].get("compared", {}))


def test_what_live_has_decided_is_the_same_and_nothing_is_written(game: Game) -> None:
    given_rule(game, condition="data.level > 1")
    given_levels(game, 1, 2, 3)
    given_events(game, an_event(data={"level": 9}))
    decide()
    before = everything()
    replay = dry_run(game)
    assert everything() == before
    assert compared(replay) == {"same": 3}
    assert outcomes(replay) == {"sent": 2, "failed": 1}
    assert (replay.state, replay.trial, replay.done) == ("done", True, replay.total)
    assert replay.events == 4


def test_each_difference_is_counted_with_samples(game: Game) -> None:
    rule, off = given_rule(game), given_rule(game)
    given_levels(game, 1, 2, 3)
    decide()
    given_rule(game, condition="data.level == 3")
    Decision.objects.filter(rule=rule, event__version=2).update(outcome="failed")
    saved_again(rule, condition="data.level > 1")
    saved_again(off, enabled=False)
    replay = dry_run(game)
    assert compared(replay) == {
        "same": 1,
        "other outcome": 1,
        "never decided": 1,
        "would not be decided now": 1,
        "rule is off or of another type now": 3,
    }
    second = Event.objects.get(version=2, stream="alice").pk
    assert [second, rule.pk, "alice", "failed", "sent"] in replay.result["samples"]["differing"]


def test_what_expired_only_since_is_no_difference(game: Game) -> None:
    given_rule(game, ttl_s=60)
    given_levels(game, 1)
    decide()
    Decision.objects.update(now=Event.objects.get(stream="alice").recorded)
    assert compared(dry_run(game)) == {"same": 1}


def test_it_ends_at_the_checkpoints_and_leaves_out_what_is_no_longer_there(game: Game) -> None:
    given_rule(game)
    given_levels(game, 1, 2)
    decide()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_event SET data = NULL, salt = NULL WHERE version = 1")
    given_levels(game, 3)
    replay = dry_run(game)
    assert (compared(replay), replay.without_payload, left(replay)) == ({"same": 1}, 1, {})


def test_large_audiences_are_judged_whole(game: Game) -> None:
    given_events(game, *[an_event(data={"members": [f"p{n}" for n in range(1_500)]}) for _ in range(3)])
    hubs_catch_up(["decisions"])
    given_rule(game, audience_path="data.members", words={"en": ("hi", "")})
    assert compared(dry_run(game)) == {"never decided": 4_500}
