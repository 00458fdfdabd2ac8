"""Processes: does somebody work on each queue, does beat live, do gateways hold sockets."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection
from django_celery_beat.models import PeriodicTask

from config.data_folder import DataFolder
from config.doctor.broker import FAULTS
from config.doctor.check import EMBEDDED, SERVICES, Check, Target
from config.doctor.clocks import judged
from config.doctor.finding import WITH_URL, Finding, fail, not_run, ok, warn
from config.doctor.reasons import reason
from config.watch import kinds
from config.watch.rules.machinery import outside
from events import heartbeats
from events.breakers import probes
from events.models import Heartbeat
from players.models import Gateway

QUEUES = {"urgent": "worker-urgent", "default": "worker", "deliveries": "worker-deliveries"}
"""Each queue, and the process of the Procfile that works on it."""
OURS = "doctor."
ANSWER_S = 6.0
INSPECT_S = 1.5
SWEEP_S = 8.0
"""Sweeps come every 5 s (CELERY_BEAT_SCHEDULE), the first one that long after a start."""
LEFT = timedelta(hours=1)
"""Answers that came after their doctor had gone are removed by the next one."""


class Worker(Check):
    """Sends a task through one queue, and waits until a worker has done it.

    Pings would be answered by workers that take nothing (a broker's restart can leave such).
    """

    patience_s = 20.0
    needs = ("broker.round_trip", "database.migrations")
    ways = SERVICES

    def __init__(self, queue: str) -> None:
        """Take the queue's name, as senders say it."""
        self.queue, self.process = queue, QUEUES[queue]
        self.name = f"workers.{queue}"  # type: ignore[misc] # one check for each queue

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask; when nobody answers, find out who should have."""
        question = f"{OURS}{secrets.token_hex(6)}"
        Heartbeat.objects.filter(name__startswith=OURS, at__lt=datetime.now(UTC) - LEFT).delete()
        began, sent = time.monotonic(), datetime.now(UTC)
        try:
            with probes.broker_connection() as broker:
                current_app.send_task(
                    "config.answer", args=(question,), queue=self.queue, expires=ANSWER_S, connection=broker,
                    retry=False, ignore_result=True,
                )  # fmt: skip
        except FAULTS as error:
            yield fail(
                f"nothing can be sent to the queue {self.queue}: {reason(error)}",
                "see what broker.round_trip says above",
            )
            return
        done = _answered(question)
        took, seen = round((time.monotonic() - began) * 1000, 1), datetime.now(UTC)
        if done is None:
            yield self._silent()
            return
        Heartbeat.objects.filter(name=question).delete()
        yield ok(f"the queue {self.queue} is worked on: a task was done after {took:.0f} ms", done_ms=took)
        if (skew := outside(done.at, sent, seen)) > 0:
            yield judged(f"a worker ({done.by})", skew)

    def _silent(self) -> Finding:
        """Say what is known of a queue from which no answer came."""
        waiting, names = _waiting(self.queue), _workers(self.queue)
        told = "" if waiting is None else f"; {waiting} messages wait in it"
        values = {"workers": len(names), "waiting": waiting}
        start = f"{self.process} of the Procfile"
        if not names:
            return fail(
                f"nobody works on the queue {self.queue}{told}",
                f"start at least one {start}; docs/runbook.md, Sweeps not running",
                **values,
            )
        return fail(
            f"no task came through the queue {self.queue} within {ANSWER_S:.0f} s, although"
            f" {', '.join(names[:3])} should work on it{told}",
            f"start more {start} if they are busy; restart them if they are idle, or of another version than this",
            **values,
        )


class Beat(Check):
    """Whether what should be done every few seconds is done."""

    name = "workers.beat"
    patience_s = 15.0
    needs = ("workers.default",)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Look when the sweep ran last; beat is the only one that starts it."""
        limit = kinds.in_force()["sweeps"].limit
        age = _sweep_age_s(limit)
        off = _disabled()
        if age is None or age > limit:
            since = "has never run" if age is None else f"has not run for {age:.0f} s"
            yield fail(
                f"the sweep {since}, and workers answer: beat is not running",
                "start exactly one beat of the Procfile; docs/runbook.md, Sweeps not running",
                age_s=age,
            )
        else:
            yield ok(f"beat lives: the sweep ran {age:.0f} s ago", age_s=age)
        if off:
            yield warn(
                f"schedules are switched off: {', '.join(off[:3])}",
                "enable them in the console (Schedules), unless somebody means it",
                off=len(off),
            )


class Gateways(Check):
    """Whether a web process holds, or would hold, players' sockets."""

    name = "workers.gateways"
    needs = ("database.migrations",)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Count processes that tell the database that they live, and those that are connected to it.

        A lease outlives its process for some seconds; it counts only where a pooler hides who is connected.
        """
        leased = Gateway.objects.filter(lease_until__gt=datetime.now(UTC)).count()
        web = _connected("web")
        values = {"gateways": leased, "web": web}
        hidden = not _connected("command")  # not even this one shows
        if web or (hidden and leased):
            yield ok(f"{web} web processes are connected to the database, {leased} hold sockets", **values)
        elif hidden:
            yield not_run(
                "whether a web process lives: the database does not tell who is connected", WITH_URL
            )
        else:
            yield fail(
                "no web process is connected to the database",
                "start at least one web of the Procfile; docs/runbook.md, No gateway",
                **values,
            )


class Up(Check):
    """Whether the one process lives, and does what is to be done every few seconds."""

    name = "workers.up"
    patience_s = 15.0
    needs = ("database.migrations",)
    ways = EMBEDDED

    def look(self, target: Target) -> Iterator[Finding]:
        """Look at the folder's lock, then at the last sweep."""
        if not DataFolder(settings.CLARION_DATA).in_use():
            yield fail(f"nobody runs on {settings.CLARION_DATA}", "start it: manage.py up")
            return
        limit = kinds.in_force()["sweeps"].limit
        age = _sweep_age_s(limit)
        if age is None or age > limit:
            yield fail(
                "the process lives, but its sweep "
                + ("has never run" if age is None else f"has not run for {age:.0f} s"),
                "restart it (Ctrl-C, manage.py up); its log is in logs/ of the data folder",
                age_s=age,
            )
        else:
            yield ok(f"it is up, and its sweep ran {age:.0f} s ago", age_s=age)


def _answered(question: str) -> Heartbeat | None:
    """Wait for a worker's note."""
    end = time.monotonic() + ANSWER_S
    while time.monotonic() < end:
        if found := Heartbeat.objects.filter(name=question).first():
            return found
        time.sleep(0.02)
    return None


def _sweep_age_s(limit: float) -> float | None:
    """Return the last sweep's age in seconds; where it is too old, wait for one: who just started has none yet."""
    end = time.monotonic() + SWEEP_S
    while True:
        at = Heartbeat.objects.filter(name=heartbeats.SWEEP).values_list("at", flat=True).first()
        age = None if at is None else round(max(0.0, (datetime.now(UTC) - at).total_seconds()), 1)
        if (age is not None and age <= limit) or time.monotonic() > end:
            return age
        time.sleep(0.1)


def _disabled() -> Sequence[str]:
    ours = PeriodicTask.objects.filter(name__in=list(settings.CELERY_BEAT_SCHEDULE), enabled=False)
    return sorted(ours.values_list("name", flat=True))


def _waiting(queue: str) -> int | None:
    """Return how many messages wait in a queue; None where the broker does not say."""
    with suppress(*FAULTS), probes.broker_connection() as broker:
        channel: Any = broker.default_channel
        declared = channel.queue_declare(f"{settings.CLARION_PREFIX}{queue}", passive=True)
        return int(declared.message_count)
    return None


def _workers(queue: str) -> list[str]:
    """Return the names of the workers that answer to a call and say that they follow a queue."""
    with suppress(*FAULTS), probes.broker_connection() as broker:
        told: Any = current_app.control.inspect(timeout=INSPECT_S, connection=broker).active_queues() or {}
        ours = f"{settings.CLARION_PREFIX}{queue}"
        return sorted(name for name, queues in told.items() if any(each["name"] == ours for each in queues))
    return []


def _connected(role: str) -> int:
    """Return how many of Clarion's processes of a role have a connection to this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT application_name) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE %s",
            [f"clarion {role} %"],
        )
        return int(cursor.fetchone()[0])
