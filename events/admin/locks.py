"""The screen of whoever holds a partition or a checkpoint, and the lever that ends them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from events import locks
from events.admin.cells import Cell, ago, link_to
from events.admin.confirming import Confirmation, Lever
from events.errors import LockStays
from events.locks import Holder
from events.models import Checkpoint, Partition

SHOWN = 8
END = Lever(
    verb="End",
    done="Ended",
    noun=("connection", "connections"),
    warning="Its transaction is rolled back and its locks are let go at once. Whoever used it gets an error and tries"
    " again: an append answers 503, and the same ids are welcome; a batch of a hub is done by the next run."
    " If it is no process of Clarion's, what it was at is lost.",
    pull=lambda _rows, _by, _why: 0,
)


def locks_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """List the holders; the oldest first."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    found = locks.holders()
    named = _names(found)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Locks",
        "opts": None,
        "holders": [(holder, ago(holder.since), _rows(holder, named)) for holder in found],
        "may_operate": model_admin.has_operate_permission(request),
        "postgres": connection.vendor == "postgresql",
    }
    return TemplateResponse(request, "admin/console/locks.html", context)


def end_view(model_admin: Any, request: HttpRequest, pid: int, started: str) -> HttpResponse:
    """Ask, then end one connection, named by its pid and when it began."""
    if not model_admin.has_operate_permission(request):
        raise PermissionDenied
    back = reverse("admin:events_partition_locks")
    moment = parse_datetime(started)
    holder = next((each for each in locks.holders() if (each.pid, each.started) == (pid, moment)), None)
    if holder is None or moment is None:
        messages.info(request, f"Connection {pid} holds no such lock any more.")
        return HttpResponseRedirect(back)
    form = Confirmation(END, 1, request.POST if request.method == "POST" else None)
    if form.is_valid():
        _end(request, pid, moment, form.cleaned_data["reason"])
        return HttpResponseRedirect(back)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"End connection {pid}?",
        "opts": None,
        "form": form,
        "lever": END,
        "counted": "1 connection",
        "names": [
            f"{holder.name}, {holder.doing}; {holder.waiting} wait for it",
            *_rows(holder, _names([holder])),
        ],
        "back": back,
    }
    return TemplateResponse(request, "admin/console/confirm.html", context)


def _end(request: HttpRequest, pid: int, started: datetime, reason: str) -> None:
    try:
        ended = locks.end(pid, started, request.user.get_username(), reason)
    except LockStays as error:
        messages.error(request, f"{str(error)[0].upper()}{str(error)[1:]}.")
    else:
        messages.success(
            request, f"Ended connection {pid} ({ended.name}). {ended.waiting} had waited for it."
        )


Names = tuple[dict[int, Partition], dict[int, Checkpoint]]


def _names(holders: Sequence[Holder]) -> Names:
    partitions = {pk for holder in holders for pk in holder.partitions}
    checkpoints = {pk for holder in holders for pk in holder.checkpoints}
    return (
        Partition.objects.select_related("game").in_bulk(partitions),
        Checkpoint.objects.select_related("partition__game").in_bulk(checkpoints),
    )


def _rows(holder: Holder, named: Names) -> list[Cell]:
    """Link to the rows that it holds, the first few of them."""
    partitions, checkpoints = named
    slices = [partitions[pk] for pk in holder.partitions if pk in partitions]
    places = [checkpoints[pk] for pk in holder.checkpoints if pk in checkpoints]
    cells = [
        *(link_to(row, f"partition {row.game.slug}/{row.number}") for row in slices),
        *(link_to(row, str(row)) for row in places),
    ]
    return [*cells[:SHOWN], *([f"{len(cells) - SHOWN} more"] if len(cells) > SHOWN else [])]
