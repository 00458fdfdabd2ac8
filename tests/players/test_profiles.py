"""Players' events fold into profiles: in order, field by field, equal after every rebuild."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from events.hubs import registry
from events.hubs.projection import Projection
from events.lanes import Lane
from events.log import LoggedEvent
from events.log.read import batch
from events.models import Checkpoint, DeadLetter, Game, Partition
from players.models import Player, Profile, ProfileRevision
from players.profiles import FIELDS, Profiles
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.players.people import given_player, given_updates

pytestmark = pytest.mark.django_db(transaction=True)


def profile(key: str = "alice") -> dict[str, Any]:
    return Profile.objects.filter(player__key=key).values(*FIELDS).get()


def history(game: Game) -> list[Any]:
    fields = [field.attname for field in ProfileRevision._meta.concrete_fields if field.attname != "id"]
    return list(
        ProfileRevision.objects.filter(player__game=game)
        .order_by("player_id", "revision")
        .values_list(*fields)
    )


def rows(game: Game) -> tuple[list[Any], list[Any]]:
    return list(Profile.objects.filter(player__game=game).order_by("player_id").values_list()), history(game)


def test_the_hub_is_registered_and_locks_players() -> None:
    hub = registry.hub("profiles")
    assert [type(projection) for projection in hub.projections] == [Profiles]
    assert hub.lock


def test_events_fold_in_order_and_leave_a_history() -> None:
    given_updates(
        given_game(),
        "alice",
        {"locale": "en_us", "display_name": "Alice"},
        {"timezone": "europe/berlin", "attributes": {"level": 3, "clan": "owls"}},
        {"locale": "pt-br", "attributes": {"clan": None, "level": 4}},
    )
    after = profile()
    assert {name: after[name] for name in FIELDS if name != "changed"} == {
        "locale": "pt-BR",
        "timezone": "Europe/Berlin",
        "display_name": "Alice",
        "attributes": {"level": 4},
        "revision": 3,
    }
    made = ProfileRevision.objects.order_by("revision").values_list("revision", "locale", "attributes")
    assert list(made) == [
        (1, "en-US", {}),
        (2, "en-US", {"level": 3, "clan": "owls"}),
        (3, "pt-BR", {"level": 4}),
    ]


def test_every_event_about_a_player_counts_and_no_other_does() -> None:
    game = given_game()
    given_updates(game, "alice", {"display_name": "A"}, type="player.created")
    given_updates(game, "alice", {"locale": "de"}, type="player.logged_in")
    given_events(
        game, an_event(type="level.reached", stream="alice", data={"player_id": "alice", "locale": "fr"})
    )
    hubs_catch_up(["profiles"])
    assert (profile()["display_name"], profile()["locale"], profile()["revision"]) == ("A", "de", 2)


def test_null_and_nothing_empty_a_field() -> None:
    known = {"locale": "de", "timezone": "UTC", "display_name": "A"}
    given_updates(given_game(), "alice", known, {"locale": None, "timezone": "", "display_name": None})
    assert [profile()[name] for name in known] == ["", "", ""]


BAD: list[tuple[str, Any]] = [
    ("locale", "not a locale!"),
    ("locale", "x" * 500),
    ("locale", 5),
    ("locale", 0),
    ("locale", False),
    ("locale", []),
    ("timezone", "Mars/Olympus"),
    ("timezone", {"a": 1}),
    ("timezone", "../../etc/passwd"),
    ("display_name", "x" * 121),
    ("display_name", ["Alice"]),
    ("attributes", "level"),
    ("attributes", [1]),
    ("attributes", None),
    ("attributes", {"a": "x" * 20_000}),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda value: repr(value)[:20])
def test_a_bad_field_is_skipped_and_recorded_and_the_others_count(field: str, value: Any) -> None:
    game = given_game()
    good = {"locale": "de", "timezone": "UTC", "display_name": "Alice", "attributes": {"level": 3}}
    given_updates(game, "alice", good)
    rest = {"locale": "fr", "timezone": "Asia/Seoul", "display_name": "Bo", "attributes": {"level": 4}}
    with capture_logs() as logs:
        given_updates(game, "alice", {**rest, field: value})
    assert {name: profile()[name] for name in good} == {**rest, field: good[field]}
    told = [line for line in logs if line["event"] == "profile.field_skipped"]
    assert [line["field"] for line in told] == [field]
    assert told[0]["event_id"]
    assert set(told[0]) <= {"event", "log_level", "game", "event_id", "field"}, (
        "no value is told: it is a player's"
    )
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("data", [None, [], 7, "x", {}])
def test_an_event_without_usable_data_is_a_revision_without_a_change(data: Any) -> None:
    game = given_game()
    given_events(game, an_event(type="player.odd", stream="alice", data=data), lane=Lane.URGENT)
    hubs_catch_up(["profiles"])
    assert (profile()["revision"], profile()["attributes"]) == (1, {})
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("text", ['{"locale":', "[" * 5_000, '{"attributes":{"a":1e999}}'])
def test_text_that_is_no_json_poisons_nothing(text: str) -> None:
    """Ingestion refuses it; the fold does not rely on that."""
    game = given_game()
    made = an_event(type="player.updated", stream="alice", data={})
    broken = type(made)(**{**{name: getattr(made, name) for name in made.__struct_fields__}, "data": text})
    given_events(game, broken, lane=Lane.URGENT)
    given_updates(game, "alice", {"locale": "de"})
    assert profile()["locale"] == "de"
    assert not DeadLetter.objects.exists()


def test_what_a_database_rewrites_does_not_change_the_fold() -> None:
    """jsonb gives 1e30 back as 31 digits: a merge in a later batch must not see another number."""
    in_two, in_one = given_game(), given_game()
    first, second = {"attributes": {"gold": 1e30, "rate": 1e18, "x": 2.0}}, {"attributes": {"b": [1e25, 0.1]}}
    given_updates(in_two, "alice", first)
    given_updates(in_two, "alice", second)
    given_updates(in_one, "alice", first, second)
    two, one = rows(in_two), rows(in_one)
    assert [row[4] for row in two[0]] == [row[4] for row in one[0]]
    assert [row[6] for row in two[1]] == [row[6] for row in one[1]]
    assert set(Profile.objects.first().attributes) == {"gold", "rate", "x", "b"}


def test_an_erased_player_is_never_brought_back() -> None:
    game = given_game()
    bob = given_player(game, "bob", erased="2026-01-01T00:00:00Z")
    given_updates(game, "bob", {"display_name": "Bob"}, {"locale": "de"})
    given_updates(game, "alice", {"display_name": "Alice"})
    assert not Profile.objects.filter(player=bob).exists()
    assert not ProfileRevision.objects.filter(player=bob).exists()
    assert profile()["display_name"] == "Alice"


def test_an_event_that_says_erased_without_a_tombstone_changes_nothing() -> None:
    game = given_game()
    given_updates(game, "alice", {"display_name": "Alice"})
    given_updates(game, "alice", {"display_name": "Mallory"}, type="player.erased")
    assert (profile()["display_name"], profile()["revision"]) == ("Alice", 1)
    assert Player.objects.get(key="alice").erased is None


def log_of(game: Game) -> list[LoggedEvent]:
    partitions = Partition.objects.filter(game=game).order_by("number")
    return [event for partition in partitions for event in batch(partition.id, Lane.URGENT, 0, 10_000)]


def applied(projection: Projection, events: list[LoggedEvent]) -> None:
    projection.apply(events, projection.prepare(events))


UPDATES = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob", "olive"]),
        st.fixed_dictionaries(
            {},
            optional={
                "locale": st.sampled_from(["de", "en_US", "zz!", None, 3]),
                "timezone": st.sampled_from(["UTC", "asia/seoul", "Nowhere", ""]),
                "display_name": st.sampled_from(["A", "B" * 121, None]),
                "attributes": st.dictionaries(
                    st.sampled_from("abc"), st.sampled_from([1, 1.0, 1e30, -1e22, None, "x" * 9_000, [1e19]])
                ),
            },
        ),
    ),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=15,
    deadline=None,
    phases=[
        Phase.explicit,
        Phase.generate,
    ],  # the examples are small; shrinking them on a database takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(UPDATES, st.integers(1, 5))
def test_emptied_and_folded_again_in_other_batches_it_is_equal(
    updates: list[tuple[str, dict[str, Any]]], size: int
) -> None:
    game, other = given_game(), given_game()
    for key, data in updates:
        given_updates(game, key, data)
    given_updates(other, "alice", {"display_name": "untouched"})
    before, others = rows(game), rows(other)
    Profiles.empty(game.id)
    assert rows(game) == ([], [])
    events = log_of(game)
    for start in range(0, len(events), size):
        applied(Profiles(), events[start : start + size])
    assert rows(game) == before
    assert rows(other) == others


def test_a_rebuild_leaves_out_who_was_erased_since() -> None:
    game = given_game()
    given_updates(game, "alice", {"display_name": "Alice"})
    given_updates(game, "bob", {"display_name": "Bob"})
    Player.objects.filter(key="bob").update(erased="2026-01-01T00:00:00Z")
    Profiles.empty(game.id)
    applied(Profiles(), log_of(game))
    assert list(Profile.objects.values_list("display_name", flat=True)) == ["Alice"]


def test_the_fold_and_its_checkpoint_move_together() -> None:
    game = given_game(partitions=1)
    given_updates(game, "alice", {"locale": "de"}, {"locale": "fr"})
    where = Checkpoint.objects.get(hub="profiles", partition__game=game, lane=Lane.URGENT)
    assert (where.position, profile()["revision"]) == (2, 2)
