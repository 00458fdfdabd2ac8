"""The Celery app: tasks are wake-ups without payload, and sweeps.

Workers and beat are started with ``celery -A config.celery``; web processes get the app
through ``config.apps`` and only send.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    setup_logging,
    task_prerun,
    worker_process_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from django.conf import settings

from events.stopping import STOPPING

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if not settings.configured:  # the app before Django: this is Celery's own command line
    os.environ.setdefault("CLARION_ROLE", "worker")

app = Celery("clarion")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()


@setup_logging.connect
def _leave_logging_alone(**_: Any) -> None:
    """Keep Celery from giving the root logger its own level: CLARION_LOG_LEVEL says how much is told."""


@celeryd_init.connect
@beat_init.connect
def _refuse(**_: Any) -> None:
    """Fail at start rather than at the first task."""
    from config.checks import refuse_to_start  # noqa: PLC0415 - needs Django, which this file comes before
    from config.modes import refuse_by_accident  # noqa: PLC0415 - as above

    refuse_by_accident("worker", services=settings.CLARION_SERVICES, entry=settings.CLARION_ENTRY)
    if settings.CLARION_SERVICES and settings.CLARION_ENTRY != "tests":
        refuse_to_start("a Celery process")


@beat_init.connect
def _beat_begins(**_: Any) -> None:
    from config import workers  # noqa: PLC0415 - as above

    if settings.CLARION_ENTRY != "up":  # its beat is a thread
        workers.beat_begins()


@worker_ready.connect
def _drain_by_age(**_: Any) -> None:
    """Watch the lanes too; a worker then needs no broker to find work. And look out for alarms."""
    from config import leaving, lineage, memory  # noqa: PLC0415 - as above
    from config.watch import running  # noqa: PLC0415 - as above
    from events.hubs import ageing, patience  # noqa: PLC0415 - as above
    from notifications.delivery import postman  # noqa: PLC0415 - as above

    if settings.CLARION_ENTRY != "up":  # the embedded server starts its own
        patience.take_on(patience.WORKER)
        leaving.beside([*ageing.start(STOPPING), postman.start_watching(STOPPING)])
        lineage.start(STOPPING)
        running.start(STOPPING)
        memory.keep()


@worker_process_init.connect
def _child_begins(**_: Any) -> None:
    from config import memory, workers  # noqa: PLC0415 - as above

    if settings.CLARION_ENTRY != "up":  # its worker is a thread, and has no children
        workers.child_begins()
        memory.keep()


@task_prerun.connect
def _same_history(**_: Any) -> None:
    from config import lineage  # noqa: PLC0415 - as above

    if settings.CLARION_ENTRY != "up":  # it has a thread that looks
        lineage.look_now_and_then()


@worker_shutting_down.connect
def _told(**_: Any) -> None:
    from config import workers  # noqa: PLC0415 - as above

    workers.told()


@worker_shutdown.connect
def _finish(**_: Any) -> None:
    """Let what works beside the pool finish its last batch."""
    from config import leaving, workers  # noqa: PLC0415 - as above

    if settings.CLARION_ENTRY != "up":
        leaving.join_beside(workers.BESIDE_S)
