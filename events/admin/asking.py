"""A page that asks for what an act needs, in a form of its own."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from events.admin.cells import Cell
from events.admin.confirming import REASON_MAX


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What the page says."""

    title: str
    explanation: Cell
    button: str
    back: str
    danger: bool = False


def reason_field() -> forms.CharField:
    """Return the field that asks why."""
    return forms.CharField(
        max_length=REASON_MAX,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Kept in the history of what staff did, with your name.",
    )


class ReasonForm(forms.Form):
    """Asks why, and nothing else."""

    reason = reason_field()


def ask_for(model_admin: Any, request: HttpRequest, form: forms.Form, asking: Asking) -> HttpResponse:
    """Return the page."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": asking.title,
        "opts": None,
        "form": form,
        "asking": asking,
    }
    return TemplateResponse(request, "admin/console/ask.html", context)
