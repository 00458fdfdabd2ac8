"""Alarms: what is wrong since when, what it means, who was told; acknowledging and muting."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config.watch import kinds, steering, telling
from config.watch.kinds import KINDS
from config.watch.messages import runbook
from events.admin.cells import EMPTY, Cell, address_of, ago, at, beside, link, link_to, listed
from events.admin.confirming import REASON_MAX, Lever, ask, ask_about_one
from events.admin.filters import GameFilter
from events.admin.lists import ConsoleAdmin, ReadOnlyAdmin
from events.models import Alarm, AlarmLimit, AlarmMute, AlarmRecipient
from events.models.alarms import Severity

STATES = {"open": "danger", "acknowledged": "warning", "over": "success"}
SEVERITIES = {Severity.CRITICAL.value: "danger", Severity.WARNING.value: "warning"}
KIND_CHOICES = [(kind.name, kind.title) for kind in kinds.ALL]
FOR_HOURS = ((1, "1 hour"), (4, "4 hours"), (12, "12 hours"), (24, "1 day"), (72, "3 days"), (168, "7 days"))

ACKNOWLEDGE = Lever(
    verb="Acknowledge",
    done="Acknowledged",
    noun=("alarm", "alarms"),
    warning="You say that somebody takes care of it. Nobody is told of it again, but once when it is over;"
    " it stays here, and on the front page, until it ends by itself.",
    pull=steering.acknowledge,
)


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    """What is wrong, on top; what was, below."""

    list_display = ("state", "severe", "title", "game", "began", "measured", "says", "entry")
    list_display_links = ("title",)
    list_filter = (
        ("ended", admin.EmptyFieldListFilter),
        ("severity", ChoicesDropdownFilter),
        ("game", GameFilter),
    )
    list_select_related = ("game",)
    ordering: Any = (F("ended").desc(nulls_first=True), "-since")
    sortable_by = ()
    actions = ("acknowledge",)
    actions_detail = ("acknowledge_this", "mute_this")
    history = True
    fields = readonly_fields = (
        "state", "severe", "title", "key", "game", "text", "means", "entry", "behind", "measured", "worst_value",
        "began_at", "opened_at", "last_seen_at", "ended_at", "taken", "told", "silent",
    )  # fmt: skip
    empty_hint = (
        "Nothing is wrong, and nothing was within 90 days. An alarm opens here by itself, and ends by itself."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alarm]:
        """Leave out what is only suspected."""
        rows: QuerySet[Alarm] = super().get_queryset(request).exclude(opened=None)
        return rows

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Say when alarms cannot leave the console."""
        if request.method == "GET":
            for text in ways_out():
                messages.warning(request, text)
        return super().changelist_view(request, extra_context)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what makes sense: nothing for an alarm that is over."""
        open_ = Alarm.objects.filter(pk=object_id, ended=None)
        if not open_.exists():
            return []
        offered = super().get_actions_detail(request, object_id)
        taken = open_.exclude(acknowledged=None).exists()
        return [each for each in offered if not (taken and "acknowledge_this" in str(each))]

    @admin.action(description="Acknowledge…", permissions=["operate"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> HttpResponse | None:
        """Say that somebody takes care of these."""
        return ask(self, request, list(queryset), ACKNOWLEDGE)

    @action(description="Acknowledge…", url_path="acknowledge", icon="task_alt", permissions=["operate"])
    def acknowledge_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that somebody takes care of this."""
        return ask_about_one(self, request, self.get_object(request, object_id), ACKNOWLEDGE)

    @action(description="Mute…", url_path="mute", icon="notifications_off", permissions=["operate"])
    def mute_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for how long, and why."""
        alarm = self.get_object(request, object_id)
        if alarm is None:
            return HttpResponseRedirect(address_of(Alarm))
        query = {"kind": alarm.kind, "key": alarm.key}
        return HttpResponseRedirect(reverse("admin:events_alarmmute_add", query=query))

    @display(description="state", label=STATES)
    def state(self, obj: Alarm) -> str:
        """Say whether it still holds, and whether somebody takes care."""
        return "over" if obj.ended else "acknowledged" if obj.acknowledged else "open"

    @display(description="severity", label=SEVERITIES)
    def severe(self, obj: Alarm) -> str:
        """Say how bad it is."""
        return obj.severity

    @display(description="alarm")
    def title(self, obj: Alarm) -> str:
        """Name its kind."""
        return kinds.title_of(obj.kind)

    @display(description="value, limit")
    def measured(self, obj: Alarm) -> str:
        """Say what was measured last, beside the limit."""
        return f"{obj.value:,.4g} {_unit(obj)}, limit {obj.limit:g}"

    @display(description="worst")
    def worst_value(self, obj: Alarm) -> str:
        """Say how bad it got."""
        return f"{obj.worst:,.4g} {_unit(obj)}"

    @display(description="since")
    def began(self, obj: Alarm) -> Cell:
        """Say since when."""
        return ago(obj.since)

    @display(description="what it says")
    def says(self, obj: Alarm) -> Cell:
        """Link to the list behind it."""
        return link(obj.url, obj.text)

    @display(description="for players")
    def means(self, obj: Alarm) -> str:
        """Say what it means for players."""
        return KINDS[obj.kind].means if obj.kind in KINDS else EMPTY

    @display(description="what to do")
    def entry(self, obj: Alarm) -> Cell:
        """Link to its entry in the runbook."""
        return link(runbook(obj.kind), "runbook")

    @display(description="behind it")
    def behind(self, obj: Alarm) -> Cell:
        """Link to the list behind it."""
        return link(obj.url, "the list behind it")

    @display(description="since")
    def began_at(self, obj: Alarm) -> Cell:
        """Say since when, exactly."""
        return at(obj.since)

    @display(description="opened")
    def opened_at(self, obj: Alarm) -> Cell:
        """Say when it had held for long enough."""
        return at(obj.opened)

    @display(description="last seen")
    def last_seen_at(self, obj: Alarm) -> Cell:
        """Say when a look last found it."""
        return at(obj.last_seen)

    @display(description="ended")
    def ended_at(self, obj: Alarm) -> Cell:
        """Say when it was over."""
        return at(obj.ended)

    @display(description="acknowledged")
    def taken(self, obj: Alarm) -> Cell:
        """Say by whom, when, and what they said."""
        if obj.acknowledged is None:
            return EMPTY
        return beside([obj.acknowledged_by, at(obj.acknowledged), obj.note])

    @display(description="who was told")
    def told(self, obj: Alarm) -> Cell:
        """Say how often each recipient was told, and what fails."""
        return listed(_telling(each) for each in telling.told_of(obj))

    @display(description="muted")
    def silent(self, obj: Alarm) -> Cell:
        """Say until when nothing leaves."""
        rows = AlarmMute.objects.filter(kind=obj.kind, key__in=("", obj.key), until__gt=timezone.now())
        return listed(beside([link_to(row, "muted"), at(row.until), row.reason]) for row in rows)


class MuteForm(forms.ModelForm):
    """For how long, and why."""

    kind = forms.ChoiceField(choices=KIND_CHOICES, widget=UnfoldAdminSelectWidget())
    hours = forms.TypedChoiceField(
        label="for", choices=FOR_HOURS, coerce=int, widget=UnfoldAdminSelectWidget(), help_text="From now."
    )
    reason = forms.CharField(max_length=REASON_MAX, widget=UnfoldAdminTextInputWidget())

    class Meta:
        model = AlarmMute
        fields: ClassVar = ["kind", "key", "reason"]


@admin.register(AlarmMute)
class AlarmMuteAdmin(ConsoleAdmin):
    """Of what nobody is told for a while. The console goes on showing it."""

    form = MuteForm
    list_display = ("title", "key", "until_when", "reason", "by")
    sortable_by = ()
    empty_hint = "Nothing is muted. During planned work, mute what you expect: on the alarm's page, or here."

    def get_fields(self, _request: HttpRequest, obj: AlarmMute | None = None) -> tuple[str, ...]:
        """Ask for hours, show a time."""
        return ("title", "key", "until_when", "reason", "by") if obj else ("kind", "key", "hours", "reason")

    def get_readonly_fields(self, _request: HttpRequest, obj: AlarmMute | None = None) -> tuple[str, ...]:
        """Change nothing: delete it, and mute anew."""
        return ("title", "key", "until_when", "reason", "by") if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Look only, once it is there."""
        return obj is None and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: AlarmMute, form: Any, change: bool) -> None:
        """Mute, on record."""
        until = timezone.now() + timedelta(hours=form.cleaned_data["hours"])
        made = steering.mute(obj.kind, obj.key, until, request.user.get_username(), obj.reason)
        obj.pk, obj.until, obj.by, obj._state.adding = made.pk, made.until, made.by, change

    def delete_model(self, request: HttpRequest, obj: AlarmMute) -> None:
        """Unmute, on record."""
        steering.unmute(obj, request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlarmMute]) -> None:
        """Unmute one by one."""
        for obj in queryset:
            self.delete_model(request, obj)

    @display(description="alarm")
    def title(self, obj: AlarmMute) -> str:
        """Name the kind."""
        return kinds.title_of(obj.kind)

    @display(description="until")
    def until_when(self, obj: AlarmMute) -> Cell:
        """Say until when."""
        return at(obj.until)


