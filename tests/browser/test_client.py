"""The JavaScript client in a real browser, against a real server."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.config.processes import Up

pytestmark = pytest.mark.browser


def test_the_server_serves_the_client(server: Up, page: Page, happen: Callable[..., str]) -> None:
    happen("guild.invite.received", player_id="alice", guild="g", **{"from": "f"})
    assert page.goto(f"{server.url}/healthz").ok
