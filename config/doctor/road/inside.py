"""The road without a server's address: appended here, decided by whoever follows the log, hinted at over Redis."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import orjson
from django.conf import settings
from redis.exceptions import RedisError

from config.doctor.finding import Finding, fail
from config.doctor.redis import client
from config.doctor.road import game, stages
from config.doctor.road.stages import Stages
from config.operator import operator
from events import log
from events.errors import EventsError
from events.lanes import Lane
from events.log import Appended
from notifications.push import Changes, Message
from notifications.push.redis import RedisTransport
from players import known

SOURCE = "clarion:doctor"
_decode = msgspec.msgpack.Decoder(Message).decode


class Ear:
    """Hears, on a thread, when a question's hint passes on the channel of all gateways."""

    def __init__(self, question: str) -> None:
        """Listen for nothing yet."""
        self._question = question
        self.heard = threading.Event()
        self.at = 0.0

    def listen(self, subscription: Any, stop: threading.Event) -> None:
        """Listen until it is heard, or until told to stop."""
        while not stop.is_set() and not self.heard.is_set():
            with suppress(msgspec.DecodeError, RedisError, OSError, ValueError):
                entry = subscription.get_message(timeout=0.2)
                if entry and entry["type"] == "message" and self._is_ours(_decode(entry["data"])):
                    self.at = time.perf_counter()
                    self.heard.set()

    def _is_ours(self, message: Message) -> bool:
        return isinstance(message, Changes) and any(self._question in each.frame for each in message.changes)


def ask() -> Iterator[Finding]:
    """Append an event of the doctor's, and follow it as far as this process can see."""
    made, question = game.install(), f"q-{uuid.uuid4().hex}"
    known.ensure(made.pk, [game.PLAYER])
    with _ear(question) as ear:
        progress = Stages()
        try:
            outcome = log.append_own(
                game_id=made.pk, event_id=question, type=game.TYPE, stream=game.PLAYER, lane=Lane.URGENT,
                source=SOURCE, data=orjson.dumps(game.event_data(question, operator())).decode(),
            )  # fmt: skip
        except EventsError as error:
            yield fail(f"{stages.POSTED.lost}: {type(error).__name__}", stages.POSTED.mend)
            return
        assert isinstance(outcome, Appended), outcome
        progress.note("posted")
        if stages.decided(stages.event_pk(made.pk, outcome.partition, outcome.offset)):
            progress.note("decided")
            if ear and ear.heard.wait(stages.PUSHED_S):
                progress.note("pushed", ear.at)
    hinted = (stages.HINTED,) if ear else ()
    yield from stages.told(progress, (stages.POSTED, stages.DECIDED, *hinted))


@contextmanager
def _ear(question: str) -> Iterator[Ear | None]:
    """Return one that listens already; None where Redis is not there: its own checks say so."""
    if not settings.REDIS_URL:
        yield None
        return
    ear, stop = Ear(question), threading.Event()
    try:
        redis: Any = client()
        subscription = redis.pubsub(ignore_subscribe_messages=True)
        subscription.subscribe(RedisTransport(settings.REDIS_URL, settings.CLARION_PREFIX).channel)
        subscription.get_message(timeout=1.0)
    except (RedisError, OSError):
        yield None
        return
    thread = threading.Thread(target=ear.listen, args=(subscription, stop), name="doctor-ear", daemon=True)
    thread.start()
    try:
        yield ear
    finally:
        stop.set()
        thread.join(2)
        subscription.close()
        redis.close()
