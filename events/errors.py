"""Everything that the events room raises, as one family.

EventsError
├── InvalidEvent          the data is wrong: 422, with pointers
├── LogUnavailable        the outcome is unknown: 503, send the same ids again
├── Unauthorized          no valid key: 401
├── Forbidden             the key lacks a scope: 403
├── RateLimited           too much in this minute: 429
├── Overloaded            a lane is over its limit: 429
├── InsideTransaction     append was called inside a transaction: a mistake in our code
├── UnknownGame           no such game, or it has no partitions
├── UnknownHub            no app registered a hub of this name
├── UnknownFold           no hub has a fold of this name
├── ReplayRefused         a replay cannot be started or steered like this
├── IdempotencyRefused    the Idempotency-Key cannot be used: 400
│   ├── IdempotencyReused     it came with another payload before: 422
│   └── IdempotencyRunning    its first request is still being worked on: 409
├── ExportRefused         there is nowhere to export to
├── ExportBroken          an exported file is not what the log said
├── StillNeeded           a payload cannot be erased yet: somebody still reads it
├── LockStays             somebody's lock could not be ended; the text says what to do
├── AppendOnly            the ORM was asked to change what is never changed
└── StartOver             a batch must be begun again; nothing was written
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar


class EventsError(Exception):
    """Root of the family."""


class InvalidEvent(EventsError):
    """An event, or a request with it, breaks a rule.

    ``errors`` holds one (JSON pointer, sentence) for each broken rule.
    """

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        """Keep the pointers; the text joins them."""
        super().__init__("; ".join(f"{pointer or 'event'}: {detail}" for pointer, detail in errors))
        self.errors = list(errors)


class LogUnavailable(EventsError):
    """The log could not answer in time. Whether it stored the events is unknown: send the same ids again."""

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        """Say why in a few words, without values of the caller's."""
        super().__init__(f"the log is not available ({reason}); send the same ids again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Unauthorized(EventsError):
    """There is no valid key or token. The text never repeats what was sent."""


class Forbidden(EventsError):
    """The key or token is valid, and not for this."""


class RateLimited(EventsError):
    """It does not fit into the key's limit for this minute; nothing was stored."""

    def __init__(self, limit: int, retry_after_s: int, headers: Mapping[str, str]) -> None:
        """Name the limit and when to come back; ``headers`` are HTTP's for both."""
        super().__init__(
            f"this key's limit of {limit} a minute does not allow it; come back in {retry_after_s} s"
        )
        self.limit = limit
        self.retry_after_s = retry_after_s
        self.headers = dict(headers)


class Overloaded(EventsError):
    """The hubs are too far behind in these lanes; nothing was stored. The same ids are welcome later."""

    def __init__(self, lanes: Sequence[str], retry_after_s: int) -> None:
        """Name the lanes and when to come back."""
        said = f"{' and '.join(lanes)} events are" if lanes else "events are"
        super().__init__(
            f"{said} refused at the moment: too many wait already. Nothing was stored; send the same again"
            f" in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s


class InsideTransaction(EventsError):
    """Append runs in its own short transaction and refuses to run inside another one."""

    def __init__(self) -> None:
        """Name the way out."""
        super().__init__(
            "append was called inside a transaction; write an outbox row there instead (events.outbox.write)"
        )


class UnknownGame(EventsError):
    """There is no such game."""

    def __init__(self, game: int | str) -> None:
        """Name it."""
        super().__init__(f"there is no game {game!r}; make one with: manage.py creategame SLUG")


class UnknownHub(EventsError):
    """No app has registered a hub of this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """Name it and those that are there."""
        super().__init__(f"there is no hub {name!r}; registered are: {', '.join(known) or 'none'}")


class UnknownFold(EventsError):
    """No hub has a fold of this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """Name it and those that are there."""
        super().__init__(f"there is no fold {name!r}; there are: {', '.join(known) or 'none'}")


class ReplayRefused(EventsError):
    """A replay cannot be started or steered like this. ``field`` names what is wrong, where it is one thing."""

    def __init__(self, message: str, field: str = "") -> None:
        """Say why in a sentence."""
        super().__init__(message)
        self.field = field


class IdempotencyRefused(EventsError):
    """An ``Idempotency-Key`` cannot be used; nothing was done. ``status`` and ``slug`` are HTTP's."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    slug: ClassVar[str] = "idempotency-key"


class IdempotencyReused(IdempotencyRefused):
    """The same key came with another payload before. Use a new key for a new request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key came with another payload before; use a new one")


class IdempotencyRunning(IdempotencyRefused):
    """The first request with this key has not been answered yet. Send the same again in a moment."""

    status = HTTPStatus.CONFLICT
    slug = "idempotency-key-running"

    def __init__(self) -> None:
        super().__init__("the first request with this Idempotency-Key is still running; come back in 1 s")


class LockStays(EventsError):
    """A connection that holds a lock was not ended; the text says why, and what to do."""


class AppendOnly(EventsError):
    """These rows are written once and never changed."""

    def __init__(self, what: str, verb: str) -> None:
        """Name the table and what was tried."""
        super().__init__(f"{what} rows are append-only; {verb}() is refused")


class ExportRefused(EventsError):
    """There is nowhere to export to; the text names the setting."""


class ExportBroken(EventsError):
    """An exported file, or a line in it, is not what the log's chain of digests says. Do not rely on it."""


class StillNeeded(EventsError):
    """Payloads that hubs, dead letters or audiences still read are not erased. Nothing was; try again later."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        """Take why, by place (``partition:offset``)."""
        said = "; ".join(f"{place}: {reason}" for place, reason in list(reasons.items())[:5])
        super().__init__(f"{len(reasons)} of these payloads are still needed ({said}); nothing was erased")
        self.reasons = dict(reasons)


class StartOver(EventsError):
    """The claim was lost, or what the batch needs has changed; the batch is begun again."""


class LetterGone(EventsError):
    """A dead letter is resolved, by a retry or by somebody else."""

    def __init__(self, letter_id: int) -> None:
        """Name it."""
        super().__init__(f"dead letter {letter_id} is resolved; its stream goes on")


class LetterMoved(EventsError):
    """A dead letter no longer stands where somebody saw it. Look again before deciding."""

    def __init__(self, letter_id: int, seen: int, now: int) -> None:
        """Name both versions."""
        super().__init__(
            f"dead letter {letter_id} stands at version {now} now, not {seen}; nothing was skipped, look again"
        )


class LettersChanged(EventsError):
    """Of the dead letters that somebody saw, some are gone or have moved, or others have come. Look again."""

    def __init__(self, seen: int, now: int) -> None:
        """Say how many were seen and how many there are."""
        super().__init__(f"{seen} dead letters were shown, {now} are there as they were; nothing was done")
        self.seen, self.now = seen, now


class RoundOpen(EventsError):
    """All dead letters with one fingerprint are being retried or skipped already. Wait, or cancel that first."""

    def __init__(self, hub: str, fingerprint: str) -> None:
        """Name them."""
        super().__init__(
            f"a round over the dead letters {fingerprint} of {hub} is under way; nothing was done"
        )
