"""A rule's definition: compiled, refused, checked against a sample, previewed, explained."""

import json

import pytest

from notifications.engine import (
    EventView,
    Outcome,
    PlayerState,
    PlayerView,
    RuleInvalid,
    check,
    compile_rule,
    decide,
    explain,
    explain_stored,
    preview,
    reaches,
    stored_gates,
)
from notifications.engine.gates import GATES
from tests.notifications.engine.cases import ALICE, NOW, decided, definition, event, reached, rule

SAMPLE = EventView.sample(
    "guild.invite.received",
    {"player_id": "p1", "guild": "Owls", "from": "Bob", "level": 3, "members": ["p1"]},
    NOW,
)


def test_the_smallest_definition_compiles() -> None:
    compiled = compile_rule({"event_type": "x.happened", "templates": {"en": {"title": "Hi"}}})
    assert (compiled.condition, compiled.ttl_s, compiled.rule_id) == (None, None, 0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_type": ""}, "event_type"),
        ({"event_type": "x" * 256}, "event_type"),
        ({"event_type": None}, "event_type"),
        ({"condition": 7}, "condition"),
        ({"class": "reward"}, "class"),
        ({"class": []}, "class"),
        ({"category": "a b"}, "category"),
        ({"category": "x" * 41}, "category"),
        ({"category": ""}, "category"),
        ({"ttl_s": 0}, "ttl_s"),
        ({"ttl_s": True}, "ttl_s"),
        ({"ttl_s": 1.5}, "ttl_s"),
        ({"ttl_s": 10**9}, "ttl_s"),
        ({"default_locale": "??"}, "default_locale"),
        ({"default_locale": "de"}, "templates"),
        ({"templates": {}}, "templates"),
        ({"templates": []}, "templates"),
        ({"templates": {"en": "Hi"}}, "templates.en"),
        ({"templates": {"en": {"title": "a", "subtitle": "b"}}}, "templates.en"),
        ({"templates": {"en": {"title": "a"}, "e n": {"title": "b"}}}, "templates.e n"),
        ({"templates": {"en": {"title": "a"}, "EN": {"title": "b"}}}, "templates.EN"),
        ({"content": "magic"}, "content"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_refused_by_name(change: dict[str, object], field: str) -> None:
    with pytest.raises(RuleInvalid) as refused:
        compile_rule(definition(**change))
    assert [name for name, _ in refused.value.problems] == [field]
    assert str(refused.value).startswith(f"{field}: ")


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(RuleInvalid) as refused:
        compile_rule(
            {"condition": "(", "audience": 7, "templates": {"en": {"title": "{{ x", "body": "{{ y"}}}
        )
    assert [name for name, _ in refused.value.problems] == [
        "event_type",
        "condition",
        "audience",
        "templates.en.title",
        "templates.en.body",
    ]


def test_a_rule_that_fits_its_sample_has_no_problem() -> None:
    assert check(definition(condition="data.level > 1"), SAMPLE) == []


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"condition": "data.levl > 1"}, "condition", "data.levl is not in the sample"),
        ({"condition": "data.level > 1 || data.levl > 1"}, "condition", "data.levl is not in the sample"),
        ({"condition": "data.guild > 1"}, "condition", "fails on the sample"),
        ({"condition": "data.level"}, "condition", "gives number"),
        ({"audience": {"path": "data.player"}}, "audience", "data.player is not in the event"),
        ({"audience": {"path": "data.level"}}, "audience", "1 x number"),
        ({"class": "live"}, "ttl_s", "seconds to live"),
        ({"templates": {"en": {"title": "{{ data.gild }}!"}}}, "templates.en", "title: data.gild is missing"),
        ({"templates": {"en": {"title": "x", "body": "{{ data.gild }}"}}}, "templates.en", "body: data.gild"),
        ({"templates": {"en": {"title": "x" * 201}}}, "templates.en", "cut from 201 to 200"),
        ({"templates": {"en": {"title": "{% if false %}x{% endif %}"}}}, "templates.en.title", "is empty"),
        ({"templates": {"en": {"title": "{{ data.guild | date }}"}}}, "templates.en", "needs a time"),
        ({"data": {"a": "{{ data.gild }}"}}, "templates.en", "data.a: data.gild is missing"),
        ({"templates": {"en": {"title": "{{ x"}}}, "templates.en.title", "line 1"),
    ],
)
def test_a_rule_that_does_not_fit_its_sample_is_told_why(change, field: str, said: str) -> None:
    problems = check(definition(**change), SAMPLE)
    assert [name for name, _ in problems] == [field]
    assert said in problems[0][1]


@pytest.mark.parametrize(
    "change",
    [
        {"condition": "has(data.levl) && data.levl > 1"},
        {"condition": "data.level > 99"},
        {"condition": "data.members.exists(m, m == 'p1')"},
        {"condition": "data.guild.startsWith('O')"},
        {"audience": {"path": "data.members"}},
        {"audience": {"players": ["p9"]}},
        {"class": "live", "ttl_s": 20},
        {"templates": {"en": {"title": "{{ player.attributes.clan }} x"}}},
        {"templates": {"en": {"title": "{{ data.gild | default: 'a guild' }}"}}},
    ],
)
def test_what_is_no_mistake_is_not_complained_of(change) -> None:
    assert check(definition(**change), SAMPLE) == []


