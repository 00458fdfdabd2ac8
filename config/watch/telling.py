"""Telling: who is due, one try each outside of transactions, and a note of what came of it.

A telling is claimed by a time stamp, sent, then noted. Whoever dies in between leaves a claim
that lapses; the next one sends the same message under the same id.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet

from config.watch import channels, messages, schedule
from events.models import Alarm, AlarmMute, AlarmRecipient, AlarmTelling, Game, Severity
from events.webhooks import Answer, Verdict

CLAIM_LAPSES = timedelta(seconds=60)
"""Longer than any try takes."""
END_KEPT = timedelta(days=1)
"""For so long one tries to tell somebody that it is over."""

log = structlog.get_logger(__name__)


def tell(now: datetime) -> int:
    """Tell everybody who is due; return how many tries were made. Two queries when nobody is."""
    _prepare(now)
    return sum(_tell(telling, now) for telling in _due(now))


def tell_a_test(recipient: AlarmRecipient, by: str, now: datetime) -> Answer:
    """Send a test message now; return what came of it."""
    message = messages.test(recipient.name, by, uuid.uuid4().hex, now)
    answer = channels.send(recipient, message, now)
    note_channel(recipient, answer, now)
    return answer


def note_channel(recipient: AlarmRecipient, answer: Answer, now: datetime) -> None:
    """Keep with a recipient whether things arrive."""
    rows = AlarmRecipient.objects.filter(pk=recipient.pk)
    if answer.verdict is Verdict.DELIVERED:
        rows.update(delivered=now, failing=None, error="")
    else:
        rows.update(error=answer.detail[:300])
        rows.filter(failing=None).update(failing=now)


def wants(recipient: AlarmRecipient, severity: str, game_id: int | None) -> bool:
    """Tell whether somebody is told of such an alarm. What concerns all games concerns everybody."""
    if Severity(severity).rank < Severity(recipient.severity).rank:
        return False
    games = {game.pk for game in recipient.games.all()}
    return not games or game_id is None or game_id in games


def recipients() -> list[AlarmRecipient]:
    """Return everybody who is told of anything, with their games."""
    games = Prefetch("games", Game.objects.only("pk"))
    return list(AlarmRecipient.objects.filter(enabled=True).prefetch_related(games))


def _prepare(now: datetime) -> None:
    """Give each alarm that nobody has acknowledged a telling for each recipient."""
    unacknowledged = list(_unmuted(now).filter(ended=None, acknowledged=None).exclude(opened=None))
    if not unacknowledged:
        return
    there = set(AlarmTelling.objects.filter(alarm__in=unacknowledged).values_list("alarm_id", "recipient_id"))
    everybody = recipients()
    missing = [
        AlarmTelling(alarm=alarm, recipient=recipient, due=now)
        for alarm in unacknowledged
        for recipient in everybody
        if (alarm.pk, recipient.pk) not in there and wants(recipient, alarm.severity, alarm.game_id)
    ]
    AlarmTelling.objects.bulk_create(missing, ignore_conflicts=True)


def _unmuted(now: datetime) -> QuerySet[Alarm]:
    muted = AlarmMute.objects.filter(Q(key="") | Q(key=OuterRef("key")), kind=OuterRef("kind"), until__gt=now)
    return Alarm.objects.exclude(Exists(muted))


def _due(now: datetime) -> Sequence[AlarmTelling]:
    repeats = Q(alarm__ended=None, alarm__acknowledged=None, due__lte=now, alarm__in=_unmuted(now))
    ends = Q(alarm__ended__gt=now - END_KEPT, told__gt=0, end_told=None)
    free = Q(claimed=None) | Q(claimed__lte=now - CLAIM_LAPSES)
    waited = Q(retry=None) | Q(retry__lte=now)
    rows = AlarmTelling.objects.filter(repeats | ends, free, waited, recipient__enabled=True)
    return list(rows.select_related("alarm__game", "recipient").order_by("id")[:100])


def _tell(telling: AlarmTelling, now: datetime) -> bool:
    """Claim, send, note; False when another process was faster."""
    rows = AlarmTelling.objects.filter(pk=telling.pk, claimed=telling.claimed, told=telling.told)
    if not rows.update(claimed=now):
        return False
    message = messages.of(telling.alarm, telling.told + 1, now)
    answer = channels.send(telling.recipient, message, now)
    _note(telling, answer, now)
    note_channel(telling.recipient, answer, now)
    return True


def _note(telling: AlarmTelling, answer: Answer, now: datetime) -> None:
    """Write down what came of a try, unless the claim lapsed and somebody else has."""
    rows = AlarmTelling.objects.filter(pk=telling.pk, claimed=now, told=telling.told)
    if answer.verdict is Verdict.DELIVERED:
        done = {"claimed": None, "tries": 0, "retry": None, "error": "", "last_told": now}
        if telling.alarm.ended is not None:
            rows.update(**done, end_told=now)
        else:
            pause = schedule.repeat_after(Severity(telling.alarm.severity), telling.told + 1)
            rows.update(**done, told=F("told") + 1, due=now + pause)
        return
    refused = answer.verdict is Verdict.PERMANENT
    pause = schedule.retry_after(telling.tries + 1, answer.retry_after_s, refused=refused)
    rows.update(claimed=None, tries=F("tries") + 1, retry=now + pause, error=answer.detail[:300])
    log.warning(
        "alarm.not_told", alarm=telling.alarm.uid.hex, recipient=telling.recipient_id, cause=answer.error
    )


def told_of(alarm: Alarm) -> Iterator[AlarmTelling]:
    """Return who was told of an alarm, and how often."""
    return iter(alarm.tellings.select_related("recipient").order_by("recipient__name"))
