"""Whatever the dice say, the demo's events are valid, and a button's event is told."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.demo.catalogue import BY_NAME, PLAYERS, TYPES, DemoType
from config.demo.happenings import on_request, something
from notifications.engine import EventView, Outcome, PlayerState, PlayerView, audience, compile_rule, decide

ALL = [pytest.param(kind, id=kind.name) for kind in TYPES]
VALIDATORS = {kind.name: jsonschema_rs.validator_for(kind.schema) for kind in TYPES}
KEYS = [player.key for player in PLAYERS]
seeds = st.integers(0, 2**32)


def view_of(event: dict[str, Any]) -> EventView:
    now = datetime.now(UTC)
    return EventView(
        id=event["id"],
        source=event["source"],
        type=event["type"],
        subject=event["subject"],
        stream=event["subject"],
        version=1,
        time=now,
        recorded=now,
        expires=None,
        data=event["data"],
        lane=BY_NAME[event["type"]].lane,
    )


def definition_of(kind: DemoType) -> dict[str, Any]:
    return {
        "event_type": kind.name,
        "condition": kind.condition,
        "audience": {"path": kind.audience_path},
        "class": kind.notification_class,
        "category": kind.category,
        "ttl_s": kind.ttl_s,
        "default_locale": "en",
        "templates": {locale: {"title": title, "body": body} for locale, (title, body) in kind.words.items()},
    }


@given(seeds)
def test_whatever_happens_satisfies_the_schema_of_its_type(seed: int) -> None:
    event = something(random.Random(seed))
    assert VALIDATORS[event["type"]].is_valid(event["data"])
    assert event["specversion"] == "1.0"
    assert orjson.loads(orjson.dumps(event)) == event


@pytest.mark.parametrize("kind", ALL)
@given(seed=seeds, player=st.sampled_from(KEYS))
def test_a_buttons_event_is_valid_and_told_to_the_player_who_pressed_it(
    kind: DemoType, seed: int, player: str
) -> None:
    event = on_request(kind.name, player, random.Random(seed))
    assert VALIDATORS[kind.name].is_valid(event["data"])
    rule, view, now = compile_rule(definition_of(kind)), view_of(event), datetime.now(UTC)
    assert player in audience(rule, view, now).players
    person = next(each for each in PLAYERS if each.key == player)
    told = PlayerView(
        key=player, locale=person.locale, timezone=person.timezone, display_name=person.name, attributes={}
    )
    decision = decide(rule, view, told, PlayerState(), now)
    assert (decision.outcome, decision.error) == (Outcome.SENT, "")
    assert decision.content is not None
    assert not decision.content.notes  # nothing was missing in the words
    assert decision.content.title


def test_everything_happens_sooner_or_later_and_big_things_seldom() -> None:
    dice = random.Random(1)
    counts = Counter(something(dice)["type"] for _ in range(20_000))
    assert set(counts) == set(BY_NAME)
    assert counts["maintenance.scheduled"] < counts["match.ready"] < counts["level.reached"]


def test_everybodys_matters_have_a_stream_of_their_own() -> None:
    assert on_request("maintenance.scheduled", "alice", random.Random(1))["subject"] == "servers"
    assert on_request("gift.received", "alice", random.Random(1))["subject"] == "alice"


def test_two_events_never_share_an_id_even_with_the_same_dice() -> None:
    assert something(random.Random(1))["id"] != something(random.Random(1))["id"]


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(KeyError):
        on_request("chest.opened", "alice", random.Random(1))
