"""Writing payloads that will go to files first: outside of any transaction, one worker to a partition.

A lease on the sweep's row keeps others off for ten minutes; whoever loses it in spite of that
finds the position moved, and records nothing. Payloads go only up to the recorded position.
"""

import time
from datetime import UTC, datetime, timedelta

import structlog
from django.db import Error, connection, transaction

from events.errors import ExportBroken, ExportRefused
from events.export.files import EVENTS, Manifest, Span, write
from events.export.storing import storage
from events.faults import is_transient
from events.models import ExportedPart, Partition, Retention, Sweep
from events.retention import payloads
from events.retention.sweeping import IDLE, REST, Sweeper, urgent_waits

LEASE = timedelta(minutes=10)
PARTIAL = timedelta(days=1)
"""A file that is not full is written only once the last one is so old: few files, not one every ten minutes."""

log = structlog.get_logger(__name__)


def work_for(seconds: float) -> bool:
    """Write files for about so long; False always: it is never in a hurry."""
    end = time.monotonic() + seconds
    due = Sweep.objects.filter(name=payloads.EXPORT, due__lte=datetime.now(UTC)).order_by("due")
    try:
        for sweep in list(due[:20]):
            if time.monotonic() >= end or urgent_waits():
                break
            _guarded(sweep)
    except Error as error:
        if not is_transient(error):
            raise
        log.warning("export.transient", error=type(error).__name__)
    return False


def export_once(sweep: Sweep) -> Manifest | None:
    """Write the next file of a partition; None where there is none yet, or somebody else is at it.

    Raises:
        ExportRefused: there is nowhere to write to.
        ExportBroken: what was read back is not what was written.
    """
    now = datetime.now(UTC)
    retention = Retention.objects.filter(game_id=sweep.game_id, export=True).first()
    if not _lease(sweep, now):
        return None
    span = _span(sweep, retention, now) if retention else None
    if span is None:
        _rest(sweep, now, REST if retention else IDLE)
        return None
    partition = Partition.objects.select_related("game").get(pk=sweep.part)
    manifest = write(storage(), partition, span)
    if manifest is None or not _record(sweep, partition, manifest, now):
        return None
    return manifest


def _guarded(sweep: Sweep) -> None:
    """Write one file; a storage that fails is tried again later, and holds up no other partition."""
    try:
        export_once(sweep)
    except Exception as error:
        if isinstance(error, Error) and is_transient(error):
            raise
        known = isinstance(error, ExportRefused | ExportBroken)
        log.error("export.failed", sweep=sweep.pk, error=str(error) if known else type(error).__name__)  # noqa: TRY400 - the text may carry what a storage was asked
        _rest(sweep, datetime.now(UTC), REST)


def _lease(sweep: Sweep, now: datetime) -> bool:
    """Take the row for ten minutes; who comes second finds another time in it."""
    rows = Sweep.objects.filter(pk=sweep.pk, due=sweep.due, position=sweep.position)
    return bool(rows.update(due=now + LEASE))


def _rest(sweep: Sweep, now: datetime, rest: timedelta) -> None:
    Sweep.objects.filter(pk=sweep.pk).update(due=now + rest)


def _span(sweep: Sweep, retention: Retention, now: datetime) -> Span | None:
    """Return what will go, if it fills a file or has waited for a day."""
    until = payloads.horizon(retention, now)
    if until is None:
        return None
    first = sweep.position + 1
    last = sweep.position + EVENTS
    full = payloads.was_recorded_before(sweep.part, last, until)
    late = sweep.restart is None or sweep.restart <= now
    waits = payloads.was_recorded_before(sweep.part, first, until)
    return Span(first=first, last=last, until=until) if full or (late and waits) else None


def _record(sweep: Sweep, partition: Partition, manifest: Manifest, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        rows = Sweep.objects.filter(pk=sweep.pk, position=sweep.position)
        if connection.features.has_select_for_update:
            rows = rows.select_for_update(no_key=True)
        if not rows.exists():
            return False
        ExportedPart.objects.get_or_create(
            name=manifest.name,
            defaults={
                "game_id": partition.game_id, "partition": partition, "start": manifest.first,
                "stop": manifest.last, "sha256": manifest.sha256, "size": manifest.size, "at": now,
            },
        )  # fmt: skip
        Sweep.objects.filter(pk=sweep.pk).update(
            position=manifest.last, taken=sweep.taken + manifest.count, due=now, restart=now + PARTIAL
        )
    return True


SWEEPER = Sweeper(
    name=payloads.EXPORT,
    wanted=lambda retention: retention.export and payloads.wanted(retention),
    step=None,
    by_partition=True,
)
"""Has its row made by the others' loop, and works by itself."""
