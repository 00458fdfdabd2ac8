"""The console as a whole: every screen opens, for who operates and for who only looks; nothing leaks."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from config.console import pulse
from events import keys, outbox, storage
from events.lanes import Lane
from events.log.erasing import Cause, erase_payloads, places
from events.models import (
    Alarm,
    AlarmLimit,
    AlarmMute,
    AlarmRecipient,
    ApiKey,
    Checkpoint,
    DeadLetter,
    EventType,
    Game,
    OutboxEvent,
    Replay,
    Retention,
    Sweep,
)
from events.models.erasures import Why
from notifications import announcements
from notifications.delivery import endpoints
from notifications.models import Decision, Delivery, FanOut, Notification, RuleRevision, WebhookEndpoint
from players import tokens
from players.models import Device, Gateway, Player, Presence, TokenKey
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.given import decide, given_levels, given_rule
from tests.players.people import given_updates
from tests.staff import Console, address, given_staff, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)

LEVERS = (
    'name="_save"', 'name="_continue"', 'name="_addanother"', 'name="action"', "Delete", "Erase…", "Block…", "Unblock…",
    "Revoke…", "Retire…", "Enable…", "Disable…", "Bring back…", "Cancel…", "Change rate…", "Erase payload…",
    "Decide what was missed…",
    "/add/",
    "Retry…", "Retry its stream…", "Skip the event…", "Skip all that waits…",
    "Acknowledge…", "Mute…", "Send a test", "New secret…", "sesame", "Send again…", "Give up…", "All with this fault…",
    "Send dead ones again…", "Give up what waits…", "End the former secret…", "hush",
)  # fmt: skip


COUNTED = re.compile(r"count\(", re.IGNORECASE)
BOUNDED = re.compile(r"count\([^()]*\) FROM \(SELECT (?:[^()]|\([^()]*\))* LIMIT \d+\)")
"""A count that stops after so many rows is none of a table."""


@pytest.fixture(autouse=True)
def _a_pulse_of_its_own() -> None:
    pulse.forget()


@pytest.fixture
def game() -> Game:
    """A game in which everything there is has happened once."""
    game = given_game("lively", allowed_origins=["https://play.example"])
    EventType.objects.create(game=game, name="level.reached", sample={"player_id": "alice", "level": 1})
    keys.issue(game, "match-server")
    tokens.issue(game, "alice")
    given_updates(game, "alice", {"display_name": "Alice", "locale": "en"})
    given_rule(game, slug="levels")
    given_rule(game, slug="broken", condition="data.nothing > 1")
    given_rule(game, slug="far", channels=["webhook"])
    endpoints.save(WebhookEndpoint(game=game, url="https://game.example/hooks/hush"), "olive")
    given_levels(game, 1, 2)
    decide()
    Delivery.objects.update(state="dead", error="http 410", detail="gone", finished=datetime.now(UTC))
    announcements.put(game.id, title="Maintenance")
    alice = Player.objects.get(game=game, key="alice")
    gateway = Gateway.objects.create(
        id=uuid.uuid4(), host="gw1", sockets=1, started=datetime.now(UTC),
        lease_until=datetime.now(UTC) + timedelta(minutes=1),
    )  # fmt: skip
    Presence.objects.create(player=alice, gateway=gateway, since=datetime.now(UTC))
    Device.objects.create(player=alice, name="tab-1", acked=1, seen=datetime.now(UTC))
    event = Decision.objects.order_by("id")[0].event
    FanOut.objects.create(
        game=game, revision=RuleRevision.objects.order_by("id")[0], event=event, now=datetime.now(UTC), total=300,
        cursor=100, created=datetime.now(UTC),
    )  # fmt: skip
    DeadLetter.objects.create(
        hub="decisions", game=game, partition=event.partition, lane=Lane.NORMAL, stream="mallory", version=1,
        event_offset=event.offset, event_type="level.reached", cause="KeyError", traceback="here", tries=3,
    )  # fmt: skip
    storage.sample()
    Retention.objects.create(game=game, payload_days=30)
    Sweep.objects.create(game=game, name="payloads", part=event.partition_id, due=datetime.now(UTC))
    erase_payloads(places([event.pk]), Cause(why=Why.STAFF, by="olive", reason="a rude name"))
    Replay.objects.create(game=game, kind="rebuild", target="profiles", by="olive", reason="to see")
    now = datetime.now(UTC)
    Alarm.objects.create(
        kind="dead_letters", key="lively", game=game, severity="warning", since=now, noticed=now, opened=now,
        last_seen=now, value=1, worst=1, limit=0, text="1 stream was parked.", url="/admin/",
    )  # fmt: skip
    AlarmLimit.objects.create(kind="dead_letters")
    AlarmMute.objects.create(kind="disk", until=now + timedelta(hours=1), reason="known", by="olive")
    AlarmRecipient.objects.create(
        name="on-call", channel="webhook", address="https://ops.example/hooks/sesame", salt=bytes(32)
    )
    outbox.write(
        game_id=game.id, event_id="staff:1", type="staff.tried", stream="staff", data={"by": "olive"}
    )
    Group.objects.create(name="support")
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    PeriodicTask.objects.create(name="sweep", task="events.sweep", interval=every)
    CrontabSchedule.objects.create()
    SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=1)
    ClockedSchedule.objects.create(clocked_time=datetime.now(UTC))
    return game


def addresses(model_admin: Any) -> dict[str, str]:
    """Return the addresses of a model's list, its add page, and the page of one row."""
    name = f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}"
    row = model_admin.model._default_manager.order_by("pk").first()
    assert row is not None, f"the fixture has no {name}"
    return {
        "list": reverse(f"{name}_changelist"),
        "add": reverse(f"{name}_add"),
        "page": reverse(f"{name}_change", args=[row.pk]),
    }


