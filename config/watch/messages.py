"""What leaves: one message, as JSON for a webhook and as text for an e-mail."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from django.conf import settings
from django.urls import reverse

from config.watch.kinds import KINDS, title_of
from events.models import Alarm, Severity


class Event(StrEnum):
    """Why a message is sent."""

    OPENED = "alarm.opened"
    REPEATED = "alarm.repeated"  # nobody has acknowledged it
    ENDED = "alarm.ended"
    TEST = "alarm.test"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to one recipient."""

    id: str  # the same in every try; a receiver drops what it has seen
    event: Event
    at: datetime
    title: str
    text: str
    facts: dict[str, Any]

    def body(self) -> bytes:
        """Return the webhook's body, in Standard Webhooks' form."""
        data = {"title": self.title, "text": self.text, **self.facts}
        return orjson.dumps({"type": self.event.value, "timestamp": self.at.isoformat(), "data": data})

    @property
    def subject(self) -> str:
        """The e-mail's subject, in one line."""
        word = {Event.OPENED: "", Event.REPEATED: "still: ", Event.ENDED: "over: ", Event.TEST: "test: "}
        return " ".join(f"[Clarion] {word[self.event]}{self.title}".split())

    def letter(self) -> str:
        """Return the e-mail's text."""
        facts = "\n".join(f"{name}: {value}" for name, value in self.facts.items() if value not in ("", None))
        return f"{self.text}\n\n{facts}\n"


def of(alarm: Alarm, number: int, now: datetime) -> Message:
    """Return message ``number`` (from 1) about an alarm; once it has ended, the last one."""
    ended = alarm.ended is not None
    event = Event.ENDED if ended else Event.OPENED if number == 1 else Event.REPEATED
    about = f" ({alarm.key})" if alarm.key else ""
    return Message(
        id=f"alarm_{alarm.uid.hex}_{'end' if ended else number}",
        event=event,
        at=now,
        title=f"{title_of(alarm.kind)}{about}",
        text=f"It is over. It was: {alarm.text}" if ended else alarm.text,
        facts=_facts(alarm),
    )


def test(recipient: str, by: str, unique: str, now: datetime) -> Message:
    """Return a message that only tries the way."""
    return Message(
        id=f"alarm_test_{unique}",
        event=Event.TEST,
        at=now,
        title=f"{recipient} hears Clarion",
        text=f"{by} tries out whether Clarion's alarms arrive here. Nothing is wrong.",
        facts={"severity": Severity.WARNING.value, "url": absolute(reverse("admin:events_alarm_changelist"))},
    )


def absolute(path: str) -> str:
    """Return a whole address where CLARION_CONSOLE_URL says where the console is, else the path."""
    return f"{settings.CLARION_CONSOLE_URL}{path}" if path.startswith("/") else path


def runbook(kind: str) -> str:
    """Return the path of a kind's entry in the runbook."""
    anchor = KINDS[kind].anchor if kind in KINDS else ""
    return f"{reverse('runbook')}#{anchor}"


def _facts(alarm: Alarm) -> dict[str, Any]:
    kind = KINDS.get(alarm.kind)
    page = reverse("admin:events_alarm_change", args=[alarm.pk]) if alarm.pk else "/admin/"
    return {
        "alarm": alarm.uid.hex,
        "kind": alarm.kind,
        "key": alarm.key,
        "game": alarm.game.slug if alarm.game else None,
        "severity": alarm.severity,
        "since": alarm.since.isoformat(timespec="seconds"),
        "ended": alarm.ended.isoformat(timespec="seconds") if alarm.ended else None,
        "value": round(alarm.value, 2),
        "worst": round(alarm.worst, 2),
        "limit": alarm.limit,
        "unit": kind.unit if kind else "",
        "means": kind.means if kind else "",
        "url": absolute(page),
        "behind_it": absolute(alarm.url),
        "runbook": absolute(runbook(alarm.kind)),
    }
