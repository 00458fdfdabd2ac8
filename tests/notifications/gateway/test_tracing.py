"""With CLARION_LOG_LEVEL=DEBUG an event can be followed from ingestion to the player's socket."""

import logging
from typing import Any

import orjson
import pytest

from notifications import rulebook
from notifications.models import Rule, RuleTemplate
from tests.given import hubs_catch_up
from tests.notifications.gateway.devices import GatewayThread
from tests.notifications.gateway.scene import Scene
from tests.players.people import GameServer

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STEPS = {"event.ingested", "push.published", "push.sent"}


def given_rule(scene: Scene) -> None:
    """Tell a player that they were invited."""
    rule = Rule.objects.create(game=scene.game, slug="invite", event_type="guild.invite.received")
    RuleTemplate.objects.create(rule=rule, locale="en", title="{{ data.from }} invites you")
    rulebook.save_revision(rule)


def an_invitation(event_id: str, **attributes: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": event_id, "source": "/world", "type": "guild.invite.received",
        "data": {"player_id": "alice", "from": "Olive"}, "partitionkey": "alice", **attributes,
    }  # fmt: skip


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the steps on the road of events, as the log tells them."""
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in lines if line["event"] in STEPS]


@pytest.mark.usefixtures("no_look")
def test_an_event_is_followed_by_its_id_and_traceparent(
    gateway: GatewayThread, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    given_rule(scene)
    server, alice = GameServer(scene.game), gateway.device(scene.token())
    batch = [an_invitation("with a trace", traceparent=TRACE), an_invitation("without")]
    with caplog.at_level(logging.DEBUG):
        answer = server.client.generic(
            "POST", "/api/v1/events", orjson.dumps(batch),
            content_type="application/cloudevents-batch+json", headers={"Authorization": server.bearer},
        )  # fmt: skip
        assert answer.status_code == 200, answer.content
        hubs_catch_up(["decisions"])
        alice.hears_changes(2)
        alice.hears_nothing_before_pong()
    for event_id, trace in (("with a trace", TRACE), ("without", "")):
        road = [line for line in told(caplog) if line["event_id"] == event_id]
        assert len(road) == len(STEPS)
        assert {line["event"] for line in road} == STEPS
        assert {line["traceparent"] for line in road} == {trace}
    assert all("Olive" not in str(line) for line in told(caplog))


@pytest.mark.usefixtures("no_look")
def test_at_the_usual_level_the_road_is_not_told(
    gateway: GatewayThread, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A line for each event and player would be most of the log, and of the work."""
    with caplog.at_level(logging.INFO):
        alice = gateway.device(scene.token())
        scene.tells()
        alice.hears_changes(1)
    assert told(caplog) == []
