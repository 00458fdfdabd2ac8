"""The demo's page as its visitors meet it: a real server, a game that goes on by itself, and Chromium.

The simulated game server sends to the same players meanwhile. So what a test looks for has a name of its own.
"""

import itertools
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import (
    APIResponse,
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Route,
    expect,
)

from tests.browser.cable import Cable
from tests.config.processes import MANAGE, Up, finished

pytestmark = pytest.mark.browser
Happen = Callable[..., None]
Visit = Callable[..., "Visitor"]
_numbers = itertools.count(1)
ANNOUNCE = """
from events.models import Game
from notifications import announcements
announcements.put(Game.objects.get(slug="demo").pk, title={title!r}, body="Lights in Glass Harbour.")
"""


class Visitor:
    """Somebody who looks at the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.toasts = page.locator("#toasts .toast")
        self.matches = page.locator("#matches .match")
        self.items = page.locator("#items .item")
        self.pill = page.locator("#pill")
        self.badge = page.locator("#badge")
        self.switch = page.get_by_role("switch", name="Connection")

    def connected(self) -> None:
        expect(self.pill).to_have_attribute("data-state", "connected")

    def item(self, text: str) -> Locator:
        return self.items.filter(has_text=text)

    def toast(self, text: str) -> Locator:
        return self.toasts.filter(has_text=text)

    def press(self, type: str) -> None:
        self.page.locator(f'[data-type="{type}"]').click()

    def unread(self) -> int:
        return int(self.badge.get_attribute("data-unread") or 0)


@pytest.fixture(scope="module")
def api_key(server: Up, data_folder: Path) -> str:
    """A key of the game ``demo``, made by an operator while the server runs."""
    assert server
    made = finished(MANAGE, "apikey", "demo", "--name", "browser-tests", CLARION_DATA=str(data_folder))
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def happen(server: Up, api_key: str) -> Iterator[Happen]:
    """Post one event as a game server does: ``happen("match.ready", {"player_id": "alice", "map": "m"})``."""
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as http:

        def post(type: str, data: dict[str, Any], **attributes: str) -> None:
            event = {"specversion": "1.0", "id": f"play-{next(_numbers)}", "source": "/tests/play"}
            http.post(
                "/api/v1/events", json=event | {"type": type, "data": data} | attributes
            ).raise_for_status()

        yield post


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser's console complains of on any page; the policy's violations are among it."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def visit(context: BrowserContext, server: Up, complaints: list[str]) -> Visit:
    """Open the page as a player: ``visit("alice")``; each one is a device of its own."""

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def open_(player: str, *, url: str = "", clock: bool = False, quiet: bool = True) -> Visitor:
        page = context.new_page()
        if quiet:
            page.on("console", note)
        if clock:
            page.clock.install()
        page.goto(f"{url or server.url}/play/?player={player}")
        visitor = Visitor(page)
        visitor.connected()
        return visitor

    return open_


@pytest.fixture
def invite(happen: Happen) -> Callable[[str], str]:
    """Invite a player to a guild that no other test has; returns its name."""

    def post(player: str) -> str:
        guild = f"Guild No. {next(_numbers)}."
        happen("guild.invite.received", {"player_id": player, "guild": guild, "from": "Mirela"})
        return guild

    return post


def unread_of(visitor: Visitor) -> int:
    """Ask the server how many are unread, as the page's player."""
    script = """async () => {
        const player = new URLSearchParams(location.search).get("player");
        const csrf = document.cookie.match(/csrftoken=([^;]+)/)[1];
        const asked = await fetch("/play/token", {
            method: "POST", headers: {"X-CSRFToken": csrf}, body: JSON.stringify({player}) });
        const headers = {Authorization: `Bearer ${(await asked.json()).token}`};
        return (await (await fetch("/api/v1/inbox?limit=1", {headers})).json()).unread;
    }"""
    return int(visitor.page.evaluate(script))


