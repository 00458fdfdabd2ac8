"""Rules: what live-ops edit, with their words beside them and a preview before anything is saved."""

from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import action, display

from events.admin.cells import EMPTY, Cell, ago, beside, code, json_text, link_to, list_of, mono
from events.admin.confirming import Lever, ask, ask_about_one
from events.admin.filters import ExactText, GameFilter
from events.admin.lists import ConsoleAdmin
from events.models import Event
from events.tenancy import games_of_others
from notifications import editing, rulebook
from notifications.admin import channels, missed, problems, wording
from notifications.admin.forms import RuleForm, TemplateForm, TemplateFormSet
from notifications.admin.preview import preview
from notifications.models import Decision, Rule, RuleRevision, RuleTemplate
from notifications.models.decisions import Outcome

NOUN = ("rule", "rules")
ENABLE = Lever(
    verb="Enable",
    done="Enabled",
    noun=NOUN,
    warning="Events from now on meet them again, here at once, in other processes within a second. What happened"
    " meanwhile is not made up for.",
    pull=partial(editing.switch, enabled=True),
)
DISABLE = Lever(
    verb="Disable",
    done="Disabled",
    noun=NOUN,
    warning="They decide nothing from now on, here at once, in other processes within a second. What they have"
    " sent stays with the players.",
    pull=partial(editing.switch, enabled=False),
)


class TypeFilter(ExactText):
    """By the whole type."""

    title = "event type"
    parameter_name = "event_type"


