"""How much room there is: what the database takes, how fast it grows, for how many days the disk will do."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from unfold.decorators import display

from events import storage
from events.admin.cells import EMPTY, Cell, address_of, at
from events.admin.lists import ReadOnlyAdmin
from events.models import Retention, StorageSample
from events.retention.outlook import outlook

SHOWN = 8


@admin.register(StorageSample)
class StorageAdmin(ReadOnlyAdmin):
    """The forecast, the largest tables, and the samples that it is made of."""

    list_display = ("taken", "in_use", "logged", "largest")
    fields = readonly_fields = ("taken", "in_use", "logged", "each_table")
    list_before_template = "admin/console/storage.html"
    ordering = ("-at",)
    sortable_by = ()
    empty_hint = "A sample is taken once an hour."

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Put the forecast above the samples."""
        found = storage.forecast()
        sizes = list(storage.tables().items())[:SHOWN]
        context = {
            "forecast": found,
            "shrinks": found.growth_per_day is not None and found.growth_per_day <= 0,
            "tables": [(name, size, 100 * size.total / max(1, found.used)) for name, size in sizes],
            "outlook": outlook(),
            "retention_url": address_of(Retention),
        }
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **context})
        return response

    @display(description="taken")
    def taken(self, obj: StorageSample) -> Cell:
        """Say when."""
        return at(obj.at)

    @display(description="in use")
    def in_use(self, obj: StorageSample) -> str:
        """Say how much."""
        return filesizeformat(obj.used)

    @display(description="events")
    def logged(self, obj: StorageSample) -> str:
        """Say how many were in all logs."""
        return f"{obj.events:,}"

    @display(description="largest table")
    def largest(self, obj: StorageSample) -> str:
        """Name it."""
        return next((f"{name} {filesizeformat(sum(sizes))}" for name, sizes in obj.tables.items()), EMPTY)

    @display(description="tables")
    def each_table(self, obj: StorageSample) -> str:
        """List them."""
        return (
            ", ".join(f"{name} {filesizeformat(sum(sizes))}" for name, sizes in obj.tables.items()) or EMPTY
        )