def until(visitor: Visitor, holds: Callable[[], bool]) -> None:
    """Wait for something that the page alone cannot tell."""
    for _ in range(60):
        if holds():
            return
        visitor.page.wait_for_timeout(100)
    raise AssertionError("it did not come to pass")


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
    until(alice, lambda: bool(held))
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
def test_players_are_told_in_their_own_language(
    visit: Visit, happen: Happen, player: str, title: str
) -> None:
    visitor = visit(player)
    happen("friend.online", {"player_id": player, "friend": "Ilse"})
    toast = visitor.toast(title)
    expect(toast).to_be_visible()
    expect(toast.locator("h3")).to_have_attribute("lang", re.compile(r"^(pt-BR|de-AT|ja)$"))
    expect(visitor.item(title)).to_have_count(0)  # live ones never enter the inbox


def test_another_player_may_be_chosen_and_has_an_inbox_of_their_own(
    visit: Visit, invite: Callable[[str], str]
) -> None:
    alice = visit("alice")
    hers, his = invite("alice"), invite("bruno")
    expect(alice.item(hers)).to_be_visible()
    alice.page.get_by_label("Play as").select_option("bruno")
    alice.connected()
    expect(alice.item(his)).to_be_visible()
    expect(alice.item(hers)).to_have_count(0)
    assert alice.page.url.endswith("?player=bruno")


def test_an_announcement_stands_until_one_device_has_read_it(visit: Visit, data_folder: Path) -> None:
    first, second = visit("alice"), visit("alice")
    title = f"The Lantern Festival, part {next(_numbers)}"
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


def test_the_bell_counts_what_the_server_counts(visit: Visit, invite: Callable[[str], str]) -> None:
    alice = visit("alice")
    guild = invite("alice")
    expect(alice.item(guild)).to_have_attribute("data-unread", "")
    until(alice, lambda: alice.unread() == unread_of(alice) > 0)
    expect(alice.page).to_have_title(re.compile(r"^\(\d+\) Lanternfall$"))


def test_read_all_empties_the_bell_and_the_list_says_what_would_come(visit: Visit) -> None:
    alice = visit("alice")
    alice.press("gift.received")
    expect(alice.badge).to_be_visible()
    alice.page.get_by_role("button", name="Unread", exact=True).click()
    alice.page.get_by_role("button", name="Read all").click()
    expect(alice.page.locator("#empty")).to_have_text("All read. What is new will show here.")
    expect(alice.page.get_by_role("button", name="Inbox, nothing unread")).to_be_visible()


def test_what_is_read_on_one_device_is_read_on_the_other(visit: Visit, invite: Callable[[str], str]) -> None:
    first, second = visit("alice"), visit("alice")
    guild = invite("alice")
    for device in (first, second):
        expect(device.item(guild)).to_have_attribute("data-unread", "")
    first.page.get_by_role("button", name=f"Mark as read: {guild}").click()
    for device in (first, second):
        expect(device.item(guild)).not_to_have_attribute("data-unread", "")
    until(first, lambda: first.unread() == second.unread() == unread_of(first))


def test_what_is_archived_on_one_device_leaves_both(visit: Visit, invite: Callable[[str], str]) -> None:
    first, second = visit("alice"), visit("alice")
    guild = invite("alice")
    expect(second.item(guild)).to_be_visible()
    first.page.get_by_role("button", name=f"Archive: {guild}").click()
    for device in (first, second):
        expect(device.item(guild)).to_have_count(0)
    first.page.reload()
    first.connected()
    expect(first.items.first).to_be_visible()
    expect(first.item(guild)).to_have_count(0)


def test_what_is_in_sight_counts_as_seen_and_is_new_no_longer(
    visit: Visit, invite: Callable[[str], str]
) -> None:
    alice = visit("alice")
    guild = invite("alice")
    expect(alice.item(guild)).to_have_attribute("data-new", "")
    expect(alice.item(guild)).not_to_have_attribute("data-new", "")
    expect(alice.item(guild)).to_have_attribute("data-unread", "")


def test_older_ones_come_page_by_page_and_none_twice(visit: Visit, invite: Callable[[str], str]) -> None:
    guilds = [invite("eunji") for _ in range(45)]
    eunji = visit("eunji")
    expect(eunji.item(guilds[-1])).to_be_visible()
    expect(eunji.item(guilds[0])).to_have_count(0)
    while eunji.item(guilds[0]).count() == 0:
        shown = eunji.items.count()
        eunji.page.get_by_role("button", name="Show older").click()
        until(eunji, lambda shown=shown: eunji.items.count() > shown)
    for guild in guilds:
        expect(eunji.item(guild)).to_have_count(1)
    ids = eunji.page.evaluate("[...document.querySelectorAll('.item')].map((item) => item.dataset.id)")
    assert len(ids) == len(set(ids))


