"""The events app."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The events room."""

    name = "events"
    verbose_name = "log"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the room's replays, dead letters and what lets go of old payloads; its models are there only now."""
        from events.hubs.letters import work as letters  # noqa: PLC0415 - as above
        from events.hubs.registry import register_bulk_work  # noqa: PLC0415 - as the docstring says
        from events.replays import job, work  # noqa: PLC0415 - as above
        from events.replays.rebuild import Rebuild  # noqa: PLC0415 - as above
        from events.retention import exporting, payloads, sweeping  # noqa: PLC0415 - as above

        job.register(Rebuild())
        register_bulk_work("replays", work.beside_bulk)
        register_bulk_work("dead letters", letters.work_for)
        sweeping.register_sweeper(payloads.SWEEPER)
        sweeping.register_sweeper(exporting.SWEEPER)
        register_bulk_work("retention", sweeping.work_for)
        register_bulk_work("export", exporting.work_for)
