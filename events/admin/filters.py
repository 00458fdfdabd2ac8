"""Filters that an index serves."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from unfold.contrib.filters.admin import RelatedDropdownFilter, TextFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from events.admin.lists import asked_text
from events.tenancy import RESERVED


class ExactText(TextFilter):
    """Matches a whole value. Subclasses name it: ``title`` and ``parameter_name``, which is the field."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Match, when something was typed."""
        term = asked_text(request, self.parameter_name)
        return queryset.filter(**{self.parameter_name: term}) if term else queryset


class UntilForm(forms.Form):
    """One point of time, in UTC."""

    def __init__(self, name: str, label: str, *args: Any, **kwargs: Any) -> None:
        """Ask for it under this name."""
        super().__init__(*args, **kwargs)
        widget = UnfoldAdminTextInputWidget({"type": "datetime-local", "step": "1"})
        self.fields[name] = forms.CharField(label=label, required=False, widget=widget)


class Until(TextFilter):
    """Starts a list at a point of time, so that one gets far back without turning pages.

    Subclasses name ``field``; the parameter is ``until``, in UTC unless it has an offset.
    """

    title = "time (UTC), and before"
    parameter_name = "until"
    field: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leave out what is later."""
        moment = moment_of(self.value())
        return queryset.filter(**{f"{self.field}__lte": moment}) if moment else queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """Return the form."""
        data = {self.parameter_name: self.value()}
        yield {"form": UntilForm(self.parameter_name, "By time (UTC): this and before", data=data)}


def moment_of(text: str | None) -> datetime | None:
    """Return the time that was typed; None for nothing, and for what is no time."""
    try:
        moment = parse_datetime(text.strip()) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


class GameFilter(RelatedDropdownFilter):
    """One game, of those that staff should see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        """Leave out Clarion's own."""
        ordering = self.field_admin_ordering(field, request, model_admin)
        return field.get_choices(
            include_blank=False, ordering=ordering, limit_choices_to=~Q(slug__startswith=RESERVED)
        )
