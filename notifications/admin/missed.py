"""Deciding what a rule has missed: a dry run from the rule's page, its result, and the real thing."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from events.admin.asking import Asking, ask_for
from events.admin.cells import Cell, link_to, list_of, page_of
from events.admin.replay_forms import BEGINS_HELP, RateForm
from events.admin.replays import ReplayAdmin
from events.errors import ReplayRefused
from events.log.read import one
from events.models import Replay
from events.models.replays import ReplayState
from notifications.models import Decision, Rule
from notifications.replays import again, missed
from notifications.replays.samples import Sample, sample_of

MAY = "notifications.change_rule"
COLUMNS = {
    "outcomes": "decisions",
    "reasons": "of them, because",
    "left": "left out, because",
    "compared": "compared with what is stored",
}


class TrialForm(RateForm):
    """Which part of the log, how fast, and why."""

    field_order = ("begins", "ends", "rate_limit", "reason")
    begins = forms.CharField(
        label="From",
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=BEGINS_HELP,
        max_length=80,
    )
    ends = forms.CharField(
        label="To", required=False, widget=UnfoldAdminTextInputWidget(), max_length=80,
        help_text="The same. Empty is where the decisions hub stands now: what comes later is live's.",
    )  # fmt: skip


class RealForm(RateForm):
    """The count that was seen, how fast, and why."""

    field_order = ("count", "rate_limit", "reason")
    count = forms.IntegerField(label="How many", widget=UnfoldAdminIntegerFieldWidget())

    def __init__(self, expected: int, *args: Any, **kwargs: Any) -> None:
        """Ask for this count."""
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["count"].help_text = f"Type {expected} to confirm."

    def clean_count(self) -> int:
        """Refuse any other number."""
        if self.cleaned_data["count"] != self.expected:
            raise forms.ValidationError(f"The dry run has counted {self.expected}.")
        return self.expected


def ask_for_trial(model_admin: Any, request: HttpRequest, rule: Rule | None) -> HttpResponse:
    """Ask for a part of the log, begin a dry run, and go to its page."""
    if rule is None:
        raise Http404
    form = TrialForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            replay = missed.start_trial(rule, by=request.user.get_username(), **form.cleaned_data)
        except ReplayRefused as refused:
            form.add_error(refused.field or None, _sentence(refused))
        else:
            messages.success(request, "The dry run has begun. Nothing is sent by it.")
            return HttpResponseRedirect(page_of(replay))
    asking = Asking(
        title=f"What has {rule.slug} missed?",
        explanation="First a dry run: it counts what the rule, as it is now, would decide about events that it never"
        " met, because it was made or enabled late or the hub has left them out. Nothing is written. Its page then"
        " offers to decide for real.",
        button="Begin the dry run",
        back=page_of(rule),
    )
    return ask_for(model_admin, request, form, asking)


def ask_for_real(model_admin: Any, request: HttpRequest, trial_id: int) -> HttpResponse:
    """Ask for the exact count and a reason, begin, and go to its page."""
    if not request.user.has_perm(MAY):
        raise PermissionDenied
    trial = Replay.objects.filter(pk=trial_id, kind=missed.KIND, trial=True).first()
    if trial is None:
        raise Http404
    rule = get_object_or_404(Rule, pk=trial.options["rule"])
    form = RealForm(_count(trial), request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            replay = _begin(trial, request, form)
        except ReplayRefused as refused:
            form.add_error(None, _sentence(refused))
        else:
            messages.success(request, f"{rule.slug} decides now what it has missed.")
            return HttpResponseRedirect(page_of(replay))
    asking = Asking(
        title=f"Decide what {rule.slug} has missed?",
        explanation=_what_would_happen(trial),
        button=f"Make {intcomma(_count(trial))} decisions",
        back=page_of(trial),
        danger=True,
    )
    return ask_for(model_admin, request, form, asking)


def add_reports() -> None:
    """Say on a replay's page what it has found."""
    ReplayAdmin.reports[missed.KIND] = report
    ReplayAdmin.reports[again.KIND] = report


def report(replay: Replay) -> Cell:
    """Show what was counted, some of the words, and what may be done next."""
    counts = replay.result.get("counts", {})
    context = {
        "replay": replay,
        "groups": [
            (title, sorted((name, count) for name, count in counts.get(group, {}).items() if count))
            for group, title in COLUMNS.items()
            if any(counts.get(group, {}).values())
        ],
        "players": replay.result.get("players", 0),
        "exact": replay.result.get("players_exact", True),
        "samples": _samples(replay),
        "differing": _differing(replay),
        **_next(replay),
    }
    return render_to_string("admin/console/decided.html", context)


def _begin(trial: Replay, request: HttpRequest, form: RealForm) -> Replay:
    given = form.cleaned_data
    by = request.user.get_username()
    return missed.start_for_real(trial, by=by, reason=given["reason"], rate_limit=given["rate_limit"])


def _next(replay: Replay) -> dict[str, Any]:
    """Return what a dry run leads to, or what the real thing has made."""
    if replay.kind != missed.KIND:
        return {}
    if not replay.trial:
        trial = Replay.objects.filter(pk=replay.options.get("trial")).first()
        made = list_of(Decision, "its decisions", replay__id__exact=replay.pk)
        return {"made": made, "trial": link_to(trial, "the dry run before it")}
    rule = Rule.objects.filter(pk=replay.options["rule"]).first()
    return _after_trial(replay, rule) if rule and replay.state == ReplayState.DONE else {}


def _after_trial(trial: Replay, rule: Rule) -> dict[str, Any]:
    if (begun := missed.for_real(trial)) is not None:
        return {"begun": link_to(begun, f"replay {begun.pk}")}
    if not _count(trial):
        return {"nothing": True}
    if problem := missed.problem_with(trial, rule):
        return {"problem": problem}
    return {"real_url": reverse("admin:notifications_rule_missed", args=[trial.pk])}


def _samples(replay: Replay) -> list[Sample]:
    if replay.kind != missed.KIND or not replay.trial:
        return []
    return [sample_of(replay, *each) for each in replay.result.get("samples", {}).get("sent", [])]


def _differing(replay: Replay) -> list[dict[str, Any]]:
    """Return samples of what would be decided otherwise, with links."""
    rows = []
    for event_pk, rule_id, key, was, now in replay.result.get("samples", {}).get("differing", []):
        event, rule = one(event_pk), Rule.objects.filter(pk=rule_id).first()
        link = list_of(Decision, event.type if event else str(event_pk), event__id__exact=event_pk)
        rows.append({"event": link, "rule": link_to(rule), "player": key, "was": was, "now": now})
    return rows


def _count(trial: Replay) -> int:
    return sum(trial.result.get("counts", {}).get("outcomes", {}).values())


def _what_would_happen(trial: Replay) -> str:
    sent = trial.result.get("counts", {}).get("outcomes", {}).get("sent", 0)
    about = "" if trial.result.get("players_exact", True) else "about "
    players = intcomma(trial.result.get("players", 0))
    return (
        f"{intcomma(sent)} notifications to {about}{players} players, now; {intcomma(_count(trial) - sent)} more"
        " decisions that send nothing. Whatever was decided before stays as it is, and what expires until then is not"
        " shown. What is sent cannot be taken back by cancelling."
    )


def _sentence(refused: ReplayRefused) -> str:
    said = str(refused)
    return f"{said[:1].upper()}{said[1:]}."
