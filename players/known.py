"""Players appear with their first event: from a game's own ids to rows, made when missing."""

import threading
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from django.db import transaction

from players.models import Player

CACHE_MAX = 100_000
AT_ONCE = 1_000
"""Keys in one statement; SQLite refuses many more parameters."""

_ids: dict[tuple[int, str], int] = {}
_lock = threading.Lock()


def ensure(game_id: int, keys: Iterable[str]) -> dict[str, int]:
    """Return the ids of these players by key; unknown ones are made, in the order of their keys.

    Ids never change and rows are never deleted, so they may be remembered, once they are committed.
    """
    wanted = sorted(set(keys))
    found = {key: known for key in wanted if (known := _ids.get((game_id, key))) is not None}
    missing = [key for key in wanted if key not in found]
    if missing:
        found |= _look_up(game_id, missing)
        unknown = [key for key in missing if key not in found]
        if unknown:
            Player.objects.bulk_create(
                [Player(game_id=game_id, key=key) for key in unknown],
                ignore_conflicts=True,
                batch_size=AT_ONCE,
            )
            found |= _look_up(game_id, unknown)
        # Not before: a rollback would leave ids here of rows that never came to be.
        transaction.on_commit(partial(_remember, game_id, {key: found[key] for key in missing}))
    return found


def known_ids(game_id: int, keys: Iterable[str]) -> dict[str, int]:
    """Return the ids of those of these players who are known; makes none."""
    return _look_up(game_id, sorted(set(keys)))


def forget() -> None:
    """Drop what is remembered (tests empty the tables between them)."""
    with _lock:
        _ids.clear()


def _look_up(game_id: int, keys: list[str]) -> dict[str, int]:
    return {
        key: player_id
        for some in _portions(keys)
        for key, player_id in Player.objects.filter(game_id=game_id, key__in=some).values_list("key", "id")
    }


def _portions(keys: list[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def _remember(game_id: int, found: dict[str, int]) -> None:
    with _lock:
        if len(_ids) + len(found) > CACHE_MAX:
            _ids.clear()
        _ids.update({(game_id, key): player_id for key, player_id in found.items()})
