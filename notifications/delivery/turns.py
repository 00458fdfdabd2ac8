"""A turn of sending: claims what is due as places become free, and commits each outcome as it comes.

The database is used on the caller's thread only; the threads that send have none.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog
from django.db import Error

from events.faults import is_transient
from events.stopping import STOPPING
from notifications.delivery.channel import Undelivered
from notifications.delivery.claim import Claimed, claim, due_outlets
from notifications.delivery.flights import Flights
from notifications.delivery.settling import Outcome, settle
from notifications.delivery.sweeping import sweep

SLOTS = 24
"""So many deliveries are under way in one turn at most."""
LOOK_S = 0.5
"""So often a turn looks for more while something is under way."""

log = structlog.get_logger(__name__)


def work_for(seconds: float) -> bool:
    """Send what is due for about so long, and wait for what is under way; True when work is left.

    For as long as it waits for a slow one it goes on with all others, unless the process is
    to end: one endpoint that hangs would otherwise hold up everybody behind it. A fault of the
    database that passes ends the turn; what was under way is repeated later, with the same ids.
    """
    end = time.monotonic() + seconds
    try:
        with ThreadPoolExecutor(SLOTS, thread_name_prefix="delivery") as pool:
            out_of_time = _turn(Flights(pool, make), end)
        return out_of_time and bool(due_outlets(datetime.now(UTC)))
    except Error as error:
        if not is_transient(error):
            raise
        log.warning("delivery.transient", error=type(error).__name__)
        return True


def _turn(flights: Flights, end: float) -> bool:
    """Return whether it ended for want of time, and not of anything that could be begun here."""
    while True:
        sweep()
        begins = not STOPPING.is_set() and (time.monotonic() < end or flights.linger)
        if begins:
            for claimed in claim(SLOTS - len(flights), datetime.now(UTC), flights.room):
                flights.begin(claimed)
        if not flights:
            return not begins
        for outcome in flights.ended(LOOK_S):
            settle(outcome, datetime.now(UTC))


def make(claimed: Claimed) -> Outcome | None:
    """Make one try; None when it came too late for that, because this process stood still meanwhile."""
    began, now = time.monotonic(), datetime.now(UTC)
    expires = claimed.letter.expires
    if now > claimed.begin_by:
        return None  # whoever has the row next makes it
    if expires is not None and expires <= now:
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
