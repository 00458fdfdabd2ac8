"""What a client has to do while it is connected, case by case; the docstring of each says what is asked for."""

import asyncio
import time

from tests.contracts.player_socket.asked import case, expect
from tests.contracts.player_socket.stage import DEVICE, Stage

# -- coming in -----------------------------------------------------------------------------------------------


@case
async def connects(stage: Stage) -> None:
    """The first message is connect, with a token and a device, and without since the first time."""
    line = await stage.connection()
    expect(line.connect.get("token"), "connect has no token")
    expect(line.connect.get("device") == DEVICE, "connect does not name the device it was given")
    expect("since" not in line.connect, "a client that knows nothing sends no since")
    await line.is_ready(head=7)
    await line.tells(7, "a", "b")
    await stage.has_shown("a", "b")


@case
async def says_something_at_every_heartbeat(stage: Stage) -> None:
    """It sends something at least every `heartbeat` seconds."""
    line = await stage.connection()
    await line.is_ready(heartbeat=1)
    for _ in range(8):
        await asyncio.sleep(0.5)
        await line.says("heartbeat", head=0, announcements=0, now=stage.now())
    pauses = [two - one for one, two in zip(line.said_at, [*line.said_at[1:], time.monotonic()], strict=True)]
    expect(max(pauses) <= 1.6, f"it said nothing for {max(pauses):.1f} s; heartbeat is 1 s")


@case
async def ignores_what_it_does_not_know(stage: Stage) -> None:
    """Unknown types and fields from the server are ignored."""
    line = await stage.connection()
    await line.says("weather", sun=True)
    await line.is_ready(mood="fine")
    await line.says("status", mode="degraded", detail="clouds")
    await line.says("error", re="dance", code="invalid", detail="no")
    await line.changes(0, 1, stage.item("a", 1, colour="red", **{"class": "something-new"}), later=["x"])
    await line.says("status", mode="normal", detail="")
    await stage.has_shown("a")
    expect(not line.ended.is_set(), "it left")


# -- changes ---------------------------------------------------------------------------------------------------


@case
async def acks_what_it_has_stored(stage: Stage) -> None:
    """Acks are cumulative, and come in time for a window of 64 to go on."""
    line = await stage.connection()
    await line.is_ready()
    names = [f"n{number:02}" for number in range(64)]
    await line.tells(0, *names)
    await line.has_acked(64)
    await line.tells(64, "z")
    await line.has_acked(65)
    await stage.has_shown(*names, "z")


@case
async def drops_what_it_has_had(stage: Stage) -> None:
    """A frame whose `to` is at or below the cursor is dropped; of an overlapping one only the rest is new."""
    line = await stage.connection()
    await line.is_ready()
    await line.tells(0, "a", "b")
    await line.tells(0, "a", "b")
    await line.tells(0, "a")
    await line.changes(1, 3, stage.item("b", 2), stage.item("c", 3))
    await line.has_acked(3)
    await stage.has_shown("a", "b", "c")


@case
async def shows_an_id_once(stage: Stage) -> None:
    """A notification that changes is shown before, not again: by id, whatever its sequence is now."""
    line = await stage.connection()
    await line.is_ready()
    await line.tells(0, "a")
    await line.changes(1, 2, stage.item("a", 2, number=1, read=stage.now(), seen=stage.now()))
    await line.changes(2, 3, stage.item("a", 3, number=1))
    await line.tells(3, "b")
    await stage.has_shown("a", "b")


@case
async def goes_to_the_end_of_a_range(stage: Stage) -> None:
    """A number without an item was superseded: the client goes to `to` and shows nothing for it."""
    line = await stage.connection()
    await line.is_ready()
    await line.changes(0, 5, stage.item("a", 2), stage.item("b", 4))
    await line.changes(5, 6, seen_through=2, read_through=2)
    await line.has_acked(6)
    await line.drops()
    again = await stage.connection()
    expect(again.connect["since"]["seq"] == 6, f"it resumes from {again.connect['since']}, not from 6")
    await stage.has_shown("a", "b")


