"""Why nobody would want a delivery any more. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

EXPIRED = "expired"
GONE = "gone"
READ = "read"
ARCHIVED = "archived"
ERASED = "player erased"
BLOCKED = "player blocked"
BY_STAFF = "by staff"


def stale(row: Mapping[str, Any] | None, now: datetime) -> str:
    """Return why a notification is not to be sent by another channel (any more), '' if it is.

    ``row`` has the notification's columns and its player's, None where it is not there.
    """
    if row is None or row["gone"]:
        return GONE
    if row["expires"] is not None and row["expires"] <= now:
        return EXPIRED
    if row["player__erased"] is not None:
        return ERASED
    if row["player__blocked"] is not None:
        return BLOCKED
    if row["archived"] is not None:
        return ARCHIVED
    return READ if _read(row) else ""


def _read(row: Mapping[str, Any]) -> bool:
    return (
        row["read"] is not None or row["claimed"] is not None or row["number"] <= row["player__read_through"]
    )
