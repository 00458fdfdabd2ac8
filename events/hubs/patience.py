"""How long a process leaves alone what another had noted and did not finish.

Most often its process has simply ended, and somebody has to go on. But it may be the event
that ended it, and would end the next one too. So those go first whose end costs least: a
worker's child (its parent replaces it), then a worker, and last a gateway, with all the
sockets that are on it. Correctness hangs on none of these times.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Patience:
    """For so long a noted row is left to whoever noted it."""

    first: timedelta  # after the first try with a batch
    again: timedelta  # after any later one: two ends are hardly chance
    alone: timedelta  # after a try with one event alone; a slow machine must not look like an end
    letters: timedelta  # so much later than they are due dead letters are retried


PROMPT = Patience(
    first=timedelta(seconds=1),
    again=timedelta(seconds=1),
    alone=timedelta(seconds=3),
    letters=timedelta(0),
)
"""Of a worker's child, and of the only process in embedded mode."""
WORKER = Patience(
    first=timedelta(seconds=1),
    again=timedelta(seconds=3),
    alone=timedelta(seconds=5),
    letters=timedelta(seconds=10),
)
"""Of a worker's main process: the safety net beside its children."""
GATEWAY = Patience(
    first=timedelta(seconds=2.5),
    again=timedelta(seconds=12),
    alone=timedelta(seconds=12),
    letters=timedelta(minutes=2),
)
"""Of a process with sockets: it works at such things only where no worker does."""

_ours = PROMPT


def ours() -> Patience:
    """Return this process's."""
    return _ours


def take_on(patience: Patience) -> None:
    """Say what kind of process this is; whoever starts it does."""
    global _ours  # noqa: PLW0603 - there is one process
    _ours = patience


def forget() -> None:
    """Be prompt again, as a process is that says nothing."""
    take_on(PROMPT)
