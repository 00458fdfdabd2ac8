"""Profiles are rebuilt from the log while live goes on, and are then equal, row for row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import time_machine
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from events.errors import ReplayRefused, UnknownFold
from events.hubs import registry
from events.hubs.letters.skipping import skip_one
from events.hubs.run import step_once
from events.lanes import Lane
from events.log.partitions import number_of
from events.models import DeadLetter, Event, Game, Partition, Replay
from events.replays import rebuild, walk, work
from events.replays.fold import folds
from players.erasing import erase
from players.known import forget
from players.models import Player, Profile, ProfileRevision
from players.profiles import Profiles
from tests.events.hubs.test_killed import Killed, Killing
from tests.events.replays.given import given_replay, rebuilt, worked_off
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.players.people import given_player, given_updates
from tests.players.test_profiles import UPDATES, rows

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def game() -> Game:
    """A game whose players have said something about themselves."""
    game = given_game(partitions=2)
    for key in ("alice", "bob", "carol"):
        given_updates(game, key, {"display_name": key}, {"attributes": {"level": 3}}, {"locale": "de"})
    return game


def ruin(game: Game) -> None:
    """Let a mistake of an earlier release have left wrong rows behind."""
    Profile.objects.filter(player__game=game, player__key="alice").update(locale="xx", revision=9)
    Profile.objects.filter(player__game=game, player__key="bob").delete()
    ProfileRevision.objects.filter(player__game=game, player__key="carol", revision=2).delete()
    ProfileRevision.objects.filter(player__game=game, player__key="alice", revision=1).update(locale="zz")


def test_profiles_are_a_fold() -> None:
    assert set(folds()) >= {"profiles"}
    with pytest.raises(UnknownFold, match="there is no fold 'levels'"):
        given_replay(given_game(), target="levels")


def test_a_healthy_fold_is_found_equal_and_nothing_is_written(game: Game) -> None:
    before, ids = rows(game), list(ProfileRevision.objects.values_list("id", flat=True))
    replay = rebuilt(game)
    assert (replay.state, replay.differing, replay.broken) == ("done", 0, 0)
    assert (replay.streams, replay.events, replay.without_payload) == (3, 9, 0)
    assert replay.done == replay.total == 9
    assert rows(game) == before
    assert list(ProfileRevision.objects.values_list("id", flat=True)) == ids, "the same rows, untouched"


def test_a_ruined_fold_is_put_right_and_what_differed_is_counted(game: Game) -> None:
    before = rows(game)
    ruin(game)
    replay = rebuilt(game)
    assert rows(game) == before
    assert replay.differing == 4
    assert sorted(replay.result["differing"]) == [["alice", 2], ["bob", 1], ["carol", 1]]
    assert rebuilt(game).differing == 0


def test_an_emptied_fold_is_made_anew(game: Game) -> None:
    before = rows(game)
    Profiles.empty(game.id)
    assert rebuilt(game).differing == 12
    assert rows(game) == before


def test_rows_of_which_the_log_knows_nothing_go(game: Game) -> None:
    before = rows(game)
    mallory = given_player(game, "mallory")
    Profile.objects.create(player=mallory, display_name="M", changed=NOON)
    ProfileRevision.objects.create(player=mallory, revision=1, event=77, recorded=NOON)
    ProfileRevision.objects.create(
        player=given_player(game, "alice"), revision=77, event=10**15, recorded=NOON
    )
    assert rebuilt(game).differing == 3
    assert rows(game) == before


def test_another_game_is_not_touched(game: Game) -> None:
    other = given_game()
    given_updates(other, "alice", {"display_name": "A"})
    ruin(other)
    wrong = rows(other)
    rebuilt(game)
    assert rows(other) == wrong


def test_one_stream_is_rebuilt_alone(game: Game) -> None:
    ruin(game)
    replay = rebuilt(game, stream="alice")
    assert (replay.streams, replay.differing, replay.done, replay.total) == (1, 2, 1, 1)
    assert Profile.objects.get(player__key="alice").locale == "de"
    assert not Profile.objects.filter(player__key="bob").exists()


def test_a_stream_that_the_fold_has_never_read_is_refused(game: Game) -> None:
    with pytest.raises(ReplayRefused, match="have read no event of a stream nobody"):
        given_replay(game, stream="nobody")
    assert not Replay.objects.exists()
    assert not Player.objects.filter(key="nobody").exists()


# -- from somewhere -------------------------------------------------------------------------------


def later(game: Game) -> None:
    """Let alice and dora say more, an hour after the others' last words."""
    given_updates(game, "alice", {"locale": "fr"}, {"attributes": {"level": 4}})
    given_updates(game, "dora", {"display_name": "Dora"})


