"""The log in the console, and what follows it: found by index, read-only."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.admin.lists import PAGES_MAX, ROWS
from events.lanes import Lane
from events.log.appending import append_own
from events.models import Checkpoint, DeadLetter, Event, Game, OutboxEvent
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.plans import Statement, indexes_of, recorded, walks
from tests.staff import Console, address, given_staff, olive, said, text

pytestmark = pytest.mark.django_db(transaction=True)

FILLED = 4_000


def fill(game: Game, count: int = FILLED) -> None:
    """Give a game many events of many types in few streams, and the planner its statistics."""
    for start in range(0, count, 1_000):
        given_events(
            game,
            *[
                an_event(type=f"kind.{n % 7}", stream=f"s{n % 40}")
                for n in range(start, min(start + 1_000, count))
            ],
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def asked_of(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> list[Statement]:
    """Return the SELECTs on the event table that some work sends."""
    with recorded(monkeypatch) as statements:
        work()
    found = [statement for statement in statements if "events_event" in statement[0]]
    assert found
    return found


def types(console: Console, **query: Any) -> list[str]:
    return [row.type for row in console.rows("events_event", **query)]


# -- the log ------------------------------------------------------------------------------------------


def test_events_are_listed_newest_first_over_all_games() -> None:
    one, other = given_game(), given_game()
    for game, name in ((one, "a.first"), (other, "b.second"), (one, "c.third")):
        given_events(game, an_event(type=name))
    assert types(olive()) == ["c.third", "b.second", "a.first"]


def test_pages_of_all_games_together_leave_nothing_out_and_repeat_nothing() -> None:
    one, other = given_game(), given_game()
    for number in range(40):
        given_events((one, other)[number % 2], an_event(type=f"kind.{number}"))
    console = olive()
    pages = [types(console, p=page) for page in (1, 2)]
    assert [len(page) for page in pages] == [ROWS, 15]
    assert pages[0] + pages[1] == [f"kind.{number}" for number in reversed(range(40))]


def test_a_page_far_back_is_not_walked_to() -> None:
    given_events(given_game(), an_event())
    console = olive()
    response = console.listed("events_event", p=PAGES_MAX + 1)
    assert response.context["cl"].result_list == []
    assert any("Filter by time" in each for each in said(response))


def test_a_list_begins_at_the_time_that_is_asked_for() -> None:
    game = given_game()
    given_events(game, an_event(type="a.first"))
    first = Event.objects.get()
    given_events(game, an_event(type="b.second"))
    console = olive()
    assert types(console, until=first.recorded.isoformat()) == ["a.first"]
    assert types(console, until="no time") == ["b.second", "a.first"]


def test_events_are_found_by_type_stream_id_and_place() -> None:
    game = given_game(partitions=2)
    given_game()  # another one, whose events are none of these
    given_events(
        game,
        an_event(type="level.reached", stream="alice", id="e-1", source="/one"),
        an_event(type="gift.received", stream="alice", id="e-2", source="/two"),
        an_event(type="gift.received", stream="bob", id="e-1", source="/two"),
    )
    console = olive()
    assert types(console, type="level.reached") == ["level.reached"]
    assert types(console, q="alice") == ["gift.received", "level.reached"]
    assert sorted(types(console, q="e-1")) == ["gift.received", "level.reached"]
    row = Event.objects.select_related("partition").get(source="/one")
    assert console.rows("events_event", q=f"{row.partition.number}:{row.offset}") == [row]
    assert types(console, q="nothing of the kind") == []


def test_an_id_is_found_however_many_sources_there_are() -> None:
    game = given_game()
    given_events(game, *[an_event(source=f"/server/{n}", id=f"id-{n}") for n in range(60)])
    assert [row.source for row in olive().rows("events_event", q="id-37")] == ["/server/37"]


def test_a_streams_events_of_two_games_come_in_the_order_of_time() -> None:
    one, other = given_game(), given_game()
    for game, name in ((one, "a.first"), (other, "b.second"), (one, "c.third")):
        given_events(game, an_event(type=name, stream="alice"))
    assert types(olive(), q="alice") == ["c.third", "b.second", "a.first"]
    assert types(olive_again(), q="alice", game__id__exact=other.pk) == ["b.second"]


def olive_again() -> Console:
    return Console(given_staff("olive2", everything=True))


def test_no_list_of_events_walks_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    game, console = given_game(partitions=2), olive()
    given_game()
    fill(game)
    asked: list[dict[str, Any]] = [
        {}, {"type": "kind.3"}, {"q": "s7"}, {"q": "1:90"}, {"q": "some-id"}, {"p": "3"}, {"until": "2100-01-01T00:00"},
        {"game__id__exact": game.pk}, {"game__id__exact": game.pk, "type": "kind.3", "until": "2100-01-01T00:00"},
        {"game__id__exact": game.pk, "q": "s7", "type": "kind.3"},
    ]  # fmt: skip
    for query in asked:
        sent = asked_of(monkeypatch, lambda: console.listed("events_event", **query))  # noqa: B023 - called at once
        assert [each[0] for each in sent if walks(each, "events_event")] == [], query


def test_a_type_is_listed_by_its_own_index(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game(partitions=2)
    fill(game)
    console = olive()
    sent = asked_of(monkeypatch, lambda: console.listed("events_event", type="kind.3"))
    assert any("event_type" in indexes_of(statement) for statement in sent)


def test_the_list_of_events_costs_the_same_with_few_rows_and_with_many() -> None:
    game = given_game()
    console = olive()
    given_events(game, *[an_event() for _ in range(3)])
    with CaptureQueriesContext(connection) as few:
        console.listed("events_event")
    given_events(game, *[an_event() for _ in range(100)])
    with CaptureQueriesContext(connection) as many:
        console.listed("events_event")
    assert len(many) == len(few) <= 12


def test_nothing_counts_the_log() -> None:
    given_game()
    given_events(given_game(), *[an_event() for _ in range(30)])
    console = olive()
    with CaptureQueriesContext(connection) as queries:
        console.listed("events_event", _facets="True")
        console.listed("events_event", all="")
    assert not [each["sql"] for each in queries if "COUNT(" in each["sql"].upper()]


@pytest.mark.parametrize("lookup", ["data__icontains", "source", "stream__startswith", "game__slug"])
def test_a_filter_that_no_index_serves_is_refused(lookup: str) -> None:
    given_events(given_game(), an_event())
    assert olive().listed("events_event", **{lookup: "x"}).status_code == 400


def test_nobody_sorts_the_log_by_another_column() -> None:
    game = given_game()
    for name in ("b.first", "a.second", "c.third"):
        given_events(game, an_event(type=name))
    assert types(olive(), o="0") == ["c.third", "a.second", "b.first"]


def test_the_log_cannot_be_changed_in_the_console() -> None:
    given_events(given_game(), an_event(data={"n": 1}))
    event, console = Event.objects.get(), olive()
    assert console.post(address(event), {"type": "other"}).status_code == 403
    assert console.post(address(event, "delete"), {"post": "yes"}).status_code == 403
    assert console.get(reverse("admin:events_event_add")).status_code == 403
    assert Event.objects.get().type == event.type


def test_an_event_is_shown_with_its_data_as_text() -> None:
    given_events(given_game(), an_event(data={"said": "<script>alert(1)</script>", "n": 2**60}))
    page = olive().page(Event.objects.get()).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert str(2**60) in page


def erase_address(event: Event) -> str:
    return reverse("admin:events_event_erase_this", args=[event.pk])


ERASING = {"confirmed": "1", "reason": "a rude name", "count": "1"}


def test_a_payload_is_erased_on_its_own_page_and_says_by_whom() -> None:
    given_events(given_game(), an_event(data={"n": 1}))
    hubs_catch_up()
    event, console = Event.objects.get(), olive()
    assert "Erase payload" in text(console.page(event))
    response = console.post(erase_address(event), ERASING, follow=True)
    assert said(response) == ["Erased the payload of 1 event."]
    event.refresh_from_db()
    assert event.data is None
    page = text(console.page(event))
    assert "erased by olive, because staff erased it: a rude name" in page
    assert "Erase payload" not in page


def test_a_payload_that_a_hub_still_needs_is_not_erased() -> None:
    given_events(given_game(), an_event(data={"n": 1}))
    event = Event.objects.get()
    response = olive().post(erase_address(event), ERASING, follow=True)
    assert "has not processed it yet" in said(response)[0]
    event.refresh_from_db()
    assert event.data


def test_who_may_only_look_erases_nothing() -> None:
    given_events(given_game(), an_event(data={"n": 1}))
    hubs_catch_up()
    event = Event.objects.get()
    bob = Console(given_staff("bob", "events.view_event"))
    assert "Erase payload" not in text(bob.page(event))
    assert bob.post(erase_address(event), ERASING).status_code == 403
    event.refresh_from_db()
    assert event.data


def test_times_are_relative_and_exact_on_hover() -> None:
    given_events(given_game(), an_event())
    event = Event.objects.get()
    page = text(olive().listed("events_event"))
    assert f'title="{event.recorded:%Y-%m-%d %H:%M:%S.%f} UTC"' in page
    assert re.search(r">(now|a second ago|\d+ seconds ago)</time>", page)


# -- outbox, checkpoints, dead letters ---------------------------------------------------------------------


def test_what_waits_in_the_outbox_is_a_list_of_its_own() -> None:
    game = given_game()
    for number in range(3):
        OutboxEvent.objects.create(game=game, event_id=f"o{number}", type=f"t{number}", stream="s", data="{}")
    append_own(game_id=game.id, event_id="o0", type="t0", stream="s", data="{}", lane=Lane.URGENT)
    OutboxEvent.objects.filter(event_id="o0").update(appended=Event.objects.get().recorded)
    assert [row.type for row in olive().rows("events_outboxevent", waiting="1")] == ["t2", "t1"]


def test_a_checkpoint_links_to_the_first_event_that_waits() -> None:
    game = given_game(partitions=1)
    given_events(game, an_event(type="a.first"), an_event(type="b.second"))
    row = Checkpoint.objects.filter(partition__game=game, lane=Lane.NORMAL)[0]
    Checkpoint.objects.filter(pk=row.pk).update(position=1)
    page = text(olive().page(row))
    assert "behind" in page
    assert address(Event.objects.get(offset=2)) in page


def test_a_dead_letter_links_to_its_event_and_shows_where_it_failed_without_a_lever() -> None:
    game = given_game()
    given_events(game, an_event(stream="mallory"))
    event = Event.objects.get()
    letter = DeadLetter.objects.create(
        hub="decisions", game=game, partition=event.partition, lane=event.lane, stream="mallory", version=1,
        event_offset=event.offset, event_type=event.type, cause="KeyError", traceback='File "x.py", line 7', tries=3,
    )  # fmt: skip
    page = text(olive().page(letter))
    assert address(event) in page
    assert "line 7" in page
    assert 'name="_save"' not in page