def test_a_long_visit_keeps_the_newest_hundred_and_the_rest_a_click_away(
    visit: Visit, invite: Callable[[str], str]
) -> None:
    chiyo = visit("chiyo")
    guilds = [invite("chiyo") for _ in range(105)]
    expect(chiyo.item(guilds[-1])).to_have_count(1)
    expect(chiyo.item(guilds[0])).to_have_count(0)
    until(chiyo, lambda: chiyo.items.count() == 100)
    chiyo.page.get_by_role("button", name="Show older").click()
    for guild in guilds:
        expect(chiyo.item(guild)).to_have_count(1)


def test_a_category_shows_its_own_and_takes_in_what_comes(
    visit: Visit, invite: Callable[[str], str], happen: Happen
) -> None:
    alice = visit("alice")
    invited = invite("alice")
    expect(alice.item(invited)).to_be_visible()
    alice.page.locator("#filters").get_by_role("button", name="Gift").click()
    expect(alice.item(invited)).to_have_count(0)
    happen("gift.received", {"player_id": "alice", "gift": "Glass Whale", "from": "Noor"})
    expect(alice.item("Glass Whale")).to_be_visible()
    assert set(alice.page.locator(".item .category").all_inner_texts()) == {"Gift"}


# -- cut and resume


def test_what_came_during_a_cut_is_shown_once_and_counted(visit: Visit, invite: Callable[[str], str]) -> None:
    alice = visit("alice")
    before = invite("alice")
    expect(alice.item(before)).to_be_visible()
    alice.switch.click()
    expect(alice.page.locator("#state")).to_contain_text("You have cut the connection")
    guilds = [invite("alice") for _ in range(5)]
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
    after = invite("alice")
    expect(alice.toast(after)).to_have_count(1)
    expect(alice.item(after)).to_have_count(1)


def test_a_lost_network_is_told_in_plain_words_and_mends_itself(
    visit: Visit, server: Up, invite: Callable[[str], str]
) -> None:
    cable = Cable(server.port)
    try:
        alice = visit("alice", url=cable.url, quiet=False)
        cable.unplug()
        expect(alice.page.locator("#state")).to_have_text(
            re.compile(r"^The connection is lost .*Trying again in \d+ s; nothing gets lost\.$")
        )
        guild = invite("alice")
        cable.plug_in()
        alice.connected()
        expect(alice.item(guild)).to_have_count(1)
        expect(alice.page.locator("#resumed")).to_contain_text("Back after")
    finally:
        cable.close()


# -- what lives for seconds


def match(happen: Happen, player: str, **attributes: str) -> str:
    """Announce a match on a map that no other test has; returns its name."""
    place = f"Map No. {next(_numbers)}."
    happen("match.ready", {"player_id": player, "map": place, "players": 4}, **attributes)
    return place


def test_a_match_counts_down_its_twenty_seconds_and_leaves(visit: Visit, happen: Happen) -> None:
    """By the page's own clock, which is put forward: the client counts the server's time with it."""
    alice = visit("alice", clock=True)
    shown = alice.matches.filter(has_text=match(happen, "alice"))
    expect(shown).to_be_visible()
    left = shown.locator(".ring b")
    assert 10 <= int(left.inner_text()) <= 20
    alice.page.clock.fast_forward(9_000)
    expect(left).to_have_text(re.compile(r"^([1-9]|1[01])$"))
    expect(shown).to_be_visible()
    alice.page.clock.fast_forward(12_000)
    expect(shown).to_have_count(0)


def test_a_match_that_ends_within_seconds_is_gone_then_by_everybodys_clock(
    visit: Visit, happen: Happen
) -> None:
    alice = visit("alice")
    ends = datetime.now(UTC) + timedelta(seconds=4)
    shown = alice.matches.filter(has_text=match(happen, "alice", expirytime=ends.isoformat()))
    expect(shown).to_be_visible()
    expect(shown).to_have_count(0)
    assert datetime.now(UTC) >= ends - timedelta(milliseconds=200)
    alice.page.reload()
    alice.connected()
    expect(alice.items.first).to_be_visible()
    expect(shown).to_have_count(0)


