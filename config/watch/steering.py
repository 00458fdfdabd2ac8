"""What staff do about alarms, each an event in the log of every game that it concerns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from events import staff
from events.models import Alarm, AlarmMute, AlarmRecipient, Game
from events.models.alarms import NOTE_MAX
from events.webhooks import new_salt


@transaction.atomic
def acknowledge(rows: Sequence[Alarm], by: str, why: str) -> int:
    """Stop the repeats of alarms that are open, and say who takes care; return how many."""
    done = 0
    for row in sorted(rows, key=lambda each: each.pk):
        waiting = Alarm.objects.filter(pk=row.pk, ended=None, acknowledged=None)
        if waiting.update(acknowledged=timezone.now(), acknowledged_by=by, note=why[:NOTE_MAX]):
            note("alarm.acknowledged", by, row.game_id, kind=row.kind, key=row.key, note=why)
            done += 1
    return done


@transaction.atomic
def mute(kind: str, key: str, until: datetime, by: str, reason: str) -> AlarmMute:
    """Let nothing leave about a kind, or about one key of it, until a time."""
    row = AlarmMute.objects.create(kind=kind, key=key, until=until, by=by, reason=reason)
    note("alarm.muted", by, None, kind=kind, key=key, until=until.isoformat(), reason=reason)
    return row


@transaction.atomic
def unmute(row: AlarmMute, by: str) -> None:
    """Let alarms leave again."""
    note("alarm.unmuted", by, None, kind=row.kind, key=row.key)
    row.delete()


@transaction.atomic
def renew_secret(row: AlarmRecipient, by: str, reason: str) -> None:
    """Sign with another secret from now on."""
    row.salt = new_salt()
    row.save(update_fields=["salt"])
    note("alarm_recipient.secret_renewed", by, None, recipient=row.name, reason=reason)


def note(what: str, by: str, game_id: int | None, **facts: Any) -> None:
    """Note it in the game's log; what concerns all games, in each one's."""
    games = (
        [game_id] if game_id is not None else list(Game.objects.order_by("id").values_list("id", flat=True))
    )
    for each in games:
        staff.note(each, what, by, **facts)
