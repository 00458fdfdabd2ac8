"""Each corruption that is seeded behind Clarion's back is found; what nobody touched is whole."""

from typing import Any

import pytest

from events.lanes import Lane
from events.log import digests, witnesses
from events.log.rows import hashed
from events.models import Checkpoint, DeadLetter, Event, Game, OutboxEvent, Partition, Witness
from notifications.models import Announcement, Decision, FanOut, Notification
from players.models import Player, Profile
from tests.config.verifying.given import behind_its_back, cut_off, found, given_busy_game, where, without
from tests.given import an_event, given_events, hubs_catch_up
from tests.notifications.given import given_levels, player

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    game = given_busy_game()
    assert found(game) == []
    return game


def level(game: Game, key: str) -> Event:
    """Return the event of a player's second level."""
    return Event.objects.get(game=game, stream=key, version=4)


# -- the log ----------------------------------------------------------------------------------------


def test_a_deleted_event_is_found(game: Game) -> None:
    gone = level(game, "alice")
    behind_its_back("DELETE FROM events_event WHERE id = %s", gone.pk)
    assert f"{where(game)}: offset {gone.offset} is missing (found {gone.offset + 1})" in found(game)


def test_a_changed_event_is_found(game: Game) -> None:
    changed = level(game, "alice")
    behind_its_back("UPDATE events_event SET data = %s WHERE id = %s", '{"player_id":"alice"}', changed.pk)
    assert found(game) == [
        f"{where(game)}: the payload at offset {changed.offset} is not the one that was appended"
    ]


def test_swapped_events_are_found(game: Game) -> None:
    one, other = level(game, "alice"), level(game, "carol")
    columns = ("data", "salt", "payload_digest")
    for to, source in ((one, other), (other, one)):
        behind_its_back(
            f"UPDATE events_event SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
            *(getattr(source, name) for name in columns), to.pk,
        )  # fmt: skip
    breaks = [f"{where(game)}: the chain breaks at offset {each.offset}" for each in (one, other)]
    assert set(breaks) <= set(found(game))


def test_a_tail_that_was_processed_and_cut_off_with_its_heads_is_found_by_what_followed_it(
    game: Game,
) -> None:
    given_levels(game, 9, key="carol")
    hubs_catch_up()
    head = cut_off(game, 1)
    told = found(game)
    beyond = f"{where(game)}: decisions, normal: the checkpoint is at {head + 1}, beyond the lane's head"
    assert any(finding.startswith(beyond) for finding in told)
    assert any("about an event that is not in the log" in finding for finding in told)


def test_a_tail_that_nobody_has_processed_is_missed_by_its_witness(game: Game) -> None:
    given_levels(game, 9, key="carol")
    witnesses.take()
    head = cut_off(game, 1)
    assert [finding.partition(" at ")[0] for finding in found(game)] == [f"{where(game)}: head is {head},"]
    assert found(game)[0].endswith(f"it was {head + 1}: the end was cut off")


def test_a_witness_that_is_contradicted_is_never_overwritten(game: Game) -> None:
    given_levels(game, 9, key="carol")
    witnesses.take()
    before = Witness.objects.values_list("head", "digest").get()
    cut_off(game, 1)
    given_events(game, an_event(stream="mallory"), an_event(stream="mallory"))
    assert witnesses.take() == 0
    assert Witness.objects.values_list("head", "digest").get() == before
    assert f"the event at offset {before[0]} is not the one that was seen there" in found(game)[0]


