"""Within one process: over a thread's edge only by the loop's own thread-safe call."""

import asyncio
import threading

from notifications.push.memory import MemoryTransport
from notifications.push.transport import Announced, Message

MESSAGE = Announced(1, 0, 1, "{}")


def test_publishing_touches_nothing_of_the_subscribers_before_its_loop_has_its_turn() -> None:
    """The loop is held up: whatever is called now would be called on the wrong thread."""
    transport, received = MemoryTransport(), []
    loop, subscribed, held = asyncio.new_event_loop(), threading.Event(), threading.Event()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    done = threading.Event()

    def receive(message: Message) -> None:
        received.append((message, threading.get_ident()))
        done.set()

    task = asyncio.run_coroutine_threadsafe(transport.run(receive, subscribed.set), loop)
    assert subscribed.wait(20)
    loop.call_soon_threadsafe(held.wait, 20)
    transport.publish(MESSAGE)
    assert received == []
    held.set()
    assert done.wait(20)
    assert received == [(MESSAGE, thread.ident)]
    task.cancel()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(20)  # so long it takes to end
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


def test_a_loop_that_was_closed_without_a_word_is_in_nobodys_way() -> None:
    transport, loop = MemoryTransport(), asyncio.new_event_loop()
    transport._subscribers[object()] = (loop, lambda _message: None)
    loop.close()
    transport.publish(MESSAGE)
