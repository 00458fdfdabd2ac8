"""Checking players' own rows: marks and counters that cannot be, and profiles that their history does not bear out."""

from collections.abc import Iterator

from django.db.models import Count, F, Max, Min, Q

from events.models import Sweep
from events.snapshots import snapshot
from players.models import Player, Profile, ProfileRevision
from players.retention import HISTORY

PAGE = 500


def ranges(game_id: int) -> Iterator[tuple[int, int]]:
    """Yield the game's players in ranges of ids (first, last), each of at most ``PAGE`` players."""
    after = 0
    while True:
        ids = list(
            Player.objects.filter(game_id=game_id, id__gt=after)
            .order_by("id")
            .values_list("id", flat=True)[:PAGE]
        )
        if not ids:
            return
        after = ids[-1]
        yield ids[0], after


def findings(game_id: int) -> Iterator[str]:
    """Yield what is wrong with the players of a game, in words with the numbers."""
    for first, last in ranges(game_id):
        with snapshot():
            found = [*_marks(game_id, first, last), *_profiles(game_id, first, last)]
        yield from found


def _marks(game_id: int, first: int, last: int) -> Iterator[str]:
    """Find marks beyond the number that exists, or at a sequence that does not exist yet."""
    wrong = Q(seen_through__gt=F("number")) | Q(read_through__gt=F("number"))
    wrong |= Q(read_through__gt=F("seen_through"))
    wrong |= Q(seen_seq__gt=F("head")) | Q(read_seq__gt=F("head")) | Q(number__gt=F("head"))
    for row in Player.objects.filter(wrong, game_id=game_id, id__range=(first, last)).order_by("id"):
        yield (
            f"player {row.key}: head {row.head}, number {row.number},"
            f" seen through {row.seen_through} at {row.seen_seq}, read through {row.read_through} at {row.read_seq}:"
            " a mark is beyond what there is"
        )


def _profiles(game_id: int, first: int, last: int) -> Iterator[str]:
    """Compare profiles with their history: revisions without a hole, from one on unless retention took the first."""
    let_go = Sweep.objects.filter(game_id=game_id, name=HISTORY.name, taken__gt=0).exists()
    counted = {
        row["player_id"]: row
        for row in ProfileRevision.objects.filter(player_id__gte=first, player_id__lte=last, player__game_id=game_id)
        .values("player_id").annotate(count=Count("id"), first=Min("revision"), last=Max("revision"))
    }  # fmt: skip
    rows = Profile.objects.filter(
        player_id__gte=first, player_id__lte=last, player__game_id=game_id
    ).select_related("player")
    for row in rows.order_by("player_id"):
        if row.player.erased:
            yield f"player {row.player.key}: was erased, and a profile is there"
            continue
        found = counted.get(row.player_id, {"count": 0, "first": 1, "last": 0})
        whole = found["count"] == found["last"] - found["first"] + 1
        begins = found["first"] == 1 or let_go
        if not (whole and begins and row.revision == found["last"]):
            yield (
                f"player {row.player.key}: the profile is at revision {row.revision},"
                f" its history has {found['count']}, the last is {found['last']}"
            )
