"""The console in a real browser: a live front page, a rule edited with its preview, levers that ask first."""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response, Route, expect

from config.embedded import staff
from tests.browser.conftest import PATIENCE_MS
from tests.browser.studio import GameServer
from tests.config.processes import Up

pytestmark = pytest.mark.browser
PASSWORD = re.compile(rf"log in as {staff.NAME} with the password (\S+)")
Happen = Callable[..., str]
LISTS = (
    "notifications/rule", "notifications/decision", "notifications/notification", "players/player", "events/event",
    "events/eventtype", "events/apikey", "events/checkpoint",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _patience() -> None:
    """Wait for a busy machine; what is asserted comes sooner or not at all."""
    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def password(server: Up) -> str:
    """What the first start has printed."""
    found = PASSWORD.search(server.printed)
    assert found, server.printed
    return found[1]


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser complains of: errors of scripts, and answers that are errors."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def olive(context: BrowserContext, server: Up, password: str, complaints: list[str]) -> Page:
    """Olive operates, and has logged in."""

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def answered(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"{response.status} {response.url}")

    page = context.new_page()
    page.on("console", note)
    page.on("response", answered)
    page.goto(f"{server.url}/admin/")
    page.fill("#id_username", staff.NAME)
    page.fill("#id_password", password)
    page.click("button[type=submit]")
    expect(page.locator("#pulse")).to_be_visible()
    return page


@pytest.fixture
def happen(game_server: GameServer) -> Happen:
    """Let something happen in the game; return the event's id."""

    def post(type: str, **data: Any) -> str:
        event_id = uuid.uuid4().hex
        event = {"specversion": "1.0", "id": event_id, "source": "/tests/console", "type": type, "data": data}
        game_server.call("POST", "/api/v1/events", json=event)
        return event_id

    return post


@pytest.fixture
def open_(olive: Page, server: Up) -> Callable[[str], Page]:
    """Open a page of the console: ``open_("players/player/")``."""

    def go(path: str) -> Page:
        olive.goto(f"{server.url}/admin/{path}")
        return olive

    return go


def rule(open_: Callable[[str], Page], slug: str) -> Page:
    """Open a rule's page, with its preview worked out."""
    page = open_("notifications/rule/")
    page.get_by_role("link", name=slug, exact=True).click()
    expect(page.locator(".console-verdict")).to_be_visible()
    return page


# -- the front page ----------------------------------------------------------------------------------------


def test_the_front_page_follows_what_happens(olive: Page, happen: Happen) -> None:
    total = olive.locator('[data-key="events"] [data-total]')
    expect(olive.locator("#pulse")).to_have_attribute("data-state", "live")
    before = int((total.text_content() or "").replace(",", ""))
    for number in range(5):
        happen("level.reached", player_id="alice", level=number + 1)
    olive.wait_for_function(
        "([key, least]) => Number(document.querySelector(`[data-key=${key}] [data-total]`).textContent"
        ".replaceAll(',', '')) >= least",
        arg=["events", before + 5],
    )
    expect(olive.locator('[data-key="events"] [data-value]')).to_have_text(re.compile(r"^\d[\d.,]*$"))


def test_the_front_page_rests_when_one_looks_away_and_goes_on(olive: Page) -> None:
    section = olive.locator("#pulse")
    olive.evaluate("window.dispatchEvent(new Event('blur'))")
    expect(section).to_have_attribute("data-state", "paused")
    expect(section.locator("[data-age]")).to_contain_text("you looked away")
    asked: list[str] = []
    olive.on("request", lambda request: asked.append(request.url))
    expect(section.locator("[data-age]")).to_contain_text(re.compile(r"measured [3-9] s ago"))
    assert [url for url in asked if url.endswith("/pulse/")] == []
    olive.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(section).to_have_attribute("data-state", "live")


def test_the_front_page_pauses_on_a_click_until_the_next(olive: Page) -> None:
    olive.click("#pulse-state")
    expect(olive.locator("#pulse")).to_have_attribute("data-state", "paused")
    olive.evaluate("window.dispatchEvent(new Event('blur'))")
    olive.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(olive.locator("#pulse")).to_have_attribute("data-state", "paused")
    olive.click("#pulse-state")
    expect(olive.locator("#pulse")).to_have_attribute("data-state", "live")


def test_who_wants_it_live_while_looking_away_gets_it(olive: Page) -> None:
    olive.check("#pulse-keep")
    olive.evaluate("window.dispatchEvent(new Event('blur'))")
    expect(olive.locator("#pulse")).to_have_attribute("data-state", "live")
    olive.reload()
    expect(olive.locator("#pulse-keep")).to_be_checked()


def test_numbers_that_are_no_longer_true_are_called_stale(olive: Page, complaints: list[str]) -> None:
    olive.route("**/admin/pulse/", lambda route: route.abort())
    expect(olive.locator("#pulse")).to_have_attribute("data-state", "stale", timeout=20_000)
    expect(olive.locator("[data-age]")).to_contain_text("Clarion does not answer")
    olive.unroute("**/admin/pulse/")
    expect(olive.locator("#pulse")).to_have_attribute("data-state", "live")
    complaints.clear()  # of the requests that this test has cut


def test_a_paused_lane_shows_what_waits_live_and_works_it_off_once_resumed(
    open_: Callable[[str], Page], happen: Happen
) -> None:
    page = open_("events/checkpoint/")
    row = page.locator('[data-key="decisions/normal"]')
    section = page.locator("#hubs")
    row.get_by_role("link", name="Pause…").click()
    page.fill("#id_reason", "a deploy")
    page.get_by_role("button", name="Pause 8 checkpoints").click()
    expect(page.get_by_text("Paused 8 checkpoints.")).to_be_visible()
    for number in range(5):
        happen("level.reached", player_id="alice", level=number + 1)
    expect(row.locator('[data-cell="events"]')).to_have_text(re.compile(r"^([5-9]|\d\d+)$"))
    expect(row.locator('[data-cell="state"]')).to_have_attribute("data-chip", "paused")
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    expect(section).to_have_attribute("data-state", "paused")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(section).to_have_attribute("data-state", "live")
    row.get_by_role("link", name="Resume…").click()
    page.fill("#id_reason", "deployed")
    page.get_by_role("button", name="Resume 8 checkpoints").click()
    expect(row.locator('[data-cell="events"]')).to_have_text("0")
    expect(page.locator('[data-cell="rate"][data-spot]').first).to_have_text(re.compile(r"^\d[\d.,]*/s$"))


def test_who_was_logged_out_is_told_so(olive: Page, complaints: list[str]) -> None:
    def away(route: Route) -> None:
        route.fulfill(status=302, headers={"Location": "/admin/login/"})

    olive.route("**/admin/pulse/", away)
    expect(olive.locator("[data-age]")).to_contain_text("you are logged out", timeout=20_000)
    complaints.clear()


# -- lists and pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 780)], ids=["wide", "narrow"])
def test_lists_and_pages_open_without_an_error_and_fit(
    open_: Callable[[str], Page], size: tuple[int, int], scheme: str
) -> None:
    page = open_("")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate("scheme => localStorage.setItem('adminTheme', JSON.stringify(scheme))", scheme)
    for name in ("", *LISTS):
        open_(f"{name}/" if name else "")
        expect(page.locator("html.dark")).to_have_count(1 if scheme == "dark" else 0)
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, name


def test_a_player_is_found_from_anywhere(olive: Page, game_server: GameServer) -> None:
    game_server.token_of("zoltan")  # is there at once; after an event, only when a hub has read it
    expect(olive.locator("#pulse")).to_be_visible()
    olive.locator(".console-find").click()
    typed = olive.locator("#search-input-command")
    expect(typed).to_be_focused()  # keys that come before the palette has opened are lost, and it asks once
    typed.press_sequentially("zoltan")
    found = olive.locator("#command-results-list a", has_text="zoltan").first
    expect(found).to_be_visible()
    found.click()
    expect(olive.locator("h1")).to_contain_text("oltan")


def test_from_an_event_one_gets_to_its_notification_and_player_and_back(
    open_: Callable[[str], Page], happen: Happen
) -> None:
    event = happen("guild.invite.received", player_id="yara", guild="Night Owls", **{"from": "Mirela"})
    page = open_(f"events/event/?q={event}")
    page.locator("#result_list th a").click()
    page.wait_for_function("document.querySelector('.console-table a')")
    page.locator(".console-table a", has_text="the notification").click()
    page.locator("#result_list th a").click()
    expect(page.locator(".console-toast")).to_contain_text("Night Owls wants you")
    page.locator(".readonly a", has_text="yara").first.click()
    page.locator(".readonly a", has_text="1 decisions").click()
    page.locator("#result_list td a", has_text="guild.invite.received").click()
    expect(page.locator("h1")).to_contain_text(event)


# -- a rule ------------------------------------------------------------------------------------------------


def test_a_rule_is_previewed_while_it_is_typed_and_then_saved(open_: Callable[[str], Page]) -> None:
    page = rule(open_, "gift-received")
    toast = page.locator("#preview-result .console-toast").first
    expect(toast).to_contain_text("A gift from Tomasz")
    row = page.locator('input[name^="templates-"][name$="-locale"]')
    names = [each.get_attribute("name") or "" for each in row.all() if each.input_value() == "en"]
    page.fill(f'input[name="{names[0].replace("locale", "title")}"]', "{{ data.from }} thinks of you")
    expect(page.locator('.console-locale[lang="en"] .console-toast')).to_contain_text("Tomasz thinks of you")
    page.fill('textarea[name="condition"]', "data.gift == 'nothing'")
    expect(page.locator(".console-verdict")).to_contain_text("Would not be sent")
    expect(page.locator("#preview-result")).to_contain_text("The condition is false for this event.")
    page.fill('textarea[name="condition"]', "data.gift !=")
    expect(page.locator(".console-problems")).to_contain_text("is no CEL expression")
    page.fill('textarea[name="condition"]', "")
    expect(page.locator(".console-verdict")).to_contain_text("Would be sent")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("Revision 2 decides from now on.")).to_be_visible()


