"""Decisions in the console: found by rule, outcome, player, event; explained in plain words."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.lanes import Lane
from events.models import Checkpoint, DeadLetter, Event, Game, Skip
from notifications.models import Decision, Notification, Rule
from players.models import Player
from tests.given import an_event, given_events, given_game
from tests.notifications.given import decide, given_levels, given_rule, saved_again
from tests.plans import indexes_of, recorded, sorts, walks
from tests.players.people import given_player
from tests.staff import Console, address, olive, text

pytestmark = pytest.mark.django_db(transaction=True)


def listed(console: Console, **query: Any) -> list[tuple[str, str]]:
    """Return (rule, outcome) of each row of a page."""
    return [(row.rule.slug, row.outcome) for row in console.rows("notifications_decision", **query)]


def given_outcomes(game: Game) -> tuple[Rule, Rule]:
    """Let one rule send to Alice and Bob, and another fail."""
    good, bad = given_rule(game, slug="good"), given_rule(game, slug="bad", condition="data.nothing > 1")
    given_levels(game, 1)
    given_levels(game, 2, key="bob")
    decide()
    return good, bad


# -- finding -----------------------------------------------------------------------------------------------


def test_decisions_are_found_by_rule_outcome_game_player_and_event(game: Game) -> None:
    good, bad = given_outcomes(game)
    other = given_game()
    given_rule(other, slug="other")
    given_levels(other, 1)
    decide()
    alice = Player.objects.get(game=game, key="alice")
    first = Event.objects.filter(game=game, stream="alice", type="level.reached")[0]
    console = olive()
    assert len(listed(console)) == 5
    assert listed(console)[0] == ("other", "sent")
    assert listed(console, game__id__exact=other.pk) == [("other", "sent")]
    assert listed(console, rule__id__exact=bad.pk) == [("bad", "failed")] * 2
    assert listed(console, outcome="failed") == [("bad", "failed")] * 2
    assert listed(console, outcome="failed", game__id__exact=other.pk) == []
    assert listed(console, rule__id__exact=good.pk, outcome="failed") == []
    assert listed(console, player__id__exact=alice.pk) == [("good", "sent")]
    assert listed(console, event__id__exact=first.pk) == [("good", "sent"), ("bad", "failed")]
    assert listed(console, event__id__exact=first.pk, outcome="failed") == [("bad", "failed")]
    assert listed(console, q="bob") == [("good", "sent")]
    sent = Decision.objects.filter(rule=good).order_by("id")[0]
    assert [row.pk for row in console.rows("notifications_decision", q=sent.notification_uid)] == [sent.pk]


def test_pages_of_several_rules_together_come_in_the_order_of_time(game: Game) -> None:
    rules = [given_rule(game, slug=f"rule-{number}") for number in range(3)]
    given_levels(game, *range(20))
    decide()
    console = olive()
    pages = [
        row for page in (1, 2, 3) for row in console.rows("notifications_decision", outcome="sent", p=page)
    ]
    assert [row.pk for row in pages] == list(
        Decision.objects.order_by("-now", "-id").values_list("pk", flat=True)
    )
    assert {row.rule_id for row in pages} == {rule.pk for rule in rules}


@pytest.mark.parametrize(
    "query",
    [
        {"rule__id__exact": "x"}, {"outcome": "nonsense"}, {"player__id__exact": "1" * 40}, {"game__id__exact": "-1"},
        {"q": "\x00"}, {"event__id__exact": "9" * 30}, {"until": "x"}, {"p": "0"}, {"p": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_an_address_that_somebody_made_up_is_no_error_of_ours(game: Game, query: dict[str, str]) -> None:
    given_outcomes(game)
    assert olive().listed("notifications_decision", **query).status_code in {200, 302, 400}


@pytest.mark.parametrize("lookup", ["gates__icontains", "player_key", "profile_revision"])
def test_a_filter_that_no_index_serves_is_refused(lookup: str) -> None:
    assert olive().listed("notifications_decision", **{lookup: "1"}).status_code == 400


def test_no_list_of_decisions_or_notifications_walks_its_table(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, _ = given_outcomes(game)
    given_rule(given_game(), slug="elsewhere")
    copied(4_000)
    console = olive()
    row = Decision.objects.order_by("id")[9]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("decision", {}), ("decision", {"game__id__exact": game.pk}), ("decision", {"rule__id__exact": good.pk}),
        ("decision", {"outcome": "failed"}), ("decision", {"rule__id__exact": good.pk, "outcome": "suppressed"}),
        ("decision", {"player__id__exact": row.player_id}), ("decision", {"event__id__exact": row.event_id}),
        ("decision", {"q": "alice"}), ("decision", {"until": "2100-01-01T00:00", "game__id__exact": game.pk}),
        ("decision", {"p": 5}), ("notification", {}), ("notification", {"game__id__exact": game.pk}),
        ("notification", {"player__id__exact": row.player_id}), ("notification", {"event__id__exact": row.event_id}),
        ("notification", {"q": "alice"}), ("notification", {"q": str(row.notification_uid)}),
        ("notification", {"until": "2100-01-01T00:00"}),
    ]  # fmt: skip
    for model, query in asked:
        with recorded(monkeypatch) as sent:
            console.listed(f"notifications_{model}", **query)
        for table in (
            "notifications_decision",
            "notifications_notification",
            "events_event",
            "players_player",
        ):
            assert [each[0] for each in sent if walks(each, table)] == [], (model, query)


def copied(count: int) -> None:
    """Fill the tables with copies of what is there, about other events, and give the planner its statistics."""
    row, told = Decision.objects.filter(outcome="sent")[0], Notification.objects.order_by("id")[0]
    Player.objects.bulk_create(Player(game_id=row.game_id, key=f"p{number}") for number in range(count))
    for start in range(0, count, 1_000):
        given_events(row.game, *[an_event(type="nobody.cares") for _ in range(start, start + 1_000)])
    events = list(Event.objects.filter(type="nobody.cares").values_list("pk", flat=True))
    Decision.objects.bulk_create(
        Decision(
            game_id=row.game_id,
            rule_id=row.rule_id,
            revision_id=row.revision_id,
            event_id=event,
            player_id=row.player_id,
            player_key=row.player_key,
            outcome=row.outcome,
            gates=row.gates,
            place=number + 1_000,
            now=row.now - timedelta(seconds=number),
        )
        for number, event in enumerate(events)
    )
    Notification.objects.bulk_create(
        Notification(
            uid=uuid.uuid4(), game_id=told.game_id, player_id=told.player_id, rule_id=told.rule_id, event_id=event,
            number=number + 1_000, seq=number + 1_000, notification_class="inbox", category="x", title="x",
            created=told.created - timedelta(seconds=number),
        )
        for number, event in enumerate(events)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_a_choice_of_many_rules_sorts_no_more_than_a_page_of_each(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_outcomes(game)
    copied(2_000)
    console = olive()
    for query in ({"outcome": "sent"}, {"game__id__exact": game.pk, "outcome": "sent"}, {}):
        with recorded(monkeypatch) as sent:
            console.listed("notifications_decision", **query)
        on_decisions = [each for each in sent if 'FROM "notifications_decision"' in each[0]]
        assert [each[0] for each in on_decisions if sorts(each)] == [], query


def test_a_rule_with_an_outcome_has_an_index_of_its_own(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    good, _ = given_outcomes(game)
    copied(4_000)
    console = olive()
    with recorded(monkeypatch) as sent:
        console.listed("notifications_decision", rule__id__exact=good.pk, outcome="suppressed")
    assert any("decision_by_rule" in indexes_of(each) for each in sent if "notifications_decision" in each[0])


def test_the_list_of_decisions_costs_the_same_with_few_rows_and_with_many(game: Game) -> None:
    given_outcomes(game)
    console = olive()
    with CaptureQueriesContext(connection) as few:
        console.listed("notifications_decision")
    given_levels(game, *range(40))
    decide()
    with CaptureQueriesContext(connection) as many:
        console.listed("notifications_decision")
    assert len(many) == len(few) <= 11


# -- explaining --------------------------------------------------------------------------------------------


def test_a_sent_decision_explains_each_gate_with_the_values(game: Game) -> None:
    given_rule(game, slug="levels", condition="data.level > 3", ttl_s=60)
    given_levels(game, 7)
    decide()
    row = Decision.objects.get()
    page = text(olive().page(row))
    for part in (
        "Sent: every gate let it through.", "The condition is true for this event.", "<dt>data.level</dt><dd>7</dd>",
        "The player is in the audience: 1 found by data.player_id.", "It was in time: decided at", "revision 1",
        f"?q={row.notification_uid}", address(row.event), address(row.player), address(row.rule),
    ):  # fmt: skip
        assert part in page, part


def test_a_suppressed_decision_says_what_stopped_it(game: Game) -> None:
    given_rule(game, ttl_s=1)
    given_levels(game, 7, time=datetime.now(UTC) - timedelta(minutes=5))
    decide()
    row, console = Decision.objects.get(), olive()
    assert row.outcome == "suppressed"
    assert "It came too late: decided at" in text(console.page(row))
    assert "It came too late" in text(console.listed("notifications_decision"))


def test_a_failed_decision_says_what_is_wrong_and_has_no_player(game: Game) -> None:
    given_rule(game, condition="data.nothing > 1")
    given_levels(game, 7)
    decide()
    page = text(olive().page(Decision.objects.get()))
    assert "The condition could not be worked out: nothing is not in the event." in page
    assert "Correct the rule or what the game sends." in page


def test_a_decision_shows_the_rule_as_it_was(game: Game) -> None:
    rule = given_rule(game, condition="data.level > 3")
    given_levels(game, 7)
    decide()
    first = rule.revision
    saved_again(rule, condition="data.other > 3")
    page = text(olive().page(Decision.objects.get()))
    assert address(first) in page
    assert "<dt>data.level</dt><dd>7</dd>" in page


def test_a_decision_is_still_explained_when_the_payload_is_erased(game: Game) -> None:
    given_rule(game, condition="data.level > 3")
    given_levels(game, 7)
    decide()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_event SET data = NULL, salt = NULL")
    page = text(olive().page(Decision.objects.get()))
    assert "Sent: every gate let it through." in page
    assert "payload is no longer in the log" in page


def test_a_decision_is_never_edited(game: Game) -> None:
    given_outcomes(game)
    row, console = Decision.objects.all()[0], olive()
    assert console.post(address(row), {"outcome": "sent"}).status_code == 403
    assert console.post(address(row, "delete"), {"post": "yes"}).status_code == 403


# -- what came of an event -----------------------------------------------------------------------------------


def consequences(event: Event) -> str:
    """Return what an event's page says."""
    return text(olive().page(event))


