"""Time zones by their IANA names."""

from datetime import UTC, datetime

import pytest

from players.zones import ZONE_MAX, ZoneInvalid, normalise_zone, zone, zone_names


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("Asia/Seoul", "Asia/Seoul"),
        ("America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
    ],
)
def test_a_zone_is_stored_in_its_own_letters(text: str, stored: str) -> None:
    assert normalise_zone(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Berlin",
        "Europe",
        "Europe/",
        "../../etc/passwd",
        "/etc/localtime",
        "localtime",
        "Factory",
        "posix/UTC",
        "UTC+2",
        "+02:00",
        "Europe/Berlin\x00",
        "x" * 500,
        None,
        7,
    ],
)
def test_what_is_no_zone_is_refused(text: object) -> None:
    with pytest.raises(ZoneInvalid, match="IANA"):
        normalise_zone(text)  # type: ignore[arg-type]


def test_a_zone_tells_the_time_there() -> None:
    there = datetime(2026, 7, 1, 12, tzinfo=UTC).astimezone(zone("Asia/Seoul"))
    assert there.hour == 21


def test_every_name_fits_its_column() -> None:
    assert max(map(len, zone_names())) <= ZONE_MAX
