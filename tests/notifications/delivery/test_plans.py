"""A million deliveries cost a list or a count no more than a few: their statements name their indexes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import connection

from events.models import Game
from notifications.delivery import groups, operating
from notifications.delivery.groups import Group
from notifications.models import Delivery, Outlet
from notifications.models.deliveries import State
from tests.given import given_game
from tests.plans import indexes_of, recorded, sorts, walks
from tests.staff import olive

pytestmark = pytest.mark.django_db(transaction=True)
TABLE = "notifications_delivery"
STATES = [State.SENT] * 12 + [State.CANCELLED] * 3 + [State.DEAD] * 3 + [State.WAITING] * 2
ERRORS = ("http 410", "http 503", "timeout")
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def game() -> Game:
    """Many games with deliveries by two channels in every state, and statistics."""
    games = [given_game(partitions=1) for _ in range(11)]
    Outlet.objects.bulk_create(
        Outlet(game=each, channel=name) for each in games for name in ("webhook", "memory")
    )
    Delivery.objects.bulk_create(a_delivery(games[n % 11], n) for n in range(6_600))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return games[0]


def a_delivery(game: Game, n: int) -> Delivery:
    state = STATES[n % len(STATES)]
    return Delivery(
        notification_id=UUID(int=n), game=game, channel="webhook" if n % 7 else "memory", state=state,
        due_at=NOON, until=NOON + timedelta(days=1), created=NOON,
        error=ERRORS[n % 3] if state == State.DEAD else "",
        finished=None if state == State.WAITING else NOON + timedelta(seconds=n),
    )  # fmt: skip


def plans(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], *, few: bool = False) -> set[str]:
    """Return the indexes that some work reads deliveries by; it walks none of them, and sorts but a few."""
    with recorded(monkeypatch) as statements:
        work()
    about = [each for each in statements if TABLE in each[0]]
    assert about
    assert not [each[0] for each in about if walks(each, TABLE) or (sorts(each) and not few)]
    return {name for each in about for name in indexes_of(each) if not name.startswith("SCAN")}


def group(game: Game, **fields: str) -> Group:
    return Group(game_id=game.id, channel="webhook", **{"state": State.DEAD, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{"error": "timeout"}, {}, {"state": State.WAITING}])
def test_a_group_is_counted_in_an_index(
    game: Game, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str]
) -> None:
    found = plans(monkeypatch, lambda: groups.count(group(game, **fields)))
    assert found <= {"delivery_dead", "delivery_listed", "delivery_outlived"}


def test_faults_are_found_from_step_to_step(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plans(monkeypatch, lambda: groups.faults(game.id, "webhook"))
    assert found <= {"delivery_dead"}
    assert {each.group.error for each in groups.faults(game.id, "webhook")} == set(ERRORS)


def test_a_group_is_taken_in_order_without_sorting(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX", 50)
    found = plans(monkeypatch, lambda: operating.retry_group(group(game, error="timeout"), "olive", "again"))
    assert found <= {"delivery_dead", "delivery_listed", "PRIMARY KEY", f"{TABLE}_pkey"}


@pytest.mark.parametrize(
    "query",
    [
        {}, {"state": "waiting"}, {"channel": "webhook"}, {"state": "dead", "channel": "memory"}, {"error": "timeout"},
        {"q": str(UUID(int=7))}, {"q": f"{UUID(int=7)}:webhook"}, {"game": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_a_page_of_the_list_is_a_range_of_an_index(
    game: Game, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    console = olive()
    if query.pop("game", None):
        query["game__id__exact"] = str(game.id)
    work = partial(console.rows, "notifications_delivery", **query)
    found = plans(monkeypatch, work, few="q" in query)  # a notification has one for each channel
    pk = {"PRIMARY KEY", f"{TABLE}_pkey"}
    assert found <= {"delivery_dead", "delivery_listed", "delivery_outlived", "delivery_once", *pk}
