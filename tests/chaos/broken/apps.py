"""The app: it brings a transport and, where it is asked for, a hub."""

from django.apps import AppConfig


class BrokenConfig(AppConfig):
    """Only for the suite's own processes."""

    name = "tests.chaos.broken"

    def ready(self) -> None:
        """Put the broken parts in the place of the sound ones."""
        from events.hubs.registry import register  # noqa: PLC0415 - models must be there
        from notifications.push import publishing  # noqa: PLC0415 - as above
        from tests.chaos.broken.projections import HUB  # noqa: PLC0415 - as above
        from tests.chaos.broken.push import Unreliable  # noqa: PLC0415 - as above
        from tests.chaos.broken.switch import on  # noqa: PLC0415 - as above

        publishing.use(Unreliable(publishing.transport()))
        if on("poison"):
            register(HUB)
