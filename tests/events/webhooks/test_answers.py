"""What passes by itself is tried again; what would be refused again is not."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from events.webhooks import Verdict, retry_after
from events.webhooks.answers import RETRY_AFTER_MAX_S, judged

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_delivered(status: int) -> None:
    assert judged(status, "5", NOW).verdict is Verdict.DELIVERED
    assert judged(status, "5", NOW).retry_after_s is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_passes_by_itself_is_tried_again(status: int) -> None:
    answer = judged(status, "", NOW)
    assert answer.verdict is Verdict.TRANSIENT
    assert answer.error == f"http {status}"
    assert str(status) in answer.detail


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422, 499])
def test_what_would_be_refused_again_is_permanent(status: int) -> None:
    assert judged(status, "5", NOW).verdict is Verdict.PERMANENT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0.0),
        ("999999999", RETRY_AFTER_MAX_S),
        ("99999999999999999999", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Wed, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date_and_bounded(header: str, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds
    assert judged(429, header, NOW).retry_after_s == seconds
