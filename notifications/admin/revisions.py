"""What each rule has been: every revision, with what changed in words."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import JSONField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from events.admin.cells import Cell, ago, at, beside, code, json_text, link_to, list_of, listed
from events.admin.confirming import Lever, ask_about_one
from events.admin.lists import ReadOnlyAdmin
from notifications import editing
from notifications.admin.wording import changes
from notifications.models import Decision, RuleRevision

SHOWN_MAX = 160  # characters of what changed, in the list


def _restore(rows: Sequence[RuleRevision], by: str, _reason: str) -> int:
    author = get_user_model().objects.get_by_natural_key(by)
    return sum(editing.restore(row, author) != row for row in rows)


RESTORE = Lever(
    verb="Bring back",
    done="Brought back",
    noun=("revision", "revisions"),
    warning="The rule and its words become again what they were at this revision, as a new revision that decides"
    " at once. The rule stays enabled or disabled as it is.",
    pull=_restore,
)


@admin.register(RuleRevision)
class RuleRevisionAdmin(ReadOnlyAdmin):
    """Decisions name these; none is ever changed."""

    list_display = ("name", "of_rule", "author_name", "made", "changed")
    list_filter = (("rule", RelatedDropdownFilter), ("author", RelatedDropdownFilter))
    ordering = ("-id",)
    fields = readonly_fields = (
        "of_rule", "number", "changes", "author_name", "made_at", "see_also", "pretty_definition",
    )  # fmt: skip
    history = True
    actions_detail = ("restore",)
    empty_hint = "Saving a rule makes a revision, and it appears here with what changed."

    def get_queryset(self, request: HttpRequest) -> QuerySet[RuleRevision]:
        """Find the definition before each, to say what changed."""
        before = RuleRevision.objects.filter(rule=OuterRef("rule"), number=OuterRef("number") - 1)
        rows: QuerySet[RuleRevision] = super().get_queryset(request)
        return rows.select_related("rule__game", "rule__revision", "author").annotate(
            before=Subquery(before.values("definition")[:1], output_field=JSONField())
        )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to bring back what is not the present state."""
        row = self.get_object(request, object_id)
        offered = row is not None and not row.rule.builtin and row.rule.revision_id != row.pk
        return super().get_actions_detail(request, object_id) if offered else []

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the right to change rules: revisions are made by saving them."""
        return bool(request.user.has_perm("notifications.change_rule"))

    @action(description="Bring back…", url_path="restore", icon="restore", permissions=["operate"])
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make the rule again what it was."""
        return ask_about_one(self, request, self.get_object(request, object_id), RESTORE)

    @display(description="revision", ordering="number")
    def name(self, obj: RuleRevision) -> str:
        """Name it."""
        return f"{obj.rule.slug} r{obj.number}"

    @display(description="rule")
    def of_rule(self, obj: RuleRevision) -> Cell:
        """Link to the rule, and say whether it is this now."""
        now = "this is how it decides now" if obj.rule.revision_id == obj.pk else "it has changed since"
        return beside([link_to(obj.rule), now])

    @display(description="author")
    def author_name(self, obj: RuleRevision) -> str:
        """Name who saved it."""
        return str(obj.author or "Clarion")

    @display(description="made")
    def made(self, obj: RuleRevision) -> Cell:
        """Say when."""
        return ago(obj.created)

    @display(description="made")
    def made_at(self, obj: RuleRevision) -> Cell:
        """Say when, exactly."""
        return at(obj.created)

    @display(description="what changed")
    def changed(self, obj: RuleRevision) -> str:
        """Say what changed, in short."""
        return Truncator(" ".join(_changes(obj))).chars(SHOWN_MAX)

    @display(description="what changed")
    def changes(self, obj: RuleRevision) -> Cell:
        """Say what changed."""
        return listed(_changes(obj))

    @display(description="see also")
    def see_also(self, obj: RuleRevision) -> Cell:
        """Link to the other revisions and to what was decided."""
        return beside([
            list_of(RuleRevision, "all revisions of this rule", rule__id__exact=obj.rule_id),
            list_of(Decision, "the rule's decisions", rule__id__exact=obj.rule_id),
        ])  # fmt: skip

    @display(description="definition")
    def pretty_definition(self, obj: RuleRevision) -> Cell:
        """Show all that deciding reads."""
        return code(json_text(obj.definition))


def _changes(revision: RuleRevision) -> list[str]:
    return changes(getattr(revision, "before", None), revision.definition)