@pytest.mark.usefixtures("game")
def test_every_screen_opens_for_who_operates() -> None:
    console = olive()
    broken = {}
    for model, model_admin in admin.site._registry.items():
        for kind, path in addresses(model_admin).items():
            status = console.get(path).status_code
            may_add = kind != "add" or model_admin.has_add_permission(_request(console))
            if status != (200 if may_add else 403):
                broken[f"{model.__name__} {kind}"] = status
    assert broken == {}


@pytest.mark.usefixtures("game")
def test_who_only_looks_sees_every_screen_and_no_lever() -> None:
    console = vera()
    broken = {}
    for model, model_admin in admin.site._registry.items():
        paths = addresses(model_admin)
        for kind in ("list", "page"):
            response = console.get(paths[kind])
            levers = [lever for lever in LEVERS if lever in text(response)]
            if response.status_code != 200 or levers:
                broken[f"{model.__name__} {kind}"] = (response.status_code, levers)
        if (status := console.get(paths["add"]).status_code) != 403:
            broken[f"{model.__name__} add"] = (status, [])
    assert broken == {}


@pytest.mark.usefixtures("game")
def test_nobody_who_only_looks_can_change_anything_by_a_forged_form() -> None:
    console = vera()
    key = ApiKey.objects.get(name="match-server")
    alice = Player.objects.get(key="alice")
    forged = {"confirmed": "1", "reason": "because", "count": "1"}
    for row, lever in (
        (alice, "block_this"), (alice, "erase_this"), (key, "revoke_this"), (TokenKey.objects.get(), "retire_this"),
        (RuleRevision.objects.first(), "restore"),
    ):  # fmt: skip
        assert console.post(address(row, lever), forged).status_code == 403, lever
    ticked = {"action": "erase", "_selected_action": [alice.pk], **forged}
    console.post(reverse("admin:players_player_changelist"), ticked)
    alice.refresh_from_db()
    assert (alice.blocked, alice.erased) == (None, None)


