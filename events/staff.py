"""What staff do is an event in the log too."""

from typing import Any

from events import log, outbox
from events.lanes import Lane

STREAM = "staff"


def note(game_id: int, what: str, by: str, **facts: Any) -> None:
    """Write ``staff.<what>`` into the transaction of the change, such as ``staff.rule.saved``.

    ``by`` is the name that somebody logs in with, empty for Clarion itself.
    """
    outbox.write(
        game_id=game_id,
        event_id=f"staff:{log.new_id()}",
        type=f"staff.{what}",
        stream=STREAM,
        data={"by": by, **facts},
        lane=Lane.NORMAL,
    )
