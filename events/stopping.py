"""Whether this process has been told to end: then it finishes what it has begun, and begins nothing."""

import os
import threading

STOPPING = threading.Event()
"""Set once, by whoever takes the signal: a gateway's server and Celery's worker. ``manage.py up`` has its own."""

os.register_at_fork(after_in_child=STOPPING.clear)