def test_a_log_that_was_written_anew_with_a_whole_chain_is_found(game: Game) -> None:
    given_events(game, an_event(stream="alice", data={"n": 1}))
    witnesses.take()
    forged = Event.objects.filter(game=game).order_by("-offset")[0]
    previous = bytes(Event.objects.get(game=game, offset=forged.offset - 1).digest)
    forged.type, salt = "gift.sent", bytes(16)
    payload = digests.payload_digest(salt, None)
    values = {name: getattr(forged, name) for name in (*(f.attname for f in Event._meta.fields),)}
    digest = digests.event_digest(previous, hashed(values), payload)
    behind_its_back(
        "UPDATE events_event SET type = %s, data = NULL, salt = %s, payload_digest = %s, digest = %s WHERE id = %s",
        forged.type, salt, payload, digest, forged.pk,
    )  # fmt: skip
    Partition.objects.filter(game=game).update(digest=digest)
    assert [finding.partition(" at 20")[0] for finding in found(game)] == [
        f"{where(game)}: the event at offset {forged.offset} is not the one that was seen there"
    ]


def test_events_beyond_the_head_are_found(game: Game) -> None:
    cut = Partition.objects.get(game=game)
    given_events(game, an_event(stream="alice"))
    Partition.objects.filter(pk=cut.pk).update(
        **{
            field.attname: getattr(cut, field.attname)
            for field in Partition._meta.fields
            if field.name != "id"
        }
    )
    assert (
        f"{where(game)}: head is {cut.head}, there are events beyond it up to offset {cut.head + 1}"
        in found(game)
    )


# -- what follows the log -----------------------------------------------------------------------------


def test_a_checkpoint_where_no_event_is_and_a_wrong_count_are_found(game: Game) -> None:
    row = Checkpoint.objects.get(hub="decisions", lane=Lane.NORMAL)
    urgent = Event.objects.filter(game=game, lane=Lane.URGENT).order_by("offset")[0]
    Checkpoint.objects.filter(pk=row.pk).update(position=urgent.offset)
    told = found(game)
    name = f"{where(game)}: decisions, normal: the checkpoint"
    assert f"{name} is at {urgent.offset}, where there is no event of the lane" in told
    assert f"{name} says that it has passed {row.passed} events, there are 0 up to {urgent.offset}" in told
    assert any("was made ahead of the normal checkpoint" in finding for finding in told)


def test_a_checkpoint_that_is_gone_is_found_once_its_events_are_old(game: Game) -> None:
    behind_its_back("UPDATE events_event SET recorded = '2020-01-01 00:00:00+00:00'")
    Checkpoint.objects.filter(hub="decisions", lane=Lane.BULK).delete()
    assert f"{where(game)}: decisions, bulk: there are events, and no checkpoint" in found(game)


def test_a_dead_letter_that_names_another_event_is_found(game: Game) -> None:
    event = level(game, "alice")
    DeadLetter.objects.create(
        hub="decisions", game=game, partition_id=event.partition_id, lane=event.lane, stream="alice", version=9,
        event_offset=event.offset, event_type=event.type, cause="ValueError", traceback="", tries=3,
    )  # fmt: skip
    assert found(game) == [
        f"{where(game)}: dead letter of decisions, normal, stream alice from version 9:"
        f" the event at its offset {event.offset} is version 4 of stream alice"
    ]


def test_an_outbox_row_that_never_came_to_the_log_is_found(game: Game) -> None:
    OutboxEvent.objects.create(
        game=game, event_id="claim:1", type="reward.claimed", stream="alice", data="{}",
        appended=Event.objects.filter(game=game)[0].recorded,
    )  # fmt: skip
    assert found(game) == ["outbox: reward.claimed claim:1 is noted as appended, and it is not in the log"]


# -- decisions ----------------------------------------------------------------------------------------


def copy_of(decision: Decision, **changed: Any) -> Decision:
    values = {field.attname: getattr(decision, field.attname) for field in Decision._meta.fields}
    return Decision(**{**values, "id": None, **changed})


def test_a_doubled_decision_is_found(game: Game) -> None:
    decision = Decision.objects.get(event=level(game, "alice"))
    with without(Decision, "decision_once"):
        copy_of(decision).save()
        told = found(game)
    offset = level(game, "alice").offset
    assert (
        f"{where(game)}: event at offset {offset}: rule {decision.rule_id} was decided 2 times about player 'alice'"
        in told
    )


