"""Whatever Mallory posts: never a server error, and never a parked stream, although the demo's rules look at it."""

import pytest
from hypothesis import HealthCheck, given, settings

from config.demo.install import install
from events import games
from events.hubs.claim import work_waits
from events.hubs.registry import hubs
from events.models import DeadLetter, Event, EventType
from notifications.models import Decision
from tests.events.api.server import PROBLEM, GameServer
from tests.events.envelope.nasty import BODIES, CONTENT_TYPES, HEADERS, SPELT, TYPES, of_type
from tests.events.log.test_append import chain_problems
from tests.given import hubs_catch_up

EXAMPLES = 250


@pytest.mark.django_db(transaction=True)
def test_no_request_is_a_server_error_and_no_event_parks_its_stream() -> None:
    game = install("mallorys")
    EventType.objects.update(schema=None)  # the rules are to meet data of every shape
    games.forget()
    server = GameServer(game)
    introduced = Event.objects.count()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(content_type=CONTENT_TYPES, headers=HEADERS, body=BODIES)
    def post(content_type: str, headers: dict[str, str], body: bytes) -> None:
        answer = server.post(body, content_type, **headers)
        assert answer.status_code < 500, answer.content
        media = PROBLEM if answer.status_code >= 400 else "application/json"
        assert answer.headers["Content-Type"] == media
        answer.json()

    for number, spelling in enumerate(SPELT):
        for name in TYPES:
            for place, data in enumerate(
                (spelling, f'{{"player_id": "bob", "guild": {spelling}}}', f'{{"player_id": {spelling}}}')
            ):
                text = of_type(name, f"{number}-{name}-{place}", data)
                assert server.post(text.encode(errors="surrogatepass")).status_code in {201, 400, 413, 422}
    post()
    assert Event.objects.count() > introduced, "some of it is valid"
    hubs_catch_up()
    assert not DeadLetter.objects.exists()
    assert not [hub.name for hub in hubs() for lane in hub.lanes if work_waits(hub.name, lane)]
    assert Decision.objects.filter(game=game).exists(), "the rules have looked"
    assert chain_problems(game.pk) == []
    server.pages()
