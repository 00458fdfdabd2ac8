"""Celery's doors to the notifications room."""

from celery import shared_task

from notifications import fanout
from notifications.inbox import expiry

TURN_S = 2.0


@shared_task(name="notifications.fan_out", ignore_result=True)
def fan_out() -> None:
    """Work off large audiences for about two seconds."""
    fanout.work_for(TURN_S)


@shared_task(name="notifications.expire", ignore_result=True)
def expire() -> None:
    """Take what has expired unread out of inboxes, for about two seconds."""
    expiry.work_for(TURN_S)
