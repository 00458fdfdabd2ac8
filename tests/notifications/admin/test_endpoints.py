"""Webhook endpoints in the console: the secret is seen once, a test says what came of it, addresses are guarded."""

import re
from typing import Any

import orjson
import pytest
from django.urls import reverse

from events.models import Game, OutboxEvent
from notifications.delivery import endpoints
from notifications.models import Outlet, WebhookEndpoint
from tests.events.webhooks.receiver import Receiver
from tests.notifications.delivery.conftest import receiver  # noqa: F401 - a fixture
from tests.notifications.delivery.scene import given_endpoint, now
from tests.staff import Console, address, given_staff, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = re.compile(r"whsec_[\w+/=]+")
URL = "https://game.example/hooks/hush"


def added(console: Console, game: Game, url: str = URL) -> Any:
    form = {"game": game.pk, "url": url, "enabled": "on"}
    return console.post(reverse("admin:notifications_webhookendpoint_add"), form)


def noted(what: str) -> list[dict[str, Any]]:
    rows = OutboxEvent.objects.filter(type=f"staff.webhook.{what}").order_by("id")
    return [orjson.loads(row.data) for row in rows]


def everything_stored() -> str:
    return repr(list(WebhookEndpoint.objects.values())) + repr(list(OutboxEvent.objects.values()))


def test_a_secret_is_shown_once_and_kept_nowhere(game: Game, caplog: pytest.LogCaptureFixture) -> None:
    console = olive()
    response = added(console, game)
    (secret,) = set(SECRET.findall(text(response)))
    assert "no-store" in response["Cache-Control"]
    row = WebhookEndpoint.objects.get(game=game)
    assert endpoints.shown_secret(row) == secret
    for page in (console.page(row), console.listed("notifications_webhookendpoint"), console.get("/admin/")):
        assert not SECRET.search(text(page))
    history = text(console.get(address(row, "history")))
    bare = secret.removeprefix("whsec_")
    assert bare not in history + everything_stored() + caplog.text


def test_a_new_secret_is_shown_once_and_the_former_one_signs_beside_it(
    game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint, old = given_endpoint(game, URL)
    console = olive()
    assert not SECRET.search(text(console.get(address(endpoint, "renew_this"))))
    refused = console.post(address(endpoint, "renew_this"), {"reason": ""})
    assert not SECRET.search(text(refused))
    shown = console.post(address(endpoint, "renew_this"), {"reason": "somebody left"})
    (new,) = set(SECRET.findall(text(shown)))
    assert new != old
    assert "no-store" in shown["Cache-Control"]
    page = text(console.page(endpoint))
    assert not SECRET.search(page)
    assert "beside it the former one until" in page
    assert new.removeprefix("whsec_") not in everything_stored() + caplog.text
    assert noted("secret_renewed") == [{"by": "olive", "reason": "somebody left"}]


def test_a_former_secret_can_be_ended_on_record(game: Game) -> None:
    endpoint, _ = given_endpoint(game, URL)
    console = olive()
    assert "End the former secret…" not in text(console.page(endpoint))
    endpoints.renew_secret(endpoint, "olive", "it leaked")
    assert "End the former secret…" in text(console.page(endpoint))
    console.post(address(endpoint, "end_former_this"), {"confirmed": "1", "reason": "it leaked"})
    assert WebhookEndpoint.objects.get().former_salt is None
    assert noted("former_secret_ended") == [{"by": "olive", "reason": "it leaked"}]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("game.example/hooks", "This is no web address; it takes a whole one"),
        ("http://game.example/hooks", "It takes https"),
        ("https://169.254.169.254/latest", "which is not on the public Internet"),
        ("https://10.0.0.1/", "CLARION_WEBHOOK_NETWORKS may allow its network"),
        ("https://olive:secret@game.example/", "no user, password or fragment"),
    ],
)
def test_an_address_that_webhooks_must_not_reach_is_refused_at_its_field_in_plain_words(
    game: Game, settings: Any, url: str, why: str
) -> None:
    settings.CLARION_WEBHOOK_NETWORKS = ()
    response = added(olive(), game, url)
    assert why in " ".join(response.context["adminform"].form.errors["url"])
    assert not WebhookEndpoint.objects.exists()
    assert not Outlet.objects.exists()


