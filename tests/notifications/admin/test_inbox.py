"""What players have, in the console: read-only, in its present state."""

from datetime import UTC, datetime, timedelta

import pytest

from events.models import Event, Game
from notifications import announcements
from notifications.inbox import Action, Kind, apply
from notifications.models import Announcement, FanOut, Notification, RuleRevision
from players.models import Player
from tests.given import an_event, given_events
from tests.notifications.given import decide, given_inbox, given_rule, notifications
from tests.staff import Console, address, olive, text

pytestmark = pytest.mark.django_db(transaction=True)


def states(console: Console, **query: object) -> list[str]:
    """Return the state of each notification, newest first."""
    admin = console.listed("notifications_notification", **query).context["cl"]
    return [admin.model_admin.state(row) for row in admin.result_list]


def test_notifications_are_listed_newest_first_and_by_player(game: Game) -> None:
    given_inbox(game, 2)
    given_inbox(game, 1, key="bob")
    console = olive()
    rows = console.rows("notifications_notification")
    assert [(row.player.key, row.number) for row in rows] == [("bob", 1), ("alice", 2), ("alice", 1)]
    alice = Player.objects.get(key="alice")
    assert [row.number for row in console.rows("notifications_notification", player__id__exact=alice.pk)] == [
        2,
        1,
    ]
    assert [row.number for row in console.rows("notifications_notification", q="alice")] == [2, 1]
    first = rows[-1]
    assert console.rows("notifications_notification", q=str(first.uid)) == [first]
    assert console.rows("notifications_notification", event__id__exact=first.event_id) == [first]


def test_each_notification_is_in_the_state_in_which_the_player_has_it(game: Game) -> None:
    ids = given_inbox(game, 6)
    player = Player.objects.get(key="alice")
    apply([
        Action(player_id=player.pk, kind=Kind.READ, through=1),
        Action(player_id=player.pk, kind=Kind.SEEN, through=2),
        Action(player_id=player.pk, kind=Kind.READ, ids=(ids[2],)),
        Action(player_id=player.pk, kind=Kind.ARCHIVE, ids=(ids[3],)),
    ])  # fmt: skip
    Notification.objects.filter(uid=ids[4]).update(expires=datetime.now(UTC) - timedelta(seconds=1))
    assert states(olive()) == ["unread", "expired", "archived", "read", "seen", "read"]


def test_what_is_gone_says_why_and_live_ones_are_called_so(game: Game) -> None:
    ids = given_inbox(game, 2, notification_class="live", ttl_s=600)
    Notification.objects.filter(uid=ids[0]).update(gone="recalled", gone_at=datetime.now(UTC))
    console = olive()
    assert states(console) == ["live", "recalled"]
    assert "recalled" in text(console.page(Notification.objects.get(uid=ids[0])))


def test_a_notification_links_to_event_rule_player_and_decision_and_shows_its_words_as_text(
    game: Game,
) -> None:
    given_rule(game, words={"en": ("<b>{{ data.n }}</b>", "one\ntwo")}, event_type="x.happened")
    given_events(game, an_event(type="x.happened", stream="alice", data={"player_id": "alice", "n": 1}))
    decide()
    row = notifications(game)[0]
    page = text(olive().page(row))
    for part in (address(row.event), address(row.rule), address(row.player), f"decision/?q={row.uid}"):
        assert part in page, part
    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert "<b>1" not in page


def test_what_was_read_with_all_before_says_so(game: Game) -> None:
    given_inbox(game, 1)
    player = Player.objects.get(key="alice")
    apply([Action(player_id=player.pk, kind=Kind.READ, through=1)])
    assert "with all before" in text(olive().page(Notification.objects.get()))


def test_nothing_that_players_have_is_edited_here(game: Game) -> None:
    given_inbox(game, 1)
    announcements.put(game.id, title="Maintenance")
    console = olive()
    for row in (Notification.objects.get(), Announcement.objects.get()):
        assert console.post(address(row), {"title": "x"}).status_code == 403
        assert console.post(address(row, "delete"), {"post": "yes"}).status_code == 403


def test_announcements_are_listed_with_their_state(game: Game) -> None:
    announcements.put(game.id, title="Now")
    announcements.put(game.id, title="Past", expires=datetime.now(UTC) - timedelta(hours=1))
    announcements.end(announcements.put(game.id, title="Ended"))
    context = olive().listed("notifications_announcement").context["cl"]
    found = {row.title: context.model_admin.state(row) for row in context.result_list}
    assert found == {"Now": "current", "Past": "expired", "Ended": "ended"}


def test_a_large_audience_shows_how_far_it_is(game: Game) -> None:
    given_rule(game)
    given_events(game, an_event())
    FanOut.objects.create(
        game=game, revision=RuleRevision.objects.get(), event=Event.objects.get(game=game), now=datetime.now(UTC),
        total=300, cursor=100, created=datetime.now(UTC),
    )  # fmt: skip
    page = text(olive().listed("notifications_fanout"))
    assert "33 %" in page
    assert "100 of 300 players" in page
    assert "running" in page
