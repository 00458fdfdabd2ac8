"""The hot queries name their indexes, on filled tables with the planner's own settings."""

import uuid

import pytest
from django.db import connection

from notifications.gateway import queries
from notifications.gateway.queries import Need
from notifications.models import Announcement, AnnouncementRead, Notification
from players.models import Player
from tests.notifications.gateway.scene import Scene
from tests.plans import indexes_of, recorded

PLAYERS = 100
NOTIFICATIONS = 100


@pytest.fixture
def players(scene: Scene) -> list[int]:
    """Players with many notifications and some announcements that they have read."""
    scene.tells(*(f"p{number}" for number in range(PLAYERS)))
    told = Notification.objects.all()[0]
    ids = list(Player.objects.filter(game=scene.game).order_by("id").values_list("id", flat=True))
    numbers = range(2, NOTIFICATIONS + 1)
    Notification.objects.bulk_create(_another(told, player, number) for player in ids for number in numbers)
    Player.objects.filter(game=scene.game).update(head=NOTIFICATIONS + 10, number=NOTIFICATIONS)
    rows = Announcement.objects.bulk_create(
        Announcement(uid=uuid.UUID(int=number), game=scene.game, seq=number, title="a", created=told.created)
        for number in range(1, 11)
    )
    AnnouncementRead.objects.bulk_create(
        AnnouncementRead(player_id=player, announcement=row, seq=NOTIFICATIONS + row.seq, at=told.created)
        for player in ids
        for row in rows
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return ids


def _another(told: Notification, player: int, number: int) -> Notification:
    return Notification(
        uid=uuid.UUID(int=player * 1_000 + number), game_id=told.game_id, player_id=player,
        rule_id=told.rule_id, event_id=told.event_id, number=number, seq=number, notification_class="inbox",
        category="general", title=told.title, created=told.created,
    )  # fmt: skip


def test_the_repair_reads_by_index_what_each_socket_lacks(
    players: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = [
        Need(player_id=player, after=NOTIFICATIONS - 10, upto=NOTIFICATIONS + 54, epoch=1)
        for player in players[:20]
    ]
    with recorded(monkeypatch) as statements:
        found = queries.supply(needs)
    assert all(each and (len(each.items), len(each.announcements_read)) == (10, 10) for each in found)
    (statement,) = statements
    found_by = indexes_of(statement)
    assert {"notification_seq", "announcement_read_seq"} <= found_by
    assert not {"SCAN notifications_notification", "SCAN notifications_announcementread"} & found_by


@pytest.mark.usefixtures("players")
def test_announcements_are_read_by_their_sequence(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as statements:
        found = queries.announced(scene.game.id, 5)
    assert [item.seq for item in found.items] == [6, 7, 8, 9, 10]
    assert len(statements) == 2
    if connection.vendor == "sqlite":  # ten rows are one page, which PostgreSQL rather reads whole
        assert "announcement_seq" in indexes_of(statements[1])
