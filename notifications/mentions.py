"""Where an erased player is mentioned: the events that rules have decided about for them."""

from collections.abc import Sequence
from typing import Any

from notifications.models import Decision


def next_of(player_id: int, after: int, limit: int) -> Sequence[tuple[int, int]]:
    """Return the next decisions about a player, as (place, event's id), and empty what their gates compared.

    That a rule was decided, and how, stays: a second decision would else be possible. The
    values are the player's, and go.
    """
    rows = list(Decision.objects.filter(player_id=player_id, place__gt=after).order_by("place")[:limit])
    for row in rows:
        row.gates = [_without_values(gate) for gate in row.gates]
    Decision.objects.bulk_update(rows, ["gates"])
    return [(row.place or 0, row.event_id) for row in rows]


def _without_values(gate: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in gate.items() if name != "values"}
