"""How the *Hubs* screen words its numbers: the page and its live answers say the same."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.utils.html import format_html

from events.admin.cells import EMPTY, Cell, address_of
from events.hubs.board import Row, Spot
from events.models import Checkpoint

POLL_MS = 2_000
SECONDS, MINUTES = 120, 7_200
FAST = 100
ARROWS = {"growing": "growing ↗", "shrinking": "shrinking ↘", "steady": "steady →", "": "…"}


def told(rows: Iterable[Row], spots: Iterable[Spot]) -> dict[str, Any]:
    """Return what the page asks for every two seconds."""
    return {
        "at": datetime.now(UTC).isoformat(),
        "lanes": [lane(row) for row in rows],
        "spots": {spot.pk: spot_told(spot) for spot in spots},
    }


def lane(row: Row) -> dict[str, Any]:
    """Return a hub's lane in words, its curve in numbers, and the list behind it."""
    return {
        "key": f"{row.hub}/{row.lane.label}",
        "hub": row.hub,
        "lane": row.lane.label,
        "number": int(row.lane),
        "paused": row.paused,
        "running": row.partitions - row.paused,
        "url": address_of(Checkpoint, hub=row.hub, lane__exact=int(row.lane)),
        "curve": [*row.curve, row.events],
        "cells": {
            "state": _state(row),
            "events": f"{row.events:,}",
            "oldest": duration(row.oldest_s) if row.waiting else EMPTY,
            "trend": ARROWS[row.course.trend],
            "rate": rate(row.course.rate),
            "moved": duration(row.moved_s),
            "waiting": f"{row.waiting} of {row.partitions}",
        },
        "chips": {"state": row.state, "trend": row.course.trend},
    }


def spot_told(spot: Spot) -> dict[str, Any]:
    """Return a checkpoint in words, and what its rate and trend are taken from."""
    return {
        "passed": spot.passed,
        "events": spot.events,
        "cells": {
            "state": spot.state,
            "position": f"{spot.position:,}",
            "head": f"{spot.head:,}",
            "events": f"{spot.events:,}",
            "oldest": duration(spot.oldest_s) if spot.head > spot.position else EMPTY,
            "moved": duration(spot.moved_s),
            "holder": spot.holder or EMPTY,
        },
        "chips": {"state": spot.state, "holder": "held" if spot.held else ""},
    }


def cell(spot: Spot | None, name: str) -> Cell:
    """Return a cell of the list that stays live."""
    if spot is None:
        return EMPTY
    said = spot_told(spot)
    return format_html(
        '<span data-spot="{}" data-cell="{}" data-chip="{}">{}</span>',
        spot.pk, name, said["chips"].get(name, ""), said["cells"].get(name, "…"),
    )  # fmt: skip


def duration(seconds: float) -> str:
    """Return a duration in the unit that one thinks in."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < SECONDS:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < MINUTES else f"{seconds / 3600:,.0f} h"


def rate(events_a_second: float | None) -> str:
    """Return events a second."""
    if events_a_second is None:
        return "…"
    return f"{events_a_second:.1f}/s" if events_a_second < FAST else f"{events_a_second:,.0f}/s"


def _state(row: Row) -> str:
    if row.stalled:
        return f"{row.stalled} stalled"
    return f"{row.paused} of {row.partitions} paused" if row.paused else row.state
