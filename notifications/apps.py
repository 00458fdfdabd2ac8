"""The notifications app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """The notifications room."""

    name = "notifications"
    verbose_name = "messages"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the room's hub, its bulk work and its channels; its models are there only now."""
        from events.erasing import Companion, register_companion  # noqa: PLC0415 - as the docstring says
        from events.hubs.needs import register_need  # noqa: PLC0415 - as above
        from events.hubs.registry import register, register_bulk_work  # noqa: PLC0415 - as the docstring says
        from events.replays import job  # noqa: PLC0415 - as above
        from events.retention.sweeping import register_sweeper  # noqa: PLC0415 - as above
        from notifications import fanout, mentions, withdrawing  # noqa: PLC0415 - as above
        from notifications.delivery import registry  # noqa: PLC0415 - as above
        from notifications.delivery.channels.webhook import WebhookChannel  # noqa: PLC0415 - as above
        from notifications.hubs import DECISIONS  # noqa: PLC0415 - as above
        from notifications.inbox import expiry  # noqa: PLC0415 - as above
        from notifications.replays.again import DecideAgain  # noqa: PLC0415 - as above
        from notifications.replays.missed import DecideMissed  # noqa: PLC0415 - as above
        from notifications.retention.sweeps import SWEEPERS  # noqa: PLC0415 - as above
        from players.forgetting import register_mentions  # noqa: PLC0415 - as above

        register(DECISIONS)
        job.register(DecideMissed())
        job.register(DecideAgain())
        register_need("large audiences", fanout.needed)
        register_mentions(mentions.next_of)
        registry.register(WebhookChannel())
        for sweeper in SWEEPERS:
            register_sweeper(sweeper)
        register_bulk_work("fan-out", fanout.work_for)
        register_bulk_work("expiry", expiry.work_for)
        register_bulk_work("withdrawals", withdrawing.work_for)
        register_companion(
            "notifications",
            Companion(
                noun=("notification", "notifications"), count=withdrawing.came_of, begin=withdrawing.begin
            ),
        )
