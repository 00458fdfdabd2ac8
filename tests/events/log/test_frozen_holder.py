"""A writer that froze in the middle of its transaction does not hold the log for long."""

from threading import Event as Flag
from threading import Thread

import psycopg
import pytest
from django.db import connection

from events import log
from events.errors import LogUnavailable
from events.log import postgres
from events.models import Event
from tests.given import an_event, given_events, given_game

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


class FrozenWriter:
    """Another process that stopped inside COPY, with the partition locked."""

    def __init__(self, partition_ids: list[int]) -> None:
        """Lock and begin to copy, then do nothing more."""
        parameters = connection.get_connection_params()
        self.connection = psycopg.connect(
            **{
                name: parameters[name]
                for name in ("dbname", "user", "password", "host", "port")
                if name in parameters
            }
        )
        self.connection.execute("SELECT set_config('application_name', %s, true)", [postgres.APPLICATION])
        self.connection.execute(
            "SELECT 1 FROM events_partition WHERE id = ANY(%s) FOR NO KEY UPDATE", [partition_ids]
        )
        self.copied, self.go = Flag(), Flag()
        self.error: list[Exception] = []
        self.thread = Thread(target=self._copy, daemon=True)
        self.thread.start()
        assert self.copied.wait(10)

    def _copy(self) -> None:
        try:
            with (
                self.connection.cursor() as cursor,
                cursor.copy("COPY events_outboxevent FROM STDIN") as copy,
            ):
                self.copied.set()
                self.go.wait(60)
                copy.write(b"")
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error.append(error)


def test_a_waiter_ends_a_holder_that_froze_inside_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game(partitions=1)
    given_events(game, an_event(stream="s"))
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT_MS", 300)
    frozen = FrozenWriter(list(game.partition_rows.values_list("id", flat=True)))
    with pytest.raises(LogUnavailable):  # it has not held for longer than 5 s yet
        given_events(game, an_event(id="second", stream="s"))
    assert postgres.end_frozen_holder(older_than_s=0) == 1
    outcome = given_events(game, an_event(id="second", stream="s"))[0]
    assert outcome.version == 2
    assert Event.objects.filter(game=game).count() == 2
    frozen.go.set()
    frozen.thread.join(10)
    assert frozen.error


def test_an_append_that_meets_an_old_holder_succeeds_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game(partitions=1)
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT_MS", 300)
    FrozenWriter(list(game.partition_rows.values_list("id", flat=True)))
    monkeypatch.setattr(postgres.end_frozen_holder, "__defaults__", (0,))
    assert isinstance(given_events(game, an_event())[0], log.Appended)


def test_only_append_transactions_are_ended() -> None:
    game = given_game(partitions=1)
    parameters = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    with psycopg.connect(**{name: parameters[name] for name in names if name in parameters}) as other:
        other.execute("SELECT 1 FROM events_partition WHERE game_id = %s FOR NO KEY UPDATE", [game.id])
        assert postgres.end_frozen_holder(older_than_s=0) == 0
        other.execute("SELECT 1")
