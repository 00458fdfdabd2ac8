"""What changed between two revisions is said in words."""

from typing import Any

import pytest

from notifications.admin.wording import SHOWN_MAX, changes

RULE: dict[str, Any] = {
    "event_type": "level.reached",
    "condition": "data.level > 3",
    "audience": {"path": "data.player_id"},
    "class": "inbox",
    "category": "progress",
    "ttl_s": None,
    "default_locale": "en",
    "templates": {"en": {"title": "Level!", "body": "Well done"}},
}


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({}, ["Nothing has changed."]),
        ({"condition": ""}, ["Condition removed: it was “data.level > 3”."]),
        ({"ttl_s": 60}, ["Seconds to live added: “60”."]),
        ({"class": "live", "ttl_s": 5}, ["Class changed from “inbox” to “live”.", "Seconds to live added: “5”."]),
        ({"audience": {"path": "data.members"}}, ["Audience changed from “data.player_id” to “data.members”."]),
        ({"audience": {"players": ["a", "b"]}}, ["Audience changed from “data.player_id” to “2 named players”."]),
        ({"templates": {"en": {"title": "Up!", "body": ""}}}, [
            "Title in en changed from “Level!” to “Up!”.", "Body in en removed: it was “Well done”.",
        ]),
        ({"templates": {"de": {"title": "Stufe!"}}}, ["Words added in de.", "Words removed in en."]),
        ({"data": {"map": "x"}}, ["Data changed."]),
    ],
    ids=["nothing", "removed", "added", "several", "path", "players", "words", "locales", "unknown"],
)  # fmt: skip
def test_each_difference_is_a_sentence(after: dict[str, Any], said: list[str]) -> None:
    assert changes(RULE, RULE | after) == said


def test_named_players_are_counted_not_listed() -> None:
    before, after = ({"audience": {"players": players}} for players in (["a", "b"], ["b", "c", "d"]))
    assert changes(RULE | before, RULE | after) == ["Audience: 2 players added, 1 removed; now 3."]


def test_a_first_revision_is_said_to_be_made() -> None:
    assert changes(None, RULE) == ["Made, with words in en."]


def test_long_values_are_cut() -> None:
    long = changes(RULE, RULE | {"condition": "data.level > 1 || " * 50})[0]
    assert "…”" in long
    assert len(long) < 2 * SHOWN_MAX + 50
