"""Time zones by their IANA names. Pure but for reading the zone tables of the system or of tzdata."""

from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

ZONE_MAX = 64  # characters; the longest in use has 32

# Names in the system's folder that stand for the machine or for "not set", not for a place.
_NOT_PLACES = frozenset({"Factory", "localtime", "posixrules"})


class ZoneInvalid(ValueError):
    """A text names no time zone. Send an IANA name such as ``Asia/Seoul``."""

    def __init__(self, text: object) -> None:
        shown = text[:ZONE_MAX] if isinstance(text, str) else type(text).__name__
        super().__init__(f"{shown!r} is no IANA time zone; send one such as 'Europe/Berlin' or 'UTC'")


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return every zone name that is accepted. Reads the tables once in a process."""
    return frozenset(available_timezones() - _NOT_PLACES)


@lru_cache(maxsize=1)
def _by_lower() -> dict[str, str]:
    return {name.lower(): name for name in zone_names()}


def normalise_zone(text: str) -> str:
    """Return the IANA name in its own letters: ``europe/berlin`` becomes ``Europe/Berlin``.

    Raises:
        ZoneInvalid: there is no such zone.
    """
    name = _by_lower().get(text.lower()) if isinstance(text, str) else None
    if name is None:
        raise ZoneInvalid(text)
    return name


def zone(text: str) -> ZoneInfo:
    """Return the zone of a name.

    Raises:
        ZoneInvalid: there is no such zone.
    """
    return ZoneInfo(normalise_zone(text))
