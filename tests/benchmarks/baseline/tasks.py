"""A task per event; in the other variant, one per request."""

from asgiref.sync import async_to_sync
from celery import shared_task
from channels.layers import get_channel_layer
from django.db import transaction

from tests.benchmarks.baseline.models import Event, Notification


@shared_task
def process_event(event):
    with transaction.atomic():
        row, created = Event.objects.get_or_create(
            event_id=event["id"],
            defaults={
                "source": event["source"],
                "type": event["type"],
                "player": event["partitionkey"],
                "data": event["data"],
            },
        )
        if not created:
            return
        notification = _notification(row)
        notification.save()
    async_to_sync(get_channel_layer().group_send)(_group(row.player), _message(notification))


@shared_task
def process_events(ids):
    rows = Event.objects.filter(event_id__in=ids, notification=None).order_by("id")
    notifications = Notification.objects.bulk_create([_notification(row) for row in rows])
    async_to_sync(_send_all)(notifications)


async def _send_all(notifications):
    layer = get_channel_layer()
    for each in notifications:
        await layer.group_send(_group(each.player), _message(each))


def _notification(event):
    return Notification(
        event=event,
        player=event.player,
        title=f"{event.data['guild']} wants you",
        body=f"{event.data['from']} invites you to join {event.data['guild']}.",
    )


def _group(player):
    return f"player.{player}"


def _message(notification):
    return {"type": "notify", "notification": notification.as_json()}
