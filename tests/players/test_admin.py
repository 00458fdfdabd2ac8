"""Players in the console: found, looked at, blocked, erased; and the keys of their tokens."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.admin.lists import ROWS
from events.models import Event, Game
from players import presence, tokens
from players.errors import TokenInvalid
from players.models import Device, Gateway, Player, Profile, ProfileRevision, TokenKey
from tests.given import given_game, hubs_catch_up
from tests.plans import recorded, walks
from tests.players.people import given_player, given_updates
from tests.staff import Console, address, given_staff, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)

PLAYERS = "admin:players_player_changelist"


@pytest.fixture
def game() -> Game:
    return given_game()


def given_many(game: Game, count: int) -> None:
    """Make many players with profiles and history, and the planner's statistics."""
    Player.objects.bulk_create(Player(game=game, key=f"player-{n:05}") for n in range(count))
    rows = list(Player.objects.filter(game=game))
    now = datetime.now(UTC)
    Profile.objects.bulk_create(Profile(player=row, revision=1, changed=now) for row in rows)
    ProfileRevision.objects.bulk_create(
        ProfileRevision(player=row, revision=1, event=1, recorded=now) for row in rows
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def keys_listed(console: Console, **query: object) -> list[str]:
    return [row.key for row in console.rows("players_player", **query)]


def confirmed(lever: str, *rows: Player, **fields: str) -> dict[str, object]:
    """Return the form that confirms a lever of the list."""
    ticked = [row.pk for row in rows]
    return {"action": lever, "_selected_action": ticked, "confirmed": "1", "reason": "asked to", **fields}


# -- finding ---------------------------------------------------------------------------------------------


def test_the_newest_players_come_first_and_one_games_in_the_order_of_their_ids(game: Game) -> None:
    for key in ("bob", "alice", "carol"):
        given_player(game, key)
    given_player(given_game(), "dave")
    console = olive()
    assert keys_listed(console) == ["dave", "carol", "alice", "bob"]
    assert keys_listed(console, game__id__exact=game.pk) == ["alice", "bob", "carol"]


def test_a_player_is_found_by_id_and_by_how_it_begins(game: Game) -> None:
    for key in ("steam:1", "steam:11", "Steam:1", "xbox:1"):
        given_player(game, key)
    console = olive()
    assert keys_listed(console, q="steam:1") == ["steam:1", "steam:11"]
    assert keys_listed(console, q=" xbox ") == ["xbox:1"]
    assert keys_listed(console, q="_team") == []
    assert keys_listed(console, q="team:1") == []


def test_the_whole_id_is_found_among_many_that_begin_so(game: Game) -> None:
    for number in range(ROWS + 5):
        given_player(game, f"p{number}")
    given_player(game, "p")
    assert "p" in keys_listed(olive(), q="p")


def test_no_list_of_players_walks_the_table(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    given_many(game, 12_000)
    console = olive()
    asked: list[tuple[str, dict[str, object]]] = [
        ("players_player", {}), ("players_player", {"q": "player-0123"}),
        ("players_player", {"game__id__exact": game.pk}),
        ("players_player", {"p": 9}), ("players_profilerevision", {}),
        ("players_profilerevision", {"player__id__exact": Player.objects.order_by("id")[9].pk}),
    ]  # fmt: skip
    for model, query in asked:
        with recorded(monkeypatch) as sent:
            console.listed(model, **query)
        for table in ("players_player", "players_profile", "players_profilerevision"):
            assert [each[0] for each in sent if walks(each, table)] == [], (model, query)


def test_the_list_of_players_costs_the_same_with_few_rows_and_with_many(game: Game) -> None:
    console = olive()
    given_many(game, 3)
    with CaptureQueriesContext(connection) as few:
        assert len(keys_listed(console)) == 3
    given_many(given_game(), 40)
    with CaptureQueriesContext(connection) as many:
        assert len(keys_listed(console)) == ROWS
    assert len(many) == len(few) <= 10


# -- looking ---------------------------------------------------------------------------------------------


def test_a_players_page_tells_who_they_are_and_links_to_what_they_were_told(game: Game) -> None:
    given_updates(game, "alice", {"display_name": "Alice", "locale": "pt-BR", "attributes": {"level": 7}})
    alice = Player.objects.get(key="alice")
    Device.objects.create(player=alice, name="tab-1", acked=3, seen=datetime.now(UTC))
    page = text(olive().page(alice))
    for shown in ("Alice", "pt-BR", "&quot;level&quot;: 7", "tab-1", "0 decisions", "0 notifications"):
        assert shown in page, shown
    for path in ("notifications/decision", "notifications/notification", "players/profilerevision"):
        assert f"/admin/{path}/?player__id__exact={alice.pk}" in page


def test_a_players_page_shows_no_token(game: Game) -> None:
    token, _ = tokens.issue(game, "alice")
    alice = given_player(game, "alice")
    page = olive().page(alice).content.decode()
    assert token not in page
    assert TokenKey.objects.get().kid not in page


def test_a_profile_cannot_be_edited_here(game: Game) -> None:
    given_updates(game, "alice", {"display_name": "Alice"})
    alice = Player.objects.get(key="alice")
    assert olive().post(address(alice), {"key": "mallory", "display_name": "M"}).status_code == 403


def test_each_state_of_a_profile_links_to_the_event_that_made_it(game: Game) -> None:
    given_updates(game, "alice", {"locale": "en"}, {"locale": "de"})
    alice = Player.objects.get(key="alice")
    rows = olive().rows("players_profilerevision", player__id__exact=alice.pk)
    assert [row.locale for row in rows] == ["de", "en"]
    page = text(Console(given_staff("o2", everything=True)).page(rows[0]))
    assert address(Event.objects.get(pk=rows[0].event)) in page


def test_a_gateway_shows_its_players_in_as_many_queries_as_it_has_few(game: Game) -> None:
    gateway = uuid.uuid4()
    presence.renew(gateway, "gw1", 30)
    given_many(game, 30)
    players = list(Player.objects.order_by("id"))
    presence.arrived(gateway, [players[0].pk])
    console, row = olive(), Gateway.objects.get()
    console.page(row)
    with CaptureQueriesContext(connection) as few:
        assert players[0].key in text(console.page(row))
    presence.arrived(gateway, [each.pk for each in players])
    with CaptureQueriesContext(connection) as many:
        console.page(row)
    assert len(many) == len(few)


def test_a_gateway_whose_lease_has_lapsed_is_called_so() -> None:
    now = datetime.now(UTC)
    row = Gateway.objects.create(
        id=uuid.uuid4(), host="gw1", started=now, lease_until=now - timedelta(minutes=2)
    )
    assert "lapsed" in text(olive().page(row))


# -- levers ----------------------------------------------------------------------------------------------


def test_blocking_names_the_count_asks_why_and_is_noted(game: Game) -> None:
    alice, bob, carol = (given_player(game, key) for key in ("alice", "bob", "carol"))
    console = olive()
    asked = text(console.post(reverse(PLAYERS), {"action": "block", "_selected_action": [alice.pk, bob.pk]}))
    assert "Block 2 players?" in asked
    assert not Player.objects.exclude(blocked=None).exists()
    assert "This field is required" in text(
        console.post(reverse(PLAYERS), confirmed("block", alice, bob, reason=""))
    )
    response = console.post(reverse(PLAYERS), confirmed("block", alice, bob), follow=True)
    assert said(response) == ["Blocked 2 players."]
    assert set(Player.objects.exclude(blocked=None)) == {alice, bob}
    assert carol not in Player.objects.exclude(blocked=None)
    noted = Event.objects.filter(type="staff.player.blocked").order_by("id")
    assert [event.version for event in noted] == [1, 2]
    assert '"player":"alice"' in str(noted[0].data)


def test_after_blocking_one_is_back_where_one_was(game: Game) -> None:
    alice = given_player(game, "alice")
    console, here = olive(), f"{reverse(PLAYERS)}?q=al"
    page = console.post(here, {"action": "block", "_selected_action": [alice.pk]})
    assert f'href="{here}"' in page.content.decode()
    assert console.post(here, confirmed("block", alice))["Location"] == here


def test_who_was_blocked_before_is_told_apart(game: Game) -> None:
    alice, bob = given_player(game, "alice", blocked=datetime.now(UTC)), given_player(game, "bob")
    response = olive().post(reverse(PLAYERS), confirmed("block", alice, bob), follow=True)
    assert said(response) == ["Blocked 1 player. 1 had been so before."]
    assert Event.objects.filter(type="staff.player.blocked").count() == 1


def test_a_players_page_blocks_and_unblocks(game: Game) -> None:
    alice, console = given_player(game, "alice"), olive()
    page = text(console.page(alice))
    assert "Block…" in page
    assert "Unblock…" not in page
    console.post(address(alice, "block_this"), {"confirmed": "1", "reason": "spam"}, follow=True)
    alice.refresh_from_db()
    assert alice.blocked
    response = console.post(
        address(alice, "unblock_this"), {"confirmed": "1", "reason": "sorry"}, follow=True
    )
    assert said(response) == ["Unblocked 1 player."]
    alice.refresh_from_db()
    assert alice.blocked is None
    assert "spam" in text(console.get(address(alice, "history")))


def test_erasing_wants_the_count_to_be_typed(game: Game) -> None:
    given_updates(game, "alice", {"display_name": "Alice"})
    given_updates(game, "bob", {"display_name": "Bob"})
    alice, bob = Player.objects.get(key="alice"), Player.objects.get(key="bob")
    console = olive()
    assert "These are 2." in text(console.post(reverse(PLAYERS), confirmed("erase", alice, bob, count="1")))
    assert Profile.objects.count() == 2
    response = console.post(reverse(PLAYERS), confirmed("erase", alice, bob, count="2"), follow=True)
    assert said(response) == ["Erased 2 players."]
    assert (Profile.objects.count(), ProfileRevision.objects.count()) == (0, 0)
    assert Player.objects.filter(erased=None).count() == 0
    assert set(Event.objects.filter(type="player.erased").values_list("stream", flat=True)) == {
        "alice",
        "bob",
    }
    hubs_catch_up()


def test_erasing_again_changes_nothing(game: Game) -> None:
    alice, console = given_player(game, "alice"), olive()
    console.post(reverse(PLAYERS), confirmed("erase", alice, count="1"), follow=True)
    response = console.post(reverse(PLAYERS), confirmed("erase", alice, count="1"), follow=True)
    assert said(response) == ["Erased 0 players. 1 had been so before."]
    assert Event.objects.filter(type="player.erased").count() == 1


def test_an_erased_player_is_shown_with_nothing_left_to_do(game: Game) -> None:
    page = text(olive().page(given_player(game, "alice", erased=datetime.now(UTC))))
    assert "erased" in page
    assert "Block…" not in page
    assert "Erase…" not in page


def test_who_may_block_may_not_erase(game: Game) -> None:
    alice = given_player(game, "alice")
    bob = Console(given_staff("bob", "players.view_player", "players.change_player"))
    bob.post(address(alice, "block_this"), {"confirmed": "1", "reason": "spam"})
    assert (
        bob.post(address(alice, "erase_this"), {"confirmed": "1", "reason": "x", "count": "1"}).status_code
        == 403
    )
    bob.post(reverse(PLAYERS), confirmed("erase", alice, count="1"))
    alice.refresh_from_db()
    assert (bool(alice.blocked), alice.erased) == (True, None)


def test_a_lever_for_somebody_who_is_not_there_leads_back_to_the_list() -> None:
    response = olive().get("/admin/players/player/999/block/")
    assert response["Location"] == reverse(PLAYERS)


# -- keys of tokens ----------------------------------------------------------------------------------------


def test_adding_a_token_key_rotates_and_the_old_one_goes_on_verifying(game: Game) -> None:
    token, _ = tokens.issue(game, "alice")
    olive().post(reverse("admin:players_tokenkey_add"), {"game": game.pk})
    newer, _ = tokens.issue(game, "alice")
    assert TokenKey.objects.count() == 2
    assert tokens.verify(token).player == tokens.verify(newer).player == "alice"


def test_a_retired_keys_tokens_are_refused_at_once(game: Game) -> None:
    token, _ = tokens.issue(game, "alice")
    assert tokens.verify(token)
    olive().post(address(TokenKey.objects.get(), "retire_this"), {"confirmed": "1", "reason": "leaked"})
    with pytest.raises(TokenInvalid):
        tokens.verify(token)
    assert Event.objects.filter(type="staff.token_key.retired").exists()


def test_a_token_key_is_neither_edited_nor_deleted(game: Game) -> None:
    tokens.issue(game, "alice")
    key, console = TokenKey.objects.get(), olive()
    assert console.post(address(key), {"kid": "x"}).status_code == 403
    assert console.post(address(key, "delete"), {"post": "yes"}).status_code == 403


def test_who_only_looks_sees_keys_by_name_only(game: Game) -> None:
    tokens.issue(game, "alice")
    key = TokenKey.objects.get()
    page = vera().page(key).content.decode()
    assert key.kid in page
    assert bytes(key.salt).hex() not in page
