"""Takes the pictures in docs/ of the demo's page: ``python -m tests.browser.pictures``."""

import re
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import CHROMIUM, QUIET
from tests.config.processes import ROOT, Up

DOCS = ROOT / "docs"
STEPS = (
    "guild.invite.received", "level.reached", "gift.received", "maintenance.scheduled", "level.reached",
    "guild.invite.received", "gift.received", "guild.invite.received", "match.ready",
)  # fmt: skip
"""The events that a picture shows, in order."""


def take(browser: Browser, url: str, *, name: str, player: str, scheme: str, size: tuple[int, int]) -> None:
    """Let some things happen to a player, and take a picture of what they see."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(f"{url}/play/?player={player}")
    page.wait_for_selector('#pill[data-state="connected"]')
    expect(page.locator(".match")).to_have_count(0, timeout=60_000)  # of the simulated game's own
    for step in STEPS:
        page.click(f'[data-type="{step}"]')
        expect(page.locator("#sent")).to_have_text(re.compile("ms after your click"))
        page.wait_for_timeout(500)  # nobody presses faster
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_selector(".match")
    page.wait_for_timeout(1_500)
    page.screenshot(path=DOCS / f"{name}.png")
    context.close()


def main() -> None:
    """Take all of them, from a server of their own."""
    DOCS.mkdir(exist_ok=True)
    path = next(found for name in CHROMIUM if (found := shutil.which(name)))
    with (
        tempfile.TemporaryDirectory() as folder,
        Up(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        take(browser, server.url, name="demo", player="alice", scheme="light", size=(1280, 800))
        take(browser, server.url, name="demo-dark", player="dieter", scheme="dark", size=(1280, 800))
        take(browser, server.url, name="demo-phone", player="bruno", scheme="dark", size=(390, 780))
        browser.close()


if __name__ == "__main__":
    main()
