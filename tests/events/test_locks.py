"""Who holds a partition or a checkpoint, and ending exactly that connection."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from django.urls import reverse
from psycopg import OperationalError

from events import locks
from events.errors import LockStays
from events.models import Checkpoint, Event, Game, OutboxEvent, Partition
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.given import given_game
from tests.staff import olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)
LOCKS = "admin:events_partition_locks"


@pytest.fixture
def game(recording_hub: MakeHub) -> Game:  # noqa: F811 - the fixture
    recording_hub()
    return given_game("alpha", partitions=3)


class Other:
    """Another process's connection to the same database."""

    def __init__(self) -> None:
        self.raw: Any = connection.get_new_connection(connection.get_connection_params())
        self.raw.autocommit = False
        self.pid = self.raw.info.backend_pid
        self.do("SET application_name = 'somebody'")
        self.raw.commit()

    def do(self, sql: str, *values: Any) -> None:
        with self.raw.cursor() as cursor:
            cursor.execute(sql, values)

    def lock(self, table: str, pk: int) -> None:
        self.do(f"SELECT id FROM {table} WHERE id = %s FOR NO KEY UPDATE", pk)

    @property
    def lives(self) -> bool:
        try:
            self.do("SELECT 1")
        except OperationalError:
            return False
        return True


@pytest.fixture
def other() -> Iterator[Other]:
    made = Other()
    yield made
    made.raw.close()


def holder_of(other: Other) -> locks.Holder:
    return next(each for each in locks.holders() if each.pid == other.pid)


@pytest.mark.services
def test_whoever_has_locked_rows_is_named_with_them(game: Game, other: Other) -> None:
    partition = Partition.objects.filter(game=game)[1]
    checkpoint = Checkpoint.objects.filter(partition=partition)[0]
    assert not [each for each in locks.holders() if each.pid == other.pid]
    other.lock("events_partition", partition.pk)
    other.lock("events_checkpoint", checkpoint.pk)
    found = holder_of(other)
    assert (found.name, list(found.partitions), list(found.checkpoints)) == (
        "somebody", [partition.pk], [checkpoint.pk],
    )  # fmt: skip
    assert found.doing == "idle in transaction"
    assert found.since is not None
    other.raw.rollback()
    assert not [each for each in locks.holders() if each.pid == other.pid]


@pytest.mark.services
@pytest.mark.usefixtures("game")
def test_a_forgotten_look_holds_nothing(other: Other) -> None:
    other.do("SELECT * FROM events_partition")
    assert not [each for each in locks.holders() if each.pid == other.pid]


@pytest.mark.services
def test_looking_takes_no_lock_and_those_who_wait_are_counted(game: Game, other: Other) -> None:
    partition = Partition.objects.filter(game=game)[0]
    other.lock("events_partition", partition.pk)
    waiter = Other()
    thread = threading.Thread(target=waiter.lock, args=("events_partition", partition.pk))
    thread.start()
    while holder_of(other).waiting == 0:
        assert thread.is_alive()
    assert holder_of(other).waiting == 1
    other.raw.rollback()
    thread.join()
    assert list(holder_of(waiter).partitions) == [partition.pk]
    waiter.raw.close()


@pytest.mark.services
def test_a_statement_is_shown_without_its_values(game: Game, other: Other) -> None:
    partition = Partition.objects.filter(game=game)[0]
    other.lock("events_partition", partition.pk)
    other.do("SELECT 'a player''s secret'")
    assert holder_of(other).query == "SELECT"


@pytest.mark.services
def test_a_holder_is_ended_and_it_is_told_in_the_log(game: Game, other: Other) -> None:
    partition = Partition.objects.filter(game=game)[0]
    other.lock("events_partition", partition.pk)
    found = holder_of(other)
    assert found.pid
    assert found.started
    locks.end(found.pid, found.started, "olive", "stuck")
    assert not other.lives
    row = OutboxEvent.objects.get(game=game, type="staff.lock.ended")
    assert orjson.loads(row.data) == {
        "by": "olive", "pid": other.pid, "application": "somebody", "reason": "stuck", "partitions": 1,
        "checkpoints": 0,
    }  # fmt: skip


