"""Games, their event types and their API keys."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from events import games, keys
from events.admin.lists import ConsoleAdmin, ago, list_of
from events.models import ApiKey, Event, EventType, Game
from events.schemas import schema_problems
from events.tenancy import create_game


@admin.register(Game)
class GameAdmin(ConsoleAdmin):
    """A game is never deleted here: its log refers to it."""

    list_display = ("slug", "name", "strict", "partitions", "events", "made")
    search_fields = ("slug__startswith", "name__istartswith")
    fields = ("slug", "name", "strict", "partitions", "allowed_origins")
    empty_hint = "No game yet. Add one here, or run: manage.py creategame SLUG"

    def get_readonly_fields(self, request: HttpRequest, obj: Game | None = None) -> tuple[str, ...]:
        """A game's name in URLs and its partitions are fixed when it is made."""
        return ("slug", "partitions") if obj else ("partitions",)

    def has_delete_permission(self, request: HttpRequest, obj: Game | None = None) -> bool:
        """Nobody deletes a game in the console."""
        return False

    def save_model(self, request: HttpRequest, obj: Game, form: Any, change: bool) -> None:
        """A new game gets its partitions and checkpoints with it."""
        if change:
            super().save_model(request, obj, form, change)
            games.forget(obj.id)
            return
        made = create_game(obj.slug, name=obj.name, strict=obj.strict, allowed_origins=obj.allowed_origins)
        obj.pk = made.pk

    @display(description="log")
    def events(self, obj: Game) -> str:
        """Link to the game's events."""
        return list_of(Event, "events", game__id__exact=obj.pk)

    @display(description="made", ordering="created")
    def made(self, obj: Game) -> str:
        """Say when."""
        return ago(obj.created)


class EventTypeForm(forms.ModelForm):
    """Refuses a schema that is none, and a sample that the schema refuses."""

    class Meta:
        model = EventType
        fields: ClassVar = ["game", "name", "lane", "description", "schema", "sample"]

    def clean(self) -> dict[str, Any]:
        """Check the schema, then the sample against it."""
        cleaned = super().clean() or {}
        for name, problem in schema_problems(cleaned.get("schema"), cleaned.get("sample")):
            self.add_error(name, problem)
        return cleaned


@admin.register(EventType)
class EventTypeAdmin(ConsoleAdmin):
    """What staff know of each type of event."""

    form = EventTypeForm
    list_display = ("name", "game", "lane", "checked", "description", "log")
    list_filter = ("game", "lane")
    list_select_related = ("game",)
    search_fields = ("name__startswith",)
    empty_hint = "Types are optional: an event of an unlisted type is accepted in the normal lane."

    def save_model(self, request: HttpRequest, obj: EventType, form: Any, change: bool) -> None:
        """Take effect in this process at once, elsewhere within a second."""
        super().save_model(request, obj, form, change)
        games.forget(obj.game_id)

    @display(description="schema", boolean=True)
    def checked(self, obj: EventType) -> bool:
        """Tell whether data is checked."""
        return obj.schema is not None

    @display(description="events")
    def log(self, obj: EventType) -> str:
        """Link to the events of this type."""
        return list_of(Event, "events", game__id__exact=obj.game_id, type=obj.name)


class ApiKeyForm(forms.ModelForm):
    """Scopes by ticking; the secret is made, never typed."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in sorted(keys.SCOPES)], widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = ApiKey
        fields: ClassVar = ["game", "name", "scopes", "rate_limit", "expires"]


@admin.register(ApiKey)
class ApiKeyAdmin(ConsoleAdmin):
    """Keys are made and revoked; a secret is shown once."""

    form = ApiKeyForm
    list_display = ("name", "game", "prefix", "scope_list", "rate_limit", "used", "state")
    list_filter = ("game",)
    list_select_related = ("game",)
    actions = ("revoke",)
    empty_hint = "No key yet. Add one here, or run: manage.py apikey GAME --name NAME"

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """A key stays with its game."""
        return ("game", "prefix", "last_used", "revoked") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Revoke instead: what a key did stays attributable."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Make the secret of a new key, and show it this one time."""
        if change:
            super().save_model(request, obj, form, change)
            keys.forget()
            return
        secret = keys.mint(obj)
        super().save_model(request, obj, form, change)
        messages.warning(request, f"The secret of {obj.name}, shown only now: {secret}")

    @admin.action(description="Revoke the selected keys at once")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Refuse these keys from now on."""
        count = keys.revoke(queryset)
        messages.success(request, f"Revoked {count} keys.")

    @display(description="scopes")
    def scope_list(self, obj: ApiKey) -> str:
        """Name the scopes."""
        return ", ".join(obj.scopes)

    @display(description="last used", ordering="last_used")
    def used(self, obj: ApiKey) -> str:
        """Say when, to the minute."""
        return ago(obj.last_used)

    @display(description="state", label={"valid": "success", "revoked": "danger", "expired": "warning"})
    def state(self, obj: ApiKey) -> str:
        """Say whether it is accepted."""
        if obj.revoked:
            return "revoked"
        return "expired" if obj.expires and obj.expires <= timezone.now() else "valid"