def test_a_fake_decision_about_the_same_player_is_found(game: Game) -> None:
    decision = Decision.objects.get(event=level(game, "alice"))
    copy_of(decision, player_key="alicia").save()
    told = found(game)
    rule = decision.rule_id
    assert any(f"rule {rule} was decided 2 times about player {decision.player_id}" in each for each in told)
    assert any("about player 'alicia' is about a player whose id is 'alice'" in each for each in told)
    assert any(each.startswith("player alice: 5 decisions share 4 places") for each in told)


def test_a_decision_without_its_notification_and_the_other_way_round_are_found(game: Game) -> None:
    taken, orphan = (Decision.objects.get(event=level(game, key)) for key in ("alice", "carol"))
    Notification.objects.filter(uid=taken.notification_uid).delete()
    Decision.objects.filter(pk=orphan.pk).delete()
    told = found(game)
    assert any("about player 'alice' is sent, and its notification is not there" in each for each in told)
    assert any("which no decision made" in each for each in told)
    rule = orphan.rule_id
    assert any(each.endswith(f"rule {rule} was never decided about 1 of 1 players") for each in told)


def test_a_large_audience_that_was_not_decided_in_full_is_found(game: Game) -> None:
    one = Decision.objects.filter(player_key="p007").get()
    behind_its_back("DELETE FROM notifications_decision WHERE id = %s", one.pk)
    FanOut.objects.update(finished=None, cursor=120)
    assert any(each.endswith("is at 120, 119 were decided about") for each in found(game))


def test_a_large_audience_that_was_lost_is_found(game: Game) -> None:
    FanOut.objects.all().delete()
    assert any(each.endswith("was never decided about its audience of 120 players") for each in found(game))


# -- players ------------------------------------------------------------------------------------------


def test_a_sequence_that_is_used_twice_is_found(game: Game) -> None:
    one, other = Notification.objects.filter(player__key="carol").order_by("number")[:2]
    Notification.objects.filter(pk=other.pk).update(seq=one.seq)
    assert found(game) == [f"player carol: sequence {one.seq} is used 2 times"]


def test_an_unread_counter_that_has_drifted_is_found(game: Game) -> None:
    Player.objects.filter(key="alice").update(unread=7)
    assert found(game) == ["player alice: unread is 7, counted are 2"]


def test_a_head_that_is_behind_a_sequence_is_found(game: Game) -> None:
    row = player(game, "carol")
    Player.objects.filter(pk=row.pk).update(head=row.head - 1, number=row.number - 1)
    assert f"player carol: head is {row.head - 1}, there is a change with sequence {row.head}" in found(game)


def test_a_hole_in_the_numbers_is_found(game: Game) -> None:
    Notification.objects.filter(player__key="carol", number=2).delete()
    assert any(each == "player carol: number is 3, there are 2 notifications" for each in found(game))


def test_a_mark_beyond_what_there_is_is_found(game: Game) -> None:
    Player.objects.filter(key="carol").update(seen_through=99, seen_seq=1)
    assert any("player carol" in each and "a mark is beyond what there is" in each for each in found(game))


def test_a_profile_that_its_history_does_not_bear_out_is_found(game: Game) -> None:
    Profile.objects.filter(player__key="carol").update(revision=9)
    assert found(game) == ["player carol: the profile is at revision 9, its history has 2, the last is 2"]


def test_an_erased_player_who_has_something_again_is_found(game: Game) -> None:
    Notification.objects.filter(player__key="carol", number=1).update(player_id=player(game, "bob").pk)
    assert "player bob: was erased, and has 1 notifications" in found(game)


def test_an_announcement_beyond_the_games_sequence_is_found(game: Game) -> None:
    Announcement.objects.filter(title="Hello").update(seq=9)
    assert found(game) == ["announcements: the game's sequence is 3, the last one used is 9"]
