"""What came of one call, and whether to try again. Pure."""

import email.utils
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus

RETRY_AFTER_MAX_S = 24 * 3600.0
LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_SECONDS = re.compile(r"\d{1,9}")


class Verdict(StrEnum):
    """What to do next."""

    DELIVERED = "delivered"
    TRANSIENT = "transient"  # try again, with the same id
    PERMANENT = "permanent"  # the same again would be refused again


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one call."""

    verdict: Verdict
    status: int | None = None  # None: there was no answer
    error: str = ""  # a short class for grouping, such as 'http 503' or 'timeout'; '' when delivered
    detail: str = ""  # a sentence without anything of what was sent or answered
    retry_after_s: float | None = None  # what the other side asks for, 0 to a day
    excerpt: str = ""  # how the answer's body begins; for eyes, never to be stored or logged


def judged(status: int, retry_after_header: str, now: datetime, excerpt: str = "") -> Answer:
    """Judge an HTTP status.

    2xx is delivered. 408, 425, 429 and 5xx pass by themselves. All others are permanent: a
    redirect too, which is not followed, because it could lead anywhere.
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(verdict=Verdict.DELIVERED, status=status, excerpt=excerpt)
    later = status in LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return Answer(
        verdict=Verdict.TRANSIENT if later else Verdict.PERMANENT,
        status=status,
        error=f"http {status}",
        detail=f"the endpoint answered {_named(status)}",
        retry_after_s=retry_after(retry_after_header, now) if later else None,
        excerpt=excerpt,
    )


def retry_after(header: str, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for (a number or an HTTP date), at most a day.

    None when there is none, or none that one can read.
    """
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), RETRY_AFTER_MAX_S)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)) - now
    return min(max(seconds.total_seconds(), 0.0), RETRY_AFTER_MAX_S)


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
