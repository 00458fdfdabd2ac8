"""What stands in a cell of the console: times one can read, links, text as it came."""

from collections.abc import Iterable
from datetime import datetime

import orjson
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

EMPTY = "–"
Cell = str | SafeString


def ago(moment: datetime | None) -> Cell:
    """Return relative time, with the absolute one on hover."""
    if moment is None:
        return EMPTY
    utc = timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S.%f %Z")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), utc, naturaltime(moment)
    )


def at(moment: datetime | None) -> Cell:
    """Return the absolute time to the millisecond, and how long ago that was."""
    if moment is None:
        return EMPTY
    utc = timezone.localtime(moment).isoformat(sep=" ", timespec="milliseconds")
    return format_html("{} ({})", utc, ago(moment))


def link_to(obj: Model | None, text: str | None = None) -> Cell:
    """Return a link to a row's page in the console."""
    return EMPTY if obj is None else link(page_of(obj), text or str(obj))


def page_of(obj: Model) -> str:
    """Return the address of a row's page in the console."""
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk])


def list_of(model: type[Model], text: str, **filters: object) -> Cell:
    """Return a link to a filtered list of the console."""
    return link(address_of(model, **filters), text)


def address_of(model: type[Model], **filters: object) -> str:
    """Return the address of a filtered list of the console."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=filters)


def link(url: str, text: str) -> SafeString:
    """Return a link in the console's look."""
    return format_html('<a class="console-link" href="{}">{}</a>', url, text)


def code(text: str | None) -> Cell:
    """Return text as it is, in a block that keeps its lines."""
    return format_html('<pre class="console-code">{}</pre>', text) if text else EMPTY


def mono(text: str | None) -> Cell:
    """Return an identifier, in letters of one width; a long one is cut by the look, not here."""
    return format_html('<span class="console-mono" title="{0}">{0}</span>', text) if text else EMPTY


def listed(cells: Iterable[Cell]) -> Cell:
    """Return cells as a list, one below the other."""
    items = format_html_join("", "<li>{}</li>", ((cell,) for cell in cells))
    return format_html('<ul class="console-list">{}</ul>', items) if items else EMPTY


def beside(cells: Iterable[Cell]) -> Cell:
    """Return cells in one line."""
    return format_html_join(" · ", "{}", ((cell,) for cell in cells)) or EMPTY


def json_text(value: object) -> str:
    """Return a value as JSON for reading."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def indented(text: str) -> str:
    """Return JSON text for reading; what is no JSON stays as it is."""
    try:
        return json_text(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text
