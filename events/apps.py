"""The events app."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The events room."""

    name = "events"
    verbose_name = "log"
    default_auto_field = "django.db.models.BigAutoField"
