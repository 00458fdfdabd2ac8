"""Which partition a stream falls into. Fixed when the game is made, so it may be remembered for ever."""

from zlib import crc32

from events.errors import UnknownGame
from events.models import Partition

_ids: dict[int, tuple[int, ...]] = {}


def partition_ids(game_id: int) -> tuple[int, ...]:
    """Return the ids of a game's partitions, by number.

    Raises:
        UnknownGame: there is no such game, or it has no partitions.
    """
    ids = _ids.get(game_id)
    if ids is None:
        ids = tuple(Partition.objects.filter(game_id=game_id).order_by("number").values_list("id", flat=True))
        if not ids:
            raise UnknownGame(game_id)
        _ids[game_id] = ids
    return ids


def number_of(stream: str, count: int) -> int:
    """Return the number of the partition that a stream falls into, of ``count``.

    CRC-32 of the UTF-8 text: the same in every language, so that a producer may know it too.
    """
    return crc32(stream.encode()) % count


def forget() -> None:
    """Drop what is remembered (tests empty the tables between them)."""
    _ids.clear()
