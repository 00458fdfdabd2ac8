"""The players app."""

from django.apps import AppConfig


class PlayersConfig(AppConfig):
    """The players room."""

    name = "players"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the room's hub; its models are there only now."""
        from events.hubs.registry import register  # noqa: PLC0415 - as the docstring says
        from players.hubs import PROFILES  # noqa: PLC0415 - as above

        register(PROFILES)
