"""Making a game: its row, its partitions, and a checkpoint for every hub."""

from django.db import transaction
from django.db.models import QuerySet

from events.hubs.claim import make_missing
from events.hubs.registry import hubs
from events.models import Game, Partition
from events.models.games import DEFAULT_PARTITIONS

RESERVED = "clarion:"
"""How the slugs of Clarion's own games begin; no name that staff could give one of theirs."""


def games_of_others() -> QuerySet[Game]:
    """Return all games but Clarion's own: those that staff should see, and choose from."""
    return Game.objects.exclude(slug__startswith=RESERVED)


@transaction.atomic
def create_game(
    slug: str, *, name: str = "", partitions: int = DEFAULT_PARTITIONS, strict: bool = False, **fields: object
) -> Game:
    """Make a game. The number of partitions can never be changed afterwards.

    Raises:
        django.db.IntegrityError: the slug is taken.
    """
    game: Game = Game.objects.create(
        slug=slug, name=name or slug, partitions=partitions, strict=strict, **fields
    )
    Partition.objects.bulk_create(Partition(game=game, number=number) for number in range(partitions))
    for hub in hubs():
        make_missing(hub.name, hub.lanes)
    return game
