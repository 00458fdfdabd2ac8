"""What is due is found by its index, however much waits for later, was sent long ago or belongs to others."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from events.models import Game
from notifications.delivery import claim as claiming
from notifications.delivery import outlets, sweeping
from notifications.models import Delivery
from notifications.models.deliveries import State
from tests.given import given_game
from tests.notifications.delivery.scene import given_memory
from tests.notifications.delivery.test_plans import TABLE
from tests.plans import indexes_of, recorded, walks

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
STATES = [State.SENT] * 12 + [State.DEAD] * 2 + [State.WAITING] * 5 + [State.SENDING]
GAMES, ROWS = 10, 6_000
Reads = Callable[[Callable[[], object]], list[set[str]]]


@pytest.fixture
def games() -> list[Game]:
    """Games with much that was sent, much that waits for later, and some of everything that is due."""
    games = [given_game(partitions=1) for _ in range(GAMES)]
    given_memory(*games)
    for game in games:
        outlets.put(game.id, "webhook", enabled=True)
    Delivery.objects.bulk_create(a_delivery(games[n % GAMES], n) for n in range(ROWS))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return games


def a_delivery(game: Game, n: int) -> Delivery:
    state = STATES[(n // GAMES) % len(STATES)]
    ended = state in {State.SENT, State.DEAD}
    late_s = 1 if state == State.SENDING else 300 - n
    return Delivery(
        notification_id=UUID(int=n), game=game, channel="webhook" if n % 3 else "memory", state=state,
        due_at=NOON - timedelta(seconds=late_s), until=NOON + timedelta(hours=12, seconds=n), created=NOON,
        finished=NOON + timedelta(seconds=n) if ended else None,
    )  # fmt: skip


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Return by which indexes each SELECT of some work reads deliveries; none walks them."""

    def reads(work: Callable[[], object]) -> list[set[str]]:
        with recorded(monkeypatch) as statements:
            work()
        about = [each for each in statements if TABLE in each[0]]
        assert about, "the work has read no deliveries"
        assert not [each[0] for each in about if walks(each, TABLE)]
        return [{name for name in indexes_of(each) if name.startswith("delivery")} for each in about]

    return reads


def test_the_outlets_that_have_something_due_are_found_by_what_is_open(
    games: list[Game], reads: Reads
) -> None:
    assert reads(lambda: claiming.due_outlets(NOON)) == [{"delivery_due"}]
    assert claiming.due_outlets(NOON)
    assert len(claiming.due_outlets(NOON + timedelta(hours=3))) == 2 * len(games)


def test_a_claim_reads_what_is_due_and_what_is_under_way_of_one_outlet(
    games: list[Game], reads: Reads
) -> None:
    assert games
    outlet_id = claiming.due_outlets(NOON)[0]
    flying, due = reads(lambda: claiming._from(outlet_id, 8, NOON))
    assert due == {"delivery_due"}
    assert flying == {"delivery_listed"}


def test_the_deliveries_of_a_notification_are_found_by_its_id(games: list[Game], reads: Reads) -> None:
    assert games
    assert reads(lambda: list(Delivery.objects.filter(notification_id=UUID(int=7)))) == [{"delivery_once"}]


def test_what_is_to_be_ended_or_removed_is_found_by_its_time(games: list[Game], reads: Reads) -> None:
    assert games
    assert reads(lambda: sweeping.end_outlived(NOON)) == [{"delivery_outlived"}]
    later = NOON + timedelta(days=7, minutes=30)
    for found in reads(lambda: sweeping.remove_old(later)):
        assert found <= {"delivery_finished"}