@case
async def asks_for_what_is_missing(stage: Stage) -> None:
    """`from` above the cursor: show nothing, send sync with the cursors; then go on with what comes."""
    line = await stage.connection()
    await line.is_ready()
    await line.tells(0, "a")
    await stage.has_shown("a")
    await line.tells(3, "d")
    sync = await line.hears("sync")
    expect(sync["since"]["seq"] == 1, f"its sync says {sync['since']}, not seq 1")
    expect(sync["since"]["epoch"] == "e1", "its sync does not name the epoch")
    expect(stage.shown == ["a"], "it has shown what comes after a gap")
    await line.is_ready(head=4, resume="ok")
    await line.tells(1, "b", "c", "d")
    await stage.has_shown("a", "b", "c", "d")


@case
async def asks_when_a_heartbeat_tells_more(stage: Stage) -> None:
    """A heartbeat whose head is beyond the cursor: something was lost, send sync."""
    line = await stage.connection()
    await line.is_ready()
    await line.says("heartbeat", head=2, announcements=0, now=stage.now())
    expect((await line.hears("sync"))["since"]["seq"] == 0, "its sync does not name its cursor")
    await line.is_ready(head=2, resume="ok")
    await line.tells(0, "a", "b")
    await stage.has_shown("a", "b")


@case
async def shows_nothing_that_is_gone(stage: Stage) -> None:
    """What was taken back is removed, and never shown; a replacement is shown as new."""
    line = await stage.connection()
    await line.is_ready()
    await line.tells(0, "a")
    gone = {"number": 2, "seq": 2, "id": stage.id_of("b"), "gone": "recalled"}
    replaced = {"number": 1, "seq": 3, "id": stage.id_of("a"), "gone": "replaced"}
    await line.changes(1, 4, gone, replaced, stage.item("c", 4, number=3, replaces=stage.id_of("a")))
    await stage.has_shown("a", "c")


@case
async def shows_nothing_expired_by_a_clock_that_is_behind(stage: Stage) -> None:
    """What has expired by the server's clock is not shown, though the machine's own clock is two hours late."""
    stage.clock_ahead_s = 7_200
    line = await stage.connection()
    await line.is_ready()
    over, lasting = (
        stage.item("over", 1, expires=stage.now(-5)),
        stage.item("lasts", 2, expires=stage.now(60)),
    )
    await line.changes(0, 2, over, lasting)
    await stage.has_shown("lasts")


@case
async def shows_what_lasts_by_a_clock_that_is_ahead(stage: Stage) -> None:
    """What has not expired by the server's clock is shown, though the machine's own is two hours early."""
    stage.clock_ahead_s = -7_200
    line = await stage.connection()
    await line.is_ready()
    over, lasting = (
        stage.item("over", 1, expires=stage.now(-5)),
        stage.item("lasts", 2, expires=stage.now(60)),
    )
    await line.changes(0, 2, over, lasting)
    await stage.has_shown("lasts")


@case
async def follows_announcements(stage: Stage) -> None:
    """Announcements have a cursor of their own: kept, resumed with, and asked for after a gap."""
    line = await stage.connection()
    await line.is_ready(announcements=4)
    news = stage.item("news", 5, number=None, **{"class": "announcement"})
    await line.says("announcements", **{"from": 4, "to": 5, "items": [news]})
    await line.says("announcements", **{"from": 7, "to": 8, "items": []})
    sync = await line.hears("sync")
    expect(sync["since"].get("announcements") == 5, f"its sync says {sync['since']}, not announcements 5")
    await line.is_ready(announcements=8, resume="ok")
    await line.says("announcements", **{"from": 5, "to": 8, "items": []})
    await line.tells(0, "a")
    await line.has_acked(1)
    await line.drops()
    since = (await stage.connection()).connect["since"]
    expect(since.get("announcements") == 8, f"it resumes with {since}, not with announcements 8")
