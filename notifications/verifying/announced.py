"""A game's announcements: their sequence and what was read of them."""

from collections.abc import Iterator

from events.snapshots import snapshot
from events.verifying import rows


def announcements(game_id: int) -> Iterator[str]:
    """Yield what is wrong with the announcements of a game."""
    with snapshot():
        ((said, count, different, last),) = rows(
            "SELECT g.announcements, count(a.id), count(DISTINCT a.seq), coalesce(max(a.seq), 0) FROM events_game g"
            " LEFT JOIN notifications_announcement a ON a.game_id = g.id WHERE g.id = %s"
            " GROUP BY g.id, g.announcements",
            [game_id],
        )
        ((strange,),) = rows(
            "SELECT count(*) FROM notifications_announcement a JOIN notifications_announcementread r"
            " ON r.announcement_id = a.id JOIN players_player p ON p.id = r.player_id"
            " WHERE a.game_id = %s AND p.game_id <> a.game_id",
            [game_id],
        )
    if count != different:
        yield f"announcements: {count} of them share {different} sequences"
    if said != last:
        yield f"announcements: the game's sequence is {said}, the last one used is {last}"
    if strange:
        yield f"announcements: {strange} were read by players of another game"