def test_a_preview_follows_the_sample_that_is_typed_and_the_player(open_: Callable[[str], Page]) -> None:
    page = rule(open_, "level-reached")
    sample = page.locator("#preview-sample")
    expect(sample).to_have_value(re.compile('"level": 15'))
    sample.fill('{"player_id": "eunji", "level": 35}')
    expect(page.locator(".console-verdict")).to_contain_text("eunji (ko)")
    expect(page.locator('select[name="preview_from"]')).to_have_value("typed")
    page.fill('input[name="preview_locale"]', "de-AT")
    expect(page.locator("#preview-result .console-toast").first).to_contain_text("Stufe 35!")
    sample.fill('{"player_id": "eunji", "level": 36}')
    expect(page.locator(".console-verdict")).to_contain_text("Would not be sent")


def test_words_are_added_in_another_locale_and_errors_stand_at_their_field(
    open_: Callable[[str], Page],
) -> None:
    page = rule(open_, "friend-online")
    page.get_by_role("link", name="Add another Words").click()
    last = page.locator('input[name$="-locale"]:not([name*="__prefix__"])').last
    name = (last.get_attribute("name") or "").replace("locale", "title")
    last.fill("fr")
    page.fill(f'input[name="{name}"]', "{{ data.frend }} est là")
    expect(page.locator(".console-problems")).to_contain_text("data.frend is missing")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errornote")).to_be_visible()
    expect(page.locator(f'.form-group:has(input[name="{name}"])')).to_contain_text("data.frend is missing")
    page.fill(f'input[name="{name}"]', "{{ data.friend }} est là")
    expect(page.locator(".console-problems")).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Words added in fr.")).to_be_visible()


