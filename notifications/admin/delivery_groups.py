"""Sending again and giving up whole groups of deliveries: the exact count first, and a reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from events.admin.asking import Asking, ask_for, reason_field
from events.admin.cells import address_of, link_to
from events.models import Game
from notifications.admin.advice import advice
from notifications.delivery import groups, operating
from notifications.delivery.groups import Fault, Group
from notifications.models import Delivery, Outlet
from notifications.models.deliveries import ERROR_MAX, State

NAME = "notifications_delivery_group"
FAULTS_SHOWN = 12
AGAIN, GIVE_UP = "again", "give-up"


@dataclass(frozen=True, kw_only=True)
class Verb:
    """What may be done to a group."""

    do: Any  # takes a group, who and why; returns how many
    title: str
    done: str
    states: frozenset[State]
    explanation: str


VERBS = {
    AGAIN: Verb(
        do=operating.retry_group,
        title="Send {} again",
        done="Sent {} again",
        states=frozenset({State.DEAD}),
        explanation="Each begins anew with its schedule, under the same id: a receiver that has taken it before knows"
        " it by that. What has expired or was read meanwhile is not sent.",
    ),
    GIVE_UP: Verb(
        do=operating.cancel_group,
        title="Give up {}",
        done="Gave up {}",
        states=frozenset({State.DEAD, State.WAITING}),
        explanation="Nobody tries them any more. The notifications stay in the players' inboxes; only this channel"
        " does not bring them.",
    ),
}


class GroupForm(forms.Form):
    """A reason, and when the count was taken: what has come since is left alone."""

    seen = forms.DateTimeField(widget=forms.HiddenInput())
    reason = reason_field()


def ask_about(model_admin: Any, request: HttpRequest, verb: str, **where: Any) -> HttpResponse:
    """Ask about a group, or do what was confirmed; ``where`` are game_id, channel and state."""
    if not model_admin.has_operate_permission(request):
        raise PermissionDenied
    chosen, game = VERBS.get(verb), get_object_or_404(Game, pk=where["game_id"])
    if chosen is None or where["state"] not in chosen.states:
        raise Http404
    error = request.GET.get("error", "").replace("\x00", "")[:ERROR_MAX]
    asked = request.method == "POST"
    form = GroupForm(request.POST if asked else None, initial={"seen": datetime.now(UTC).isoformat()})
    valid = asked and form.is_valid()
    seen = form.cleaned_data["seen"] if valid else datetime.now(UTC)
    state = State(where["state"])
    group = Group(game_id=game.pk, channel=where["channel"], state=state, error=error, seen=seen)
    if valid:
        return _do(request, chosen, group, form.cleaned_data["reason"])
    count = groups.count(group)
    if not count:
        messages.info(request, f"There is no delivery of {game} by {group.channel} that is {_words(group)}.")
        return HttpResponseRedirect(_list(group))
    return ask_for(model_admin, request, form, _asking(chosen, group, game, count))


def ask_about_alike(row: Delivery | None) -> HttpResponse:
    """Lead to the page about those that ended as this one did."""
    if row is None:
        return HttpResponseRedirect(address_of(Delivery))
    return HttpResponseRedirect(address(AGAIN, groups.alike(row)))


def address(verb: str, group: Group) -> str:
    """Return the address of the page that asks about a group."""
    where = [verb, group.game_id, group.channel, str(group.state)]
    return reverse(f"admin:{NAME}", args=where, query={"error": group.error} if group.error else None)


def shown(outlets: Sequence[Outlet]) -> dict[str, Any]:
    """Return what stands above the list: what dead deliveries ended with, and what can be done about it."""
    found: list[tuple[Outlet, Fault]] = []
    for outlet in outlets:
        found += [(outlet, fault) for fault in groups.faults(outlet.game_id, outlet.channel)]
        if len(found) >= FAULTS_SHOWN:
            break
    return {"faults": [_row(outlet, fault) for outlet, fault in found[:FAULTS_SHOWN]]}


def counted(count: int) -> str:
    """Return a number of deliveries as far as it was counted."""
    return f"{groups.MAX:,}+" if count > groups.MAX else f"{count:,}"


def _row(outlet: Outlet, fault: Fault) -> dict[str, Any]:
    return {
        "game": link_to(outlet.game),
        "channel": outlet.channel,
        "error": fault.group.error or "unknown",
        "count": counted(fault.count),
        "advice": advice(fault.group.error),
        "newest": link_to(fault.newest, "the newest"),
        "url": _list(fault.group),
        "again": address(AGAIN, fault.group),
        "give_up": address(GIVE_UP, fault.group),
    }


def _do(request: HttpRequest, verb: Verb, group: Group, reason: str) -> HttpResponse:
    count = verb.do(group, request.user.get_username(), reason)
    messages.success(request, f"{verb.done.format(_several(count))}.")
    if groups.count(group):
        messages.info(request, "There are more of them: at most 10,000 are taken at once.")
    return HttpResponseRedirect(_list(group))


def _asking(verb: Verb, group: Group, game: Game, count: int) -> Asking:
    taken = min(count, groups.MAX)
    part = (
        f" There are more than {groups.MAX:,}; the oldest {groups.MAX:,} are taken." if taken < count else ""
    )
    what = verb.title.format(_several(taken))
    return Asking(
        title=f"{what}?",
        explanation=f"These are the deliveries of {game} by {group.channel} that are {_words(group)} now.{part}"
        f" {verb.explanation} What comes meanwhile is left alone.",
        button=what,
        back=_list(group),
        danger=True,
    )


def _words(group: Group) -> str:
    return f"{group.state} with the fault “{group.error}”" if group.error else str(group.state)


def _several(count: int) -> str:
    return f"{count:,} {'delivery' if count == 1 else 'deliveries'}"


def _list(group: Group) -> str:
    fault = {"error": group.error} if group.error else {"state": str(group.state)}
    return address_of(Delivery, game__id__exact=group.game_id, channel=group.channel, **fault)
