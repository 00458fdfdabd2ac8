"""Levers that ask first: they name the exact count and what will happen, and want a reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from events.admin.cells import address_of, page_of

REASON_MAX = 200

Pull = Callable[..., int]
"""Takes rows, who did it and why, and the names of the extras that were ticked where the lever has some.

Returns how many rows it has changed.
"""


@dataclass(frozen=True, kw_only=True)
class Extra:
    """Something more that may be done with it, where it is ticked."""

    name: str
    label: str
    help: str
    done: str  # a sentence


@dataclass(frozen=True, kw_only=True)
class Lever:
    """Something that staff do to rows."""

    verb: str  # Block
    done: str  # Blocked
    noun: tuple[str, str]  # player, players
    warning: str  # what will happen, in a sentence or two
    pull: Pull
    final: bool = False  # cannot be taken back: the count must be typed
    extras: tuple[Extra, ...] = ()
    unchanged: str = "had been so before."  # what is said of rows that the pull has left as they were

    def counted(self, count: int) -> str:
        """Return the count with its noun."""
        return f"{count} {self.noun[count != 1]}"


class Confirmation(forms.Form):
    """Asks why, and for the count where nothing can be taken back."""

    reason = forms.CharField(
        max_length=REASON_MAX,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Kept in the history of what staff did, with your name.",
    )

    def __init__(self, lever: Lever, count: int, *args: Any, **kwargs: Any) -> None:
        """Ask about so many rows."""
        super().__init__(*args, **kwargs)
        self.count = count
        if lever.final:
            self.fields["count"] = forms.IntegerField(
                label="How many",
                widget=UnfoldAdminIntegerFieldWidget(),
                help_text=f"Type {count} to confirm.",
            )
        for extra in lever.extras:
            self.fields[extra.name] = forms.BooleanField(
                required=False, label=extra.label, help_text=extra.help, widget=UnfoldBooleanWidget()
            )

    def clean_count(self) -> int:
        """Refuse any other number."""
        if self.cleaned_data["count"] != self.count:
            raise forms.ValidationError(f"These are {self.count}.")
        return self.count


def ask(
    model_admin: Any, request: HttpRequest, rows: Sequence[Any], lever: Lever, back: str = ""
) -> HttpResponse | None:
    """Ask, or do what was confirmed and return None: an action of a list then stays where it was."""
    asked = "confirmed" in request.POST
    form = Confirmation(lever, len(rows), request.POST if asked else None)
    if asked and form.is_valid():
        ticked = [extra for extra in lever.extras if form.cleaned_data[extra.name]]
        _do(request, rows, lever, form.cleaned_data["reason"], ticked)
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{lever.verb} {lever.counted(len(rows))}?",
        "opts": None,
        "form": form,
        "lever": lever,
        "counted": lever.counted(len(rows)),
        "rows": rows,
        "names": [str(row) for row in rows],
        "action": request.POST.get("action", ""),
        "checkbox": helpers.ACTION_CHECKBOX_NAME,
        "back": back or request.get_full_path(),
    }
    return TemplateResponse(request, "admin/console/confirm.html", context)


def ask_about_one(model_admin: Any, request: HttpRequest, row: Any, lever: Lever) -> HttpResponse:
    """Ask about one row on its own page, and come back there."""
    if row is None:
        return HttpResponseRedirect(address_of(model_admin.model))
    return ask(model_admin, request, [row], lever, page_of(row)) or HttpResponseRedirect(page_of(row))


def _do(
    request: HttpRequest, rows: Sequence[Any], lever: Lever, reason: str, ticked: Sequence[Extra]
) -> None:
    asked = ([extra.name for extra in ticked],) if lever.extras else ()
    with transaction.atomic():
        count = lever.pull(rows, request.user.get_username(), reason, *asked)
        LogEntry.objects.log_actions(
            cast("int", request.user.pk), rows, CHANGE, f"{lever.done}: {reason}", single_object=False
        )
    unchanged = len(rows) - count
    beside = f" {unchanged} {lever.unchanged}" if unchanged else ""
    more = "".join(f" {extra.done}" for extra in ticked)
    messages.success(request, f"{lever.done} {lever.counted(count)}.{beside}{more}")
