"""What happens in the demo game: believable data for each type of event. Pure but for the dice."""

import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from config.demo.catalogue import FRIENDS, GIFTS, GUILDS, MAPS, PLAYERS, TYPES

SOURCE = "/demo/game-server"
SERVERS = "servers"
"""The stream of what concerns everybody."""

Dice = random.Random
_DETAILS: Mapping[str, Callable[[Dice], dict[str, Any]]] = {
    "guild.invite.received": lambda dice: {"guild": dice.choice(GUILDS), "from": dice.choice(FRIENDS)},
    "match.ready": lambda dice: {"map": dice.choice(MAPS), "players": dice.choice([2, 4, 8])},
    "level.reached": lambda dice: {"level": dice.randint(2, 60)},
    "gift.received": lambda dice: {"from": dice.choice(FRIENDS), "gift": dice.choice(GIFTS)},
    "friend.online": lambda dice: {"friend": dice.choice(FRIENDS)},
}


def something(dice: Dice) -> dict[str, Any]:
    """Return what happens next, as a CloudEvent: mostly small things to single players."""
    kind = dice.choices(TYPES, weights=[each.weight for each in TYPES])[0]
    player = dice.choice(PLAYERS).key
    return _cloud_event(kind.name, player, _data(kind.name, player, dice))


def on_request(type_name: str, player: str, dice: Dice) -> dict[str, Any]:
    """Return the event that a button of the player's page asks for: one that its rule tells of.

    Raises:
        KeyError: the demo has no such type.
    """
    data = _data(type_name, player, dice)
    if type_name == "level.reached":
        data["level"] = 5 * dice.randint(1, 12)
    return _cloud_event(type_name, player, data)


def _data(type_name: str, player: str, dice: Dice) -> dict[str, Any]:
    if type_name == "maintenance.scheduled":
        return {"player_ids": [each.key for each in PLAYERS], "minutes": dice.choice([10, 15, 30])}
    return {"player_id": player, **_DETAILS[type_name](dice)}


def _cloud_event(type_name: str, player: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": SOURCE,
        "type": type_name,
        "subject": player if "player_id" in data else SERVERS,
        "data": data,
    }
