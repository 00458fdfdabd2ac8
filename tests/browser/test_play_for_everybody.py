"""The demo's page for everybody: what lives for seconds, phones, keyboards, screen readers, shells."""

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visitor import Game, Visitor
from tests.config.processes import MANAGE, Up, finished

pytestmark = pytest.mark.browser
Visit = Callable[..., Visitor]


# -- what lives for seconds


def test_a_match_counts_down_its_twenty_seconds_and_leaves(visit: Visit, game: Game) -> None:
    """By the page's own clock, which is put forward: the client counts the server's time with it."""
    alice = visit("alice", clock=True)
    shown = alice.matches.filter(has_text=game.matches("alice"))
    expect(shown).to_be_visible()
    left = shown.locator(".ring b")
    assert 10 <= int(left.inner_text()) <= 20
    alice.page.clock.fast_forward(9_000)
    expect(left).to_have_text(re.compile(r"^([1-9]|1[01])$"))
    expect(shown).to_be_visible()
    alice.page.clock.fast_forward(12_000)
    expect(shown).to_have_count(0)


def test_a_match_that_ends_within_seconds_is_gone_then_by_everybodys_clock(visit: Visit, game: Game) -> None:
    alice = visit("alice")
    ends = datetime.now(UTC) + timedelta(seconds=4)
    shown = alice.matches.filter(has_text=game.matches("alice", expirytime=ends.isoformat()))
    expect(shown).to_be_visible()
    expect(shown).to_have_count(0)
    assert datetime.now(UTC) >= ends - timedelta(milliseconds=200)
    alice.page.reload()
    alice.connected()
    expect(alice.items.first).to_be_visible()
    expect(shown).to_have_count(0)


def test_a_match_joined_on_one_device_stops_asking_on_the_other(visit: Visit, game: Game) -> None:
    first, second = visit("alice"), visit("alice")
    place = game.matches("alice")
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


def test_the_keyboard_goes_on_with_the_next_row_after_archiving(visit: Visit, game: Game) -> None:
    alice = visit("alice")
    older, newer = game.invites("alice"), game.invites("alice")
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


def test_the_hint_for_an_own_event_works_as_it_stands(visit: Visit, data_folder: Path) -> None:
    """What the page shows is run in a shell, with a key in the variable that it names."""
    made = finished(MANAGE, "apikey", "demo", "--name", "me", CLARION_DATA=str(data_folder))
    alice = visit("alice")
    alice.page.get_by_text("Send an event of your own").click()
    command = alice.page.locator("#curl").inner_text()
    result = subprocess.run(
        ["bash", "-c", command],
        env={"KEY": made.stdout.strip(), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert '"status":"appended"' in result.stdout, result.stderr
    expect(alice.item("Moon Cake")).to_have_count(1)
