"""From the engine's decisions to rows: decisions, notifications, counters. Inside the caller's transaction."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import orjson
import structlog
from django.db import connection

from events.log.logged import LoggedEvent
from events.rows import Inserter, among
from notifications import engine, ledger
from notifications.delivery import hints
from notifications.delivery import writing as deliveries
from notifications.frames import FIELDS, Item
from notifications.ledger import Account
from notifications.models import Decision, Delivery, Notification
from notifications.push import Change, publish

NAMESPACE = UUID("6f9d0c7e-6d0f-5a57-9a55-7b1f0c6f3f2a")
"""Of notifications' ids, so that the same decision always makes the same id."""

Key = tuple[int, int, str]
"""Event, rule and the player's key, or '': there is one decision for each."""


class DecisionRow(NamedTuple):
    """A row of ``Decision``, before it has an id; ``gates`` is JSON text."""

    game_id: int
    rule_id: int
    revision_id: int
    event_id: int
    player_id: int | None
    player_key: str
    outcome: str
    gates: str
    notification_uid: UUID | None
    place: int | None
    profile_revision: int
    now: datetime
    replay_id: int | None


NOTIFICATION = (*FIELDS, "game_id", "player_id", "rule_id", "event_id")
"""The columns of a new notification, in the order of ``Writer.notifications``."""

_decisions = Inserter(Decision, DecisionRow._fields)
_notifications = Inserter(Notification, NOTIFICATION)

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Writer:
    """Collects what one transaction decides, then writes it table by table.

    What was decided before stays as it was: a batch that comes again, because somebody has set
    a checkpoint back, adds nothing, takes no number, and does not stop its stream either.
    """

    now: datetime
    accounts: Mapping[int, Account]
    decided: frozenset[Key] = frozenset()
    decisions: list[DecisionRow] = field(default_factory=list)
    notifications: list[tuple[Any, ...]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    touched: dict[int, Account] = field(default_factory=dict)
    repeated: int = 0
    left_to_pages: int = 0  # players of large audiences
    replay_id: int | None = None  # which replay decides late

    def note(self, event: LoggedEvent, decision: engine.Decision, player_id: int | None) -> None:
        """Take one decision; a sent one takes the player's next number and sequence."""
        if (event.id, decision.rule_id, decision.player) in self.decided:
            self.repeated += 1
            return
        account = self.accounts[player_id] if player_id is not None else None
        uid = self._notify(event, decision, account) if account and decision.content else None
        if account:
            account.decisions += 1
            self.touched[account.id] = account
        self.decisions.append(
            DecisionRow(
                game_id=event.game_id,
                rule_id=decision.rule_id,
                revision_id=decision.revision_id,
                event_id=event.id,
                player_id=player_id,
                player_key=decision.player,
                outcome=decision.outcome,
                gates=_json(decision.gates_json()),
                notification_uid=uid,
                place=account.decisions if account else None,
                profile_revision=decision.profile_revision,
                now=decision.now,
                replay_id=self.replay_id,
            )
        )

    def _notify(self, event: LoggedEvent, decision: engine.Decision, account: Account) -> UUID:
        content = decision.content
        assert content is not None
        uid = notification_uid(
            event.game_id, decision.rule_id, (event.source, event.event_id), decision.player
        )
        account.number += 1
        item = Item(
            uid=uid,
            number=account.number,
            seq=account.raise_head(),
            notification_class=content.class_,
            category=content.category,
            title=content.title,
            body=content.body,
            data=orjson.dumps(content.data).decode(),
            actions=orjson.dumps(list(content.actions)).decode(),
            created=self.now,
            expires=content.expires,
            seen=None,
            read=None,
            archived=None,
            claimed=None,
            gone="",
            replaces=None,
        )
        account.unread += content.class_ == engine.NotificationClass.INBOX
        account.items[uid] = item
        account.traces.append(f"{event.event_id} {event.traceparent}")
        self.notifications.append((*item, event.game_id, account.id, decision.rule_id, event.id))
        if content.channels:
            self.deliveries += deliveries.rows(
                event.game_id, uid, content.channels, self.now, content.expires
            )
        return uid

    def write(self) -> list[Change]:
        """Write everything, and return the hints to publish after commit; ``tell`` does both kinds."""
        if self.repeated and self.replay_id is None:
            log.warning("decisions.repeated", count=self.repeated)
        _decisions.insert(self.decisions)
        _notifications.insert(self.notifications)
        if self.deliveries:
            Delivery.objects.bulk_create(self.deliveries)
        ledger.write(self.touched)
        return [change for account in self.touched.values() if (change := account.change(self.now))]

    def tell(self, changes: list[Change]) -> None:
        """Publish, and say that there is something to bring. Call it after commit, never before."""
        publish(changes)
        if self.deliveries:
            hints.hint()


def decided(event_pks: Iterable[int], players: Collection[str] | None = None) -> frozenset[Key]:
    """Return what was decided before about these events (and players, where they are given).

    It stays true while the caller holds the row that it works on, a checkpoint or an audience.
    """
    where, values = among("event_id", set(event_pks))
    parameters = [values]
    if players is not None:
        of_players, keys = among("player_key", set(players))
        where, parameters = f"{where} AND {of_players}", [values, keys]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT event_id, rule_id, player_key FROM notifications_decision WHERE {where}",  # noqa: S608 - columns are ours
            parameters,
        )
        return frozenset(cursor.fetchall())


def notification_uid(game_id: int, rule_id: int, event: tuple[str, str], player_key: str) -> UUID:
    """Return the id that this decision's notification has everywhere; ``event`` is (source, id).

    It does not follow from a place in the log: after a restore that place is another event's. The
    same event, sent again by its game server then, comes to the same id, and devices that have
    shown it do not show it twice.
    """
    return uuid5(NAMESPACE, orjson.dumps([game_id, rule_id, *event, player_key]).decode())


def _json(value: Any) -> str:
    """Return JSON text; an event's whole numbers may have more digits than the fast encoder takes."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value)
