"""The player's page: for whom it opens, what it hands out, and what a click comes to."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings as live
from django.http import HttpResponse
from django.test import Client, RequestFactory

from config.demo import opening, views
from config.demo.catalogue import BY_NAME, PLAYERS
from config.demo.game_server import GameServer
from config.demo.install import install
from events.envelope import Envelope
from events.models import Game
from events.tenancy import create_game
from notifications.models import Notification, Rule
from players import tokens
from players.models import Player
from tests.given import an_event, given_events, hubs_catch_up
from tests.players.people import given_player

pytestmark = pytest.mark.django_db(transaction=True)
with_demo = pytest.mark.usefixtures("game")
ADDRESSES = ["/play/", "/play/token", "/play/send", "/play/clock"]
POSTS = {"/play/token", "/play/send"}


@pytest.fixture(autouse=True)
def _open(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CLARION_DEMO = True
    settings.CLARION_DEMO_KEY = "clk_the-demos-own-key"
    monkeypatch.setattr(opening, "_closed", type(opening._closed)())


@pytest.fixture
def game() -> Game:
    return install()


@pytest.fixture
def visitor() -> Client:
    return Client(enforce_csrf_checks=True)


def post(visitor: Client, path: str, body: Any) -> HttpResponse:
    """Post as the page does: with the token of its cookie."""
    token = visitor.get("/play/").cookies["csrftoken"].value
    text = body if isinstance(body, str) else json.dumps(body)
    return visitor.post(path, text, content_type="application/json", headers={"X-CSRFToken": token})


def said(answer: HttpResponse) -> Any:
    return json.loads(answer.content)


class AppendingServer:
    """Appends what the game server posts, as the API does, and answers like it."""

    def send(self, event: dict[str, Any]) -> dict[str, Any]:
        game = Game.objects.get(slug="demo")
        envelope: Envelope = an_event(
            type=event["type"], id=event["id"], stream=event["subject"], data=event["data"]
        )
        place = given_events(game, envelope, lane=BY_NAME[event["type"]].lane)[0]
        return {"source": place.source, "id": place.id}


@pytest.fixture
def appending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_server", lambda *_: AppendingServer())


# -- for whom it opens


def everything_is_closed(visitor: Client) -> bool:
    answers = [
        visitor.post(path, "{}", content_type="application/json") if path in POSTS else visitor.get(path)
        for path in ADDRESSES
    ]
    return [answer.status_code for answer in answers] == [404] * len(ADDRESSES)


def test_there_is_no_page_without_the_demo_game() -> None:
    assert everything_is_closed(Client())


def test_a_deleted_demo_closes_its_page(game: Game) -> None:
    assert Client().get("/play/").status_code == 200
    Game.objects.filter(pk=game.pk).update(slug="retired")
    assert everything_is_closed(Client())


def test_a_real_game_of_that_name_gives_nobody_its_players_tokens(settings: Any) -> None:
    settings.CLARION_DEMO = False
    given_player(create_game("demo"), "alice")
    assert everything_is_closed(Client())
    assert Client().get("/").headers["Location"] == "/admin/"


@with_demo
def test_a_process_that_was_started_without_the_demo_has_none() -> None:
    opening.close()
    assert everything_is_closed(Client())
    assert Client().get("/").headers["Location"] == "/admin/"


# -- the page


@with_demo
def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline() -> None:
    answer = Client().get("/play/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = answer.content.decode()
    assert not re.search(r"https?://(?!testserver)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
    scripts = re.findall(r"<script([^>]*)>", text)
    assert all("src=" in script or 'type="application/json"' in script for script in scripts)


@with_demo
def test_every_file_that_the_page_names_is_there() -> None:
    text = Client().get("/play/").content.decode()
    named = set(re.findall(r'(?:src|href)="(/static/[^"?]+)"', text))
    assert {"/static/demo/play.js", "/static/demo/page.css"} <= {
        re.sub(r"\.[0-9a-f]{12}\.", ".", n) for n in named
    }
    folder = Path(views.__file__).parent / "static" / "demo"
    for script in folder.glob("*.js"):
        for module in re.findall(r'from "\./([^"]+)"', script.read_text()):
            assert (folder / module).exists(), f"{script.name} imports {module}"


@with_demo
def test_there_is_a_button_for_each_type_and_a_choice_of_players() -> None:
    text = Client().get("/play/").content.decode()
    assert set(re.findall(r'data-type="([^"]+)"', text)) == set(BY_NAME)
    assert re.findall(r'<option value="([^"]+)"', text) == [player.key for player in PLAYERS]


# -- tokens


@with_demo
def test_a_token_lets_in_the_demos_player_and_nobody_else(visitor: Client) -> None:
    answer = post(visitor, "/play/token", {"player": "alice"})
    assert answer.status_code == 201
    assert "no-store" in answer.headers["Cache-Control"]
    claims = tokens.verify(said(answer)["token"])
    assert (claims.game, claims.player) == ("demo", "alice")


@pytest.mark.parametrize("body", [{"player": "mallory"}, {"player": ["alice"]}, {}, [], "no json", '"alice"'])
def test_whoever_is_no_player_of_the_demo_gets_no_token(game: Game, visitor: Client, body: Any) -> None:
    given_player(game, "mallory")
    answer = post(visitor, "/play/token", body)
    assert answer.status_code == 422
    assert b"token" not in answer.content


def test_a_blocked_player_gets_no_token(game: Game, visitor: Client) -> None:
    hubs_catch_up()
    Player.objects.filter(game=game, key="alice").update(blocked="2026-01-01T00:00:00Z")
    answer = post(visitor, "/play/token", {"player": "alice"})
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"


@with_demo
@pytest.mark.parametrize("path", sorted(POSTS))
def test_another_sites_page_can_neither_take_a_token_nor_send(visitor: Client, path: str) -> None:
    visitor.get("/play/")
    answer = visitor.post(path, {"player": "alice", "type": "gift.received"}, content_type="application/json")
    assert answer.status_code == 403


# -- sending


@with_demo
@pytest.mark.usefixtures("appending")
@pytest.mark.parametrize("kind", sorted(BY_NAME))
def test_a_click_is_told_the_notification_that_it_comes_to(visitor: Client, kind: str) -> None:
    answer = post(visitor, "/play/send", {"player": "bruno", "type": kind})
    assert answer.status_code == 202
    hubs_catch_up()
    uids = Notification.objects.filter(player__key="bruno").values_list("uid", flat=True)
    assert said(answer)["notifications"] == [str(uid) for uid in uids]


@with_demo
@pytest.mark.usefixtures("appending")
def test_a_click_that_no_rule_tells_of_says_so(visitor: Client) -> None:
    Rule.objects.filter(event_type="gift.received").update(enabled=False)
    answer = post(visitor, "/play/send", {"player": "alice", "type": "gift.received"})
    assert (answer.status_code, said(answer)["notifications"]) == (202, [])


@with_demo
@pytest.mark.parametrize(
    "body",
    [
        {"player": "alice", "type": "chest.opened"},
        {"player": "alice", "type": ["match.ready"]},
        {"player": "alice"},
        {"player": "mallory", "type": "match.ready"},
        "no json",
    ],
)
def test_only_the_demos_events_are_sent_to_the_demos_players(visitor: Client, body: Any) -> None:
    assert post(visitor, "/play/send", body).status_code == 422


@with_demo
def test_a_server_that_cannot_be_reached_is_told_without_its_key(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    server = GameServer("http://clarion", live.CLARION_DEMO_KEY, httpx.MockTransport(away))
    monkeypatch.setattr(views, "_server", lambda *_: server)
    answer = post(visitor, "/play/send", {"player": "alice", "type": "match.ready"})
    assert answer.status_code == 503
    assert b"clk_" not in answer.content


# -- the game server behind it


def test_the_game_server_posts_structured_events_with_its_key() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"partition": 3, "offset": 9})

    server = GameServer("http://clarion", "clk_secret", httpx.MockTransport(answer))
    assert server.send({"id": "e1"}) == {"partition": 3, "offset": 9}
    assert seen[0].url == "http://clarion/api/v1/events"
    assert seen[0].headers["authorization"] == "Bearer clk_secret"
    assert seen[0].headers["content-type"] == "application/cloudevents+json"


def test_a_refusal_is_raised() -> None:
    server = GameServer("http://clarion", "clk_wrong", httpx.MockTransport(lambda _: httpx.Response(401)))
    with pytest.raises(httpx.HTTPStatusError):
        server.send({"id": "e1"})


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (("10.0.0.5", "8000"), "http://10.0.0.5:8000"),
        (("::1", "8000"), "http://[::1]:8000"),
        (("unknown", "0"), "https://clarion.example"),
    ],
    ids=["address", "ipv6", "unix-socket"],
)
def test_behind_a_proxy_it_posts_to_the_very_process(
    settings: Any, server: tuple[str, str], url: str
) -> None:
    settings.ALLOWED_HOSTS = ["clarion.example"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    request = RequestFactory().post(
        "/play/send",
        HTTP_HOST="clarion.example",
        HTTP_X_FORWARDED_PROTO="https",
        SERVER_NAME=server[0],
        SERVER_PORT=server[1],
    )
    assert views._own_url(request) == url


@with_demo
def test_the_clock_tells_milliseconds() -> None:
    answer = Client().get("/play/clock")
    assert said(answer)["now"] == pytest.approx(views.time.time() * 1000, abs=60_000)
    assert "no-store" in answer.headers["Cache-Control"]
