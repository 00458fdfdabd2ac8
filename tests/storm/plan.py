"""What happens in the storm: whose events, in which posts, and who is to be told of what. Pure, and repeatable."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]

WRITERS = 20
EVENTS = 20_000
REPEATS = 0.1
"""So many of all items that are posted have been posted before, by the same writer or by another."""
PLAYERS = 40
TWO_DEVICES = range(6)
READERS = range(6, 16)
"""They read now and then while the storm lasts. One device each: on another one what was read moves up."""
CONNECTED = range(24)
GUILDS = 60
SIZES = (1, 1, 1, 2, 5, 10, 20, 40, 60)
CONTESTED = 5
"""So many events each writer gets into one stream that all of them want, by expected versions."""
NEVER = 1_000_000
"""A version that no stream has."""


@dataclass(frozen=True, kw_only=True)
class RuleOf:
    """A rule of the storm's game: its type of event, and what makes it an exception."""

    slug: str
    event_type: str
    condition: str = ""
    audience_path: str = "data.player_id"
    notification_class: str = "inbox"
    ttl_s: int | None = None


RULES = (
    RuleOf(slug="invite", event_type="guild.invite.received"),
    RuleOf(slug="gift", event_type="gift.received"),
    RuleOf(slug="even-gift", event_type="gift.received", condition="data.n % 2 == 0"),
    RuleOf(slug="match", event_type="match.ready", notification_class="live", ttl_s=3_600),
    RuleOf(slug="maintenance", event_type="maintenance.scheduled", audience_path="data.player_ids"),
)
LANES = {"match.ready": "urgent", "maintenance.scheduled": "bulk"}
"""Types that are not in the normal lane; ``player.*`` is urgent by itself."""
KINDS = (
    ("guild.invite.received", 58), ("gift.received", 15), ("match.ready", 12), ("player.updated", 3),
    ("maintenance.scheduled", 5), ("loot.dropped", 7),
)  # fmt: skip


def player(n: int) -> str:
    """Return a player's id."""
    return f"p{n}"


def addressed(event_type: str, data: Any) -> list[tuple[str, str]]:
    """Return (rule, player) for whatever an event should come to, told without the engine."""
    if event_type in {"guild.invite.received", "match.ready"}:
        rule = {"guild.invite.received": "invite", "match.ready": "match"}[event_type]
        return [(rule, data["player_id"])]
    if event_type == "gift.received":
        return [("gift", data["player_id"])] + [("even-gift", data["player_id"])] * (data["n"] % 2 == 0)
    if event_type == "maintenance.scheduled":
        return [("maintenance", each) for each in data["player_ids"]]
    return []


@dataclass
class Script:
    """What one writer does, post by post. ``contested`` and ``refused`` come in between, one by one."""

    posts: list[list[Event]] = field(default_factory=list)
    contested: list[Event] = field(default_factory=list)
    refused: list[Event] = field(default_factory=list)


def scripts(seed: int = 20, events: int = EVENTS) -> list[Script]:
    """Return what each writer does, so many events in all."""
    rng = random.Random(seed)
    own = events // WRITERS - CONTESTED
    written = [[_event(rng, writer, n) for n in range(own)] for writer in range(WRITERS)]
    return [_script(rng, writer, written) for writer in range(WRITERS)]


def _script(rng: random.Random, writer: int, written: list[list[Event]]) -> Script:
    items = list(_with_repeats(rng, writer, written))
    script = Script()
    while items:
        size = rng.choice(SIZES)
        script.posts.append(items[:size])
        items = items[size:]
    for n in range(CONTESTED):
        script.contested.append(_plain(f"contested-{writer}-{n}", "contested", "loot.dropped", {"n": n}))
        refused = _plain(f"never-{writer}-{n}", f"guild/{n}", "loot.dropped", {"n": n})
        script.refused.append(refused | {"expectedversion": NEVER})
    return script


def _with_repeats(rng: random.Random, writer: int, written: list[list[Event]]) -> Iterator[Event]:
    """Follow some events by others that were posted before, or are posted by somebody else at this moment."""
    for n, event in enumerate(written[writer]):
        yield event
        if rng.random() < REPEATS / (1 - REPEATS):
            whose = rng.choice((writer, rng.randrange(WRITERS)))
            again = rng.choice(written[whose][: n + 1])
            if whose != writer and "expectedversion" in again:  # only its writer knows when its turn is
                again = event
            yield again


def _event(rng: random.Random, writer: int, n: int) -> Event:
    event_id = f"{writer}-{n}"
    if n % 20 == 0:  # a stream of the writer's own, whose versions it knows
        stream = f"writer/{writer}"
        return _plain(event_id, stream, "loot.dropped", {"n": n}) | {"expectedversion": n // 20}
    kinds, weights = zip(*KINDS, strict=True)
    (kind,) = rng.choices(kinds, weights)
    whom = player(rng.randrange(PLAYERS))
    if kind == "maintenance.scheduled":
        whoever = [player(each) for each in rng.sample(range(PLAYERS), 3)]
        return _plain(event_id, "servers", kind, {"player_ids": whoever, "n": n})
    if kind == "player.updated":
        return _plain(event_id, whom, kind, {"player_id": whom, "display_name": f"name {event_id}"})
    stream = whom if kind == "match.ready" else f"guild/{rng.randrange(GUILDS)}"
    return _plain(event_id, stream, kind, {"player_id": whom, "n": n, "text": "é 漢字 " * (n % 4)})


def _plain(event_id: str, stream: str, kind: str, data: Any) -> Event:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/storm",
        "type": kind,
        "partitionkey": stream,
        "data": data,
    }
