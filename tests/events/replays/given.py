"""How tests bring replays about: as staff start them and workers work them off."""

from typing import Any

from events.models import Game, Replay
from events.replays import control, work


def given_replay(game: Game, kind: str = "rebuild", **fields: Any) -> Replay:
    """Start a replay, as staff do; nobody has worked on it yet."""
    return control.start(kind, game, **{"target": "profiles", "by": "olive", "reason": "to see", **fields})


def worked_off(replay: Replay, at_most: int = 500) -> Replay:
    """Work a replay off until it is over, and return it as it then is."""
    for _ in range(at_most):
        replay = Replay.objects.get(pk=replay.pk)
        if replay.state not in {"waiting", "running"}:
            return replay
        work.step(replay)
    raise AssertionError(f"it never ends: {replay.state}, {replay.cursor}")


def rebuilt(game: Game, **fields: Any) -> Replay:
    """Rebuild a game's profiles, and return the replay."""
    return worked_off(given_replay(game, **fields))