def test_an_events_page_shows_what_each_rule_decided(game: Game) -> None:
    given_outcomes(game)
    event = Event.objects.filter(type="level.reached", stream="alice")[0]
    page = consequences(event)
    for row in Decision.objects.filter(event=event):
        assert address(row) in page
    assert "could not be worked out" in page
    assert address(Player.objects.get(key="alice")) in page


def test_an_events_page_says_why_a_rule_was_silent(game: Game) -> None:
    given_rule(game, slug="high", condition="data.level > 30")
    given_rule(game, slug="asleep", enabled=False)
    given_levels(game, 7)
    decide()
    page = consequences(Event.objects.get())
    assert "high</a> decided nothing. The condition is false for this event. Here data.level is 7." in page
    assert "asleep</a> decided nothing. The rule is disabled." in page


def test_an_event_that_no_rule_is_about_says_so(game: Game) -> None:
    given_events(game, an_event(type="nobody.cares"))
    decide()
    assert "No rule of this game is about nobody.cares." in consequences(Event.objects.get())


def test_an_event_that_waits_says_so(game: Game) -> None:
    given_rule(game)
    given_levels(game, 7)
    assert "it waits for the decisions hub" in consequences(Event.objects.get())


def test_an_event_of_a_parked_stream_says_so(game: Game) -> None:
    given_rule(game)
    given_levels(game, 7)
    event = Event.objects.get()
    DeadLetter.objects.create(
        hub="decisions", game=game, partition=event.partition, lane=event.lane, stream=event.stream, version=1,
        event_offset=event.offset, event_type=event.type, cause="KeyError", traceback="", tries=3,
    )  # fmt: skip
    Checkpoint.objects.filter(hub="decisions", lane=Lane.NORMAL).update(position=event.offset)
    assert "Its stream is parked from version 1 on" in consequences(event)


