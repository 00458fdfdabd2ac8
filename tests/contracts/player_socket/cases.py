"""What a client has to do, case by case. The docstring of each says what is asked for."""

import asyncio
import time

from tests.contracts.player_socket.stage import DEVICE, Broken, Case, Stage

BACK_S = 6.0
"""A first wait is at most half a second; the rest is for slow machines."""

CASES: dict[str, Case] = {}


def case(run: Case) -> Case:
    """Take up a case under its function's name."""
    CASES[run.__name__.replace("_", "-")] = run
    return run


def expect(so: object, otherwise: str) -> None:
    """Fail with these words unless something is so."""
    if not so:
        raise Broken(otherwise)


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


# -- coming back -------------------------------------------------------------------------------------------------


@case
async def resumes_after_a_cut(stage: Stage) -> None:
    """After a connection broke it comes back with epoch and cursors, and goes on."""
    line = await stage.connection()
    await line.is_ready(epoch="e9", head=3, announcements=2)
    await line.tells(3, "a")
    await stage.has_shown("a")
    await line.drops()
    again = await stage.connection(within=BACK_S)
    wanted = {"epoch": "e9", "seq": 4, "announcements": 2}
    expect(
        again.connect.get("since") == wanted, f"it resumes with {again.connect.get('since')}, not {wanted}"
    )
    await again.is_ready(epoch="e9", head=6)
    await again.changes(4, 6, stage.item("a", 5, number=4, read=stage.now()), stage.item("b", 6))
    await stage.has_shown("a", "b")


@case
async def remembers_after_a_restart(stage: Stage) -> None:
    """Cursors, epoch and shown ids are stored in one write: a client that was killed shows nothing twice."""
    line = await stage.connection()
    await line.is_ready()
    await line.tells(0, "a", "b")
    await line.has_acked(2)
    await stage.has_shown("a", "b")
    await stage.restarts()
    again = await stage.connection()
    expect(again.connect.get("since", {}).get("seq") == 2, f"it resumes with {again.connect.get('since')}")
    await again.is_ready(head=4)
    await again.changes(2, 4, stage.item("a", 3, number=1), stage.item("c", 4))
    await stage.has_shown("a", "b", "c")


@case
async def starts_over_when_it_is_reset(stage: Stage) -> None:
    """Reset: load the inbox, keep the ids that were shown, go on from the new head."""
    line = await stage.connection()
    await line.is_ready(head=3)
    await line.tells(3, "a")
    await stage.has_shown("a")
    await line.drops()
    again = await stage.connection(within=BACK_S)
    stage.inbox = {
        "items": [stage.item("a", 1)], "epoch": "e2", "head": 2, "unread": 1, "next": None
    }  # fmt: skip
    await again.is_ready(epoch="e2", head=2, resume="reset")
    await stage.until(lambda: "/api/v1/inbox" in stage.asked, "it did not load the inbox")
    await again.changes(2, 4, stage.item("a", 3, number=1), stage.item("b", 4))
    await stage.has_shown("a", "b")
    await again.has_acked(4)
    await again.drops()
    since = (await stage.connection(within=BACK_S)).connect["since"]
    expect((since["epoch"], since["seq"]) == ("e2", 4), f"it resumes with {since}")


@case
async def comes_back_as_bye_hints(stage: Stage) -> None:
    """After bye it comes back at a moment within the hint, and resumes."""
    line = await stage.connection()
    await line.is_ready()
    await line.tells(0, "a")
    await stage.has_shown("a")
    said = time.monotonic()
    await line.says("bye", code=4205, after=[1.0, 2.0], detail="deploy")
    await asyncio.sleep(0.1)
    await line.close(4205)
    again = await stage.connection(within=BACK_S)
    pause = again.opened - said
    expect(0.9 <= pause <= 4.0, f"it came back after {pause:.1f} s; the hint was 1 to 2")
    expect(again.connect.get("since", {}).get("seq") == 1, "it does not resume")


@case
async def comes_back_when_heartbeats_stay_out(stage: Stage) -> None:
    """A client that hears no heartbeat for twice as long comes back."""
    line = await stage.connection()
    await line.is_ready(heartbeat=1)
    line.silent = True
    again = await stage.connection(within=2 + BACK_S)
    expect(again.opened - line.opened >= 1.5, "it did not wait for the heartbeat")


@case
async def gets_a_token_when_its_own_has_expired(stage: Stage) -> None:
    """4201: get a token first, then come back."""
    line = await stage.connection()
    await line.is_ready()
    had = stage.tokens
    await line.close(4201)
    again = await stage.connection(within=BACK_S)
    expect(stage.tokens > had, "it asked for no token")
    expect(again.connect.get("token") != line.connect.get("token"), "it came with the token that had expired")


@case
async def comes_back_with_backoff_and_jitter(stage: Stage) -> None:
    """random(0, 0.5 s * 2^n), also where no code is known; n grows while connections do not last."""
    for number, code in enumerate((4100, 4103, 1011, 4998)):
        line = await stage.connection(within=0.5 * 2**number + BACK_S)
        await line.says("error", re="connection", code=str(code), detail="not now")
        await line.close(code)
    line = await stage.connection(within=0.5 * 2**4 + BACK_S)
    await line.is_ready()
    await line.tells(0, "a")
    await stage.has_shown("a")


def _stops(code: int, why: str) -> Case:
    async def stops(stage: Stage) -> None:
        line = await stage.connection()
        await line.is_ready()
        await line.says("error", re="connection", code=str(code), detail=why)
        await line.close(code)
        await stage.stays_away()

    stops.__doc__ = f"{code}, {why}: it does not come back."
    stops.__name__ = f"stops_at_{code}"
    return stops


for _code, _why in (
    (4001, "the token is wrong"),
    (4002, "the player is blocked or erased"),
    (4003, "the version is not spoken"),
    (4004, "a message was malformed"),
    (4005, "the same device has connected again"),
    (4042, "a code between 4000 and 4099 that is not known yet"),
):
    case(_stops(_code, _why))
