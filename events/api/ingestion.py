"""``POST /api/v1/events``: no thread, no ORM and no DRF parser on the hot path."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
import structlog
from asgiref.sync import sync_to_async
from django.db import Error
from django.http import HttpRequest, HttpResponse

from events import games, keys, log, pressure, producers, ratelimit
from events.connections import give_back
from events.envelope import (
    MAX_REQUEST_BYTES,
    Envelope,
    NotCloudEvents,
    Reading,
    TooLarge,
    Unreadable,
    read_request,
)
from events.errors import EventsError, InvalidEvent, LogUnavailable, Overloaded
from events.games import GameConfig
from events.lanes import Lane
from events.limits import jittered
from events.log.entries import Appended, Conflict, Duplicate, Entry, Outcome
from events.pressure import Refused
from events.problems import of_error, problem

logger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
JSON = "application/json"
ANSWER_S = 10.0
"""Beyond every time-out of the database's own: it is frozen, or the network is."""
REFUSED = {
    TooLarge: (413, "too-large"),
    NotCloudEvents: (415, "not-cloudevents"),
    Unreadable: (400, "unreadable"),
}
WORDS = ("appended", "duplicate", "conflict", "invalid", "refused")
STATUS = {Appended: "appended", Duplicate: "duplicate", Conflict: "conflict", Refused: "refused"}

Judged = Outcome | InvalidEvent | Refused
A = TypeVar("A")
R = TypeVar("R")


async def ingest(request: HttpRequest) -> HttpResponse:
    """Append the events of a request; the protocol's table says what is answered."""
    try:
        caller = await _caller(request.headers.get("Authorization"))
        caller.require("events:write")
        reading = _read(request)
        left = ratelimit.charge(caller, max(1, len(reading.items)))
        judged = await _append(await _config(caller.game_id), reading)
    except (TooLarge, NotCloudEvents, Unreadable) as error:
        status, slug = next(told for kind, told in REFUSED.items() if isinstance(error, kind))
        return problem(status, slug, str(error))
    except EventsError as error:
        return of_error(error)
    except Error as error:
        return of_error(LogUnavailable(type(error).__name__))
    producers.count(caller.key_id, judged)
    _trace(caller.game, reading, judged)
    response = _answered(reading, judged)
    for name, value in (left.headers() if left else {}).items():
        response[name] = value
    return response


async def _caller(authorization: str | None) -> keys.Caller:
    if (known := keys.cached(authorization)) is not None:
        return known
    return await _looked_up(keys.verify, authorization)


async def _config(game_id: int) -> GameConfig:
    if (known := games.cached(game_id)) is not None:
        return known
    return await _looked_up(games.config_of, game_id)


async def _looked_up(look_up: Callable[[A], R], what: A) -> R:
    """Look something up on a thread, which holds no connection any more when the log is waited for."""

    def work() -> R:
        try:
            return look_up(what)
        finally:
            give_back()

    return await sync_to_async(work)()


def _read(request: HttpRequest) -> Reading:
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MAX_REQUEST_BYTES:
        raise TooLarge(f"the request has {length} bytes; at most {MAX_REQUEST_BYTES} are allowed")
    body = request.read(MAX_REQUEST_BYTES + 1)
    headers = {name.lower(): value for name, value in request.headers.items() if name[:3].lower() == "ce-"}
    return read_request(request.headers.get("Content-Type", ""), headers, body)


async def _append(config: GameConfig, reading: Reading) -> list[Judged]:
    """Append the valid items together, and put each outcome where its item stood."""
    judged: list[Any] = list(reading.items)
    entries: list[Entry] = []
    places: list[int] = []
    waits = _waits(config.id)
    for index, item in enumerate(reading.items):
        found = _entry(config, item, f"/{index}" if reading.batch else "")
        if isinstance(found, InvalidEvent):
            judged[index] = found
        elif found.lane in waits:
            judged[index] = _refused(config.slug, found, waits[found.lane])
        else:
            entries.append(found)
            places.append(index)
    if entries:
        try:
            outcomes = await asyncio.wait_for(asyncio.wrap_future(log.submit(config.id, entries)), ANSWER_S)
        except TimeoutError:
            raise LogUnavailable(f"no answer within {ANSWER_S:.0f} s") from None
        for index, outcome in zip(places, outcomes, strict=True):
            judged[index] = outcome
    return judged


def _entry(config: GameConfig, item: Envelope | InvalidEvent, pointer: str) -> Entry | InvalidEvent:
    if isinstance(item, InvalidEvent):
        return item
    try:
        return Entry(envelope=item, lane=config.lane_of(item, pointer))
    except InvalidEvent as invalid:
        return invalid


def _waits(game_id: int) -> Mapping[int, int]:
    """Return the lanes that are refused, each with the seconds after which to come again."""
    return {lane: jittered(each.wait_s) for lane, each in pressure.refusals(game_id).items()}


def _refused(game: str, entry: Entry, wait_s: int) -> Refused:
    lane = Lane(entry.lane)
    pressure.count(game, lane)
    return Refused(id=entry.envelope.id, source=entry.envelope.source, lane=lane.label, retry_after=wait_s)


def _answered(reading: Reading, judged: list[Judged]) -> HttpResponse:
    refused = [each for each in judged if isinstance(each, Refused)]
    if refused and len(refused) == len(judged):
        lanes = list(dict.fromkeys(each.lane for each in refused))
        return of_error(Overloaded(lanes, max(each.retry_after for each in refused)))
    return _batch(judged) if reading.batch else _single(judged[0])


def _single(judged: Judged) -> HttpResponse:
    if isinstance(judged, InvalidEvent):
        return problem(422, "invalid", "the event breaks a rule", errors=judged.errors)
    if isinstance(judged, Conflict):
        detail = f"wrong expected version: {judged.expected} (the stream is at {judged.actual})"
        return problem(409, "expected-version", detail, expected=judged.expected, actual=judged.actual)
    status = 201 if isinstance(judged, Appended) else 200
    return HttpResponse(_encode(_described(judged)), status=status, content_type=JSON)


def _batch(judged: list[Judged]) -> HttpResponse:
    results = [_described(each) for each in judged]
    counts = dict.fromkeys(WORDS, 0)
    for result in results:
        counts[result["status"]] += 1
    status = 207 if counts["conflict"] or counts["invalid"] or counts["refused"] else 200
    return HttpResponse(_encode({**counts, "results": results}), status=status, content_type=JSON)


def _described(judged: Judged) -> dict[str, Any]:
    if isinstance(judged, InvalidEvent):
        return {
            "status": "invalid",
            "errors": [{"pointer": at, "detail": what} for at, what in judged.errors],
        }
    described = msgspec.structs.asdict(judged)
    return {"status": STATUS[type(judged)], **described}


def _trace(game: str, reading: Reading, judged: list[Judged]) -> None:
    """Log each event's way into the log at debug level, with its id and trace."""
    if not logger.is_enabled_for(10):
        return
    for item, outcome in zip(reading.items, judged, strict=True):
        if isinstance(item, Envelope):
            status = type(outcome).__name__.lower()
            logger.debug(
                "event.ingested", game=game, event_id=item.id, traceparent=item.traceparent, status=status
            )
