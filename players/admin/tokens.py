"""Keys that sign players' tokens: rotated and retired, never shown."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from events import staff
from events.admin.cells import Cell, at, link_to
from events.admin.confirming import Lever, ask, ask_about_one
from events.admin.filters import GameFilter
from events.admin.lists import ConsoleAdmin
from players import tokens
from players.models import TokenKey


@transaction.atomic
def _retire(rows: Sequence[TokenKey], by: str, reason: str) -> int:
    count = tokens.retire(TokenKey.objects.filter(pk__in=[row.pk for row in rows]))
    for row in rows:
        if row.retired is None:
            staff.note(row.game_id, "token_key.retired", by, kid=row.kid, reason=reason)
    return count


RETIRE = Lever(
    verb="Retire",
    done="Retired",
    noun=("key", "keys"),
    warning="Every token that was signed with one is refused from now on, elsewhere within five seconds: these"
    " players' clients must get new ones. A retired key never comes back.",
    pull=_retire,
)


@admin.register(TokenKey)
class TokenKeyAdmin(ConsoleAdmin):
    """A new key signs from now on; the old ones verify until they are retired."""

    slug_of_game = "game__slug"

    list_display = ("kid", "in_game", "state", "made", "ended")
    list_filter = (("game", GameFilter),)
    list_select_related = ("game",)
    actions = ("retire",)
    actions_detail = ("retire_this",)
    empty_hint = "A key is made with the first token. Add one here to rotate."

    def get_fields(self, request: HttpRequest, obj: TokenKey | None = None) -> tuple[str, ...]:
        """Ask for the game; show what a key is known by, never the secret or its salt."""
        return ("kid", "in_game", "state", "made", "ended") if obj else ("game",)

    def get_readonly_fields(self, request: HttpRequest, obj: TokenKey | None = None) -> tuple[str, ...]:
        """Nothing of a key is ever edited."""
        return ("kid", "in_game", "state", "made", "ended") if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: TokenKey | None = None) -> bool:
        """Keys are added and retired, never edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TokenKey | None = None) -> bool:
        """Retire instead."""
        return False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to retire what is in use."""
        used = TokenKey.objects.filter(pk=object_id, retired=None).exists()
        return super().get_actions_detail(request, object_id) if used else []

    def save_model(self, request: HttpRequest, obj: TokenKey, form: Any, change: bool) -> None:
        """Rotate: the new key signs from now on."""
        made = tokens.rotate(obj.game)
        obj.pk, obj.kid, obj._state.adding = made.pk, made.kid, False
        staff.note(obj.game_id, "token_key.rotated", request.user.get_username(), kid=made.kid)

    @admin.action(description="Retire…", permissions=["operate"])
    def retire(self, request: HttpRequest, queryset: QuerySet[TokenKey]) -> HttpResponse | None:
        """Refuse every token that these have signed."""
        return ask(self, request, list(queryset), RETIRE)

    @action(description="Retire…", url_path="retire", icon="block", permissions=["operate"])
    def retire_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Refuse every token that this one has signed."""
        return ask_about_one(self, request, self.get_object(request, object_id), RETIRE)

    @display(description="game", ordering="game__slug")
    def in_game(self, obj: TokenKey) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="state", label={"in use": "success", "retired": "danger"})
    def state(self, obj: TokenKey) -> str:
        """Say whether its tokens are accepted."""
        return "retired" if obj.retired else "in use"

    @display(description="made", ordering="created")
    def made(self, obj: TokenKey) -> Cell:
        """Say when."""
        return at(obj.created)

    @display(description="retired", ordering="retired")
    def ended(self, obj: TokenKey) -> Cell:
        """Say when."""
        return at(obj.retired)
