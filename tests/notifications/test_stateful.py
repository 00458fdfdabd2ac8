"""A player's life of notifications against plain Python: whatever happens in whatever order, both say the same."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from events.models import Checkpoint
from notifications import announcements
from notifications.inbox import Action, Kind, apply, expiry
from notifications.inbox.pages import page
from notifications.push import publishing
from players.known import ensure
from players.models import Player
from tests.given import an_event, given_events, given_game
from tests.notifications.given import Pushes, decide, given_rule, notifications

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEOPLE = ("alice", "bob")
KINDS: dict[str, dict[str, Any]] = {
    "kept": {},
    "short": {"ttl_s": 10},
    "long": {"ttl_s": 100},
    "live": {"ttl_s": 10, "notification_class": "live"},
}
PLAYERS = st.sampled_from(PEOPLE)
NUMBERS = st.lists(st.integers(1, 12), min_size=1, max_size=4)
BY_IDS = st.tuples(PLAYERS, st.sampled_from(Kind), NUMBERS)
MARKS = st.tuples(PLAYERS, st.sampled_from([Kind.SEEN, Kind.READ]), st.integers(0, 14))


@dataclass
class Thing:
    """One notification as anybody would describe it."""

    number: int
    kind: str
    seq: int
    expires: datetime | None
    seen: bool = False
    read: bool = False
    archived: bool = False
    gone: bool = False

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now


@dataclass
class Life:
    """What a player has, with nothing counted: every number is found by looking at everything."""

    things: list[Thing] = field(default_factory=list)
    changes: int = 0
    seen_through: int = 0
    read_through: int = 0
    announced: set[UUID] = field(default_factory=set)

    def change(self) -> int:
        self.changes += 1
        return self.changes

    def is_read(self, thing: Thing) -> bool:
        return thing.read or thing.number <= self.read_through

    def is_seen(self, thing: Thing) -> bool:
        return thing.seen or thing.number <= self.seen_through

    def unread(self) -> list[Thing]:
        return [
            each
            for each in self.things
            if each.kind != "live" and not (self.is_read(each) or each.archived or each.gone)
        ]

    def inbox(self, now: datetime) -> list[Thing]:
        there = [each for each in self.things if each.kind != "live" and not (each.archived or each.gone)]
        return [each for each in reversed(there) if not each.expired(now)]

    def touch(self, thing: Thing, kind: Kind) -> None:
        done = {Kind.SEEN: self.is_seen(thing), Kind.READ: self.is_read(thing), Kind.ARCHIVE: thing.archived}
        if thing.gone or done[kind]:
            return
        thing.seen = True
        thing.read |= kind is Kind.READ
        thing.archived |= kind is Kind.ARCHIVE
        thing.seq = self.change()

    def mark(self, kind: Kind, through: int) -> None:
        through = min(through, len(self.things))
        moves = kind is Kind.READ and through > self.read_through
        if moves or (kind is Kind.SEEN and through > self.seen_through):
            self.change()
            self.seen_through = max(self.seen_through, through)
            self.read_through = through if moves else self.read_through

    def expire(self, now: datetime) -> None:
        for each in self.unread():
            if each.expired(now):
                each.gone, each.seq = True, self.change()


@dataclass
class Screen:
    """A device that knows only what was pushed to it, as the protocol's client does."""

    cursor: int = 0
    unread: int = 0
    items: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, frame: dict[str, Any]) -> None:
        assert frame["from"] == self.cursor, "ranges leave no hole"
        assert frame["to"] > frame["from"]
        self.cursor, self.unread = frame["to"], frame["unread"]
        assert [item["seq"] for item in frame["items"]] == sorted(item["seq"] for item in frame["items"])
        for item in frame["items"]:
            assert frame["from"] < item["seq"] <= frame["to"]
            if "gone" in item:
                self.items.pop(item["id"], None)
            else:
                self.items[item["id"]] = item
        for mark, state in (("seen_through", "seen"), ("read_through", "read")):
            for item in self.items.values():
                if item["number"] <= frame.get(mark, 0):
                    item[state] = item[state] or "by a mark"

    def inbox(self, now: datetime) -> list[tuple[int, bool, bool]]:
        there = [item for item in self.items.values() if item["class"] == "inbox" and not item["archived"]]
        shown = [
            item for item in there if not item["expires"] or datetime.fromisoformat(item["expires"]) > now
        ]
        return [
            (item["number"], bool(item["seen"]), bool(item["read"]))
            for item in sorted(shown, key=lambda item: -item["number"])
        ]