class TemplateInline(StackedInline):
    """A rule's words, locale by locale."""

    model = RuleTemplate
    form = TemplateForm
    formset = TemplateFormSet
    fields = ("locale", "title", "body")
    extra = 0
    min_num = 1
    verbose_name = "words"
    verbose_name_plural = "words, in Liquid, for each locale"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Show the words to whoever sees the rule: they are a part of it."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let whoever edits the rule add words, as they may change and remove them."""
        return bool(request.user.has_perm(f"notifications.{'add' if obj is None else 'change'}_rule"))

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(Rule)
class RuleAdmin(ConsoleAdmin):
    """Saving makes a revision, unless nothing has changed; built-in rules are only looked at."""

    form = RuleForm
    slug_of_game = "game__slug"
    list_display = (
        "slug", "in_game", "about", "kind", "category", "state", "revised_short", "last_sent", "decisions",
    )  # fmt: skip
    list_display_links = ("slug",)
    list_filter = (
        ("game", GameFilter),
        ("enabled", BooleanRadioFilter),
        ("notification_class", ChoicesDropdownFilter),
        TypeFilter,
    )
    search_fields = ("slug__startswith", "event_type__startswith")
    search_help_text = "how a rule's name or its event type begins"
    ordering = ("game__slug", "slug")
    sortable_by = ()
    inlines = (TemplateInline,)
    actions = ("enable", "disable")
    actions_detail = ("enable_this", "disable_this", "decide_missed_this")
    warn_unsaved_form = True
    change_form_before_template = "admin/console/rule_seen.html"
    change_form_outer_after_template = "admin/console/rule_preview.html"
    empty_hint = "No rule yet. A rule says which events become notifications, for whom, and in which words."
    standing: ClassVar = (None, {"fields": ("state", "revised", "last_sent", "see_also")})
    sections: ClassVar = (
        ("When", {"fields": ("event_type", "condition")}),
        ("Whom", {"fields": ("audience_kind", "audience_path", "audience_players")}),
        ("What", {"fields": ("notification_class", "ttl_s", "category", "default_locale")}),
        ("By what", {"fields": ("channels",)}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Rule | None = None) -> tuple[Any, ...]:
        """Ask a new rule for its name; tell of one that exists where it stands."""
        if obj and obj.builtin:
            return (self.standing, (None, {"fields": ("game", "slug", "description", "definition")}))
        named = ("Name", {"fields": ("game", "slug", "description")})
        if obj is None:
            return (("Name", {"fields": ("game", "slug", "description", "enabled")}), *self.sections)
        return (self.standing, *self.sections, named)

    def get_readonly_fields(self, request: HttpRequest, obj: Rule | None = None) -> tuple[str, ...]:
        """Keep a rule in its game, under the name that decisions show."""
        return ("game", "slug", "state", "revised", "last_sent", "see_also", "definition") if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Rule | None) -> tuple[Any, ...]:
        """Leave out the words of a built-in rule: events bring them."""
        return () if obj and obj.builtin else self.inlines

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Choose the game where there is no choice."""
        games = list(games_of_others().values_list("id", flat=True)[:2])
        only = {"game": games[0]} if len(games) == 1 else {}
        return {**only, **super().get_changeform_initial_data(request)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        """Find with each rule when it sent last: one step in an index."""
        sent = Decision.objects.filter(rule=OuterRef("pk"), outcome=Outcome.SENT).order_by("-now", "-id")
        rows: QuerySet[Rule] = super().get_queryset(request)
        return rows.select_related("game", "revision__author").annotate(
            sent_at=Subquery(sent.values("now")[:1])
        )

    def get_urls(self) -> list[URLPattern]:
        """Add the preview."""
        view = self.admin_site.admin_view(partial(preview, self))
        real = self.admin_site.admin_view(partial(missed.ask_for_real, self))
        return [
            path("preview/", view, name="notifications_rule_preview"),
            path("missed/<int:trial_id>/", real, name="notifications_rule_missed"),
            *super().get_urls(),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Rule | None = None) -> bool:
        """Refuse to edit what is built in."""
        return not (obj and obj.builtin) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Rule | None = None) -> bool:
        """Disable instead: decisions refer to it."""
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """Tell the page where the preview is, and which revision it shows."""
        rule = self.get_object(request, object_id) if object_id else None
        context = {"preview_url": reverse("admin:notifications_rule_preview"), "rule": rule}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Make a revision of the rule with its words, and say what is different."""
        super().save_related(request, form, formsets, change)
        rule: Rule = form.instance
        revision, before = editing.save(rule, request.user)
        transaction.on_commit(partial(rulebook.forget, rule.game_id))
        if revision == before:
            messages.info(
                request, f"Nothing that decides has changed: it is still revision {revision.number}."
            )
        else:
            said = wording.changes(before.definition if before else None, revision.definition)
            messages.success(request, f"Revision {revision.number} decides from now on. {' '.join(said)}")
        for sentence in channels.switched_off(rule.game_id, rule.channels):
            messages.warning(request, sentence)
        kind = problems.sample_of(rule)
        if kind is None or kind.sample is None:
            messages.warning(
                request,
                f"There is no sample of {rule.event_type}, so nobody could check that paths exist:"
                " add one at its event type.",
            )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer the one that makes a difference."""
        rule = self.get_object(request, object_id)
        if rule is None or rule.builtin:
            return []
        useless = "enable_this" if rule.enabled else "disable_this"
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not each.action_name.endswith(f"_{useless}")]

    @admin.action(description="Enable…", permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Rule]) -> HttpResponse | None:
        """Let these rules decide."""
        return ask(self, request, list(queryset), ENABLE)

    @admin.action(description="Disable…", permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Rule]) -> HttpResponse | None:
        """Stop these rules."""
        return ask(self, request, list(queryset), DISABLE)

    @action(description="Enable…", url_path="enable", icon="play_arrow", permissions=["operate"])
    def enable_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let this rule decide."""
        return ask_about_one(self, request, self.get_object(request, object_id), ENABLE)

    @action(description="Disable…", url_path="disable", icon="pause", permissions=["operate"])
    def disable_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Stop this rule."""
        return ask_about_one(self, request, self.get_object(request, object_id), DISABLE)

    @action(description="Decide what was missed…", url_path="missed", icon="history", permissions=["operate"])
    def decide_missed_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Count what this rule has missed, before anything is decided."""
        return missed.ask_for_trial(self, request, self.get_object(request, object_id))

    @display(description="game", ordering="game__slug")
    def in_game(self, obj: Rule) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="event type", ordering="event_type")
    def about(self, obj: Rule) -> Cell:
        """Name the type."""
        return mono(obj.event_type)

    @display(description="state", label={"enabled": "success", "disabled": "warning", "built in": "info"})
    def state(self, obj: Rule) -> str:
        """Say whether it decides."""
        if not obj.enabled:
            return "disabled"
        return "built in" if obj.builtin else "enabled"

    @display(description="class")
    def kind(self, obj: Rule) -> str:
        """Name the class in a word."""
        return obj.notification_class

    @display(description="revision")
    def revised_short(self, obj: Rule) -> Cell:
        """Link to the revision that decides now."""
        return link_to(obj.revision, f"r{obj.revision.number}") if obj.revision else EMPTY

    @display(description="revision")
    def revised(self, obj: Rule) -> Cell:
        """Link to the revision that decides now, with its author."""
        if obj.revision is None:
            return EMPTY
        author = str(obj.revision.author or "Clarion")
        return format_html(
            "{} by {}, {}", link_to(obj.revision, f"{obj.revision.number}"), author, ago(obj.revision.created)
        )

    @display(description="last sent")
    def last_sent(self, obj: Rule) -> Cell:
        """Say when it last sent something."""
        return ago(getattr(obj, "sent_at", None))

    @display(description="decisions")
    def decisions(self, obj: Rule) -> Cell:
        """Link to what it has decided."""
        return list_of(Decision, "decisions", rule__id__exact=obj.pk)

    @display(description="definition")
    def definition(self, obj: Rule) -> Cell:
        """Show all that deciding reads."""
        return code(json_text(obj.revision.definition)) if obj.revision else EMPTY

    @display(description="see also")
    def see_also(self, obj: Rule) -> Cell:
        """Link to decisions, failures, revisions and events."""
        return beside([
            self.decisions(obj),
            list_of(Decision, "failures", rule__id__exact=obj.pk, outcome=Outcome.FAILED),
            list_of(RuleRevision, "all revisions", rule__id__exact=obj.pk),
            list_of(Event, f"events of type {obj.event_type}", game__id__exact=obj.game_id, type=obj.event_type),
        ])  # fmt: skip
