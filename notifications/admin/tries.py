"""The tries of a delivery, for reading: when, what came of each, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.admin.cells import EMPTY, Cell, at
from notifications.admin.advice import status_of
from notifications.delivery.endings import INTERRUPTED
from notifications.models import Delivery
from notifications.models.deliveries import State

COLOURS = {
    "taken": "success", "passes by itself": "warning", "for good": "danger", "too late": "info",
    "under way": "primary", "unknown": "warning",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Try:
    """One try, in words."""

    number: int
    began: Cell
    took: str
    verdict: str  # a key of COLOURS
    colour: str
    status: str
    said: str
    wait: str


def tries_of(row: Delivery) -> list[Try]:
    """Return the tries that the row has kept, the newest first."""
    return [_told(row, entry) for entry in reversed(row.history)]


def _told(row: Delivery, entry: Mapping[str, Any]) -> Try:
    verdict = _verdict(row, entry)
    wait = entry.get("wait_s")
    return Try(
        number=entry["n"],
        began=at(datetime.fromisoformat(entry["at"])),
        took=f"{entry['ms']:,} ms" if "ms" in entry else EMPTY,
        verdict=verdict,
        colour=COLOURS[verdict],
        status="" if verdict in {"taken", "too late", "unknown"} else status_of(entry),
        said=_said(verdict, entry),
        wait=f"asked to wait {wait:,.0f} s" if wait is not None else "",
    )


def _verdict(row: Delivery, entry: Mapping[str, Any]) -> str:
    ended = entry.get("ended")
    if ended == "delivered":
        return "taken"
    if ended == "expired":
        return "too late"
    if ended in {None, INTERRUPTED}:
        last = ended is None and entry["n"] == row.tries
        return "under way" if last and row.state == State.SENDING else "unknown"
    permanent = entry.get("permanent", row.state == State.DEAD and entry["n"] == row.tries)
    return "for good" if permanent else "passes by itself"


def _said(verdict: str, entry: Mapping[str, Any]) -> str:
    if verdict == "unknown":
        return "the process that made it ended before it could tell; the same id went again"
    return "it expired before the try began" if verdict == "too late" else str(entry.get("detail", ""))
