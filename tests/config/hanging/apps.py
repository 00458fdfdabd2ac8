"""The app: it registers the hub."""

from django.apps import AppConfig


class HangingConfig(AppConfig):
    """Only for processes that tests start."""

    name = "tests.config.hanging"

    def ready(self) -> None:
        from events.hubs.registry import register  # noqa: PLC0415 - models must be there
        from tests.config.hanging.hub import HUB  # noqa: PLC0415 - as above

        register(HUB)
