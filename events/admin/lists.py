"""What all lists of the console share: nothing is counted, nothing walks a large table, 25 rows a page.

A list over a large table is read in branches. Each branch is a queryset that one index
serves in its own order; several (one for each game, say) are merged by their first rows.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from events.models import Game
from events.tenancy import RESERVED, games_of_others

ROWS = 25
PAGES_MAX = 400
"""Further back the way is a filter by time: an offset has to walk all that it leaves out."""
ID_DIGITS = 18
BRANCHES_AT_ONCE = 100
"""In one statement: planning more takes longer than another round trip."""


class ConsoleAdmin(ModelAdmin):
    """The manners of every list, large or small."""

    list_per_page = ROWS
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # they count
    paginator = InfinitePaginator
    list_disable_select_all = True
    list_fullwidth = True
    list_filter_submit = True
    empty_hint: ClassVar[str] = ""
    """What would appear here; shown when the list is empty."""

    slug_of_game: ClassVar[str] = ""
    """How a row leads to its game's slug: rows of Clarion's own games are then left out."""

    history: ClassVar[bool] = True
    """Whether staff do anything here that a page's history could tell."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave out what is of no game that somebody made."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.exclude(**{f"{self.slug_of_game}__startswith": RESERVED}) if self.slug_of_game else rows

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> QuerySet[Any] | None:
        """Offer no game that is Clarion's own, wherever a form lets one choose games."""
        rows: QuerySet[Any] | None = super().get_field_queryset(db, db_field, request)
        if db_field.related_model is not Game:
            return rows
        return games_of_others() if rows is None else rows.exclude(slug__startswith=RESERVED)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """Offer the history where there is one."""
        context = {**(extra_context or {}), **({} if self.history else {"show_history": False})}
        return super().changeform_view(request, object_id, form_url, context)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Act on what was ticked, never on "all": a forged form could ask for it."""
        post = request.POST.copy()
        post["select_across"] = "0"
        request.POST = post  # type: ignore[assignment] # Django's own way to hand a form on
        return super().response_action(request, queryset)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether somebody may pull levers here: the right to change, even where no field can be edited.

        Levers name this, never "app.codename": unfold's checks would look that up in the
        database, which has no tables before the first migration.
        """
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))


class ReadOnlyAdmin(ConsoleAdmin):
    """Staff may look; what writes these rows is elsewhere."""

    actions: Any = None
    history = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes anything here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes here."""
        return False


class Branched(ChangeList):
    """A list whose rows come from its admin's branches."""

    queryset: QuerySet[Any]

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Keep to the admin's order: any other would sort the table, whoever writes ``?o=``."""
        return list(self.model_admin.ordering)

    def get_results(self, request: HttpRequest) -> None:
        """Read one page: first the keys by index, then their rows, so that no join can mislead the planner."""
        branches = self.model_admin.branches(request, self.queryset) if self._within(request) else []
        self.queryset = self.queryset.none()
        super().get_results(request)
        start = (self.page_num - 1) * ROWS
        keys = merged(branches, self.model_admin.ordering, start, start + ROWS) if branches else []
        self.result_list = self._rows(keys)

    def _within(self, request: HttpRequest) -> bool:
        if self.page_num <= PAGES_MAX:
            return True
        messages.info(
            request, f"Only {PAGES_MAX * ROWS:,} rows are paged. Filter by time to go further back."
        )
        return False

    def _rows(self, keys: Sequence[Any]) -> list[Any]:
        rows: QuerySet[Any] = self.root_queryset.order_by()
        if not rows.query.select_related:
            rows = self.apply_select_related(rows)
        found = rows.in_bulk(keys)
        return [found[key] for key in keys if key in found]


def merged(branches: Sequence[QuerySet[Any]], ordering: Sequence[str], start: int, stop: int) -> list[Any]:
    """Return the keys of the rows from ``start`` to ``stop`` of all branches together.

    ``ordering`` is descending in each of its fields and ends in the primary key; each branch
    comes in an order of its own that agrees with it.
    """
    if len(branches) == 1:
        return list(branches[0].values_list("pk", flat=True)[start:stop])
    fields = [name.removeprefix("-") for name in ordering]
    found: list[tuple[Any, ...]] = []
    rest = iter(branches)
    while some := list(islice(rest, BRANCHES_AT_ONCE)):
        found += _together([branch.values_list(*fields)[:stop] for branch in some])
    found.sort(key=_comparable, reverse=True)
    return [row[-1] for row in found[start:stop]]


def _together(parts: Sequence[QuerySet[Any]]) -> list[tuple[Any, ...]]:
    """Return the rows of all parts: in one statement, or where the database is in the process, one by one."""
    if not connection.features.supports_slicing_ordering_in_compound or len(parts) == 1:
        return [row for part in parts for row in part]
    return list(parts[0].union(*parts[1:], all=True))


def _comparable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(part.timestamp() if isinstance(part, datetime) else part for part in row)


class LargeTable:
    """Mixed into the admin of a table that grows with the game."""

    sortable_by: Sequence[str] = ()
    lookups: ClassVar[frozenset[str]] = frozenset()
    """The parameters that an index serves; Django would allow every column in the address."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Read by branches."""
        return Branched

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Refuse what no index serves."""
        return lookup in self.lookups

    def branches(self, request: HttpRequest, found: QuerySet[Any]) -> list[QuerySet[Any]]:
        """Return querysets that an index serves each; ``found`` has the filters, and the admin's order."""
        return [found]


def asked_games(request: HttpRequest) -> list[int]:
    """Return the game that is asked for, or all but Clarion's own."""
    asked = asked_id(request, "game__id__exact")
    if asked is not None:
        return [asked]
    return list(games_of_others().values_list("id", flat=True))


def asked_text(request: HttpRequest, name: str) -> str:
    """Return what was typed, without what a database would choke on."""
    return request.GET.get(name, "").replace("\x00", "").strip()


def asked_id(request: HttpRequest, name: str) -> int | None:
    """Return an id from the address; None for what is none."""
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= ID_DIGITS else None
