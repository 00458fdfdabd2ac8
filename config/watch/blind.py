"""The database is away: no rows, so this process tells from what it remembers.

Every process that watches would tell; the ids follow from the time, to five minutes, so that
a receiver can drop what several of them say about one outage. When the database is back
the outage becomes an alarm like any other: it ends, and everybody hears that it is over.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.urls import reverse

from config.watch import channels, schedule, telling
from config.watch.kinds import KINDS, Kind, in_force
from config.watch.messages import Event, Message, absolute, runbook
from events.hubs.claim import holder
from events.models import Alarm, AlarmMute, AlarmRecipient, AlarmTelling
from events.webhooks import Answer, Verdict

REMEMBER_EVERY = timedelta(seconds=60)
SAME_OUTAGE = timedelta(minutes=5)

log = structlog.get_logger(__name__)
Send = Callable[[AlarmRecipient, Message, datetime], Answer]


@dataclass
class Blind:
    """What one process remembers for the time when it cannot ask."""

    send: Send = channels.send
    kind: Kind = KINDS["database"]
    everybody: Sequence[AlarmRecipient] = ()
    remembered: datetime | None = None
    since: datetime | None = None  # of the outage
    told: int = 0  # messages that went out
    due: datetime | None = None  # the next one
    heard: set[int] = field(default_factory=set)  # recipients that got one

    def remember(self, now: datetime) -> None:
        """Keep in mind who is to be told; once a minute, two or three queries."""
        if self.remembered is not None and now - self.remembered < REMEMBER_EVERY:
            return
        self.kind = in_force()["database"]
        muted = AlarmMute.objects.filter(kind=self.kind.name, until__gt=now).exists()
        wanted = [each for each in telling.recipients() if telling.wants(each, self.kind.severity, None)]
        self.everybody = wanted if self.kind.enabled and not muted else []
        self.remembered = now

    def away(self, now: datetime) -> None:
        """Note that the database did not answer, and tell when it has been so for long enough."""
        self.since = self.since or now
        if now - self.since < timedelta(seconds=self.kind.limit) or (self.due and now < self.due):
            return
        message = self._message(now)
        arrived = self._tell_everybody(message, now)
        self.heard |= arrived
        if arrived or not self.everybody:
            self.told += 1
            self.due = now + schedule.repeat_after(self.kind.severity, self.told)
        else:
            self.due = now + schedule.RETRY_FIRST

    def back(self, now: datetime) -> None:
        """Write down an outage that is over; the first process to do so speaks for all."""
        since, self.since = self.since, None
        heard, told = self.heard, self.told
        self.heard, self.told, self.due = set(), 0, None
        if since is None or now - since < timedelta(seconds=self.kind.limit):
            return
        if Alarm.objects.filter(kind=self.kind.name, last_seen__gt=now - SAME_OUTAGE).exists():
            return
        alarm = self._row(since, now)
        there = set(AlarmRecipient.objects.filter(pk__in=heard).values_list("pk", flat=True))
        AlarmTelling.objects.bulk_create(
            [
                AlarmTelling(
                    alarm=alarm,
                    recipient_id=pk,
                    told=told,
                    last_told=now,
                    due=now + schedule.repeat_after(self.kind.severity, told),
                )
                for pk in sorted(there)
            ]
        )

    def _tell_everybody(self, message: Message, now: datetime) -> set[int]:
        """Return who has got it; one who hangs holds up nobody else."""
        with ThreadPoolExecutor(max(1, len(self.everybody)), "blind") as pool:
            arrived = pool.map(lambda each: self._arrives(each, message, now), self.everybody)
            return {each.pk for each, told in zip(self.everybody, arrived, strict=True) if told}

    def _arrives(self, recipient: AlarmRecipient, message: Message, now: datetime) -> bool:
        answer = self.send(recipient, message, now)
        if answer.verdict is not Verdict.DELIVERED:
            log.warning("alarm.not_told", kind=self.kind.name, recipient=recipient.pk, cause=answer.error)
        return answer.verdict is Verdict.DELIVERED

    def _row(self, since: datetime, now: datetime) -> Alarm:
        seconds = (now - since).total_seconds()
        return Alarm.objects.create(
            kind=self.kind.name,
            key=f"{since:%Y-%m-%d %H:%M:%S}",
            severity=self.kind.severity,
            since=since,
            noticed=since,
            opened=since,
            last_seen=now,
            value=seconds,
            worst=seconds,
            limit=self.kind.limit,
            text=f"{self._words(seconds)} It answers again.",
            url=reverse("admin:index"),
        )

    def _words(self, seconds: float) -> str:
        return f"The database has not answered {holder()} for {seconds:.0f} s."

    def _message(self, now: datetime) -> Message:
        since = self.since or now
        slot = int(since.timestamp() // SAME_OUTAGE.total_seconds())
        facts: dict[str, Any] = {
            "kind": self.kind.name,
            "severity": self.kind.severity.value,
            "since": since.isoformat(timespec="seconds"),
            "value": round((now - since).total_seconds()),
            "limit": self.kind.limit,
            "unit": self.kind.unit,
            "means": self.kind.means,
            "runbook": absolute(runbook(self.kind.name)),
        }
        return Message(
            id=f"alarm_database_{slot}_{self.told + 1}",
            event=Event.REPEATED if self.told else Event.OPENED,
            at=now,
            title=self.kind.title,
            text=self._words((now - since).total_seconds()),
            facts=facts,
        )
