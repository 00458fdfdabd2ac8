"""What the chain hashes: everything that matters, told apart, and the same wherever it is read back."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest

from events.log import digests
from events.log.rows import HASHED, Place, Row, build, event_pk, hashed
from tests.given import an_event

NOON = datetime(2026, 11, 24, 12, 0, 0, 123_456, tzinfo=UTC)
SALT = bytes(range(16))
PLACE = Place(1, 2, 3, 0, 4, digests.GENESIS)


def test_the_payloads_digest_is_as_published() -> None:
    """Auditors compute it themselves: SHA-256 over salt, a byte that says whether there is data, and the data."""
    assert digests.payload_digest(SALT, "{}") == sha256(SALT + b"\x01" + b"{}").digest()
    assert digests.payload_digest(SALT, None) == sha256(SALT + b"\x00").digest()


def test_no_data_is_told_from_empty_data_and_other_salts_are_other_digests() -> None:
    digest = digests.payload_digest
    assert len({digest(SALT, None), digest(SALT, ""), digest(SALT, "\x00"), digest(bytes(16), None)}) == 4


@pytest.mark.parametrize(
    ("moment", "us"),
    [
        (None, None),
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (NOON, 1_795_521_600_123_456),
        (NOON.astimezone(timezone(timedelta(hours=9))), 1_795_521_600_123_456),
        (datetime(1, 1, 1, tzinfo=UTC), -62_135_596_800_000_000),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), 253_402_300_799_999_999),
    ],
)
def test_times_are_whole_microseconds(moment: datetime | None, us: int | None) -> None:
    assert digests.microseconds(moment) == us


def test_an_event_hangs_on_the_one_before_it() -> None:
    event = an_event(id="e1", stream="s", time=NOON)
    first = build(event, PLACE, NOON, SALT)
    other = build(event, PLACE._replace(previous=first.digest), NOON, SALT)
    assert first.digest != other.digest
    assert first.digest == build(event, PLACE, NOON, SALT).digest


def test_a_row_read_back_hashes_to_what_was_written() -> None:
    row = build(an_event(id="e1", data={"é": "漢"}, time=NOON, expires=NOON), PLACE, NOON, SALT)
    envelope = hashed(row._asdict())
    assert digests.event_digest(PLACE.previous, envelope, row.payload_digest) == row.digest


def test_every_column_but_the_payload_is_covered() -> None:
    left_out = set(Row._fields) - set(HASHED)
    assert left_out == {"id", "data", "salt", "payload_digest", "digest"}, "id is partition and offset"


def test_an_events_id_is_its_place() -> None:
    assert event_pk(1, 1) == 2**40 + 1
    assert event_pk(3, 2**40 - 1) < event_pk(4, 0)
