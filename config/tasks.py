"""Celery's door to the config room: a question that a worker answers by doing it."""

from datetime import UTC, datetime

from celery import shared_task

from events import heartbeats


@shared_task(name="config.answer", ignore_result=True)
def answer(heartbeat: str) -> None:
    """Note in the database that the queue of this task is worked on; ``manage.py doctor`` asks."""
    heartbeats.beat(heartbeat, datetime.now(UTC))
