"""A socket holds cursors and a window; what it must not be sent now puts it behind, and nothing is queued."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifications.gateway import protocol, socket
from notifications.gateway.socket import Socket

WINDOW = protocol.WINDOW


class Wire:
    """What a server would send to the client."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages if "text" in message]


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def alice(wire: Wire) -> Socket:
    """A socket that stands at 10 and has been sent all that there is."""
    made = Socket(wire.send, 1, 1, "phone", datetime.now(UTC) + timedelta(hours=1))
    made.move(10, 3)
    made.behind = made.announcements_behind = False
    made.ready = True
    return made


async def test_the_next_change_is_sent_at_once(alice: Socket, wire: Wire) -> None:
    assert await alice.changes(10, 12, "next")
    assert (alice.cursor, wire.texts) == (12, ["next"])


@pytest.mark.parametrize(("from_", "to"), [(9, 10), (8, 9), (0, 10)])
async def test_what_was_sent_before_is_not_sent_again(alice: Socket, wire: Wire, from_: int, to: int) -> None:
    assert await alice.changes(from_, to, "repeated")
    assert (alice.cursor, wire.texts) == (10, [])


@pytest.mark.parametrize(("from_", "to"), [(11, 12), (9, 12), (10, 10 + WINDOW + 1)])
async def test_a_frame_with_a_hole_or_an_overlap_or_beyond_the_window_puts_it_behind(
    alice: Socket, wire: Wire, from_: int, to: int
) -> None:
    assert not await alice.changes(from_, to, "unfit")
    assert (alice.cursor, alice.behind, wire.texts) == (10, True, [])


async def test_once_behind_not_even_the_next_change_is_sent_by_a_hint(alice: Socket, wire: Wire) -> None:
    await alice.changes(11, 12, "hole")
    assert not await alice.changes(10, 11, "next")
    assert wire.texts == []


async def test_before_it_is_ready_a_hint_only_puts_it_behind(alice: Socket, wire: Wire) -> None:
    alice.ready = False
    assert not await alice.changes(10, 11, "early")
    assert not await alice.announced(3, 4, "early")
    assert (alice.behind, alice.announcements_behind, wire.texts) == (True, True, [])


async def test_each_reason_to_be_behind_is_counted_so_that_a_repair_under_way_knows_of_it(
    alice: Socket,
) -> None:
    before = alice.doubts
    await alice.changes(11, 12, "hole")
    await alice.changes(12, 13, "hole")
    await alice.announced(9, 10, "hole")
    assert alice.doubts == before + 3


async def test_a_full_window_is_blocked_until_an_ack(alice: Socket) -> None:
    assert await alice.changes(10, 10 + WINDOW, "full")
    assert alice.blocked
    assert not await alice.changes(10 + WINDOW, 11 + WINDOW, "more")
    alice.ack(11)
    assert not alice.blocked
    assert alice.upto == 11 + WINDOW


async def test_acks_are_cumulative_and_never_go_back(alice: Socket) -> None:
    await alice.changes(10, 20, "ten")
    alice.ack(18)
    alice.ack(14)
    assert alice.acked == 18


@pytest.mark.parametrize("seq", [-1, 0, 10, 21, 2**70])
async def test_an_ack_of_what_was_never_sent_or_was_acked_before_opens_nothing(
    alice: Socket, seq: int
) -> None:
    await alice.changes(10, 20, "ten")
    alice.ack(seq)
    assert alice.acked == 10


async def test_the_time_of_a_full_window_counts_from_when_it_filled_not_from_the_last_ack(
    alice: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(socket, "monotonic", lambda: now[0])
    now[0] += 3_600  # an hour in which nothing happened
    await alice.changes(10, 10 + WINDOW, "full")
    assert alice.blocked_at == now[0]
    alice.ack(alice.cursor)
    assert alice.blocked_at is None


async def test_an_unread_window_with_nothing_behind_it_lacks_nothing(alice: Socket) -> None:
    await alice.changes(10, 10 + WINDOW, "full")
    assert not alice.lacks
    await alice.changes(10 + WINDOW, 11 + WINDOW, "more")
    assert not alice.lacks  # nothing can be sent before an ack
    alice.ack(alice.cursor)
    assert alice.lacks


async def test_announcements_follow_a_cursor_of_their_own(alice: Socket, wire: Wire) -> None:
    assert await alice.announced(3, 4, "next")
    assert await alice.announced(2, 4, "repeated")
    assert not await alice.announced(5, 6, "hole")
    assert (alice.announcements, alice.announcements_behind, alice.behind) == (4, True, False)
    assert wire.texts == ["next"]


async def test_a_closed_socket_is_sent_nothing_and_closed_once(alice: Socket, wire: Wire) -> None:
    await alice.close(protocol.MALFORMED, "why")
    sent = len(wire.messages)
    await alice.close(protocol.REPLACED, "again")
    await alice.send("more")
    assert len(wire.messages) == sent
    assert [message for message in wire.messages if message["type"] == "websocket.close"] == [
        {"type": "websocket.close", "code": protocol.MALFORMED}
    ]


async def test_what_the_server_cannot_send_to_one_client_is_nobody_elses_fault_and_that_client_comes_back() -> (
    None
):
    closed: list[int] = []

    async def broken(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close":
            closed.append(message["code"])
        raise ConnectionResetError

    bob = Socket(broken, 2, 1, "", datetime.now(UTC))
    bob.move(0, 0)
    bob.behind, bob.ready = False, True
    assert await bob.changes(0, 1, "lost")
    assert (bob.closed, closed) == (True, [protocol.INTERNAL])


@pytest.mark.parametrize(
    ("code", "type"),
    [
        (protocol.TOKEN_WRONG, "error"),
        (protocol.OVERLOADED, "error"),
        (protocol.ROTATE, "bye"),
        (protocol.TOKEN_EXPIRED, "bye"),
        (protocol.SILENT, "bye"),
        (protocol.NO_ACKS, "bye"),
        (protocol.RESTART, "bye"),
    ],
)
async def test_codes_that_say_come_back_as_hinted_come_with_the_hint(
    alice: Socket, wire: Wire, code: int, type: str
) -> None:
    await alice.close(code, "why")
    frame = protocol.members(wire.texts[0])
    assert frame["type"] == type
    assert str(frame["code"]) == str(code)
    if type == "bye":
        least, most = frame["after"]
        assert 0 <= least < most


async def test_a_hint_from_another_history_is_not_sent_and_doubted(alice: Socket, wire: Wire) -> None:
    alice.epoch = 2
    assert not await alice.changes(10, 11, "of the old history", epoch=1)
    assert not await alice.announced(3, 4, "of the old history", epoch=1)
    assert (alice.behind, alice.announcements_behind, wire.texts) == (True, True, [])
