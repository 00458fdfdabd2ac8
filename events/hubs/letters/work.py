"""Working dead letters off: rounds that staff have begun, and letters that are due. Called by workers and watches."""

import random
import time
from datetime import UTC, datetime, timedelta

import structlog
from django.db.models import QuerySet

from events.faults import is_transient
from events.hubs import patience
from events.hubs.letters import rounds
from events.hubs.letters.drain import Came, drain
from events.hubs.registry import hubs
from events.models import DeadLetter

AFTER_A_FAILURE = timedelta(minutes=1)
"""For so long others with the fingerprint of one that has just failed by itself again are left alone."""

log = structlog.get_logger(__name__)


def work_for(seconds: float) -> bool:
    """Work off what is due for about so long; True when something is left that is due now."""
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            if not (rounds.take_turn(left) or _take_due(left)):
                return False
        return _due().exists()
    except Exception as error:
        if not is_transient(error):
            raise
        log.warning("letters.transient", error=type(error).__name__)
        return False


def _take_due(seconds: float) -> bool:
    letter = _due().order_by("next_retry").first()
    if letter is None:
        return False
    came, events = drain(letter.pk, seconds)
    if came is Came.FAILED and events == 0 and not letter.asked_by:
        _spare_the_rest(letter)
    return came in {Came.RESOLVED, Came.WORKED, Came.FAILED}


def _due() -> QuerySet[DeadLetter]:
    """Return what is due for this process. A letter of a hub that no app registers any more waits for somebody."""
    return DeadLetter.objects.filter(
        resolved=None,
        round=None,
        next_retry__lte=datetime.now(UTC) - patience.ours().letters,
        hub__in=[hub.name for hub in hubs()],
    )


def _spare_the_rest(letter: DeadLetter) -> None:
    """Put off those that would most likely fail alike: thousands parked by one fault cost one try a minute."""
    pause = AFTER_A_FAILURE * random.uniform(1, 1.5)  # noqa: S311 - jitter, no secret
    _due().filter(hub=letter.hub, fingerprint=letter.fingerprint, asked_by="").update(
        next_retry=datetime.now(UTC) + pause
    )