def test_switching_it_off_is_on_record_with_the_host_and_never_the_path(game: Game) -> None:
    endpoint, _ = given_endpoint(game, URL)
    olive().post(address(endpoint), {"url": URL})
    assert not Outlet.objects.get(game=game).enabled
    assert noted("changed") == [{"by": "olive", "host": "game.example", "enabled": False}]
    assert "hush" not in "".join(OutboxEvent.objects.values_list("data", flat=True))


def test_a_test_is_a_real_call_and_shows_status_time_and_answer(
    game: Game,
    receiver: Receiver,  # noqa: F811 - the fixture
) -> None:
    endpoint, secret = given_endpoint(game, receiver.url)
    console = olive()
    asked = text(console.get(address(endpoint, "test_this")))
    assert "Send it" in asked
    assert receiver.calls == []  # looking sends nothing
    receiver.answer = b"thank you"
    page = text(console.post(address(endpoint, "test_this"), {}))
    (call,) = receiver.calls
    assert call.fits(secret)
    assert "It was taken" in page
    assert "thank you" in page
    assert "<dd>200</dd>" in page
    assert not SECRET.search(page)
    (note,) = noted("tested")
    assert (note["by"], note["ended"], note["id"]) == ("olive", "delivered", call.headers["webhook-id"])


def test_a_test_that_fails_says_what_to_do(game: Game, receiver: Receiver) -> None:  # noqa: F811 - the fixture
    endpoint, _ = given_endpoint(game, receiver.url)
    receiver.status, receiver.answer = 401, b"<b>bad signature</b>"
    page = text(olive().post(address(endpoint, "test_this"), {}))
    assert "It was not taken" in page
    assert "compare the secret there" in page
    assert "&lt;b&gt;bad signature" in page


def test_what_was_left_alone_goes_on_once_a_test_has_arrived(game: Game, receiver: Receiver) -> None:  # noqa: F811 - the fixture
    endpoint, _ = given_endpoint(game, receiver.url)
    Outlet.objects.update(failures=7, closed_until=now().replace(year=2099), last_fault="it was down")
    console = olive()
    page = text(console.page(endpoint))
    assert "left alone" in page
    assert "7 tries in a row have failed" in page
    console.post(address(endpoint, "test_this"), {})
    outlet = Outlet.objects.get()
    assert (outlet.failures, outlet.closed_until) == (0, None)
    assert outlet.last_success is not None
    assert "Deliveries go as they come" in text(console.page(endpoint))


def test_who_may_only_look_pulls_no_lever_and_sees_the_host_alone(game: Game, receiver: Receiver) -> None:  # noqa: F811 - the fixture
    endpoint, _ = given_endpoint(game, receiver.url + "/hush")
    console = vera()
    page = text(console.page(endpoint))
    assert "127.0.0.1" in page
    assert "hush" not in page
    for lever in ("test_this", "renew_this", "end_former_this", "send_dead_again", "give_up_waiting"):
        assert console.post(address(endpoint, lever), {"confirmed": "1", "reason": "x"}).status_code == 403
    assert receiver.calls == []
    assert WebhookEndpoint.objects.get().salt == endpoint.salt


def test_who_may_change_endpoints_may_test_them_and_nothing_else(game: Game, receiver: Receiver) -> None:  # noqa: F811 - the fixture
    endpoint, _ = given_endpoint(game, receiver.url)
    console = Console(given_staff("oscar", "notifications.change_webhookendpoint"))
    assert "It was taken" in text(console.post(address(endpoint, "test_this"), {}))
    assert added(console, game).status_code == 403
    assert said(console.get("/admin/")) == []