def test_from_a_time_only_streams_with_later_events_are_folded_and_earlier_history_stays() -> None:
    game = given_game(partitions=2)
    with time_machine.travel(NOON, tick=False):
        for key in ("alice", "bob"):
            given_updates(game, key, {"display_name": key}, {"attributes": {"clan": "owls"}})
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        later(game)
    before = rows(game)
    Profile.objects.filter(player__key__in=["alice", "bob"]).update(locale="xx")
    ProfileRevision.objects.filter(player__key="alice", revision__gte=3).delete()
    ProfileRevision.objects.filter(player__key="bob", revision=1).update(locale="zz")
    replay = rebuilt(game, begins="2026-11-24T12:30")
    assert (replay.streams, replay.events, replay.differing) == (2, 3, 3)
    assert Profile.objects.get(player__key="bob").locale == "xx", "bob has said nothing since"
    Profile.objects.filter(player__key="bob").update(locale="")
    ProfileRevision.objects.filter(player__key="bob", revision=1).update(locale="")
    assert rows(game) == before


def test_from_a_place_only_that_partition_is_gone_through(game: Game) -> None:
    before = rows(game)
    ruin(game)
    number = number_of("alice", 2)
    partition = Partition.objects.get(game=game, number=number)
    first = Event.objects.filter(partition=partition, stream="alice").order_by("offset")[0].offset
    replay = rebuilt(game, begins=f"{number}:{first}")
    assert list(replay.bounds) == [str(partition.pk)]
    after = rows(game)
    alice = Player.objects.get(key="alice").pk
    assert [row for row in after[0] if row[0] == alice] == [row for row in before[0] if row[0] == alice]


def test_without_earlier_history_a_stream_is_folded_from_its_beginning(game: Game) -> None:
    before = rows(game)
    Profiles.empty(game.id)
    number = number_of("alice", 2)
    partition = Partition.objects.get(game=game, number=number)
    last = Event.objects.filter(partition=partition, stream="alice").order_by("-offset")[0].offset
    rebuilt(game, begins=f"{number}:{last}", stream="alice")
    alice = Player.objects.get(key="alice").pk
    assert rows(game)[0] == [row for row in before[0] if row[0] == alice]


@pytest.mark.parametrize("text", ["yesterday", "7:1", "1:x", "2026-99-01"])
def test_a_beginning_that_is_none_is_refused(game: Game, text: str) -> None:
    with pytest.raises(ReplayRefused):
        given_replay(game, begins=text)


def test_a_beginning_after_everything_does_nothing(game: Game) -> None:
    ruin(game)
    wrong = rows(game)
    replay = rebuilt(game, begins="2126-01-01")
    assert (replay.state, replay.total, replay.differing) == ("done", 0, 0)
    assert rows(game) == wrong


# -- what is not there any more, or not yet -------------------------------------------------------


def test_erased_players_stay_erased(game: Game) -> None:
    erase(Player.objects.get(game=game, key="bob"))
    before = rows(game)
    replay = rebuilt(game)
    assert rows(game) == before
    assert replay.differing == 0
    assert not Profile.objects.filter(player__key="bob").exists()


def test_a_player_erased_in_the_middle_of_a_long_stream_stays_erased(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "PAGE", 2)
    replay = given_replay(game, stream="bob")
    assert work.step(replay)
    assert Replay.objects.get().carried, "it stands within the stream"
    erase(Player.objects.get(game=game, key="bob"))
    worked_off(replay)
    assert not Profile.objects.filter(player__key="bob").exists()
    assert not ProfileRevision.objects.filter(player__key="bob").exists()


def test_payloads_that_are_gone_are_counted(game: Game) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_event SET data = NULL, salt = NULL WHERE stream = 'bob' AND version = 2"
        )
    replay = rebuilt(game)
    assert replay.without_payload == 1
    assert replay.differing == 3, "two revisions and the profile no longer have what was erased"
    assert Profile.objects.get(player__key="bob").attributes == {}


