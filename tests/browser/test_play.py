"""The demo's page as its visitors meet it: a real server, a game that goes on by itself, and Chromium.

The simulated game server sends to the same players meanwhile. So what a test looks for has a name of its own.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Route, expect

from tests.browser.cable import Cable
from tests.browser.visitor import Game, Visitor
from tests.config.processes import MANAGE, Up, finished

pytestmark = pytest.mark.browser
Visit = Callable[..., Visitor]
ANNOUNCE = """
from events.models import Game
from notifications import announcements
announcements.put(Game.objects.get(slug="demo").pk, title={title!r}, body="Lights in Glass Harbour.")
"""


# -- what happens is shown


def test_a_button_brings_a_notification_to_the_screen_and_tells_its_time(visit: Visit) -> None:
    alice = visit("alice")
    alice.press("gift.received")
    expect(alice.page.locator("#sent")).to_have_text(
        re.compile(r"^Gift: on this screen \d+ ms after your click\.$")
    )
    expect(alice.toast("A gift from").first).to_be_visible()
    expect(alice.item("A gift from").first).to_be_visible()
    expect(alice.page.locator('#spark rect[data-kind="click"]')).to_have_count(1)


def test_a_notification_that_is_here_before_its_clicks_answer_is_still_the_clicks(visit: Visit) -> None:
    alice = visit("alice")
    held: list[tuple[Route, APIResponse]] = []
    alice.page.route("**/play/send", lambda route: held.append((route, route.fetch())))
    alice.press("guild.invite.received")
    expect(alice.toast("wants you").first).to_be_visible()
    alice.until(lambda: bool(held))
    expect(alice.page.locator('#spark rect[data-kind="click"]')).to_have_count(0)
    held[0][0].fulfill(response=held[0][1])
    expect(alice.page.locator("#sent")).to_have_text(re.compile(r"^Guild invitation: on this screen \d+ ms"))
    expect(alice.page.locator('#spark rect[data-kind="click"]')).to_have_count(1)


def test_the_game_goes_on_by_itself_and_each_time_is_told_for_what_it_is(visit: Visit) -> None:
    alice = visit("alice")
    expect(alice.page.locator("#latency-what")).to_have_text(
        "from Clarion's decision to this screen, by the server's clock", timeout=60_000
    )
    expect(alice.page.locator("#latency")).to_have_text(re.compile(r"^\d+ ms$"))
    expect(alice.page.locator("#clock")).to_have_text(re.compile(r"^clocks agree to ± \d+\.\d ms$"))


@pytest.mark.parametrize(
    ("player", "title"),
    [("bruno", "Ilse está online"), ("dieter", "Ilse ist online"), ("chiyo", "Ilseさんがオンラインです")],
    ids=["bruno", "dieter", "chiyo"],
)
def test_players_are_told_in_their_own_language(visit: Visit, game: Game, player: str, title: str) -> None:
    visitor = visit(player)
    game.happens("friend.online", {"player_id": player, "friend": "Ilse"})
    toast = visitor.toast(title)
    expect(toast).to_be_visible()
    expect(toast.locator("h3")).to_have_attribute("lang", re.compile(r"^(pt-BR|de-AT|ja)$"))
    expect(visitor.item(title)).to_have_count(0)  # live ones never enter the inbox


def test_another_player_may_be_chosen_and_has_an_inbox_of_their_own(visit: Visit, game: Game) -> None:
    alice = visit("alice")
    hers, his = game.invites("alice"), game.invites("bruno")
    expect(alice.item(hers)).to_be_visible()
    alice.page.get_by_label("Play as").select_option("bruno")
    alice.connected()
    expect(alice.item(his)).to_be_visible()
    expect(alice.item(hers)).to_have_count(0)
    assert alice.page.url.endswith("?player=bruno")


def test_an_announcement_stands_until_one_device_has_read_it(visit: Visit, data_folder: Path) -> None:
    first, second = visit("alice"), visit("alice")
    title = "The Lantern Festival begins"
    made = finished(MANAGE, "shell", "-c", ANNOUNCE.format(title=title), CLARION_DATA=str(data_folder))
    assert made.returncode == 0, made.stderr
    for device in (first, second):
        expect(device.page.locator(".announcement").filter(has_text=title)).to_be_visible()
    second.page.get_by_role("button", name=f"Read: {title}").click()
    for device in (first, second):
        expect(device.page.locator(".announcement").filter(has_text=title)).to_have_count(0)
    first.page.reload()
    first.connected()
    expect(first.page.locator(".announcement").filter(has_text=title)).to_have_count(0)


# -- the inbox


def test_the_bell_counts_what_the_server_counts(visit: Visit, game: Game) -> None:
    alice = visit("alice")
    guild = game.invites("alice")
    expect(alice.item(guild)).to_have_attribute("data-unread", "")
    alice.until(lambda: alice.unread() == alice.unread_on_the_server() > 0)
    expect(alice.page).to_have_title(re.compile(r"^\(\d+\) Lanternfall$"))


def test_read_all_empties_the_bell_and_the_list_says_what_would_come(visit: Visit) -> None:
    alice = visit("alice")
    alice.press("gift.received")
    expect(alice.badge).to_be_visible()
    alice.page.get_by_role("button", name="Unread", exact=True).click()
    alice.page.get_by_role("button", name="Read all").click()
    expect(alice.page.locator("#empty")).to_have_text("All read. What is new will show here.")
    expect(alice.page.get_by_role("button", name="Inbox, nothing unread")).to_be_visible()


def test_an_inbox_that_the_server_could_not_give_is_loaded_again_when_it_said(
    visit: Visit, game: Game
) -> None:
    alice = visit("alice", quiet=False)
    guild = game.invites("alice")
    expect(alice.item(guild)).to_be_visible()
    away = {"status": 503, "headers": {"Retry-After": "1"}, "body": ""}
    alice.page.route("**/api/v1/inbox?*", lambda route: route.fulfill(**away), times=1)  # type: ignore[arg-type]
    alice.page.get_by_role("button", name="Unread", exact=True).click()
    expect(alice.page.locator("#problem")).to_be_visible()
    expect(alice.page.locator("#problem")).to_be_hidden()  # nobody clicked


def test_what_is_read_on_one_device_is_read_on_the_other(visit: Visit, game: Game) -> None:
    first, second = visit("alice"), visit("alice")
    guild = game.invites("alice")
    for device in (first, second):
        expect(device.item(guild)).to_have_attribute("data-unread", "")
    first.page.get_by_role("button", name=f"Mark as read: {guild}").click()
    for device in (first, second):
        expect(device.item(guild)).not_to_have_attribute("data-unread", "")
    first.until(lambda: first.unread() == second.unread() == first.unread_on_the_server())


def test_what_is_archived_on_one_device_leaves_both(visit: Visit, game: Game) -> None:
    first, second = visit("alice"), visit("alice")
    guild = game.invites("alice")
    expect(second.item(guild)).to_be_visible()
    first.page.get_by_role("button", name=f"Archive: {guild}").click()
    for device in (first, second):
        expect(device.item(guild)).to_have_count(0)
    first.page.reload()
    first.connected()
    expect(first.items.first).to_be_visible()
    expect(first.item(guild)).to_have_count(0)


def test_what_is_in_sight_counts_as_seen_and_is_new_no_longer(visit: Visit, game: Game) -> None:
    alice = visit("alice")
    guild = game.invites("alice")
    expect(alice.item(guild)).to_have_attribute("data-new", "")
    expect(alice.item(guild)).not_to_have_attribute("data-new", "")
    expect(alice.item(guild)).to_have_attribute("data-unread", "")


def test_older_ones_come_page_by_page_and_none_twice(visit: Visit, game: Game) -> None:
    guilds = [game.invites("eunji") for _ in range(45)]
    eunji = visit("eunji")
    expect(eunji.item(guilds[-1])).to_be_visible()
    expect(eunji.item(guilds[0])).to_have_count(0)
    while eunji.item(guilds[0]).count() == 0:
        shown = eunji.items.count()
        eunji.page.get_by_role("button", name="Show older").click()
        eunji.until(lambda shown=shown: eunji.items.count() > shown)
    for guild in guilds:
        expect(eunji.item(guild)).to_have_count(1)
    ids = eunji.page.evaluate("[...document.querySelectorAll('.item')].map((item) => item.dataset.id)")
    assert len(ids) == len(set(ids))


def test_a_long_visit_keeps_the_newest_hundred_and_the_rest_a_click_away(visit: Visit, game: Game) -> None:
    chiyo = visit("chiyo")
    guilds = [game.invites("chiyo") for _ in range(105)]
    expect(chiyo.item(guilds[-1])).to_have_count(1)
    expect(chiyo.item(guilds[0])).to_have_count(0)
    chiyo.until(lambda: chiyo.items.count() == 100)
    chiyo.page.get_by_role("button", name="Show older").click()
    for guild in guilds:
        expect(chiyo.item(guild)).to_have_count(1)


def test_a_category_shows_its_own_and_takes_in_what_comes(visit: Visit, game: Game) -> None:
    alice = visit("alice")
    invited = game.invites("alice")
    expect(alice.item(invited)).to_be_visible()
    alice.page.locator("#filters").get_by_role("button", name="Gift").click()
    expect(alice.item(invited)).to_have_count(0)
    game.happens("gift.received", {"player_id": "alice", "gift": "Glass Whale", "from": "Noor"})
    expect(alice.item("Glass Whale")).to_be_visible()
    assert set(alice.page.locator(".item .category").all_inner_texts()) == {"Gift"}


# -- cut and resume


def test_what_came_during_a_cut_is_shown_once_and_counted(visit: Visit, game: Game) -> None:
    alice = visit("alice")
    before = game.invites("alice")
    expect(alice.item(before)).to_be_visible()
    alice.switch.click()
    expect(alice.page.locator("#state")).to_contain_text("You have cut the connection")
    guilds = [game.invites("alice") for _ in range(5)]
    alice.press("gift.received")
    expect(alice.page.locator("#sent")).to_have_text("Gift: sent. It will be here when you connect again.")
    expect(alice.item(guilds[-1])).to_have_count(0)
    alice.switch.click()
    alice.connected()
    for guild in [before, *guilds]:
        expect(alice.item(guild)).to_have_count(1)
    for guild in guilds:
        expect(alice.toast(guild)).to_have_count(0)  # no storm of toasts for what is no news
    expect(alice.page.locator("#resumed")).to_have_text(
        re.compile(r"^Back after \d+ s: (\d+) notifications had come meanwhile\.$")
    )
    counted = re.search(r"(\d+) notif", alice.page.locator("#resumed").inner_text())
    assert counted
    assert int(counted[1]) >= 6
    after = game.invites("alice")
    expect(alice.toast(after)).to_have_count(1)
    expect(alice.item(after)).to_have_count(1)


def test_a_lost_network_is_told_in_plain_words_and_mends_itself(visit: Visit, server: Up, game: Game) -> None:
    cable = Cable(server.port)
    try:
        alice = visit("alice", url=cable.url, quiet=False)
        cable.unplug()
        expect(alice.page.locator("#state")).to_have_text(
            re.compile(r"^The connection is lost .*Trying again in \d+ s; nothing gets lost\.$")
        )
        guild = game.invites("alice")
        cable.plug_in()
        alice.connected()
        expect(alice.item(guild)).to_have_count(1)
        expect(alice.page.locator("#resumed")).to_contain_text("Back after")
    finally:
        cable.close()
