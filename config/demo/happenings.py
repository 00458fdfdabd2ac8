"""What happens in the demo game: believable data for each type of event. Pure but for the dice."""

import random
import uuid
from typing import Any

from config.demo.catalogue import BY_NAME, FRIENDS, GIFTS, GUILDS, MAPS, PLAYERS, TYPES

SOURCE = "/demo/game-server"


def data_for(
    type_name: str, player: str, dice: random.Random, *, worth_telling: bool = False
) -> dict[str, Any]:
    """Return an event's data for a player; with ``worth_telling`` such that its rule notifies."""
    if type_name == "maintenance.scheduled":
        return {"player_ids": [each.key for each in PLAYERS], "minutes": dice.choice([10, 15, 30])}
    details: dict[str, dict[str, Any]] = {
        "guild.invite.received": {"guild": dice.choice(GUILDS), "from": dice.choice(FRIENDS)},
        "match.ready": {"map": dice.choice(MAPS), "players": dice.choice([2, 4, 8])},
        "level.reached": {"level": 5 * dice.randint(1, 12) if worth_telling else dice.randint(2, 60)},
        "gift.received": {"from": dice.choice(FRIENDS), "gift": dice.choice(GIFTS)},
        "friend.online": {"friend": dice.choice(FRIENDS)},
    }
    return {"player_id": player, **details[type_name]}


def cloud_event(type_name: str, player: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return a structured CloudEvent; maintenance concerns everybody and has a stream of its own."""
    subject = "servers" if type_name == "maintenance.scheduled" else player
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": SOURCE,
        "type": type_name,
        "subject": subject,
        "data": data,
    }


def something(dice: random.Random) -> dict[str, Any]:
    """Return what happens next: mostly small things to single players."""
    kinds = [kind for kind in TYPES if kind.name != "maintenance.scheduled"]
    kind = dice.choices(kinds, weights=[each.weight for each in kinds])[0]
    player = dice.choice(PLAYERS).key
    return cloud_event(kind.name, player, data_for(kind.name, player, dice))


def on_request(type_name: str, player: str, dice: random.Random) -> dict[str, Any]:
    """Return the event that a button of the player's page asks for.

    Raises:
        KeyError: the demo has no such type.
    """
    BY_NAME[type_name]
    return cloud_event(type_name, player, data_for(type_name, player, dice, worth_telling=True))
