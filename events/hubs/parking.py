"""Parking: one poisoned stream of a lane steps aside, so that the rest goes on."""

import traceback
from datetime import UTC, datetime

import structlog
from django.db import transaction

from events.hubs import claim as claims
from events.hubs import metrics
from events.hubs.claim import Claim
from events.hubs.letters.failing import Failure, died, failure, hung
from events.hubs.letters.schedule import first_retry
from events.lanes import Lane
from events.log.read import batch as read_batch
from events.models import DeadLetter

log = structlog.get_logger(__name__)


def park(claim: Claim, error: Exception) -> bool:
    """Park the stream of the event at which this claim failed; False when the claim was lost.

    The traceback names places, never the message: that may carry a player's data.
    """
    return _park(claim, failure(claim.hub, error), claim.tries)


def park_hung(claim: Claim, stack: traceback.StackSummary) -> bool:
    """Park the stream of an event at which this claim hung until it was ended."""
    return _park(claim, hung(claim.hub, stack), claim.tries)


def park_exhausted(claim: Claim) -> bool:
    """Park the stream of an event whose tries all ended with their processes."""
    return _park(claim, died(claim.hub), claim.tries - 1, ended=True)


def _park(claim: Claim, what: Failure, tries: int, *, ended: bool = False) -> bool:
    now = datetime.now(UTC)
    with transaction.atomic(durable=True):
        if not claims.hold(claim):
            return False
        event = read_batch(claim.partition_id, claim.lane, claim.position, 1)[0]
        DeadLetter.objects.get_or_create(
            hub=claim.hub,
            partition_id=claim.partition_id,
            lane=claim.lane,
            stream=event.stream,
            resolved=None,
            defaults={
                "game_id": event.game_id,
                "version": event.version,
                "event_offset": event.offset,
                "event_type": event.type,
                "cause": what.cause,
                "fingerprint": what.fingerprint,
                "traceback": what.traceback,
                "tries": tries,
                "created": now,
                "first_failed": now,
                "last_failed": now,
                "next_retry": first_retry(now, ended=ended),
            },
        )
        claims.advance(claim, event.offset, 0, 1)
    metrics.parked.labels(claim.hub, Lane(claim.lane).label).inc()
    log.error(
        "hub.parked", hub=claim.hub, lane=Lane(claim.lane).label, event_id=event.event_id,
        offset=event.offset, version=event.version, cause=what.cause, tries=tries,
    )  # fmt: skip
    return True
