"""The hub's transaction writes the rows: for the channels of a rule or a post that the game has set up."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from notifications import fanout
from notifications.delivery import hints, outlets, registry
from notifications.models import Delivery, Notification, Rule
from players.models import Player
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.delivery.scene import given_delivery, given_memory
from tests.notifications.given import decide, given_levels, given_rule, notifications, saved_again

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_rule_without_channels_writes_no_row_and_its_definition_stays_as_it_was() -> None:
    game = given_game()
    given_memory(game)
    rule = given_rule(game)
    given_levels(game, 5)
    decide()
    assert not Delivery.objects.exists()
    assert rule.revision
    assert "channels" not in rule.revision.definition


def test_a_rule_s_channel_gets_one_row_that_is_due_at_once() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game)
    (told,) = notifications(game)
    assert (row.notification_id, row.channel, row.state, row.tries) == (told.uid, "memory", "waiting", 0)
    assert row.due_at == told.created
    assert row.idempotency_id == f"{told.uid}:memory"


def test_only_channels_that_the_game_has_set_up_and_switched_on_get_rows() -> None:
    game, other = given_game(), given_game()
    given_memory(other)
    given_rule(game, channels=["memory", "pigeon"])
    given_levels(game, 5)
    decide()
    assert not Delivery.objects.exists()
    outlets.put(game.id, "memory", enabled=True)
    given_levels(game, 6)
    decide()
    assert Delivery.objects.count() == 1
    outlets.put(game.id, "memory", enabled=False)
    given_levels(game, 7)
    decide()
    assert Delivery.objects.count() == 1
    registry.unregister("memory")


def test_a_row_ends_with_its_notification() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game, ttl_s=60)
    (told,) = notifications(game)
    assert row.until == told.expires


def test_a_batch_that_comes_again_adds_no_row() -> None:
    from events.models import Checkpoint  # noqa: PLC0415 - only here

    game = given_game()
    given_memory(game)
    given_delivery(game)
    Checkpoint.objects.filter(hub="decisions").update(position=0)
    hubs_catch_up(["decisions"])
    assert Delivery.objects.count() == 1


def test_a_second_row_for_a_notification_and_channel_is_refused_by_the_database() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game)
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(
            notification_id=row.notification_id,
            game=game,
            channel="memory",
            due_at=row.due_at,
            until=row.until,
            created=row.created,
        )


def test_a_large_audience_gets_its_rows_with_its_pages() -> None:
    game = given_game()
    given_memory(game)
    given_rule(game, channels=["memory"], audience_path="data.members", words={"en": ("Raid!", "")})
    members = [f"p{number}" for number in range(250)]
    given_events(game, an_event(data={"members": members, "level": 1, "player_id": "p1"}))
    decide()
    assert Delivery.objects.count() == Notification.objects.count() == 250


def test_a_hint_comes_after_commit_and_only_where_there_is_something_to_bring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(hints, "hint", lambda: seen.append(Delivery.objects.count()))
    game = given_game()
    given_memory(game)
    given_rule(game, event_type="quiet.thing", words={"en": ("Hi", "")})
    given_events(game, an_event(type="quiet.thing", data={"player_id": "bob"}))
    decide()
    assert seen == []
    given_delivery(game)
    assert seen == [1]


def test_a_large_audience_hints_at_each_page(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(hints, "hint", lambda: seen.append(Delivery.objects.count()))
    game = given_game()
    given_memory(game)
    given_rule(game, channels=["memory"], audience_path="data.members", words={"en": ("Raid!", "")})
    given_events(game, an_event(data={"members": [f"p{number}" for number in range(150)]}))
    hubs_catch_up(["decisions"])
    assert seen == []
    while fanout.work_for(1):
        pass
    assert seen[-1] == 150


def test_an_earlier_revision_brings_its_channels_back() -> None:
    from notifications import editing  # noqa: PLC0415 - only here

    game = given_game()
    given_memory(game)
    rule = given_rule(game, channels=["memory"])
    with_channel = rule.revision
    saved_again(rule, channels=[])
    assert with_channel
    editing.restore(with_channel, None)
    assert Rule.objects.get(pk=rule.pk).channels == ["memory"]


def test_an_erased_player_s_deliveries_are_cancelled() -> None:
    from players.erasing import erase  # noqa: PLC0415 - only here
    from tests.notifications.delivery.scene import deliver, fresh  # noqa: PLC0415 - as above

    game = given_game()
    channel = given_memory(game)
    row = given_delivery(game)
    erase(Player.objects.get(game=game, key="alice"))
    hubs_catch_up()
    assert not notifications(game)
    deliver()
    assert (fresh(row).state, fresh(row).reason) == ("cancelled", "gone")
    assert channel.letters == []
    assert timedelta(0) < row.until - row.due_at
