"""The gate audience: whom a rule addresses."""

import pytest

from notifications.engine import Outcome, PlayerState, PlayerView, RuleInvalid, audience, decide
from notifications.engine.audiences import PLAYERS_MAX
from tests.notifications.engine.cases import ALICE, NOW, decided, event, reached, rule


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("", {"player_id": "alice"}, ("alice",)),
        ("data.player_id", {"player_id": "alice"}, ("alice",)),
        ("data.members", {"members": ["alice", "bob"]}, ("alice", "bob")),
        ("data.members", {"members": ["bob", "alice", "bob"]}, ("bob", "alice")),
        ("data.members[*]", {"members": ["alice", "bob"]}, ("alice", "bob")),
        ("data.members[*].id", {"members": [{"id": "alice"}, {"id": "bob"}]}, ("alice", "bob")),
        (
            "data.teams[*].members[*].id",
            {"teams": [{"members": [{"id": "a"}]}, {"members": [{"id": "b"}]}]},
            ("a", "b"),
        ),
        ('data["the player"]', {"the player": "alice"}, ("alice",)),
        ("data.a.b-c", {"a": {"b-c": "alice"}}, ("alice",)),
        ("event.subject", {}, ("carol",)),
    ],
)
def test_an_audience_is_found_in_the_event(path: str, data: object, expected: tuple[str, ...]) -> None:
    found = audience(rule(audience={"path": path}), event(data, subject="carol"), NOW)
    assert found.players == expected
    assert found.record is None


def test_an_audience_of_named_players_needs_nothing_of_the_event() -> None:
    found = reached([], audience={"players": ["olive", "alice", "olive"]})
    assert found.players == ("olive", "alice")


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("data.player_id", {}, "data.player_id is not in the event"),
        ("data.player_id", None, "audience"),
        ("data.player_id", [], "data.player_id is not in the event"),
        ("data.player_id", "alice", "data.player_id is not in the event"),
        ("data.player_id", {"player_id": 7}, "1 x number"),
        ("data.player_id", {"player_id": None}, "1 x null"),
        ("data.player_id", {"player_id": True}, "1 x boolean"),
        ("data.player_id", {"player_id": {"id": "alice"}}, "1 x object"),
        ("data.player_id", {"player_id": ""}, "1 x empty string"),
        ("data.player_id", {"player_id": "x" * 129}, "1 x string over 128 characters"),
        ("data.player_id", {"player_id": "a\x00"}, "cannot be stored"),
        ("data.player_id", {"player_id": "\ud800"}, "cannot be stored"),
        ("data.a.b[*].c", {"a": {"b": {}}}, "data.a.b[*] is not in the event"),
        ("data.a.b[*].c", {"a": {"b": [{"c": "x"}, {}]}}, "data.a.b[*].c is not in the event"),
        ("data.members", {"members": [1, None, 2]}, "2 x number, 1 x null"),
        ("data.members", {"members": [["alice"]]}, "1 x array"),
        (
            "data.members",
            {"members": ["p"] * (PLAYERS_MAX + 1)},
            f"{PLAYERS_MAX + 1} entries, at most {PLAYERS_MAX}",
        ),
    ],
)
def test_an_audience_that_is_no_player_is_a_recorded_failure(path: str, data: object, said: str) -> None:
    missed = reached({} if data is None else data, audience={"path": path})
    assert missed.players == ()
    assert missed.record is not None
    assert missed.record.outcome is Outcome.FAILED
    assert missed.record.player == ""
    assert missed.record.gate == "audience"
    assert said in missed.record.error


def test_a_value_of_the_wrong_type_is_named_by_type_and_not_repeated() -> None:
    record = reached({"player_id": {"mail": "TOPSECRET"}}).record
    assert record is not None
    assert record.gates[-1].values == {"path": "data.player_id", "found": {"object": 1}, "size": 1}
    assert "TOPSECRET" not in record.error


def test_one_wrong_entry_takes_nothing_from_the_others() -> None:
    found = reached({"members": ["alice", 7, "bob", None]}, audience={"path": "data.members"})
    assert found.players == ("alice", "bob")
    assert found.record is not None
    assert found.record.outcome is Outcome.FAILED
    assert found.record.player == ""
    assert "1 x number, 1 x null left out" in found.record.error
    assert found.gates[-1].values["rejected"] == {"number": 1, "null": 1}


def test_an_empty_audience_is_recorded_as_suppressed() -> None:
    missed = reached({"members": []}, audience={"path": "data.members"})
    assert missed.record is not None
    assert missed.record.outcome is Outcome.SUPPRESSED
    assert missed.record.reason == "empty"


def test_an_erased_player_hears_nothing() -> None:
    made = decided(player=PlayerView(key="alice", erased=True))
    assert (made.outcome, made.gate, made.reason) == (Outcome.SUPPRESSED, "audience", "erased")
    assert made.gates[-1].values == {"erased": True}


def test_whoever_is_not_addressed_hears_nothing() -> None:
    made = decided(player=PlayerView(key="mallory"))
    assert (made.outcome, made.gate, made.reason) == (Outcome.SUPPRESSED, "audience", "not_addressed")
    assert made.player == "mallory"


def test_deciding_with_the_found_audience_gives_the_same_decision() -> None:
    compiled, given = rule(), event()
    found = audience(compiled, given, NOW)
    again = decide(compiled, given, ALICE, PlayerState(), NOW, reached=found)
    assert again == decide(compiled, given, ALICE, PlayerState(), NOW)


@pytest.mark.parametrize(
    "given",
    [
        {"path": "player_id"},
        {"path": "data"},
        {"path": "data."},
        {"path": "data..x"},
        {"path": "data.x[0]"},
        {"path": "data.x y"},
        {"path": "event.id"},
        {"path": "event.subject.x"},
        {"path": "data." + "x" * 200},
        {"path": 7},
        {"players": []},
        {"players": "alice"},
        {"players": [7]},
        {"players": [""]},
        {"players": ["p"] * (PLAYERS_MAX + 1)},
        {"players": ["a"], "path": "data.x"},
        {"everybody": True},
        "data.player_id",
        7,
    ],
)
def test_an_audience_that_cannot_be_used_is_refused_when_saved(given: object) -> None:
    with pytest.raises(RuleInvalid) as refused:
        rule(audience=given)
    assert {field for field, _ in refused.value.problems} == {"audience"}
