"""The JavaScript client in a real browser, against a real server."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.cable import Cable
from tests.browser.studio import GameServer, Tab, Website
from tests.config.processes import Up

pytestmark = pytest.mark.browser
OpenTab = Callable[..., Tab]
RESTART_MS = 40_000


@pytest.fixture
def open_tab(context: BrowserContext, website: Website) -> OpenTab:
    """Open a player's page: ``open_tab("ann")``."""
    return partial(website.open, context)


@pytest.fixture
def cable(server: Up) -> Iterator[Cable]:
    made = Cable(server.port)
    yield made
    made.close()


def duplicate(tab: Tab) -> Tab:
    """Open another tab from one's own: its storage begins as a copy."""
    with tab.page.context.expect_page() as opened:
        tab.page.evaluate("window.open(location.href) && null")
    return Tab(opened.value)


def test_notifications_are_shown_in_every_tab_once_and_in_order(
    open_tab: OpenTab, game_server: GameServer
) -> None:
    tabs = [open_tab("ann"), open_tab("ann")]
    for tab in tabs:
        tab.until_connected()
    guilds = [f"guild {number}" for number in range(10)]
    game_server.invite("ann", *guilds)
    for tab in tabs:
        tab.until_shown(10)
        tab.until("clarion.unread === 10")
        assert tab.shown == guilds
        assert tab.told("error") == []
    assert tabs[0].device != tabs[1].device


def test_what_is_read_on_one_device_is_read_on_the_other(open_tab: OpenTab, game_server: GameServer) -> None:
    here, there = open_tab("ben"), open_tab("ben")
    here.until_connected()
    there.until_connected()
    game_server.invite("ben", "one", "two", "three")
    for tab in (here, there):
        tab.until_shown(3)
    first, _, third = (each["id"] for each in here.told("notification"))
    assert here.call(f"read('{first}')")["unread"] == 2
    assert here.call(f"archive(['{third}'])")["unread"] == 1
    answer = here.call("read({ through: 3 })")
    assert answer["unread"] == 0
    there.until(f"clarion.unread === 0 && clarion.head === {answer['head']}")
    assert [bool(each["archived"]) for each in there.told("changed")] == [False, True]
    assert there.told("marks")[-1]["readThrough"] == 3
    assert all(each["read"] for each in there.call("inbox()")["items"])


def test_after_a_cut_everything_is_shown_once_and_in_order(
    open_tab: OpenTab, game_server: GameServer, cable: Cable
) -> None:
    tab = open_tab("cleo", clarion=cable.url)
    tab.until_connected()
    game_server.invite("cleo", "before")
    tab.until_shown(1)
    cable.unplug()
    tab.until("clarion.state !== 'connected'")
    game_server.invite("cleo", "meanwhile", "meanwhile, too")
    cable.plug_in()
    tab.until_shown(3)
    game_server.invite("cleo", "after")
    tab.until_shown(4)
    assert tab.shown == ["before", "meanwhile", "meanwhile, too", "after"]
    assert tab.told("reset") == []


def test_a_tab_that_was_away_for_hundreds_of_changes_gets_them_all(
    open_tab: OpenTab, game_server: GameServer
) -> None:
    """In windows of 64, each of which waits for the client's ack."""
    tab = open_tab("dag")
    tab.until_connected()
    tab.page.evaluate("clarion.disconnect()")
    guilds = [f"guild {number}" for number in range(300)]
    game_server.invite("dag", *guilds)
    tab.until_answered("inbox({ limit: 1 }).then(({ head }) => head === 300)")
    tab.page.evaluate("clarion.connect()")
    tab.until_shown(300)
    assert tab.shown == guilds
    assert tab.told("unread")[-1] == 300
    assert tab.told("reset") == []


def test_calls_say_that_the_network_is_away(open_tab: OpenTab, cable: Cable) -> None:
    tab = open_tab("cleo", clarion=cable.url)
    tab.until_connected()
    cable.unplug()
    assert tab.call("read('n').catch(({ status, code }) => [status, code])") == [0, "network"]


