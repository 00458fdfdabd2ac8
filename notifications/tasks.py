"""Celery's doors to the notifications room."""

from celery import shared_task

from notifications import fanout, withdrawing
from notifications.delivery import hints, turns
from notifications.inbox import expiry

TURN_S = 2.0
DELIVERY_S = 5.0
"""And the longest try beyond it: a worker that is told to stop ends within 30 s."""


@shared_task(name="notifications.fan_out", ignore_result=True)
def fan_out() -> None:
    """Work off large audiences for about two seconds."""
    fanout.work_for(TURN_S)


@shared_task(name="notifications.expire", ignore_result=True)
def expire() -> None:
    """Take what has expired unread out of inboxes, for about two seconds."""
    expiry.work_for(TURN_S)


@shared_task(name="notifications.withdraw", ignore_result=True)
def withdraw() -> None:
    """Withdraw what was said from erased payloads, for about two seconds."""
    withdrawing.work_for(TURN_S)


@shared_task(name="notifications.deliver", ignore_result=True)
def deliver() -> None:
    """Send what is due by other channels for some seconds; where this process has a postman, wake him instead."""
    if not hints.wake_here() and turns.work_for(DELIVERY_S):
        hints.hint()
