"""API keys: made, shown once, revoked."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from events import keys, staff
from events.admin.cells import Cell, ago, at, link_to, mono, page_of
from events.admin.confirming import Lever, ask, ask_about_one
from events.admin.filters import GameFilter
from events.admin.lists import ConsoleAdmin
from events.admin.showing_once import show_once
from events.models import ApiKey

SCOPES = {
    "events:write": "append events",
    "events:read": "read the log",
    "players:write": "update and erase players",
    "players:read": "read profiles",
    "tokens:issue": "issue players' tokens",
}


class ApiKeyForm(forms.ModelForm):
    """Scopes by ticking; the secret is made, never typed."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {SCOPES.get(scope, scope)}") for scope in sorted(keys.SCOPES)],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="What the key may do. Fewer is safer.",
    )

    class Meta:
        model = ApiKey
        fields: ClassVar = ["game", "name", "scopes", "rate_limit", "expires"]


def _revoke(rows: Any, by: str, reason: str) -> int:
    """Revoke keys at once."""
    count = keys.revoke(ApiKey.objects.filter(pk__in=[row.pk for row in rows]))
    for row in rows:
        if not row.revoked:
            staff.note(row.game_id, "api_key.revoked", by, key=row.prefix, name=row.name, reason=reason)
    return count


REVOKE = Lever(
    verb="Revoke",
    done="Revoked",
    noun=("key", "keys"),
    warning="Whoever still uses one gets 401 from now on, here at once, in other processes within a second."
    " A revoked key never comes back: make a new one instead.",
    pull=_revoke,
)


@admin.register(ApiKey)
class ApiKeyAdmin(ConsoleAdmin):
    """Keys are made and revoked; a secret is shown once."""

    form = ApiKeyForm
    slug_of_game = "game__slug"
    list_display = ("name", "in_game", "begins", "scope_list", "limit", "used", "state")
    list_filter = (("game", GameFilter),)
    list_select_related = ("game",)
    actions = ("revoke",)
    actions_detail = ("revoke_this",)
    empty_hint = "No key yet. Add one here, or run: manage.py apikey GAME --name NAME"

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Show what belongs to a key that exists."""
        fields = ("game", "name", "scopes", "rate_limit", "expires")
        return (*fields, "begins", "used_at", "made_at", "revoked_at") if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Keep a key in its game."""
        return ("game", "begins", "used_at", "made_at", "revoked_at") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Revoke instead: what a key did stays attributable."""
        return False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to revoke what is not revoked."""
        live = ApiKey.objects.filter(pk=object_id, revoked=None).exists()
        return super().get_actions_detail(request, object_id) if live else []

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Make the secret of a new key."""
        if not change:
            vars(obj)["secret"] = keys.mint(obj)  # for the answer to this request only
        super().save_model(request, obj, form, change)
        transaction.on_commit(keys.forget)
        what = "api_key.changed" if change else "api_key.made"
        staff.note(
            obj.game_id, what, request.user.get_username(), key=obj.prefix, name=obj.name, scopes=obj.scopes
        )

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret."""
        return show_once(
            self, request, vars(obj)["secret"], title=f"The key {obj.name}", whose=obj.name, page=page_of(obj),
            kept="Clarion keeps only its hash.", use="admin/console/secret_key.html", key=obj,
            scopes=[(scope, SCOPES.get(scope, "")) for scope in obj.scopes],
        )  # fmt: skip

    @admin.action(description="Revoke…", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Refuse these keys from now on."""
        return ask(self, request, list(queryset), REVOKE)

    @action(description="Revoke…", url_path="revoke", icon="block", permissions=["operate"])
    def revoke_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Refuse this key from now on."""
        return ask_about_one(self, request, self.get_object(request, object_id), REVOKE)

    @display(description="game", ordering="game__slug")
    def in_game(self, obj: ApiKey) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="begins with")
    def begins(self, obj: ApiKey) -> Cell:
        """Show the first letters, to recognise it by."""
        return mono(f"{obj.prefix}…")

    @display(description="scopes")
    def scope_list(self, obj: ApiKey) -> str:
        """Name the scopes."""
        return "all" if set(obj.scopes) == keys.SCOPES else ", ".join(obj.scopes)

    @display(description="events a minute", ordering="rate_limit")
    def limit(self, obj: ApiKey) -> str:
        """Say how many it may send."""
        return "no limit" if obj.rate_limit is None else f"{obj.rate_limit:,}"

    @display(description="last used", ordering="last_used")
    def used(self, obj: ApiKey) -> Cell:
        """Say when, to the minute."""
        return ago(obj.last_used)

    @display(description="last used (to the minute)")
    def used_at(self, obj: ApiKey) -> Cell:
        """Say when."""
        return at(obj.last_used)

    @display(description="made")
    def made_at(self, obj: ApiKey) -> Cell:
        """Say when."""
        return at(obj.created)

    @display(description="revoked")
    def revoked_at(self, obj: ApiKey) -> Cell:
        """Say when."""
        return at(obj.revoked)

    @display(description="state", label={"valid": "success", "revoked": "danger", "expired": "warning"})
    def state(self, obj: ApiKey) -> str:
        """Say whether it is accepted."""
        if obj.revoked:
            return "revoked"
        return "expired" if obj.expires and obj.expires <= timezone.now() else "valid"