def test_a_new_rule_is_made_from_nothing(open_: Callable[[str], Page]) -> None:
    page = open_("notifications/rule/add/")
    expect(page.locator("#preview-result")).to_contain_text("Choose a game and an event type")
    page.fill('input[name="slug"]', "big-levels")
    page.fill('input[name="event_type"]', "level.reached")
    page.fill('input[name="templates-0-title"]', "Level {{ data.level }}, wow")
    expect(page.locator("#preview-result .console-toast").first).to_contain_text("Level 15, wow")
    page.select_option('select[name="audience_kind"]', "players")
    expect(page.locator('textarea[name="audience_players"]')).to_be_visible()
    expect(page.locator('input[name="audience_path"]')).to_be_hidden()
    page.fill('textarea[name="audience_players"]', "alice\nbruno")
    expect(page.locator("#preview-result")).to_contain_text("The sample reaches 2 players: alice, bruno")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Revision 1 decides from now on.")).to_be_visible()


# -- levers ------------------------------------------------------------------------------------------------


def test_blocking_asks_first_and_comes_back_to_the_player(
    open_: Callable[[str], Page], happen: Happen
) -> None:
    happen("level.reached", player_id="mallory", level=5)
    page = open_("players/player/?q=mallory")
    page.locator("#result_list th a").click()
    page.get_by_role("link", name="Block…").click()
    expect(page.get_by_role("heading", name="Block 1 player?").first).to_be_visible()
    page.fill('input[name="reason"]', "insults")
    page.get_by_role("button", name="Block 1 player").click()
    expect(page.get_by_text("Blocked 1 player.")).to_be_visible()
    expect(page.get_by_role("link", name="Unblock…")).to_be_visible()


def test_several_players_are_ticked_and_blocked_at_once(open_: Callable[[str], Page], happen: Happen) -> None:
    for key in ("troll-1", "troll-2"):
        happen("level.reached", player_id=key, level=5)
    page = open_("players/player/?q=troll-")
    expect(page.locator("input.action-select")).to_have_count(2)
    for box in page.locator("input.action-select").all():
        box.check()
    page.select_option('select[name="action"]', "block")
    page.get_by_role("button", name="Run").click()
    page.fill('input[name="reason"]', "a raid")
    page.get_by_role("button", name="Block 2 players").click()
    expect(page.get_by_text("Blocked 2 players.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q=troll-"))


def test_a_keys_secret_is_there_to_copy_once(open_: Callable[[str], Page]) -> None:
    page = open_("events/apikey/add/")
    page.select_option('select[name="game"]', label="demo")
    page.fill('input[name="name"]', "match-server")
    page.locator('input[name="scopes"][value="events:write"]').check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#secret")).to_have_text(re.compile(r"^clk_[\w-]{40,}$"))
    page.get_by_role("link", name="I have copied it").click()
    assert "clk_" in page.content()
    assert not re.search(r"clk_[\w-]{20,}", page.content())
