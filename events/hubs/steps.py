"""Work beside the bulk lane that is done in steps, each a short transaction of its own."""

import time
from collections.abc import Callable

import structlog
from django.db import Error

from events.faults import is_transient

log = structlog.get_logger(__name__)


def take_steps(name: str, step: Callable[[], bool], seconds: float) -> bool:
    """Take steps for about so long; True when work is left.

    ``step`` returns False when nothing waits, or somebody else is at it. A fault of the
    database that passes ends the turn and is logged with ``name``; others are raised.
    """
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if not step():
                return False
    except Error as error:
        if not is_transient(error):
            raise
        log.warning("steps.transient", work=name, error=type(error).__name__)
        return False
    return True