def test_a_parked_stream_is_rebuilt_up_to_where_it_waits(game: Game) -> None:
    before = rows(game)
    given_events(game, an_event(type="player.updated", stream="bob", data={"locale": "fr"}), lane=Lane.URGENT)
    event = Event.objects.get(stream="bob", version=4)
    DeadLetter.objects.create(
        hub="profiles", game=game, partition_id=event.partition_id, lane=Lane.URGENT, stream="bob", version=4,
        event_offset=event.offset, event_type=event.type, cause="KeyError", traceback="", tries=3,
    )  # fmt: skip
    hubs_catch_up(["profiles"])
    assert rebuilt(game).differing == 0
    assert rows(game) == before


def given_skipped(game: Game, key: str) -> None:
    """Let a player say something that is parked and skipped, and something more after it."""
    given_events(game, an_event(type="player.updated", stream=key, data={"locale": "xx"}), lane=Lane.URGENT)
    event = Event.objects.filter(stream=key).order_by("-version")[0]
    letter = DeadLetter.objects.create(
        hub="profiles", game=game, partition_id=event.partition_id, lane=Lane.URGENT, stream=key,
        version=event.version, event_offset=event.offset, event_type=event.type, cause="KeyError", traceback="",
        tries=3,
    )  # fmt: skip
    hubs_catch_up(["profiles"])
    assert skip_one(letter, version=event.version, by="olive", reason="never valid") == 1
    given_updates(game, key, {"attributes": {"level": 4}})


def test_what_staff_have_skipped_is_skipped_again(game: Game) -> None:
    given_skipped(game, "bob")
    assert Profile.objects.get(player__key="bob").locale == "de"
    before = rows(game)
    assert rebuilt(game).differing == 0, "a rebuilt fold equals the one that live has made"
    Profiles.empty(game.id)
    assert rebuilt(game).broken == 0
    assert rows(game) == before


def test_a_skip_outlives_its_letter(game: Game) -> None:
    given_skipped(game, "bob")
    before = rows(game)
    DeadLetter.objects.all().delete()  # as retention does after some months
    assert rebuilt(game).differing == 0
    assert rows(game) == before


def test_events_that_live_has_not_reached_are_left_to_it(game: Game) -> None:
    before = rows(game)
    given_events(game, an_event(type="player.updated", stream="bob", data={"locale": "fr"}), lane=Lane.URGENT)
    assert rebuilt(game).differing == 0
    assert rows(game) == before
    hubs_catch_up(["profiles"])
    assert Profile.objects.get(player__key="bob").revision == 4


def test_a_stream_that_fails_is_left_as_it_is_and_the_others_go_on(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Profiles.step

    def fail(self: Profiles, state: Any, event: Any) -> Any:
        if event.stream == "bob" and event.version == 2:
            raise KeyError(event.stream)
        return step(self, state, event)

    ruin(game)
    monkeypatch.setattr(Profiles, "step", fail)
    replay = rebuilt(game)
    assert (replay.state, replay.broken, replay.result["broken"]) == ("done", 1, [["bob", "KeyError"]])
    assert replay.differing == 3
    assert not Profile.objects.filter(player__key="bob").exists()


def test_a_player_whose_key_is_too_long_holds_up_nobody(game: Game, services: bool) -> None:
    given_updates(game, "x" * 300, {"locale": "de"})
    assert DeadLetter.objects.exists() == services, "SQLite takes any length"
    forget()
    replay = rebuilt(game)
    assert (replay.state, replay.broken, replay.differing) == ("done", 0, 0)


# -- while live goes on ---------------------------------------------------------------------------

ACTIONS = st.lists(st.sampled_from(["live", "append", "replay"]), max_size=12)


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking on a database takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(UPDATES, ACTIONS, st.integers(1, 3), st.booleans())
def test_whatever_live_does_meanwhile_it_ends_equal_to_a_fresh_fold(
    updates: list[tuple[str, dict[str, Any]]], actions: list[str], page: int, emptied: bool
) -> None:
    game = given_game(partitions=2)
    half = len(updates) // 2
    for key, data in updates[:half]:
        given_updates(game, key, data)
    if emptied:
        Profiles.empty(game.id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuild, "PAGE", page)
        patch.setattr(walk, "WALKED", page + 1)
        patch.setattr(walk, "STREAMS", 1)
        replay = given_replay(game)
        rest = iter(updates[half:])
        for action in actions:
            act(game, action, rest)
            work.work_for(0.001)
        worked_off(replay)
    for key, data in rest:
        given_updates(game, key, data)
    hubs_catch_up(["profiles"])
    found = rows(game)
    last = rebuilt(game)
    assert rows(game) == found, f"a second rebuild found {last.differing} rows that differ"
    assert as_said(found) == as_said(fresh(game))


def test_a_stream_that_begins_after_the_replay_did_is_looked_at_once_however_long_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuild, "PAGE", 1)
    game = given_game()
    given_updates(game, "olive", {"locale": "de"})
    replay = given_replay(game)
    for locale in ("en", "fr", "ja"):
        given_updates(game, "bob", {"locale": locale})
    assert worked_off(replay).state == "done"


