"""Whether this process has been told to end: then it finishes what it has begun, and begins nothing."""

import mmap
import os
import threading


class Stopping(threading.Event):
    """An event that children forked from this process see as well: a worker's pool is told with its parent.

    Only ``is_set`` looks at the parent's word; a child that waits is woken by its own.
    """

    def __init__(self) -> None:
        """Begin unset, with a byte that is shared with all children to come."""
        super().__init__()
        self._family = mmap.mmap(-1, 1)

    def is_set(self) -> bool:
        """Tell whether this process or the one that it was forked from was told."""
        return super().is_set() or self._family[0] != 0

    def set(self) -> None:
        """Tell this process and its children."""
        self._family[0] = 1
        super().set()

    def clear(self) -> None:
        """Take it back; tests do."""
        self._family[0] = 0
        super().clear()

    def renew(self) -> None:
        """In a child: another thread may have held the event's lock when it was forked."""
        super().__init__()


STOPPING = Stopping()
"""Set once, by whoever takes the signal: a web process's server, ``manage.py up`` and Celery's worker."""

os.register_at_fork(after_in_child=STOPPING.renew)