@pytest.mark.services
def test_another_connection_with_the_same_pid_is_never_ended(game: Game, other: Other) -> None:
    """The system gives pids out again: the one that staff saw may be somebody else's by now."""
    other.lock("events_partition", Partition.objects.filter(game=game)[0].pk)
    found = holder_of(other)
    assert found.pid
    assert found.started
    before = found.started - timedelta(seconds=1)
    with pytest.raises(LockStays, match="holds no such lock any more"):
        locks.end(found.pid, before, "olive", "stuck")
    assert not locks._terminate(found.pid, before)
    assert other.lives
    assert not OutboxEvent.objects.filter(type="staff.lock.ended").exists()


@pytest.mark.services
def test_who_has_let_go_is_not_ended(game: Game, other: Other) -> None:
    other.lock("events_partition", Partition.objects.filter(game=game)[0].pk)
    found = holder_of(other)
    assert found.pid
    assert found.started
    other.raw.rollback()
    with pytest.raises(LockStays, match="nothing was ended"):
        locks.end(found.pid, found.started, "olive", "stuck")
    assert other.lives


@pytest.mark.services
def test_where_the_database_does_not_allow_it_the_way_is_told(game: Game, other: Other) -> None:
    other.lock("events_partition", Partition.objects.filter(game=game)[0].pk)
    found = holder_of(other)
    assert found.pid
    assert found.started
    with pytest.raises(LockStays, match="GRANT pg_signal_backend TO"), transaction.atomic():  # noqa: PT012 - a role
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE ROLE clarion_looks; GRANT pg_read_all_stats TO clarion_looks; SET LOCAL ROLE clarion_looks"
            )
        locks._terminate(found.pid, found.started)
    assert other.lives


@pytest.mark.services
def test_the_screen_names_them_asks_and_ends_them(game: Game, other: Other) -> None:
    console = olive()
    partition = Partition.objects.filter(game=game)[0]
    other.lock("events_partition", partition.pk)
    page = text(console.get(reverse(LOCKS)))
    assert "somebody" in page
    assert f"partition alpha/{partition.number}" in page
    found = holder_of(other)
    assert found.pid
    assert found.started
    lever = reverse("admin:events_partition_end", args=[found.pid, found.started.isoformat()])
    assert f'href="{lever}"' in page
    assert "This field is required" in text(console.post(lever, {"confirmed": "1", "reason": ""}))
    done = console.post(lever, {"confirmed": "1", "reason": "stuck"}, follow=True)
    assert said(done) == [f"Ended connection {other.pid} (somebody). 0 had waited for it."]
    assert not other.lives
    assert Event.objects.filter(game=game, type="staff.lock.ended").exists()
    again = console.client.get(lever, follow=True)
    assert said(again) == [f"Connection {other.pid} holds no such lock any more."]


@pytest.mark.services
def test_who_may_only_look_ends_nobody(game: Game, other: Other) -> None:
    other.lock("events_partition", Partition.objects.filter(game=game)[0].pk)
    found = holder_of(other)
    assert found.pid
    assert found.started
    console = vera()
    assert "End it" not in text(console.get(reverse(LOCKS)))
    lever = reverse("admin:events_partition_end", args=[found.pid, found.started.isoformat()])
    assert console.post(lever, {"confirmed": "1", "reason": "x"}).status_code == 403
    assert other.lives


def test_with_nothing_held_the_screen_says_so() -> None:
    assert "Nobody holds anything" in text(olive().get(reverse(LOCKS)))


def test_on_sqlite_the_thread_that_writes_is_named(services: bool) -> None:
    if services:
        pytest.skip("PostgreSQL names connections")
    assert locks.holders() == []
    with transaction.atomic():
        (found,) = locks.holders()
    assert (found.name, found.pid) == (threading.current_thread().name, None)
    assert locks.holders() == []
