"""The projection of the decisions hub: each event against each rule of its type, for each player."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from events.hubs.projection import AfterCommit, Prepared, Projection
from events.log.logged import LoggedEvent
from notifications import rulebook
from notifications.decisions.views import event_view, player_views
from notifications.decisions.writing import Writer
from notifications.engine import (
    POSTED,
    CompiledRule,
    EventView,
    Missed,
    PlayerState,
    PlayerView,
    Reached,
    audience,
    decide,
)
from notifications.ledger import accounts
from notifications.models import FanOut, Notification
from notifications.push import publish
from players.known import ensure

PLAYERS_A_BATCH = 100
"""More players would make the transaction long; a larger audience is worked off in pages."""
NO_STATE = PlayerState()


@dataclass(frozen=True, kw_only=True)
class Matter:
    """One event with what its rules have found."""

    event: LoggedEvent
    view: EventView
    found: tuple[tuple[CompiledRule, Reached | Missed], ...]

    def players(self) -> Iterator[str]:
        """Name the players to decide about in this batch; large audiences are left to their pages."""
        if isinstance(self.view.data, dict) and isinstance(key := self.view.data.get("player_id"), str):
            yield key
        if self.event.type == "player.erased":
            yield self.event.stream
        for _, found in self.found:
            if not is_large(found):
                yield from found.players


class Decisions(Projection):
    """Rules to decisions to notifications, in the transaction of the checkpoint."""

    name = "decisions"

    def prepare(self, events: Sequence[LoggedEvent]) -> Prepared:
        """Find whom each event concerns; players appear with their first event."""
        now = datetime.now(UTC)
        matters: list[Matter] = []
        keys: dict[int, set[str]] = {}
        count = 0
        for event in events:
            matter = _matter(event, now)
            players = set(matter.players())
            count += len(players)
            if matters and count > PLAYERS_A_BATCH:
                break
            matters.append(matter)
            keys.setdefault(event.game_id, set()).update(players)
        ids = {
            (game_id, key): player_id
            for game_id, wanted in keys.items()
            for key, player_id in ensure(game_id, wanted).items()
        }
        return Prepared(take=len(matters), locks=frozenset(ids.values()), state=(matters, ids))

    def apply(self, events: Sequence[LoggedEvent], prepared: Prepared) -> AfterCommit | None:
        """Decide, write, and return the push."""
        matters, ids = prepared.state
        now = datetime.now(UTC)
        views = player_views(prepared.locks)
        writer = Writer(now=now, accounts=accounts(prepared.locks))
        for matter in matters[: len(events)]:
            if matter.event.type == "player.erased":
                _forget(ids[matter.event.game_id, matter.event.stream], writer)
            for rule, found in matter.found:
                _decide(writer, matter, rule, found, ids, views)
        return partial(publish, changes) if (changes := writer.write()) else None


def is_large(found: Reached | Missed) -> bool:
    """Tell whether an audience is worked off in pages."""
    return len(found.players) > PLAYERS_A_BATCH


def _matter(event: LoggedEvent, now: datetime) -> Matter:
    view = event_view(event)
    rules = [rule for rule in rulebook.active(event.game_id).get(event.type, ()) if _may(rule, event)]
    return Matter(event=event, view=view, found=tuple((rule, audience(rule, view, now)) for rule in rules))


def _may(rule: CompiledRule, event: LoggedEvent) -> bool:
    """Direct posts are Clarion's own events; a game's event of that name is none."""
    return rule.event_type != POSTED["event_type"] or event.source.startswith("clarion:")


def _decide(
    writer: Writer,
    matter: Matter,
    rule: CompiledRule,
    found: Reached | Missed,
    ids: dict[tuple[int, str], int],
    views: dict[int, PlayerView],
) -> None:
    event = matter.event
    if found.record is not None:
        writer.note(event, found.record, None)
    if is_large(found):
        _fan_out(event, rule, len(found.players), writer.now)
        return
    for key in found.players:
        player_id = ids[event.game_id, key]
        decision = decide(rule, matter.view, views[player_id], NO_STATE, writer.now, reached=found)
        writer.note(event, decision, player_id)


def _fan_out(event: LoggedEvent, rule: CompiledRule, total: int, now: datetime) -> None:
    FanOut.objects.bulk_create(
        [
            FanOut(
                game_id=event.game_id,
                revision_id=rule.revision_id,
                event_id=event.id,
                now=now,
                total=total,
                created=now,
            )
        ],
        ignore_conflicts=True,
    )


def _forget(player_id: int, writer: Writer) -> None:
    """Remove an erased player's notifications; only a tombstone makes it so, not an event alone."""
    account = writer.accounts[player_id]
    if account.erased:
        Notification.objects.filter(player_id=player_id).delete()
        account.unread = 0
        writer.touched[player_id] = account
