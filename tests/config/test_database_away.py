"""While the database is known to be away, nobody waits for it: 503 with Retry-After, at once."""

import threading
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from django.test import AsyncClient, Client

from config.postgres.base import DatabaseAway, DatabaseWrapper
from config.vigil import Vigil
from events import breakers, keys, log
from events.breakers import DATABASE, Breaker, Circuit
from events.errors import LogUnavailable
from events.log.appending import committer as appender
from events.log.entries import Entry
from events.log.group import Committer
from tests.given import an_event, given_events, given_game

PATIENCE_S = 20


@pytest.fixture
def _away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Known to be away for as long as the test lasts, whatever a probe would find."""
    with monkeypatch.context() as patch:
        patch.setattr(DATABASE, "_new_circuit", lambda: Circuit(first_s=600, longest_s=600))
        DATABASE.reset()
        yield
    DATABASE.reset()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_away")
def test_an_append_is_refused_before_it_begins_and_goes_through_afterwards() -> None:
    game = given_game()
    DATABASE.trip("gone")
    with pytest.raises(LogUnavailable, match="send the same ids again") as refused:
        log.submit(game.id, [_entry("once")]).result(PATIENCE_S)
    assert refused.value.retry_after_s >= 1
    breakers.forget()
    assert log.submit(game.id, [_entry("once")]).result(PATIENCE_S)[0].version == 1


def _entry(event_id: str) -> Entry:
    return Entry(envelope=an_event(id=event_id, stream="s"), lane=1)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_away")
def test_no_connection_is_tried_and_every_door_says_503(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def connect(*_: object) -> None:
        tried.append(1)
        raise AssertionError

    game = given_game()
    secret = keys.issue(game, "tests")
    given_events(game, an_event())
    appender.stop()  # it keeps its connection
    DATABASE.trip("gone")
    connection.close()
    monkeypatch.setattr(DatabaseWrapper.__mro__[1], "get_new_connection", connect)
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})
    for path in ("/api/v1/events?stream=a", "/admin/login/", "/api/v1/players/alice"):
        answer = client.get(path)
        if path != "/admin/login/":  # it needs no session yet
            assert answer.status_code == 503, path
            assert answer["Retry-After"]
    page = Client(raise_request_exception=False)
    page.cookies["sessionid"] = "somebody"
    answer = page.get("/admin/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "2"
    assert "Nothing is lost" in answer.content.decode()
    assert not tried
    with pytest.raises(OperationalError) as refused:
        connection.ensure_connection()
    assert isinstance(refused.value.__cause__, DatabaseAway)
    monkeypatch.undo()
    breakers.forget()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_away")
async def test_readiness_says_so_without_asking() -> None:
    DATABASE.trip("ConnectionTimeout")
    answer = await AsyncClient().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert "ConnectionTimeout" in answer.json()["dependencies"]["database"]
    assert answer.json()["breakers"]["database"]["state"] == "open"
    assert answer.json()["breakers"]["database"]["since"]


def test_a_server_that_is_frozen_is_found_by_the_vigil_and_keeps_one_thread_only() -> None:
    let_go, made = threading.Event(), []

    def new_check() -> object:
        made.append(1)
        return lambda: let_go.wait(PATIENCE_S)

    breaker = Breaker("frozen")
    Vigil(breaker, new_check, 1.0, 0.05).look()  # type: ignore[arg-type]
    let_go.set()
    assert not breaker.is_closed
    assert breaker.status().why.startswith("no answer within")
    assert len(made) == 2, "a new check, so that the next answer is not waited for behind the lost one"


def test_whose_turn_had_not_come_is_answered_when_the_database_goes() -> None:
    begun, go = threading.Event(), threading.Event()

    def hang(calls: object) -> list[list[object]]:
        begun.set()
        assert go.wait(PATIENCE_S)
        return [[object()] for _ in calls]  # type: ignore[attr-defined]

    committer = Committer(hang)  # type: ignore[arg-type]
    first = committer.submit(1, [_entry("first")])
    assert begun.wait(PATIENCE_S)
    second = committer.submit(1, [_entry("second")])
    committer.refuse_waiting()
    with pytest.raises(LogUnavailable):
        second.result(PATIENCE_S)
    go.set()
    assert len(first.result(PATIENCE_S)) == 1
    committer.stop()


@pytest.mark.django_db(transaction=True)
def test_after_an_outage_the_first_append_does_not_pay_with_a_broken_connection() -> None:
    used: list[object] = []

    def note(calls: object) -> list[list[object]]:
        connection.ensure_connection()
        used.append(connection.connection)
        return [[object()] for _ in calls]  # type: ignore[attr-defined]

    committer = Committer(note)  # type: ignore[arg-type]
    for outage in (False, False, True):
        if outage:
            committer.refuse_waiting()  # what the breaker has called when it opens
        committer.submit(1, [_entry("e")]).result(PATIENCE_S)
    committer.stop()
    before, still, after = used
    assert before is still
    assert after is not before
