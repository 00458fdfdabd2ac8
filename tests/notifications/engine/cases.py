"""What the engine's tests are made of: Alice's events and the rules of a demo game."""

from datetime import UTC, datetime
from typing import Any

from notifications.engine import (
    CompiledRule,
    Decision,
    EventView,
    PlayerState,
    PlayerView,
    audience,
    compile_rule,
    decide,
)

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
ALICE = PlayerView(
    key="alice", locale="en-GB", timezone="Europe/London", display_name="Alice", profile_revision=3
)


def definition(**changes: Any) -> dict[str, Any]:
    """Return the definition of a small, valid rule, changed as asked."""
    return {
        "event_type": "guild.invite.received",
        "category": "social",
        "templates": {"en": {"title": "Invited to {{ data.guild }}", "body": "{{ data.from }} asks you"}},
    } | changes


def rule(**changes: Any) -> CompiledRule:
    """Compile that rule."""
    return compile_rule(definition(**changes), rule_id=7, revision_id=70)


def event(data: Any = None, **changes: Any) -> EventView:
    """Return an invitation for Alice, changed as asked."""
    given = {"player_id": "alice", "guild": "Owls", "from": "Bob", "level": 12} if data is None else data
    return EventView(
        **{
            "id": "e1",
            "source": "/demo",
            "type": "guild.invite.received",
            "recorded": NOW,
            "data": given,
        }
        | changes
    )


def decided(data: Any = None, *, player: PlayerView = ALICE, now: datetime = NOW, **changes: Any) -> Decision:
    """Decide about that event for Alice under the rule with these changes."""
    return decide(rule(**changes), event(data), player, PlayerState(), now)


def judged(condition: str, data: Any) -> Any:
    """Return the result of the gate condition on data."""
    compiled = rule(condition=condition).condition
    assert compiled is not None
    return compiled.judge(event(data))


def reached(data: Any, **changes: Any) -> Any:
    """Return whom the rule with these changes reaches."""
    return audience(rule(**changes), event(data), NOW)


def title_of(source: str, data: Any = None, *, player: PlayerView = ALICE, **changes: Any) -> str:
    """Render a title for Alice."""
    made = decided(data, player=player, templates={"en": {"title": source}}, **changes)
    assert made.content is not None, made.error
    return made.content.title
