"""POSTs that carry an ``Idempotency-Key``: the first answer is kept for a day, repeats get the same."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from events.errors import IdempotencyRefused, IdempotencyReused, IdempotencyRunning
from events.models import IdempotencyKey

KEEP = timedelta(hours=24)
ABANDONED = timedelta(seconds=60)
"""After so long without an answer, whoever was working on it has died."""
KEY_MAX = 255
TIDY = 100
_QUOTED = re.compile(r'"([^"\\]*)"')
_VISIBLE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request that may come again."""

    api_key: int
    route: str  # method and path with the ids in it: another player is another request
    key: str
    payload: bytes

    @property
    def fingerprint(self) -> str:
        """Tell this payload from others."""
        return sha256(self.payload).hexdigest()


def key_of(header: str | None) -> str | None:
    """Return the key of an ``Idempotency-Key`` header, quoted or not; None where there is none.

    Raises:
        IdempotencyRefused: it is empty, too long, or holds other than visible ASCII.
    """
    if header is None:
        return None
    quoted = _QUOTED.fullmatch(header.strip())
    key = quoted[1] if quoted else header.strip()
    if len(key) > KEY_MAX or not _VISIBLE.fullmatch(key):
        raise IdempotencyRefused(f"an Idempotency-Key has 1 to {KEY_MAX} visible ASCII characters")
    return key


def once(asked: Asked, work: Callable[[], str]) -> str:
    """Return what ``work`` returned when this was asked first, within 24 hours.

    What it returns is stored as it is, so it must hold no secret. What it raises is not
    stored: the next try works again.

    Raises:
        IdempotencyReused: it was asked with another payload.
        IdempotencyRunning: the first is not done yet.
    """
    now = datetime.now(UTC)
    row, ours = _first(asked, now)
    if not ours and now - row.created < KEEP:
        if row.fingerprint != asked.fingerprint:
            raise IdempotencyReused
        if row.status == IdempotencyKey.Status.DONE:
            return row.response_body
        if now - row.created < ABANDONED:
            raise IdempotencyRunning
    if not ours and not _take_over(row, asked, now):
        raise IdempotencyRunning
    return _work(row.pk, now, work)


def _first(asked: Asked, now: datetime) -> tuple[IdempotencyKey, bool]:
    row, made = IdempotencyKey.objects.get_or_create(
        api_key_id=asked.api_key,
        route=asked.route,
        token=asked.key,
        defaults={"fingerprint": asked.fingerprint, "created": now},
    )
    if made:
        _tidy(now)
    return row, made


def _take_over(row: IdempotencyKey, asked: Asked, now: datetime) -> bool:
    """Begin again in the place of one that is out of date or abandoned; who loses the race has to wait."""
    return bool(
        IdempotencyKey.objects.filter(pk=row.pk, created=row.created).update(
            created=now,
            fingerprint=asked.fingerprint,
            status=IdempotencyKey.Status.RUNNING,
            response_body="",
        )
    )


def _work(pk: int, begun: datetime, work: Callable[[], str]) -> str:
    mine = IdempotencyKey.objects.filter(pk=pk, created=begun)
    try:
        answer = work()
    except BaseException:
        mine.delete()
        raise
    mine.update(status=IdempotencyKey.Status.DONE, response_body=answer)
    return answer


def _tidy(now: datetime) -> None:
    """Remove some that are out of date: as many go as come."""
    old = IdempotencyKey.objects.filter(created__lt=now - KEEP).order_by("created")
    pks = list(old.values_list("pk", flat=True)[:TIDY])
    if pks:
        IdempotencyKey.objects.filter(pk__in=pks, created__lt=now - KEEP).delete()
