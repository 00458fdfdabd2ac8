"""Webhooks as staff meet them: an endpoint, its secret, a test, a rule that uses it, what fails, and again."""

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import Page, expect

from tests.browser.studio import GameServer
from tests.browser.test_console import (  # noqa: F401 - fixtures
    _patience,
    complaints,
    olive,
    open_,
    password,
    rule,
)
from tests.browser.test_dead_letters import assert_it_fits_and_is_named
from tests.config.processes import Up

pytestmark = pytest.mark.browser


class Receiver:
    """The studio's server that is told: it answers as it is bid, and keeps the calls whose signature is right."""

    def __init__(self) -> None:
        self.status, self.secret = 204, ""
        self.taken: list[str] = []
        """Ids of the calls that were signed with the secret."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.signed(dict(self.headers), body):
                    receiver.taken.append(self.headers["webhook-id"])
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"

    def signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Check a call as Standard Webhooks has it."""
        told = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        ours = "v1," + base64.b64encode(hmac.digest(key, told, hashlib.sha256)).decode()
        return ours in headers["webhook-signature"].split()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def server(data_folder: Path) -> Iterator[Up]:
    """The demo, whose webhooks may reach this machine."""
    with Up(data_folder, CLARION_WEBHOOK_NETWORKS="127.0.0.0/8") as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """One that listens."""
    with Receiver() as listening:
        yield listening


def endpoint(open_: Callable[[str], Page]) -> Page:  # noqa: F811 - the fixture
    """Return the page of the only endpoint."""
    page = open_("notifications/webhookendpoint/")
    page.get_by_role("link", name="demo", exact=True).first.click()
    return page


def test_an_endpoint_is_set_up_its_secret_shown_and_a_test_is_taken(
    open_: Callable[[str], Page],  # noqa: F811 - the fixture
    receiver: Receiver,
) -> None:
    page = open_("notifications/webhookendpoint/add/")
    page.fill('input[name="url"]', "ftp://nowhere.example/")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errornote")).to_be_visible()
    page.fill('input[name="url"]', receiver.url)
    page.get_by_role("button", name="Save", exact=True).click()
    receiver.secret = page.locator("#secret").inner_text()
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_text(receiver.secret)).to_have_count(0)
    page.get_by_role("link", name="Send a test…").click()
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_text("It was taken", exact=True)).to_be_visible()
    assert len(receiver.taken) == 1
    receiver.status = 401
    page.get_by_role("button", name="Send another").click()
    expect(page.get_by_text("compare the secret there")).to_be_visible()


def test_what_a_receiver_refuses_is_sent_again_under_the_same_id_when_it_is_mended(
    open_: Callable[[str], Page],  # noqa: F811 - the fixture
    receiver: Receiver,
    game_server: GameServer,
) -> None:
    page = rule(open_, "guild-invite-received")
    page.get_by_label("webhook: ").check()
    expect(page.locator("#preview-result")).to_contain_text("and by webhook")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Revision 2 decides from now on.")).to_be_visible()
    receiver.taken.clear()
    receiver.status = 422
    game_server.invite("zora", "Refused Foxes")
    fault = page.locator(".console-panel tr", has_text="http 422")
    for _ in range(60):  # the list stands still: somebody who waits looks again
        open_("notifications/delivery/")
        if fault.count():
            break
        page.wait_for_timeout(200)
    expect(fault).to_contain_text("see why in their own log, by the webhook-id")
    fault.get_by_role("link", name="http 422").click()
    page.get_by_role("link", name="Refused Foxes wants you").click()
    expect(page.locator("#content")).to_contain_text("the endpoint answered 422")
    [first] = set(receiver.taken)
    receiver.status = 204
    open_("notifications/delivery/")
    fault.get_by_role("link", name="Send again…").click()
    page.fill("#id_reason", "their release is mended")
    page.get_by_role("button", name="again").click()
    expect(page.get_by_text("Sent 1 delivery again.")).to_be_visible()
    for _ in range(60):
        if len(receiver.taken) > 1:
            break
        page.wait_for_timeout(200)
    assert receiver.taken == [first, first]
    page = endpoint(open_)
    expect(page.locator("#content")).to_contain_text("Deliveries go as they come.")
    open_("events/event/?q=staff")
    expect(page.locator("#result_list")).to_contain_text("staff.deliveries.retried")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1400, 900), (390, 780)], ids=["wide", "narrow"])
def test_every_page_of_them_fits_and_everything_in_it_has_a_name(
    open_: Callable[[str], Page],  # noqa: F811 - the fixture
    size: tuple[int, int],
    scheme: str,
) -> None:
    page = endpoint(open_)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate("scheme => localStorage.setItem('adminTheme', JSON.stringify(scheme))", scheme)
    page.reload()
    of_one = page.url.split("/admin/")[1]
    open_("notifications/delivery/")
    newest = page.locator("#result_list tbody a").first.get_attribute("href") or ""
    for path in (
        of_one,
        of_one.replace("change/", "renew/"),
        of_one.replace("change/", "test/"),
        "notifications/webhookendpoint/",
        "notifications/webhookendpoint/add/",
        "notifications/delivery/",
        newest.split("/admin/")[-1],
    ):
        open_(path)
        assert_it_fits_and_is_named(page, scheme)