def test_a_tab_that_comes_back_goes_on_where_it_was(open_tab: OpenTab, game_server: GameServer) -> None:
    tab = open_tab("dora")
    tab.until_connected()
    game_server.invite("dora", "before")
    tab.until_shown(1)
    device = tab.device
    tab.page.goto("about:blank")
    game_server.invite("dora", "while it was away")
    tab.page.go_back()
    tab.until_shown(1)
    assert tab.shown == ["while it was away"]
    assert tab.device == device


def test_a_duplicated_tab_and_its_twin_leave_each_other_alone(
    open_tab: OpenTab, game_server: GameServer
) -> None:
    first = open_tab("emil")
    first.until_connected()
    game_server.invite("emil", "before")
    first.until_shown(1)
    twin = duplicate(first)
    twin.until_connected()
    game_server.invite("emil", "after")
    twin.until_shown(1)
    first.until_shown(2)
    assert (first.shown, twin.shown) == (["before", "after"], ["after"])
    assert first.device != twin.device
    assert first.states == twin.states == ["connecting", "connected"]


def test_where_the_browser_has_no_locks_the_twins_part_all_the_same(
    context: BrowserContext, open_tab: OpenTab, game_server: GameServer
) -> None:
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })")
    first = open_tab("fay")
    first.until_connected()
    twin = duplicate(first)
    twin.until_connected()
    first.until("told.state.some(({ code }) => code === 4005)")
    first.until_connected()
    game_server.invite("fay", "once")
    first.until_shown(1)
    twin.until_shown(1)
    assert (first.shown, twin.shown) == (["once"], ["once"])
    assert first.device != twin.device
    assert twin.states == ["connecting", "connected"]


def test_a_browser_that_forbids_storage_shows_notifications_all_the_same(
    context: BrowserContext, open_tab: OpenTab, game_server: GameServer
) -> None:
    context.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('', 'SecurityError') } })"
    )
    tab = open_tab("gus")
    tab.until_connected()
    game_server.invite("gus", "without")
    tab.until_shown(1)
    assert tab.shown == ["without"]


def test_a_page_connects_only_if_its_game_allows_its_origin(
    context: BrowserContext, game_server: GameServer, website: Website
) -> None:
    with Website(game_server) as other:
        tab = other.open(context, "hal")
        tab.until("window.clarion?.state === 'stopped'")
        refusal = tab.told("state")[-1]
        assert (refusal["code"], "origin" in refusal["detail"]) == (4001, True)
        wrong = tab.call("inbox().catch(({ status, code }) => [status, code])")
        assert wrong == [403, "origin-refused"]
        game_server.allow(website.origin, other.origin)
        tab.until_answered("inbox().then(() => true, () => false)")  # the server looks at its list again soon
        tab.page.evaluate("clarion.connect()")
        tab.until_connected()
        game_server.invite("hal", "abroad")
        tab.until_shown(1)
        assert tab.call("read({ through: 1 })")["unread"] == 0


def test_a_client_outlives_a_deploy(context: BrowserContext, tmp_path: Path) -> None:
    """The server says good-bye; at the earliest moment that it names the tab goes on with the next process."""
    cable = Cable(0)
    with Up(tmp_path) as before:
        cable.target = before.port
        site = Website(GameServer(before.url, tmp_path))
        site.game_server.allow(site.origin)
        tab = site.open(context, "ina", clarion=cable.url, prompt=1)
        tab.until_connected()
        site.game_server.invite("ina", "the old process")
        tab.until_shown(1)
        before.stop()
    with Up(tmp_path) as after, site:
        cable.target = after.port
        site.game_server = GameServer(after.url, tmp_path)
        site.game_server.invite("ina", "the new process")
        tab.until_shown(2, timeout=RESTART_MS)
    cable.close()
    assert tab.shown == ["the old process", "the new process"]
    assert 4205 in [each["code"] for each in tab.told("state")]
    assert tab.told("reset") == []
