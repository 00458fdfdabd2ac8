"""How fast a replay may go, how fast it goes, and when it will be over."""

from datetime import datetime, timedelta

from events.models import Replay
from events.models.replays import ReplayState

BURST_S = 5.0
"""What a limit has left unused for so long may be made up for: workers look every few seconds."""
WINDOW_S = 2.0
"""Over at least so long a rate is measured."""


def measure(replay: Replay, read: int, now: datetime) -> None:
    """Count what a step has read: when the next may come, and the rate over the last seconds."""
    if replay.rate_limit:
        earned_from = max(replay.due, now - timedelta(seconds=BURST_S))
        replay.due = earned_from + timedelta(seconds=read / replay.rate_limit)
    else:
        replay.due = now
    mark = replay.measured or {"since": now.timestamp(), "read": 0, "done": replay.done}
    total_read, seconds = mark["read"] + read, now.timestamp() - mark["since"]
    if replay.state != ReplayState.RUNNING:
        replay.rate = replay.pace = 0
        replay.measured = {}
    elif seconds >= WINDOW_S:
        replay.rate = total_read / seconds
        replay.pace = max(0.0, (replay.done - mark["done"]) / seconds)
        replay.measured = {"since": now.timestamp(), "read": 0, "done": replay.done}
    else:
        replay.measured = {**mark, "read": total_read}


def seconds_left(replay: Replay) -> float | None:
    """Return about how many seconds are left; None when nobody can say."""
    if replay.state != ReplayState.RUNNING or replay.pace <= 0:
        return None
    return max(0, replay.total - replay.done) / replay.pace


def at_once(replay: Replay, most: int) -> int:
    """Return how many events a step should read: at most what the limit allows in a second."""
    return max(1, min(most, replay.rate_limit or most))
