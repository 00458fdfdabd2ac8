"""Dead letters in a real browser: from the group through its retry to its end, and skipping with a reason."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.studio import GameServer
from tests.browser.test_console import (  # noqa: F401 - fixtures
    _patience,
    complaints,
    olive,
    open_,
    password,
)
from tests.config.processes import MANAGE, finished

pytestmark = pytest.mark.browser

PARK = """
from datetime import UTC, datetime, timedelta
from events.models import DeadLetter, Event
now = datetime.now(UTC)
for event in Event.objects.filter(stream__startswith="{prefix}"):
    DeadLetter.objects.create(
        hub="decisions", game=event.game, partition=event.partition, lane=event.lane, stream=event.stream,
        version=event.version, event_offset=event.offset, event_type=event.type, cause="{cause}", tries=3,
        fingerprint="{fingerprint}", traceback='  File "/srv/game/rules.py", line 7, in decide\\n    raise\\n',
        next_retry=now + timedelta(hours=1),
    )
"""
"""As a mistake in a release that is mended by now would have left them."""


@pytest.fixture
def park(game_server: GameServer, data_folder: Path) -> Callable[[str, str], None]:
    """Let three players' invitations be parked by one fault: ``park("amy", "KeyError")``."""

    def park_(prefix: str, cause: str) -> None:
        for number in range(3):
            game_server.invite(f"{prefix}-{number}", "Night Owls")
        words = PARK.format(prefix=prefix, cause=cause, fingerprint=f"{cause.lower():x<16}"[:16])
        done = finished(MANAGE, "shell", "-c", words, CLARION_DATA=str(data_folder))
        assert done.returncode == 0, done.stderr

    return park_


def line_of(page: Page, cause: str) -> Locator:
    """Return a group's line."""
    return page.locator("tr[data-key]", has_text=f"{cause} in decide")


def test_a_group_is_seen_retried_followed_and_resolved(
    open_: Callable[[str], Page],  # noqa: F811 - the fixture
    park: Callable[[str, str], None],
) -> None:
    park("amy", "KeyError")
    page = open_("events/deadletter/")
    line = line_of(page, "KeyError")
    expect(line.locator('[data-cell="waiting"]')).to_have_text("3")
    expect(page.locator("#letters")).to_have_attribute("data-state", "live")
    line.get_by_role("link", name="KeyError in decide").first.click()
    page.get_by_role("link", name="Retry all…").click()
    page.get_by_role("button", name="Retry 3 dead letters").click()
    expect(page.get_by_text("This field is required")).to_be_visible()
    page.fill("#id_reason", "mended in release 12")
    page.get_by_role("button", name="Retry 3 dead letters").click()
    expect(page.get_by_text("Begun: 3 dead letters are being retried.")).to_be_visible()
    expect(page.get_by_text("the retry finished: 3 went through, 0 did not")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("link", name="Retry all…")).to_have_count(0)
    open_("events/deadletter/?state=resolved")
    expect(line_of(page, "KeyError").locator('[data-cell="resolved"]')).to_have_text("3")
    open_("events/event/?q=staff")
    expect(page.locator("#result_list")).to_contain_text("staff.deadletter.retried")


def test_the_list_follows_what_happens_and_says_when_there_are_others(
    open_: Callable[[str], Page],  # noqa: F811 - the fixture
    park: Callable[[str, str], None],
) -> None:
    park("ben", "IndexError")
    page = open_("events/deadletter/")
    expect(line_of(page, "IndexError")).to_be_visible()
    park("cleo", "ZeroError")
    expect(page.locator("#letters-news")).to_be_visible()
    page.locator("#letters-news a").click()
    expect(line_of(page, "ZeroError").locator('[data-cell="streams"]')).to_have_text("3 streams")


def test_an_event_is_skipped_for_a_reason_that_its_history_keeps(
    open_: Callable[[str], Page],  # noqa: F811 - the fixture
    park: Callable[[str, str], None],
) -> None:
    park("dan", "TypeError")
    page = open_("events/deadletter/?q=dan-1")
    line_of(page, "TypeError").get_by_role("link", name="TypeError in decide").first.click()
    page.get_by_role("link", name="dan-1", exact=True).click()
    page.get_by_role("link", name="Skip the event…").click()
    expect(page.get_by_text("nobody is ever notified of them")).to_be_visible()
    page.fill("#id_reason", "sent by mistake")
    page.get_by_role("button", name="Skip 1 event").click()
    expect(page.get_by_text("Skipped 1 event.")).to_be_visible()
    expect(page.locator("table", has_text="sent by mistake")).to_contain_text("skipped: TypeError, 1 event")
    expect(page.get_by_role("link", name="Skip the event…")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1400, 900), (390, 780)], ids=["wide", "narrow"])
def test_every_page_fits_and_everything_in_it_has_a_name(
    open_: Callable[[str], Page],  # noqa: F811 - the fixture
    park: Callable[[str, str], None],
    size: tuple[int, int],
    scheme: str,
) -> None:
    park(f"eve{size[0]}{scheme}", "OverflowError")
    page = open_("events/deadletter/")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate("scheme => localStorage.setItem('adminTheme', JSON.stringify(scheme))", scheme)
    page.reload()
    line = line_of(page, "OverflowError")
    group = line.get_by_role("link", name="OverflowError in decide").first.get_attribute("href") or ""
    letter = line.get_by_role("link", name="A letter of").get_attribute("href") or ""
    skip = re.sub("change/$", "skip/", letter)
    for path in ("/admin/events/deadletter/", group, f"{group}retry/", letter, skip):
        open_(path.removeprefix("/admin/"))
        assert_it_fits_and_is_named(page, scheme)


def assert_it_fits_and_is_named(page: Page, scheme: str) -> None:
    expect(page.locator("html.dark")).to_have_count(1 if scheme == "dark" else 0)
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert too_wide <= 0, page.url
    assert page.evaluate(NAMELESS) == [], page.url
    assert page.locator("h1").count() >= 1, page.url


NAMELESS = """
[...document.querySelectorAll('#content :is(a, button, input, select)')].filter((each) => each.checkVisibility()
  && !(each.getAttribute('aria-label') || each.getAttribute('title') || each.textContent.trim()
    || each.labels?.length || each.value || each.placeholder)).map((each) => each.outerHTML)
"""
