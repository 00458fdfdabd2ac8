"""The projection of the decisions hub: each event against each rule of its type, for each player."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from events.hubs.projection import AfterCommit, Prepared, Projection
from events.log.logged import LoggedEvent
from notifications import rulebook
from notifications.decisions.views import event_view, player_views
from notifications.decisions.writing import Writer, decided
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
from notifications.engine.audiences import fault_of
from notifications.ledger import accounts
from notifications.models import FanOut, Notification
from players.forgetting import go_on
from players.known import ensure
from players.profiles import ERASED

PLAYERS_A_BATCH = 100
"""More decisions would make the transaction long; a larger audience is worked off in pages."""
NO_STATE = PlayerState()


@dataclass(frozen=True, kw_only=True)
class Matter:
    """One event with what its rules have found."""

    event: LoggedEvent
    view: EventView
    found: tuple[tuple[CompiledRule, Reached | Missed], ...]

    def addressed(self) -> Iterator[str]:
        """Name the player of each decision of this batch; large audiences are left to their pages."""
        if self.event.type == ERASED:
            yield self.event.stream
        for _, found in self.found:
            if not is_large(found):
                yield from found.players

    def mentioned(self) -> str | None:
        """Name the player whose own event it is: they appear with it, also where no rule asks for it."""
        key = self.view.data.get("player_id") if isinstance(self.view.data, dict) else None
        return key if isinstance(key, str) and not fault_of(key) else None


class Decisions(Projection):
    """Rules to decisions to notifications, in the transaction of the checkpoint.

    ``apply`` decides about what ``prepare`` has found, not about what it would find by then: so
    the set of players cannot grow in between, whatever staff and other workers do meanwhile.
    What may change, the profile and the tombstone, is read under the players' locks.
    """

    name = "decisions"
    when_skipped = "No rule decides about them, now or later: nobody is ever notified of them."
    replay_id: int | None = None
    """Which replay decides late; None for live."""

    def rules(self, event: LoggedEvent) -> Sequence[CompiledRule]:
        """Return the rules that an event meets."""
        return rulebook.active(event.game_id).get(event.type, ())

    def wrote(self, writer: Writer) -> None:
        """Look at what was written, before commit."""

    def prepare(self, events: Sequence[LoggedEvent]) -> Prepared:
        """Find whom each event concerns; players appear with their first event."""
        now = datetime.now(UTC)
        matters: list[Matter] = []
        keys = _Keys()
        for event in events:
            matter = matter_of(event, self.rules(event), now)
            addressed = list(matter.addressed())
            if matters and keys.count + len(addressed) > PLAYERS_A_BATCH:
                break
            matters.append(matter)
            keys.add(event.game_id, addressed, matter.mentioned())
        ids = keys.ensured()
        locks = frozenset(ids[player] for player in keys.addressed)
        return Prepared(take=len(matters), locks=locks, state=(matters, ids))

    def apply(self, events: Sequence[LoggedEvent], prepared: Prepared) -> AfterCommit | None:
        """Decide, write, and return the push."""
        matters, ids = prepared.state
        now = datetime.now(UTC)
        views = player_views(prepared.locks)
        taken: Sequence[Matter] = matters[: len(events)]
        known = decided(matter.event.id for matter in taken if matter.found)
        writer = Writer(now=now, accounts=accounts(prepared.locks), decided=known, replay_id=self.replay_id)
        desk = _Desk(writer=writer, ids=ids, views=views)
        for matter in taken:
            if matter.event.type == ERASED:
                _forget(ids[matter.event.game_id, matter.event.stream], writer)
            for rule, found in matter.found:
                desk.decide(matter, rule, found)
        go_on(account.id for account in writer.touched.values() if account.erased)
        changes = writer.write()
        self.wrote(writer)
        return partial(writer.tell, changes) if changes else None


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """What one transaction decides with."""

    writer: Writer
    ids: Mapping[tuple[int, str], int]
    views: Mapping[int, PlayerView]

    def decide(self, matter: Matter, rule: CompiledRule, found: Reached | Missed) -> None:
        """Decide for each player of an audience, or leave a large one to its pages."""
        event, now = matter.event, self.writer.now
        if found.record is not None:
            self.writer.note(event, found.record, None)
        if is_large(found):
            _fan_out(event, rule, len(found.players), self.writer)
            return
        for key in found.players:
            player_id = self.ids[event.game_id, key]
            decision = decide(rule, matter.view, self.views[player_id], NO_STATE, now, reached=found)
            self.writer.note(event, decision, player_id)


class _Keys:
    """The players of a batch: those to lock, and those who only have to be there."""

    def __init__(self) -> None:
        self.count = 0  # decisions, which is what takes time; players are fewer
        self.addressed: set[tuple[int, str]] = set()
        self._all: dict[int, set[str]] = {}

    def add(self, game_id: int, addressed: Sequence[str], mentioned: str | None) -> None:
        self.count += len(addressed)
        self.addressed.update((game_id, key) for key in addressed)
        self._all.setdefault(game_id, set()).update(addressed, [mentioned] if mentioned else [])

    def ensured(self) -> dict[tuple[int, str], int]:
        """Return the ids of all of them; missing ones are made."""
        return {
            (game_id, key): player_id
            for game_id, wanted in self._all.items()
            for key, player_id in ensure(game_id, wanted).items()
        }


def is_large(found: Reached | Missed) -> bool:
    """Tell whether an audience is worked off in pages."""
    return len(found.players) > PLAYERS_A_BATCH


def matter_of(event: LoggedEvent, rules: Sequence[CompiledRule], now: datetime) -> Matter:
    """Return an event with whom each of these rules reaches by it."""
    view = event_view(event)
    found = tuple((rule, audience(rule, view, now)) for rule in rules if _may(rule, event))
    return Matter(event=event, view=view, found=found)


def _may(rule: CompiledRule, event: LoggedEvent) -> bool:
    """Direct posts are Clarion's own events; a game's event of that name is none."""
    return rule.event_type != POSTED["event_type"] or event.source.startswith("clarion:")


def _fan_out(event: LoggedEvent, rule: CompiledRule, total: int, writer: Writer) -> None:
    writer.left_to_pages += total
    FanOut.objects.bulk_create(
        [
            FanOut(
                game_id=event.game_id,
                revision_id=rule.revision_id,
                event_id=event.id,
                now=writer.now,
                total=total,
                created=writer.now,
                replay_id=writer.replay_id,
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
