"""An event as it is read back from the log."""

from datetime import datetime

import msgspec


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of the log. Times are aware and in UTC."""

    id: int  # partition_id * 2^40 + offset
    game_id: int
    partition_id: int
    offset: int
    lane: int
    stream: str
    version: int
    source: str
    event_id: str  # the producer's id
    type: str
    subject: str | None
    time: datetime | None
    recorded: datetime
    expires: datetime | None
    data: str | None  # as it came; None when there is none, when it was erased, or when nobody asked for it
    data_encoding: str  # '', 'json', 'text' or 'base64'
    traceparent: str

    @property
    def occurred(self) -> datetime:
        """When it happened: the producer's time, else the time of recording."""
        return self.time or self.recorded