def test_an_event_that_staff_have_skipped_says_so(game: Game) -> None:
    given_rule(game)
    given_levels(game, 7)
    event = Event.objects.get()
    Skip.objects.create(
        hub="decisions", game=game, partition=event.partition, lane=event.lane, stream=event.stream, first=1, last=1,
        events=1, by="olive", reason="sent by mistake",
    )  # fmt: skip
    Checkpoint.objects.filter(hub="decisions", lane=Lane.NORMAL).update(position=event.offset)
    assert "olive skipped it, so no rule decides about it: sent by mistake" in consequences(event)


def test_a_rule_that_is_newer_than_the_event_is_not_held_against_it(game: Game) -> None:
    given_levels(game, 7)
    decide()
    given_rule(game, condition="data.level > 30")
    assert "newer than the event" in consequences(Event.objects.get())


def test_an_audience_of_many_is_shown_by_its_first_and_a_link_to_all(game: Game) -> None:
    rule = given_rule(game, audience_path="data.members")
    given_events(game, an_event(data={"members": [f"p{n:02}" for n in range(40)], "level": 1}))
    decide()
    event = Event.objects.get()
    page = consequences(event)
    assert ">p00<" in page
    assert ">p39<" not in page
    assert "and more: all" in page
    assert rule.decisions.count() == 40


def test_a_players_page_links_to_their_decisions(game: Game) -> None:
    player = given_player(game, "alice", decisions=1_234)
    assert "1,234 decisions" in text(olive().page(player))