def act(game: Game, action: str, rest: Any) -> None:
    if action == "live":
        step_once(registry.hub("profiles"), Lane.URGENT)
    elif action == "append" and (update := next(rest, None)):
        key, data = update
        event = an_event(type="player.updated", stream=key, data={"player_id": key, **data})
        given_events(game, event, lane=Lane.URGENT)


def fresh(game: Game) -> Any:
    """Return the rows of another game in which the same has happened, folded live."""
    other = given_game(partitions=2)
    for event in Event.objects.filter(game=game, type="player.updated").order_by("id"):
        said = an_event(type=event.type, stream=event.stream, data=orjson.loads(event.data))
        given_events(other, said, lane=Lane.URGENT)
    hubs_catch_up(["profiles"])
    return rows(other)


def as_said(found: tuple[list[Any], list[Any]]) -> Any:
    """Return rows without ids and times, which two games cannot share; players by key."""
    keys = dict(Player.objects.values_list("id", "key"))
    now = sorted((keys[row[0]], *map(repr, row[1:6])) for row in found[0])
    past = sorted((keys[row[0]], row[1], *map(repr, row[3:7])) for row in found[1])
    return now, past


# -- crashes --------------------------------------------------------------------------------------


def killed_after(replay: Replay, statements: int) -> bool:
    """Work a replay off in a process that is killed before a statement; False when it was over before."""
    killing = Killing(statements)
    try:
        with connection.execute_wrapper(killing):
            worked_off(replay)
    except Killed:
        connection.close()  # as the kernel does
        return True
    return False


def test_a_rebuild_that_is_killed_between_any_two_statements_goes_on_where_it_stood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuild, "PAGE", 2)
    game = given_game(partitions=1)
    given_updates(game, "alice", {"locale": "de"}, {"locale": "fr"}, {"display_name": "A"})
    given_updates(game, "bob", {"locale": "de"})
    before = rows(game)
    statements = 0
    while True:
        ruin(game)
        replay = given_replay(game)
        killed = killed_after(replay, statements)
        replay = worked_off(replay)
        assert rows(game) == before, f"killed after {statements} statements"
        assert (replay.state, replay.differing, replay.streams) == ("done", 3, 2)
        if not killed:
            break
        statements += 3
    assert statements > 30


def test_the_step_s_place_is_committed_with_its_rows(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    ruin(game)
    wrong = rows(game)
    replay = given_replay(game)
    monkeypatch.setattr(work, "_finish_step", crash)
    with pytest.raises(SystemExit):
        work.step(replay)
    assert rows(game) == wrong
    assert Replay.objects.get().turn == 0


def crash(*_: Any) -> None:
    raise SystemExit


def test_a_long_stream_is_never_seen_emptied(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "PAGE", 2)
    given_updates(game, "alice", *[{"attributes": {"level": n}} for n in range(7)])
    before = rows(game)
    Profile.objects.filter(player__key="alice").update(locale="xx")
    replay, pages = given_replay(game, stream="alice"), 0
    while Replay.objects.get().state != "done":
        assert Profile.objects.filter(player__key="alice").exists()
        assert ProfileRevision.objects.filter(player__key="alice").count() == 10
        work.step(Replay.objects.get(pk=replay.pk))
        pages += 1
    assert pages >= 5
    assert rows(game) == before


def test_what_live_appends_between_two_pages_is_folded_with_the_last_one(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "PAGE", 2)
    Profile.objects.filter(player__key="alice").update(locale="xx")
    replay = given_replay(game, stream="alice")
    work.step(replay)
    given_updates(game, "alice", {"display_name": "A2"})
    assert Profile.objects.get(player__key="alice").locale == "xx", "live has built on what was wrong"
    worked_off(replay)
    assert Profile.objects.get(player__key="alice").locale == "de"
    assert Profile.objects.get(player__key="alice").display_name == "A2"
    assert list(ProfileRevision.objects.filter(player__key="alice", revision=4).values_list("locale")) == [
        ("de",)
    ]
