"""Takes the pictures of the console in docs/: ``python -m tests.browser.console_pictures``."""

import re
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from config.embedded import staff
from tests.browser.conftest import CHROMIUM, QUIET
from tests.config.processes import ROOT, Up

DOCS = ROOT / "docs"
SIZE = {"width": 1440, "height": 900}
WARM_UP_MS = 45_000
"""So long the simulated game goes on before the front page is taken: its curves need something to show."""


def log_in(page: Page, server: Up) -> None:
    """Log in with the password of the first start."""
    found = re.search(rf"log in as {staff.NAME} with the password (\S+)", server.printed)
    assert found
    page.goto(f"{server.url}/admin/")
    page.fill("#id_username", staff.NAME)
    page.fill("#id_password", found[1])
    page.click("button[type=submit]")
    expect(page.locator("#pulse")).to_be_visible()


def front_page(page: Page) -> None:
    """Take the front page, with somebody playing."""
    page.wait_for_timeout(WARM_UP_MS)
    page.screenshot(path=DOCS / "console.png")


def rule(page: Page, server: Up) -> None:
    """Take a rule that is being edited, with its preview."""
    page.goto(f"{server.url}/admin/notifications/rule/")
    page.get_by_role("link", name="level-reached", exact=True).click()
    page.fill('textarea[name="condition"]', "data.level % 5 == 0 && data.level >= 10")
    page.fill('input[name="preview_locale"]', "pt-BR")
    expect(page.locator("#preview-result .console-toast").first).to_contain_text("Nível 15!")
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=DOCS / "rule.png")


def main() -> None:
    """Take both, from a server of their own."""
    DOCS.mkdir(exist_ok=True)
    path = next(found for name in CHROMIUM if (found := shutil.which(name)))
    with (
        tempfile.TemporaryDirectory() as folder,
        Up(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        players = [browser.new_page() for _ in range(3)]
        for player, name in zip(players, ("alice", "bruno", "chiyo"), strict=True):
            player.goto(f"{server.url}/play/?player={name}")
        page = browser.new_context(viewport=SIZE, color_scheme="light").new_page()
        log_in(page, server)
        front_page(page)
        rule(page, server)
        browser.close()


if __name__ == "__main__":
    main()
