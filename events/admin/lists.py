"""What all lists of the console share: no counting, 25 rows, times one can read."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

EMPTY = "–"


class ConsoleAdmin(ModelAdmin):
    """A list over a table that may be large: nothing counts it, nothing selects it all."""

    list_per_page = 25
    show_full_result_count = False
    paginator = InfinitePaginator
    list_disable_select_all = True
    list_fullwidth = True
    list_filter_submit = True
    empty_hint: ClassVar[str] = ""
    """What would appear here; shown when the list is empty."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Add the hint for an empty list."""
        return super().changelist_view(request, {**(extra_context or {}), "empty_hint": self.empty_hint})


class ReadOnlyAdmin(ConsoleAdmin):
    """Staff may look; what writes these rows is elsewhere."""

    actions = None

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes anything here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes here."""
        return False


def ago(moment: datetime | None) -> str | SafeString:
    """Return relative time, with the absolute one on hover."""
    if moment is None:
        return EMPTY
    utc = timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S.%f %Z")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), utc, naturaltime(moment)
    )


def link_to(obj: Model | None, text: str | None = None) -> str | SafeString:
    """Return a link to a row's page in the console."""
    if obj is None:
        return EMPTY
    name = f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change"
    return link(reverse(name, args=[obj.pk]), text or str(obj))


def list_of(model: type[Model], text: str, **filters: object) -> str | SafeString:
    """Return a link to a filtered list of the console."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=filters)
    return link(url, text)


def link(url: str, text: str) -> SafeString:
    """Return a link in the console's look."""
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, text)


def code(text: str | None) -> str | SafeString:
    """Return text as it is, in a block that keeps its lines."""
    if not text:
        return EMPTY
    return format_html('<pre class="whitespace-pre-wrap break-words text-xs">{}</pre>', text)
