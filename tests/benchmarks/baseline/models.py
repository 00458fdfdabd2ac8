"""What happened, and what players are told of it."""

from django.db import models


class Event(models.Model):
    event_id = models.CharField(max_length=200, unique=True)
    source = models.CharField(max_length=200)
    type = models.CharField(max_length=200)
    player = models.CharField(max_length=200, db_index=True)
    data = models.JSONField()
    created = models.DateTimeField(auto_now_add=True)


class Notification(models.Model):
    event = models.OneToOneField(Event, on_delete=models.CASCADE)
    player = models.CharField(max_length=200, db_index=True)
    title = models.CharField(max_length=200)
    body = models.TextField()
    read = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    def as_json(self):
        return {
            "id": self.pk,
            "title": self.title,
            "body": self.body,
            "created": self.created.isoformat(),
            "read": None,
        }
