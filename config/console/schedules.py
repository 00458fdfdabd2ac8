"""What beat starts and when, in the console's look. Nothing's correctness depends on it."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from events.admin.cells import Cell, ago
from events.admin.lists import ConsoleAdmin

for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(model)


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """The known tasks."""


class TaskForm(beat.PeriodicTaskForm):
    """Beat's form with the console's fields."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Dress the two fields that beat makes itself."""
        super().__init__(*args, **kwargs)
        self.fields["regtask"].widget = TaskSelect()
        self.fields["task"].widget = UnfoldAdminTextInputWidget()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, ConsoleAdmin):
    """Sweeps and expiries; Clarion writes its own here when beat starts."""

    form = TaskForm
    list_display: Any = ("name", "task", "scheduler", "enabled", "ran")
    list_filter: ClassVar[Any] = ("enabled",)
    search_fields = ("name__istartswith", "task__istartswith")
    date_hierarchy = None
    actions: ClassVar[Any] = ("enable_tasks", "disable_tasks", "run_tasks")
    empty_hint: ClassVar[str] = "Beat writes Clarion's sweeps here when it first starts."

    @admin.action(description="Enable", permissions=["operate"])
    def enable_tasks(self, request: HttpRequest, queryset: Any) -> None:
        """Let these run again."""
        super().enable_tasks(request, queryset)

    @admin.action(description="Disable", permissions=["operate"])
    def disable_tasks(self, request: HttpRequest, queryset: Any) -> None:
        """Keep these from running."""
        super().disable_tasks(request, queryset)

    @admin.action(description="Run now", permissions=["operate"])
    def run_tasks(self, request: HttpRequest, queryset: Any) -> None:
        """Start these once, beside their schedules."""
        super().run_tasks(request, queryset)

    @display(description="last run", ordering="last_run_at")
    def ran(self, obj: PeriodicTask) -> Cell:
        """Say when."""
        return ago(obj.last_run_at)


class ScheduleAdmin(ConsoleAdmin):
    """A schedule that tasks may have."""

    empty_hint = "A task's schedule appears here."


@admin.register(IntervalSchedule)
class IntervalAdmin(ScheduleAdmin):
    """Every so often."""


@admin.register(CrontabSchedule)
class CrontabAdmin(ScheduleAdmin):
    """At times of the day."""


@admin.register(SolarSchedule)
class SolarAdmin(ScheduleAdmin):
    """By the sun."""


@admin.register(ClockedSchedule)
class ClockedAdmin(ScheduleAdmin):
    """Once."""
