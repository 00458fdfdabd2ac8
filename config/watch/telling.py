"""Telling: who is due, one try each outside of transactions, and a note of what came of it.

A telling is claimed by a time stamp, sent, then noted. Whoever dies in between leaves a claim
that lapses; the next one sends the same message under the same id. Each recipient has a thread
of their own while they are told: one who hangs holds up nobody else.
"""

import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.db import Error, connection
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet

from config.watch import channels, messages, schedule
from events.faults import is_transient
from events.models import Alarm, AlarmMute, AlarmRecipient, AlarmTelling, Game, Severity
from events.webhooks import Answer, Verdict

CLAIM_LAPSES = timedelta(seconds=60)
"""Longer than any try takes."""
BATCH_S = 15.0
"""For so long one recipient is told one thing after the other, so that no claim lapses before its turn."""
END_KEPT = timedelta(days=1)
"""For so long one tries to tell somebody that it is over."""

log = structlog.get_logger(__name__)


class Teller:
    """Tells everybody who is due, each on a thread that exists only for that."""

    def __init__(self) -> None:
        """Nobody is being told."""
        self._busy: dict[int, Future[int]] = {}

    def begin(self, now: datetime) -> list["Future[int]"]:
        """Begin to tell everybody who is due; whoever is still being told is left for a later time.

        Two queries when nobody is due. Each future returns how many tries were made.
        """
        _prepare(now)
        self._busy = {recipient: told for recipient, told in self._busy.items() if not told.done()}
        due: dict[int, list[AlarmTelling]] = {}
        for telling in _due(now, self._busy):
            due.setdefault(telling.recipient_id, []).append(telling)
        begun = {recipient: _begin(tellings, now) for recipient, tellings in due.items()}
        self._busy |= begun
        return list(begun.values())


def tell(now: datetime) -> int:
    """Tell everybody who is due, and wait for it; return how many tries were made."""
    return sum(told.result() for told in Teller().begin(now))


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


def _due(now: datetime, busy: Collection[int] = ()) -> Sequence[AlarmTelling]:
    repeats = Q(alarm__ended=None, alarm__acknowledged=None, due__lte=now, alarm__in=_unmuted(now))
    ends = Q(alarm__ended__gt=now - END_KEPT, told__gt=0, end_told=None)
    free = Q(claimed=None) | Q(claimed__lte=now - CLAIM_LAPSES)
    waited = Q(retry=None) | Q(retry__lte=now)
    rows = AlarmTelling.objects.filter(repeats | ends, free, waited, recipient__enabled=True)
    rows = rows.exclude(recipient__in=list(busy)).select_related("alarm__game", "recipient")
    return list(rows.order_by("id")[:100])


def _begin(tellings: Sequence[AlarmTelling], now: datetime) -> "Future[int]":
    """Tell one recipient on a new thread."""
    told: Future[int] = Future()

    def run() -> None:
        try:
            told.set_result(_tell_all(tellings, now))
        except BaseException as error:
            if isinstance(error, Exception) and not (isinstance(error, Error) and is_transient(error)):
                log.exception("watch.failed", thread="tell")
            told.set_exception(error)
        finally:
            connection.close()

    threading.Thread(target=run, name="tell", daemon=True).start()
    return told


def _tell_all(tellings: Sequence[AlarmTelling], now: datetime) -> int:
    """Tell one recipient one thing after the other, until a try fails: the next would as well."""
    began, tries = monotonic(), 0
    for telling in tellings:
        answer = _tell(telling, now)
        tries += answer is not None
        if monotonic() - began > BATCH_S or (answer and answer.verdict is not Verdict.DELIVERED):
            break
    return tries


def _tell(telling: AlarmTelling, now: datetime) -> Answer | None:
    """Claim, send, note; None when another process was faster."""
    rows = AlarmTelling.objects.filter(pk=telling.pk, claimed=telling.claimed, told=telling.told)
    if not rows.update(claimed=now):
        return None
    message = messages.of(telling.alarm, telling.told + 1, now)
    answer = channels.send(telling.recipient, message, now)
    _note(telling, answer, now)
    note_channel(telling.recipient, answer, now)
    return answer


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