def test_a_preview_shows_the_decision_and_every_locale() -> None:
    texts = {
        "en": {"title": "Hi {{ player.display_name }}"},
        "de": {"title": "Hallo {{ player.display_name }}"},
    }
    shown = preview(definition(templates=texts), SAMPLE, PlayerView(key="p1", display_name="Alice"), NOW)
    assert shown.decision.outcome is Outcome.SENT
    assert {locale: content.title for locale, content in shown.contents.items()} == {
        "en": "Hi Alice",
        "de": "Hallo Alice",
    }
    assert shown.problems == ()
    assert reaches(rule(), SAMPLE, NOW) == ("p1",)


def test_a_preview_shows_what_fails_beside_what_does_not() -> None:
    texts = {"en": {"title": "Hi"}, "de": {"title": "{{ data.guild | date }}"}}
    shown = preview(definition(templates=texts), SAMPLE, PlayerView(key="p1"), NOW)
    assert list(shown.contents) == ["en"]
    assert shown.problems[0][0] == "templates.de"


def test_a_preview_decides_as_live_does() -> None:
    player = PlayerView(key="p1", locale="en")
    shown = preview(definition(), SAMPLE, player, NOW)
    assert shown.decision == decide(compile_rule(definition()), SAMPLE, player, PlayerState(), NOW)


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (decided(), "Sent: every gate let it through."),
        (decided(), "The rule has no condition."),
        (decided(), "The player is in the audience: 1 found by data.player_id."),
        (decided(), "It never expires."),
        (
            decided(ttl_s=20),
            "It was in time: decided at 2026-01-31T12:00:00Z, expires at 2026-01-31T12:00:20Z.",
        ),
        (decided(condition="data.level > 3"), "The condition is true for this event."),
        (decided(condition="data.level > 99"), "The condition is false for this event."),
        (
            decided(condition="data.nope > 99"),
            "The condition could not be worked out: nope is not in the event.",
        ),
        (
            decided(player=PlayerView(key="alice", erased=True)),
            "The player was erased and hears nothing any more.",
        ),
        (
            decided(player=PlayerView(key="bob")),
            "The player is not in the audience: 1 others found by data.player_id.",
        ),
        (decided({"player_id": 7}), "The audience could not be worked out: data.player_id: 1 x number"),
        (
            decided(templates={"en": {"title": "a{{ data.no }}"}}),
            "About the text: title: data.no is missing.",
        ),
        (decided(**{"class": "live"}), "The expiry could not be worked out: class live needs ttl_s"),
    ],
)
def test_a_decision_is_explained_in_plain_words(decision, said: str) -> None:
    assert any(sentence.startswith(said) for sentence in explain(decision)), explain(decision)


def test_a_stored_decision_is_explained_as_the_fresh_one() -> None:
    for decision in (
        decided(ttl_s=20),
        decided({}),
        decided(player=PlayerView(key="bob")),
        decided(condition="1 == 2"),
    ):
        stored = json.loads(json.dumps(decision.gates_json()))
        assert stored_gates(stored) == decision.gates
        assert explain_stored(stored, decision.outcome.value) == explain(decision)


def test_a_gate_nobody_has_words_for_is_still_explained() -> None:
    gates = [
        {
            "name": "cap",
            "passed": False,
            "values": {"count": 5, "limit": 5},
            "reason": "full",
            "outcome": "suppressed",
        }
    ]
    assert explain_stored(gates, "suppressed") == [
        "The gate cap stopped it (full): count 5, limit 5.",
        "Not sent.",
    ]


def test_the_gates_run_in_the_order_of_the_design() -> None:
    assert [gate.name for gate in decided().gates] == ["condition", "audience", "expiry"]
    assert [gate.__module__.rpartition(".")[2] for gate in GATES] == ["audience", "expiry"]


def test_the_gates_after_the_one_that_stops_are_not_asked() -> None:
    assert [gate.name for gate in decided(player=PlayerView(key="bob")).gates] == ["condition", "audience"]


def test_a_decision_names_all_that_a_backtest_needs() -> None:
    made = decided()
    assert (made.rule_id, made.revision_id, made.event_id) == (7, 70, "e1")
    assert (made.player, made.profile_revision, made.now) == ("alice", 3, NOW)


def test_deciding_twice_gives_the_same() -> None:
    compiled = rule(condition="data.level > 3", ttl_s=60)
    first = decide(compiled, event(), ALICE, PlayerState(), NOW)
    assert decide(compiled, event(), ALICE, PlayerState(), NOW) == first


def test_a_rule_that_fails_says_so_for_the_asked_player_too() -> None:
    assert decided(condition="data.nope > 1").player == "alice"
    assert reached({}, condition="data.nope > 1").record.player == ""
