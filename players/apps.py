"""The players app."""

from django.apps import AppConfig


class PlayersConfig(AppConfig):
    """The players room."""

    name = "players"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the room's hub and what follows the log beside it; its models are there only now."""
        from events.erasing import register_follower  # noqa: PLC0415 - as the docstring says
        from events.hubs.registry import register, register_bulk_work  # noqa: PLC0415 - as above
        from events.retention.leftovers import register_leftover  # noqa: PLC0415 - as above
        from events.retention.sweeping import register_sweeper  # noqa: PLC0415 - as above
        from players import forgetting, refolding, retention  # noqa: PLC0415 - as above
        from players.hubs import PROFILES  # noqa: PLC0415 - as above

        register(PROFILES)
        register_follower("profiles", refolding.follow)
        register_bulk_work("forgetting", forgetting.work_for)
        register_sweeper(retention.HISTORY)
        register_leftover("devices nobody has heard of", retention.unheard)
