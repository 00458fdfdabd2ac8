"""The forecast: what the database takes, how fast that grows, and when the disk is full."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events import storage, tasks
from events.models import StorageSample
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MB = 1 << 20


def given_sample(*, days_ago: float, used: int, events: int = 0) -> None:
    StorageSample.objects.create(at=NOW - timedelta(days=days_ago), used=used, events=events)


@pytest.fixture
def _ten_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "used_bytes", lambda: 10 * MB)


@pytest.mark.usefixtures("_ten_megabytes")
def test_days_left_follow_from_the_growth_of_the_last_days(settings: Any) -> None:
    settings.CLARION_DISK_BYTES = 40 * MB
    given_sample(days_ago=30, used=9 * MB)  # too long ago to tell of today
    given_sample(days_ago=4, used=2 * MB)
    given_sample(days_ago=1, used=9 * MB)
    found = storage.forecast(NOW)
    assert found.growth_per_day == 2 * MB
    assert found.free == 30 * MB
    assert found.days_left == 15


@pytest.mark.usefixtures("_ten_megabytes")
def test_what_does_not_grow_lasts(settings: Any) -> None:
    settings.CLARION_DISK_BYTES = 40 * MB
    given_sample(days_ago=2, used=12 * MB)
    found = storage.forecast(NOW)
    assert (found.growth_per_day, found.days_left) == (-MB, None)


@pytest.mark.usefixtures("_ten_megabytes")
def test_the_first_hour_knows_no_growth() -> None:
    given_sample(days_ago=0.01, used=MB)
    found = storage.forecast(NOW)
    assert (found.growth_per_day, found.events_per_day, found.days_left) == (None, None, None)


def test_a_server_s_disk_is_unknown_unless_it_is_told(settings: Any, services: bool) -> None:
    settings.CLARION_DISK_BYTES = 0
    assert (storage.forecast().limit is None) == services
    settings.CLARION_DISK_BYTES = 5 * MB
    assert storage.forecast().limit == 5 * MB


def test_full_is_no_negative_room(settings: Any) -> None:
    settings.CLARION_DISK_BYTES = 1
    assert storage.forecast().free == 0


def test_sizes_are_measured_by_table() -> None:
    given_events(given_game(), *[an_event(data={"text": "x" * 1_000}) for _ in range(200)])
    sizes = storage.tables()
    assert sizes["events_event"].rows > 200_000
    assert sizes["events_event"].indexes > 0
    assert sizes["events_event"].total <= storage.used_bytes()


def test_samples_are_taken_once_an_hour_and_let_go() -> None:
    given_game()
    given_sample(days_ago=91, used=MB)
    assert storage.sample(NOW) is not None
    assert storage.sample(NOW + timedelta(minutes=10)) is None
    assert storage.sample(NOW + timedelta(minutes=60)) is not None
    assert StorageSample.objects.count() == 2


def test_a_sample_counts_events_by_heads_and_keeps_the_tables() -> None:
    given_events(given_game(), an_event(), an_event())
    tasks.sample_storage()
    row = StorageSample.objects.get()
    assert row.events == 2
    assert "events_event" in row.tables
