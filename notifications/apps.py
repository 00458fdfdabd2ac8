"""The notifications app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """The notifications room."""

    name = "notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the room's hub and its bulk work; its models are there only now."""
        from events.hubs.registry import register, register_bulk_work
        from notifications import fanout
        from notifications.hubs import DECISIONS

        register(DECISIONS)
        register_bulk_work("fan-out", fanout.work_for)