class LimitForm(forms.ModelForm):
    """Takes limits that make sense for the kind."""

    class Meta:
        model = AlarmLimit
        fields: ClassVar = ["limit", "severity", "enabled"]

    def clean_limit(self) -> float | None:
        """Refuse a limit outside of the kind's range."""
        limit: float | None = self.cleaned_data["limit"]
        kind = KINDS.get(self.instance.kind)
        if kind is not None and limit is not None and not kind.least <= limit <= kind.most:
            raise forms.ValidationError(f"It takes {kind.least:g} to {kind.most:g} {kind.unit}.")
        return limit


@admin.register(AlarmLimit)
class AlarmLimitAdmin(ConsoleAdmin):
    """From where on something is an alarm, and how bad it is then."""

    form = LimitForm
    list_display = ("title", "limit_in_force", "severe", "enabled", "means")
    sortable_by = ()
    fields = ("title", "means", "default", "limit", "severity", "enabled")
    readonly_fields = ("title", "means", "default")
    empty_hint = "Every kind of alarm has a row here."

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show every kind, those of a new version too."""
        kinds.make_missing()
        return super().changelist_view(request, extra_context)

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Kinds come with a version."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Switch it off instead."""
        return False

    def save_model(self, request: HttpRequest, obj: AlarmLimit, form: Any, change: bool) -> None:
        """Save, on record; the next look obeys."""
        super().save_model(request, obj, form, change)
        facts = {name: getattr(obj, name) for name in form.changed_data}
        steering.note("alarm_limit.saved", request.user.get_username(), None, kind=obj.kind, **facts)

    @display(description="alarm")
    def title(self, obj: AlarmLimit) -> str:
        """Name the kind."""
        return kinds.title_of(obj.kind)

    @display(description="for players")
    def means(self, obj: AlarmLimit) -> str:
        """Say what it means."""
        return KINDS[obj.kind].means if obj.kind in KINDS else EMPTY

    @display(description="default")
    def default(self, obj: AlarmLimit) -> str:
        """Say what holds where nothing is set."""
        kind = KINDS.get(obj.kind)
        return f"{kind.limit:g} {kind.unit}, {kind.severity.value}" if kind else EMPTY

    @display(description="limit")
    def limit_in_force(self, obj: AlarmLimit) -> str:
        """Say what holds."""
        kind = KINDS.get(obj.kind)
        default = kind.limit if kind else 0.0
        return f"{default if obj.limit is None else obj.limit:g} {kind.unit if kind else ''}"

    @display(description="severity", label=SEVERITIES)
    def severe(self, obj: AlarmLimit) -> str:
        """Say how bad it is."""
        kind = KINDS.get(obj.kind)
        return obj.severity or (kind.severity.value if kind else "")


def ways_out() -> list[str]:
    """Return a sentence for each reason why alarms do not reach anybody."""
    rows = list(AlarmRecipient.objects.filter(enabled=True).order_by("name"))
    if not rows:
        return ["Nobody is told of alarms outside of the console: add a recipient."]
    return [f"{row.name} does not hear Clarion: {row.error}." for row in rows if row.failing]


def _unit(alarm: Alarm) -> str:
    return KINDS[alarm.kind].unit if alarm.kind in KINDS else ""


def _telling(each: Any) -> Cell:
    if each.error:
        return beside([str(each.recipient), f"told {each.told} times", f"fails: {each.error}"])
    last = at(each.last_told) if each.last_told else "not yet"
    return beside([str(each.recipient), f"told {each.told} times", last])
