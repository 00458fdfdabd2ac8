"""What a client has to do when its connection ends, case by case."""

import asyncio
import time

from tests.contracts.player_socket.asked import case, expect
from tests.contracts.player_socket.stage import Case, Stage

BACK_S = 6.0
"""A first wait is at most half a second; the rest is for slow machines."""


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
