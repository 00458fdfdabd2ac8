"""Which notifications an event will come to: their ids follow from its own.

So a page can tell its own click's notification from all others, and measure its time.
"""

from typing import Any

from events.models import Game
from notifications import rulebook
from notifications.decisions.writing import notification_uid


def notification_ids(game: Game, event_type: str, place: dict[str, Any], player: str) -> list[str]:
    """Return the id for each rule that may tell the player of the event; its gates may still say no.

    ``place`` is what the append was answered, with ``source`` and ``id``.
    """
    event = (place["source"], place["id"])
    rules = rulebook.active(game.pk).get(event_type, ())
    return [str(notification_uid(game.pk, rule.rule_id, event, player)) for rule in rules]