def test_a_match_joined_on_one_device_stops_asking_on_the_other(visit: Visit, happen: Happen) -> None:
    first, second = visit("alice"), visit("alice")
    place = match(happen, "alice")
    asked = [device.matches.filter(has_text=place) for device in (first, second)]
    for question in asked:
        expect(question).to_be_visible()
    asked[0].get_by_role("button", name="Join").click()
    for question in asked:
        expect(question).to_have_count(0, timeout=8_000)


# -- everybody can use it


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: Browser, server: Up) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(f"{server.url}/play/?player=dieter")
    phone = Visitor(page)
    phone.connected()
    phone.press("match.ready")
    expect(phone.matches.first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.locator("#inbox")).to_be_hidden()
    page.locator("#bell").click()
    expect(page.locator("#inbox")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_on_a_phone_the_inbox_is_a_sheet_that_the_keyboard_can_open_and_leave(
    browser: Browser, server: Up
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{server.url}/play/?player=dieter")
    Visitor(page).connected()
    page.locator("#bell").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#inbox")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        inside = page.evaluate(
            "document.activeElement.closest('#inbox, .hud') || document.activeElement === document.body"
        )
        assert inside, "the keyboard left the sheet"
    page.keyboard.press("Escape")
    expect(page.locator("#inbox")).to_be_hidden()
    expect(page.locator("#bell")).to_be_focused()
    context.close()


def test_the_keyboard_goes_on_with_the_next_row_after_archiving(
    visit: Visit, invite: Callable[[str], str]
) -> None:
    alice = visit("alice")
    older, newer = invite("alice"), invite("alice")
    expect(alice.item(newer)).to_be_visible()
    expect(alice.item(older)).to_be_visible()
    alice.page.get_by_role("button", name=f"Archive: {newer}").focus()
    alice.page.keyboard.press("Enter")
    expect(alice.item(newer)).to_have_count(0)
    expect(alice.page.locator(":focus")).to_have_attribute("data-act", "archive")


def test_what_comes_is_read_aloud_and_every_button_has_a_name(visit: Visit) -> None:
    alice = visit("alice")
    alice.press("match.ready")
    expect(alice.matches.first).to_be_visible()
    expect(alice.page.locator("#toasts")).to_have_attribute("aria-live", "polite")
    expect(alice.page.locator("#matches")).to_have_attribute("role", "alert")
    nameless = alice.page.evaluate(
        "[...document.querySelectorAll('button')].filter((each) => !(each.getAttribute('aria-label')"
        " || each.getAttribute('aria-labelledby') || each.textContent.trim())).length"
    )
    assert nameless == 0


def test_whoever_wants_no_motion_gets_none(browser: Browser, server: Up) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{server.url}/play/")
    Visitor(page).connected()
    Visitor(page).press("gift.received")
    expect(page.locator("#toasts .toast").first).to_be_visible()
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter((each) => getComputedStyle(each).animationName !== 'none').length"
    )
    assert moving == 0
    context.close()


def test_the_page_leads_to_the_console_and_to_the_api(visit: Visit) -> None:
    alice = visit("alice")
    top = alice.page.get_by_role("navigation", name="Clarion")
    expect(top.get_by_role("link", name="Console")).to_have_attribute("href", "/admin/")
    expect(top.get_by_role("link", name="API")).to_have_attribute("href", "/api/docs/")


def test_the_hint_for_an_own_event_works_as_it_stands(visit: Visit, api_key: str) -> None:
    """What the page shows is run in a shell, with a key in the variable that it names."""
    alice = visit("alice")
    alice.page.get_by_text("Send an event of your own").click()
    command = alice.page.locator("#curl").inner_text()
    result = subprocess.run(
        ["bash", "-c", command],
        env={"KEY": api_key, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert '"status":"appended"' in result.stdout, result.stderr
    expect(alice.item("Moon Cake")).to_have_count(1)
