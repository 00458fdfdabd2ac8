"""A turn of sending: claims what is due as places become free, and commits each outcome as it comes.

The database is used on the caller's thread only; the threads that send have none.
"""

import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime

import structlog
from django.db import Error

from events.faults import is_transient
from events.stopping import STOPPING
from notifications.delivery.channel import Undelivered
from notifications.delivery.claim import Claimed, claim, due_outlets
from notifications.delivery.settling import Outcome, settle
from notifications.delivery.sweeping import sweep

SLOTS = 24
"""So many deliveries are under way in one turn at most: three outlets that hang do not fill it."""
LOOK_S = 0.5
"""So often a turn looks for more while something is under way."""

log = structlog.get_logger(__name__)
Flying = dict["Future[Outcome]", Claimed]


def work_for(seconds: float) -> bool:
    """Send what is due for about so long, and wait for what is under way; True when work is left.

    A process that was told to end claims nothing more. A fault of the database that passes ends
    the turn; what was under way is repeated later, with the same ids.
    """
    end = time.monotonic() + seconds
    try:
        sweep()
        with ThreadPoolExecutor(SLOTS, thread_name_prefix="delivery") as pool:
            _turn(pool, end)
        return bool(due_outlets(datetime.now(UTC)))
    except Error as error:
        if not is_transient(error):
            raise
        log.warning("delivery.transient", error=type(error).__name__)
        return True


def _turn(pool: ThreadPoolExecutor, end: float) -> None:
    flying: Flying = {}
    while True:
        if time.monotonic() < end and not STOPPING.is_set():
            for claimed in claim(SLOTS - len(flying), datetime.now(UTC)):
                flying[pool.submit(make, claimed)] = claimed
        if not flying:
            return
        over, _ = wait(flying, timeout=LOOK_S, return_when=FIRST_COMPLETED)
        _settle(flying, over)


def _settle(flying: Flying, over: Iterable["Future[Outcome]"]) -> None:
    for future in over:
        del flying[future]
        settle(future.result(), datetime.now(UTC))


def make(claimed: Claimed) -> Outcome:
    """Make one try. Its time is looked at once more: it may have waited for a thread."""
    began = time.monotonic()
    expires = claimed.letter.expires
    if expires is not None and expires <= datetime.now(UTC):
        return Outcome(claimed=claimed, took_ms=0, expired=True)
    fault = _fault(claimed)
    return Outcome(claimed=claimed, took_ms=round((time.monotonic() - began) * 1000), fault=fault)


def _fault(claimed: Claimed) -> Undelivered | None:
    try:
        claimed.channel.send(claimed.letter, claimed.route)
    except Undelivered as fault:
        return fault
    except Exception as error:  # noqa: BLE001 - an adapter's mistake must not end the turn of all others
        name = type(error).__name__  # and no more: the text may carry a player's data
        log.error("delivery.broken", channel=claimed.channel.name, error=name)  # noqa: TRY400 - as above
        return Undelivered(f"broken: {name}", "the channel's adapter raised what it must not raise")
    return None
