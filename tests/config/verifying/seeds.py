"""Corruptions, each as somebody with the database's password or a bug would bring it about: in raw SQL."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from events.lanes import Lane
from events.models import Checkpoint, Event, Game, Partition
from notifications.models import Decision, Delivery, Notification
from players.models import Player
from tests.config.verifying.given import where

DECISIONS_FIELDS = [field.column for field in Decision._meta.fields if field.name != "id"]
DELIVERY_FIELDS = [field.column for field in Delivery._meta.fields if field.name != "id"]


@dataclass(frozen=True, kw_only=True)
class Seed:
    """What is done, and what must be said about it."""

    statements: tuple[tuple[str, tuple[Any, ...]], ...]
    told: tuple[str, ...]  # each must be in the output, after the game's name
    check: str  # that has found it, and says what to do


def an_event_deleted(game: Game) -> Seed:
    gone = _event(game, "alice", 4)
    return Seed(
        statements=(("DELETE FROM events_event WHERE id = %s", (gone.pk,)),),
        told=(
            f"{where(game)}: offset {gone.offset} is missing (found {gone.offset + 1})",
            f"{where(game)}: stream alice is at version 5 and has 4 events",
        ),
        check="log",
    )


def an_event_changed(game: Game) -> Seed:
    changed = _event(game, "carol", 3)
    data = '{"player_id":"carol","level":99}'
    return Seed(
        statements=(("UPDATE events_event SET data = %s WHERE id = %s", (data, changed.pk)),),
        told=(f"{where(game)}: the payload at offset {changed.offset} is not the one that was appended",),
        check="log",
    )


def events_swapped(game: Game) -> Seed:
    one, other = _event(game, "carol", 4), _event(game, "carol", 5)
    columns = ("event_id", "data", "salt", "payload_digest")
    assigned = ", ".join(f"{column} = %s" for column in columns)
    sql = f"UPDATE events_event SET {assigned} WHERE id = %s"
    values = {row.pk: tuple(getattr(row, column) for column in columns) for row in (one, other)}
    return Seed(
        statements=(
            ("UPDATE events_event SET event_id = 'aside' WHERE id = %s", (other.pk,)),
            (sql, (*values[other.pk], one.pk)),
            (sql, (*values[one.pk], other.pk)),
        ),
        told=tuple(f"{where(game)}: the chain breaks at offset {row.offset}" for row in (one, other)),
        check="log",
    )


def the_tail_cut_off_and_the_head_lowered(game: Game) -> Seed:
    """Everything is lowered with it, checkpoints too: only what was seen and written down elsewhere knows."""
    partition = Partition.objects.get(game=game)
    left = Event.objects.filter(game=game, offset__lt=partition.head).order_by("-offset")
    cut, last = Event.objects.get(game=game, offset=partition.head), left[0]
    lane = Lane(cut.lane).label
    newest = left.filter(lane=cut.lane)[0].offset
    lowered = f"{lane}_head = %s, {lane}_count = {lane}_count - 1"
    return Seed(
        statements=(
            ("DELETE FROM events_event WHERE id = %s", (cut.pk,)),
            (
                f"UPDATE events_partition SET head = %s, digest = %s, {lowered} WHERE id = %s",
                (last.offset, last.digest, newest, partition.pk),
            ),
            (
                "UPDATE events_checkpoint SET position = %s, passed = passed - 1"
                " WHERE partition_id = %s AND lane = %s AND position = %s",
                (newest, partition.pk, cut.lane, cut.offset),
            ),
        ),
        told=(f"{where(game)}: head is {last.offset}, at ", f"it was {cut.offset}: the end was cut off"),
        check="log",
    )


def a_decision_doubled(game: Game) -> Seed:
    decision = Decision.objects.get(event=_event(game, "alice", 5))
    columns = ", ".join(f'"{column}"' for column in DECISIONS_FIELDS)
    offset, rule = _event(game, "alice", 5).offset, decision.rule_id
    return Seed(
        statements=(
            (
                f"INSERT INTO notifications_decision ({columns}) SELECT {columns} FROM notifications_decision"
                " WHERE id = %s",
                (decision.pk,),
            ),
        ),
        told=(
            f"{where(game)}: event at offset {offset}: rule {rule} was decided 2 times about player 'alice'",
        ),
        check="decisions",
    )


def a_sequence_used_twice(game: Game) -> Seed:
    one, other = Notification.objects.filter(game=game, player__key="carol").order_by("number")[:2]
    return Seed(
        statements=(("UPDATE notifications_notification SET seq = %s WHERE id = %s", (one.seq, other.pk)),),
        told=(f"player carol: sequence {one.seq} is used 2 times",),
        check="inboxes",
    )


def an_unread_counter_drifted(game: Game) -> Seed:
    row = Player.objects.get(game=game, key="p007")
    return Seed(
        statements=(("UPDATE players_player SET unread = unread + 1 WHERE id = %s", (row.pk,)),),
        told=(f"player p007: unread is {row.unread + 1}, counted are {row.unread}",),
        check="inboxes",
    )


def a_number_counted_too_far(game: Game) -> Seed:
    row = Player.objects.get(game=game, key="p008")
    return Seed(
        statements=(
            ("UPDATE players_player SET number = number + 1, head = head + 1 WHERE id = %s", (row.pk,)),
        ),
        told=(f"player p008: number is {row.number + 1}, there are {row.number} notifications",),
        check="inboxes",
    )


def a_version_left_out(game: Game) -> Seed:
    row = Event.objects.filter(game=game, type="party.began").order_by("offset")[0]
    return Seed(
        statements=(("UPDATE events_event SET version = 2 WHERE id = %s", (row.pk,)),),
        told=(
            f"{where(game)}: stream {row.stream} is at version 2 and has 1 events",
            f"{where(game)}: the chain breaks at offset {row.offset}",
        ),
        check="log",
    )


def a_lane_miscounted(game: Game) -> Seed:
    row = Partition.objects.get(game=game)
    return Seed(
        statements=(("UPDATE events_partition SET bulk_count = bulk_count + 2 WHERE id = %s", (row.pk,)),),
        told=(f"{where(game)}: bulk count is {row.bulk_count + 2}, that lane has {row.bulk_count} events",),
        check="log",
    )


def a_checkpoint_miscounted(game: Game) -> Seed:
    row = Checkpoint.objects.get(hub="decisions", partition__game=game, lane=Lane.NORMAL)
    said = f"decisions, normal: the checkpoint says that it has passed {row.passed + 40} events, there are"
    return Seed(
        statements=(("UPDATE events_checkpoint SET passed = passed + 40 WHERE id = %s", (row.pk,)),),
        told=(f"{where(game)}: {said}",),
        check="checkpoints",
    )


def a_checkpoint_moved_beyond_the_head(game: Game) -> Seed:
    row = Checkpoint.objects.get(hub="decisions", partition__game=game, lane=Lane.BULK)
    return Seed(
        statements=(("UPDATE events_checkpoint SET position = position + 900 WHERE id = %s", (row.pk,)),),
        told=(
            f"{where(game)}: decisions, bulk: the checkpoint is at {row.position + 900}, beyond the lane's head",
        ),
        check="checkpoints",
    )


def a_delivery_doubled(game: Game) -> Seed:
    row = Delivery.objects.get(game=game)
    columns = ", ".join(f'"{column}"' for column in DELIVERY_FIELDS)
    return Seed(
        statements=(
            (
                f"INSERT INTO notifications_delivery ({columns}) SELECT {columns} FROM notifications_delivery"
                " WHERE id = %s",
                (row.pk,),
            ),
        ),
        told=(f"delivery of notification {row.notification_id} by {row.channel}: there are 2 rows",),
        check="deliveries",
    )


def a_delivery_sent_by_nobody(game: Game) -> Seed:
    row = Delivery.objects.get(game=game)
    return Seed(
        statements=(("UPDATE notifications_delivery SET tries = 0 WHERE id = %s", (row.pk,)),),
        told=(
            f"delivery of notification {row.notification_id} by {row.channel}: it is sent, and nobody has tried it",
        ),
        check="deliveries",
    )


def an_outbox_row_marked_in_vain(game: Game) -> Seed:
    return Seed(
        statements=(
            (
                "INSERT INTO events_outboxevent (game_id, event_id, type, stream, lane, data, created, appended)"
                " SELECT id, 'claim:1', 'reward.claimed', 'alice', 0, '{}', created, created FROM events_game"
                " WHERE id = %s",
                (game.pk,),
            ),
        ),
        told=("outbox: reward.claimed claim:1 is noted as appended, and it is not in the log",),
        check="outbox",
    )


def a_profile_that_nothing_bears_out(game: Game) -> Seed:
    row = Player.objects.get(game=game, key="carol")
    return Seed(
        statements=(("UPDATE players_profile SET revision = revision + 7 WHERE player_id = %s", (row.pk,)),),
        told=("player carol: the profile is at revision 9, its history has 2, the last is 2",),
        check="players",
    )


def _event(game: Game, stream: str, version: int) -> Event:
    return Event.objects.get(game=game, stream=stream, version=version)


SEEDS: tuple[Callable[[Game], Seed], ...] = (
    an_event_deleted,
    an_event_changed,
    events_swapped,
    the_tail_cut_off_and_the_head_lowered,
    a_decision_doubled,
    a_sequence_used_twice,
    an_unread_counter_drifted,
    a_number_counted_too_far,
    a_version_left_out,
    a_lane_miscounted,
    a_checkpoint_miscounted,
    a_checkpoint_moved_beyond_the_head,
    a_delivery_doubled,
    a_delivery_sent_by_nobody,
    an_outbox_row_marked_in_vain,
    a_profile_that_nothing_bears_out,
)
