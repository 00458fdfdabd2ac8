"""The contract of transports: every one of them keeps it."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Callable

import pytest
from django.conf import settings

from notifications.push.memory import MemoryTransport
from notifications.push.redis import RedisTransport
from notifications.push.transport import (
    Announced,
    Change,
    Changes,
    Message,
    Newest,
    Replaced,
    Transport,
)

PATIENCE_S = 20
MESSAGES: list[Message] = [
    Changes([Change(1, 0, 2, '{"type":"changes"}', ("e1 00-a-b-01",)), Change(2, 7, 8, "가")]),
    Announced(3, 4, 5, '{"type":"announcements"}'),
    Replaced([Newest(1, "phone", "abc", 1_700_000_000.25)]),
]


class Listener:
    """One subscription, on the running loop."""

    def __init__(self, transport: Transport) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.subscribed = asyncio.Event()
        self.threads: set[int] = set()
        self.task = asyncio.create_task(transport.run(self._receive, self.subscribed.set))

    def _receive(self, message: Message) -> None:
        self.threads.add(threading.get_ident())
        self.messages.put_nowait(message)

    async def next(self) -> Message:
        return await asyncio.wait_for(self.messages.get(), PATIENCE_S)


@pytest.fixture(params=[pytest.param("memory"), pytest.param("redis", marks=pytest.mark.services)])
def transport(request: pytest.FixtureRequest) -> Transport:
    if request.param == "memory":
        return MemoryTransport()
    return RedisTransport(settings.REDIS_URL, f"test-{uuid.uuid4()}-")


@pytest.fixture
async def listen(transport: Transport) -> AsyncIterator[Callable[[], Listener]]:
    made: list[Listener] = []

    def start() -> Listener:
        made.append(Listener(transport))
        return made[-1]

    yield start
    for listener in made:
        listener.task.cancel()
    await asyncio.gather(*(listener.task for listener in made), return_exceptions=True)


async def published(transport: Transport, *messages: Message) -> None:
    """Publish from a thread, as workers do."""

    def work() -> None:
        for message in messages:
            transport.publish(message)

    await asyncio.to_thread(work)


async def test_every_subscriber_gets_every_message_as_it_was_in_order(
    transport: Transport, listen: Callable[[], Listener]
) -> None:
    listeners = [listen(), listen()]
    for listener in listeners:
        await asyncio.wait_for(listener.subscribed.wait(), PATIENCE_S)
    await published(transport, *MESSAGES)
    for listener in listeners:
        assert [await listener.next() for _ in MESSAGES] == MESSAGES


async def test_messages_are_handed_over_on_the_subscribers_own_thread(
    transport: Transport, listen: Callable[[], Listener]
) -> None:
    """What lives on an event loop must never be touched from a worker's thread."""
    listener = listen()
    await asyncio.wait_for(listener.subscribed.wait(), PATIENCE_S)
    await published(transport, MESSAGES[0])
    await listener.next()
    assert listener.threads == {threading.get_ident()}


async def test_a_message_wakes_a_loop_that_has_nothing_else_to_do(
    transport: Transport, listen: Callable[[], Listener]
) -> None:
    listener = listen()
    await asyncio.wait_for(listener.subscribed.wait(), PATIENCE_S)
    thread = threading.Timer(0.05, transport.publish, [MESSAGES[0]])
    thread.start()
    assert await listener.next() == MESSAGES[0]
    thread.join()


async def test_what_is_published_before_a_subscription_is_not_kept(
    transport: Transport, listen: Callable[[], Listener]
) -> None:
    await published(transport, MESSAGES[0])
    listener = listen()
    await asyncio.wait_for(listener.subscribed.wait(), PATIENCE_S)
    await published(transport, MESSAGES[1])
    assert await listener.next() == MESSAGES[1]


async def test_a_subscriber_that_ended_is_in_nobodys_way(
    transport: Transport, listen: Callable[[], Listener]
) -> None:
    gone, stays = listen(), listen()
    for listener in (gone, stays):
        await asyncio.wait_for(listener.subscribed.wait(), PATIENCE_S)
    gone.task.cancel()
    await asyncio.gather(gone.task, return_exceptions=True)
    await published(transport, MESSAGES[0])
    assert await stays.next() == MESSAGES[0]
    assert gone.messages.empty()


async def test_many_messages_at_once_leave_others_their_turn(
    transport: Transport, listen: Callable[[], Listener]
) -> None:
    listener, turns = listen(), 0
    await asyncio.wait_for(listener.subscribed.wait(), PATIENCE_S)
    publishing = asyncio.create_task(published(transport, *[MESSAGES[0]] * 500))
    while listener.messages.qsize() < 500:
        await asyncio.sleep(0)
        turns += 1
    await publishing
    assert turns > 1


def test_without_subscribers_nothing_happens(transport: Transport) -> None:
    transport.publish(MESSAGES[0])