@pytest.mark.usefixtures("game")
def test_no_list_counts_its_table() -> None:
    given_game("second")
    console = olive()
    counted = {}
    for model, model_admin in admin.site._registry.items():
        with CaptureQueriesContext(connection) as queries:
            console.get(addresses(model_admin)["list"], _facets="True")
        if found := [each["sql"] for each in queries if COUNTED.search(BOUNDED.sub("", each["sql"]))]:
            counted[model.__name__] = found
    assert counted == {}


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/pulse/", "/admin/events/event/", "/admin/notifications/rule/preview/"]
)
def test_a_stranger_is_asked_to_log_in(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def test_a_player_of_the_same_site_may_not_look() -> None:
    client = Client()
    client.force_login(User.objects.create_user("mallory", password="a long password"))
    assert client.get("/admin/pulse/").status_code == 302


def test_no_page_shows_a_secret_or_what_could_be_made_into_one(game: Game) -> None:
    secret = keys.issue(game, "second-server")
    key = ApiKey.objects.get(name="second-server")
    salt = bytes(TokenKey.objects.get().salt)
    console = olive()
    pages = [
        console.get(path).content.decode()
        for model_admin in admin.site._registry.values()
        for kind, path in addresses(model_admin).items()
        if kind != "add"
    ]
    pages.append(console.page(key).content.decode())
    for hidden in (secret, key.digest, salt.hex(), repr(salt), "password_sha"):
        assert not [page for page in pages if hidden in page]


@pytest.mark.usefixtures("game")
def test_the_front_page_links_each_number_to_the_list_behind_it() -> None:
    console = olive()
    page = text(console.get("/admin/"))
    names = (
        "Events", "Decisions", "Pushes", "Sockets", "Dead letters", "Large audiences", "Outbox", "Deliveries",
        "Dead deliveries", *(f"Lag, {lane.label} lane" for lane in Lane),
    )  # fmt: skip
    for name in names:
        assert f">{name}<" in page
    links = [part.split('"')[0] for part in page.split('class="console-number" href="')[1:]]
    assert len(links) == len(names)
    for link in links:
        assert console.get(link.replace("&amp;", "&")).status_code == 200, link


def test_the_front_page_names_what_failed_last_and_which_rules_were_saved(game: Game) -> None:
    console = olive()
    page = text(console.get("/admin/"))
    assert "The condition could not be worked out: nothing is not in the event." in page
    assert "broken r1" in page
    pulse.forget()
    with CaptureQueriesContext(connection) as few:
        console.get("/admin/")
    for number in range(20):
        given_rule(game, condition="data.nothing > 1", slug=f"also-broken-{number}")
    given_levels(game, 3)
    decide()
    pulse.forget()
    with CaptureQueriesContext(connection) as many:
        assert text(console.get("/admin/")).count("could not be worked out") == 6
    assert len(many) <= len(few)


@pytest.mark.usefixtures("game")
def test_the_pulse_tells_the_numbers_with_their_time() -> None:
    told = json.loads(olive().get("/admin/pulse/").content)
    assert datetime.fromisoformat(told["at"]) <= datetime.now(UTC)
    assert told["events"] == 5  # one of the profile, two levels, two of the staff
    assert told["decisions"] == Decision.objects.order_by("-pk")[0].pk
    assert told["pushes"] == Notification.objects.order_by("-pk")[0].pk
    assert (told["sockets"], told["dead_letters"], told["audiences"]) == (1, 1, 1)
    assert (told["deliveries"], told["deliveries_dead"]) == (0, 2)  # two levels, by one rule
    assert set(told["lanes"]) == {"urgent", "normal", "bulk"}


def test_the_pulse_is_measured_once_a_second_whoever_looks(game: Game) -> None:
    console = olive()
    first = console.get("/admin/pulse/").content
    given_events(game, an_event())
    assert console.get("/admin/pulse/").content == first
    pulse.forget()
    assert console.get("/admin/pulse/").content != first


def test_the_pulse_costs_as_many_queries_with_many_rows_as_with_few(game: Game) -> None:
    with CaptureQueriesContext(
        connection,
    ) as few:
        pulse.measure()
    given_levels(game, *range(100))
    decide()
    pulse.forget()
    with CaptureQueriesContext(connection) as many:
        pulse.measure()
    assert len(many) == len(few) <= 17


@pytest.mark.usefixtures("game")
def test_what_is_wrong_is_said_in_words_with_the_list_behind_it() -> None:
    Checkpoint.objects.filter(hub="decisions").update(paused=True)
    OutboxEvent.objects.update(appended=None, created=datetime.now(UTC) - timedelta(minutes=2))
    told = {each["text"]: each["url"] for each in pulse.measure()["warnings"]}
    assert any("24 checkpoints are paused" in said for said in told)
    assert any("1 stream is parked" in said for said in told)
    assert any("own events wait for the log since 12" in said for said in told)
    assert any("The rule broken fails on events" in said for said in told)
    console = olive()
    assert [console.get(url).status_code for url in told.values()] == [200] * len(told)


def test_a_lane_that_is_late_is_named(game: Game) -> None:
    given_events(game, an_event(), lane=Lane.BULK)
    longer = pulse.warnings(datetime.now(UTC), {Lane.BULK: 61.0, Lane.URGENT: 0.5}, {"dead_letters": 0})
    assert [each["text"] for each in longer if "lane" in each["text"]] == [
        "The bulk lane is late: its oldest event waits for 61.0 s."
    ]


def test_an_empty_list_says_what_would_appear_there() -> None:
    console = olive()
    assert "Nothing is parked." in text(console.listed("events_deadletter"))
    assert "Events appear here as game servers append them" in text(console.listed("events_event"))


@pytest.mark.usefixtures("game")
def test_a_list_that_finds_nothing_says_so_and_how_to_search() -> None:
    page = text(olive().listed("players_player", q="nobody"))
    assert "Nothing matches" in page
    assert "Search takes the player&#x27;s id in the game, or how it begins" in page


@pytest.mark.usefixtures("game")
def test_the_palette_finds_players_rules_events_and_notifications() -> None:
    console = olive()
    row = Notification.objects.order_by("id")[0]
    for term, title in (
        ("alice", "alice"), ("levels", "levels"), ("level.r", "level.reached"), (str(row.uid), row.title),
        (row.event.event_id, row.event.event_id),
    ):  # fmt: skip
        found = text(console.get(reverse("admin:search"), s=term, extended="1"))
        assert title in found, term


@pytest.mark.usefixtures("game")
def test_the_palette_shows_nobody_what_they_may_not_see() -> None:
    user = given_staff("bob", "notifications.view_rule")
    found = text(Console(user).get(reverse("admin:search"), s="alice", extended="1"))
    assert "/players/player/" not in found


@pytest.mark.usefixtures("game")
def test_the_sidebar_offers_only_what_may_be_opened() -> None:
    page = text(Console(given_staff("bob", "players.view_player")).get("/admin/"))
    assert "/admin/players/player/" in page
    assert 'href="/admin/auth/user/"' not in page


@pytest.mark.usefixtures("game")
def test_who_manages_staff_cannot_give_themselves_more() -> None:
    bob = given_staff("bob", "auth.change_user", "auth.view_user", "auth.add_user")
    boss = given_staff("boss", everything=True)
    console = Console(bob)
    form = {"username": "bob", "password": "x", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    console.post(address(bob), {**form, "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"})
    bob.refresh_from_db()
    assert not bob.is_superuser
    assert console.post(address(boss), {**form, "username": "boss"}).status_code == 403


@pytest.mark.usefixtures("game")
def test_staff_who_are_made_here_can_log_in() -> None:
    console = olive()
    made = {
        "username": "victor",
        "usable_password": "true",
        "password1": "long and dull 7",
        "password2": "long and dull 7",
    }
    response = console.post(reverse("admin:auth_user_add"), made, follow=True)
    assert any("victor" in each for each in said(response))
    assert Client().login(username="victor", password="long and dull 7")


@pytest.mark.usefixtures("game")
def test_tasks_are_started_only_by_who_may_change_them() -> None:
    row = PeriodicTask.objects.get(name="sweep")
    ticked = {"action": "disable_tasks", "_selected_action": [row.pk]}
    path = reverse("admin:django_celery_beat_periodictask_changelist")
    vera().post(path, ticked)
    assert PeriodicTask.objects.get(pk=row.pk).enabled
    olive().post(path, ticked)
    assert not PeriodicTask.objects.get(pk=row.pk).enabled


def _request(console: Console) -> Any:
    return type("Request", (), {"user": console.user})()


def test_every_model_of_the_sidebar_is_registered() -> None:
    from config.console.unfold import UNFOLD  # noqa: PLC0415 - lazy links resolve only with URLs loaded

    for group in UNFOLD["SIDEBAR"]["navigation"]:
        for item in group["items"]:
            try:
                str(item["link"])
            except NoReverseMatch as error:
                raise AssertionError(item["title"]) from error
    hubs_catch_up([])
