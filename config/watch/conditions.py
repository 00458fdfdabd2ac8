"""What a rule has found."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that is wrong at this moment."""

    kind: str
    key: str = ""  # what it is about; with kind it names the alarm
    value: float  # in the kind's unit
    limit: float
    text: str  # one sentence, for somebody who was woken up
    url: str  # the list behind it, from the root of the site
    game_id: int | None = None  # None concerns all games
    since: datetime | None = None  # None: since the look that first found it