class LivesAgainstPlainPython(RuleBasedStateMachine):
    """Two players, so that nothing of one may reach the other."""

    @initialize()
    def start(self) -> None:
        self.now = NOON
        self.pushes = Pushes()
        publishing.use(self.pushes)
        self.game = given_game(partitions=2)
        for kind, fields in KINDS.items():
            given_rule(self.game, event_type=f"{kind}.happened", **fields)
        self.ids = ensure(self.game.id, PEOPLE)
        self.lives = {key: Life() for key in PEOPLE}
        self.screens = {key: Screen() for key in PEOPLE}
        self.news: list[UUID] = []
        self.things_happen([(key, kind) for kind in sorted(KINDS) * 2 for key in PEOPLE])

    def teardown(self) -> None:
        publishing.use(None)

    @rule(things=st.lists(st.tuples(PLAYERS, st.sampled_from(sorted(KINDS))), min_size=1, max_size=4))
    def things_happen(self, things: list[tuple[str, str]]) -> None:
        with self.clock():
            for key, kind in things:
                data = {"player_id": key, "level": 1}
                given_events(self.game, an_event(type=f"{kind}.happened", stream=key, data=data))
            decide()
        for key, kind in things:
            life, ttl_s = self.lives[key], KINDS[kind].get("ttl_s")
            expires = self.now + timedelta(seconds=ttl_s) if ttl_s else None
            life.things.append(
                Thing(number=len(life.things) + 1, kind=kind, seq=life.change(), expires=expires)
            )

    @rule(action=BY_IDS | MARKS)
    def a_player_acts(self, action: tuple[str, Kind, list[int] | int]) -> None:
        self.players_act([action])

    @rule(actions=st.lists(BY_IDS | MARKS, min_size=2, max_size=5))
    def players_act(self, actions: list[tuple[str, Kind, list[int] | int]]) -> None:
        """All of them in one transaction, as a gateway gathers them."""
        uids = {key: [row.uid for row in notifications(self.game, key)] for key in PEOPLE}
        asked = [self._action(key, kind, what, uids[key]) for key, kind, what in actions]
        with self.clock():
            results = apply(asked)
        for key, kind, what in actions:
            self._model_action(self.lives[key], kind, what)
        for key in {key for key, _, _ in actions}:
            life, result = self.lives[key], results[self.ids[key]]
            assert (result.head, result.unread) == (life.changes, len(life.unread()))

    def _action(self, key: str, kind: Kind, what: list[int] | int, uids: list[UUID]) -> Action:
        if isinstance(what, int):
            return Action(player_id=self.ids[key], kind=kind, through=what)
        ids = [uids[number - 1] if number <= len(uids) else uuid4() for number in what]
        return Action(player_id=self.ids[key], kind=kind, ids=tuple(ids))

    @staticmethod
    def _model_action(life: Life, kind: Kind, what: list[int] | int) -> None:
        if isinstance(what, int):
            life.mark(kind, what)
            return
        for number in what:
            if number <= len(life.things):
                life.touch(life.things[number - 1], kind)

    @rule(limit=st.integers(1, 3), later_s=st.sampled_from([10, 1, 100]), early=st.booleans())
    def time_passes(self, limit: int, later_s: int, early: bool) -> None:
        """The sweep comes then, or only after the next time."""
        self.now += timedelta(seconds=later_s)
        if not early:
            self.the_sweep_comes(limit)

    def the_sweep_comes(self, limit: int) -> None:
        with self.clock():
            while expiry.expire_due(limit) == limit:
                pass
        # the sweep goes by time, the model by number: within one player the order may differ
        for key, life in self.lives.items():
            life.expire(self.now)
            rows = {row.number: row.seq for row in notifications(self.game, key)}
            gone = [each for each in life.things if each.gone]
            assert sorted(rows[each.number] for each in gone) == sorted(each.seq for each in gone)
            for each in gone:
                each.seq = rows[each.number]

    @rule(key=PLAYERS, place=st.integers(0, 3))
    def an_announcement_is_read(self, key: str, place: int) -> None:
        """It is put first, if there are not so many yet."""
        with self.clock():
            while place >= len(self.news):
                self.news.append(announcements.put(self.game.id, title="news").uid)
            uid, life = self.news[place], self.lives[key]
            apply([Action(player_id=self.ids[key], kind=Kind.READ, ids=(uid,))])
        if uid not in life.announced:
            life.announced.add(uid)
            life.change()

    @rule()
    def a_checkpoint_is_set_back(self) -> None:
        Checkpoint.objects.filter(hub="decisions", partition__game=self.game).update(position=0)
        with self.clock():
            decide()

    @invariant()
    def the_tables_say_the_same(self) -> None:
        if not hasattr(self, "game"):
            return
        for key, life in self.lives.items():
            row, rows = Player.objects.get(pk=self.ids[key]), notifications(self.game, key)
            assert (row.head, row.number, row.unread) == (
                life.changes,
                len(life.things),
                len(life.unread()),
            )
            assert (row.seen_through, row.read_through) == (life.seen_through, life.read_through)
            assert [(each.number, each.seq, bool(each.gone)) for each in rows] == [
                (each.number, each.seq, each.gone) for each in life.things
            ]

    @invariant()
    def the_inbox_shows_the_same(self) -> None:
        if not hasattr(self, "game"):
            return
        for key, life in self.lives.items():
            row = Player.objects.get(pk=self.ids[key])
            expected = [
                (each.number, life.is_seen(each), life.is_read(each)) for each in life.inbox(self.now)
            ]
            with self.clock():
                assert self._pages(row) == expected
                assert self._pages(row, unread=True) == [each for each in expected if not each[2]]

    @staticmethod
    def _pages(row: Player, **how: Any) -> list[tuple[int, bool, bool]]:
        found, before = [], None
        while True:
            part = page(row, before=before, limit=5, **how)
            found += [(item["number"], bool(item["seen"]), bool(item["read"])) for item in part.items]
            if (before := part.next) is None:
                return found

    @invariant()
    def a_device_that_only_listens_shows_the_same(self) -> None:
        if not hasattr(self, "game"):
            return
        keys = {player_id: key for key, player_id in self.ids.items()}
        for change in self.pushes.changes:
            if change.player_id in keys:  # the sweep also meets what earlier examples have left
                self.screens[keys[change.player_id]].take(json.loads(change.frame))
        self.pushes.messages.clear()
        for key, life in self.lives.items():
            screen = self.screens[key]
            expected = [
                (each.number, life.is_seen(each), life.is_read(each)) for each in life.inbox(self.now)
            ]
            assert screen.inbox(self.now) == expected
            assert (screen.cursor, screen.unread) == (life.changes, len(life.unread()))

    def clock(self) -> Any:
        return time_machine.travel(self.now, tick=False)


@pytest.mark.django_db(transaction=True)
class TestLives(TransactionTestCase):
    """Runs the machine; each example has a game of its own."""

    def test_whatever_happens_counters_sequences_pages_and_pushes_are_true(self) -> None:
        machine = LivesAgainstPlainPython.TestCase
        machine.settings = settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # to shrink a failure takes minutes; each step asks the database
        )
        machine("runTest").runTest()
