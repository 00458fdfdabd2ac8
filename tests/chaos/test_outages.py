"""A dependency that refuses, and one that takes everything and answers nothing: nobody pays its time-out.

Whoever is inside when it begins may wait; whoever comes once the breaker is open is answered at once.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.chaos import servers as own
from tests.chaos.doors import PATIENCE_S, Door, Knock, doors, staff_session, visited
from tests.chaos.fleet import GATEWAYS, Deployment
from tests.chaos.proxy import Proxy
from tests.chaos.scene import RECOVERY_S
from tests.config.processes import MANAGE, finished
from tests.storm.test_storm import stage

pytestmark = [pytest.mark.chaos, pytest.mark.services]

OPENS_S = 10.0
"""So long it may take until a breaker is open: frozen servers are asked every 1 s (the broker every 5 s)."""
MORE_S = 1.5
"""So much longer than before may an answer take while a breaker is open; the time-outs are 2 to 10 s."""
VISITS = 3
HEALTHY = {"post": "201", "inbox": "200", "socket": "ready", "console": "200"}
WITHOUT_A_DATABASE = {"post": "503", "inbox": "503", "socket": "error", "console": "503"}
Weather = Callable[[Proxy], None]


class OneGateway(Deployment):
    """One process that serves: what it knows of its dependencies is all that is known."""

    def start_all(self) -> None:
        """Collect the files of its pages, and start it."""
        collected = finished(MANAGE, "collectstatic", "--noinput", **self.environment)
        assert collected.returncode == 0, collected.stderr
        self.start_named(GATEWAYS[0])
        self.wait_until_ready_at(self.gateway)

    @property
    def gateway(self) -> str:
        """Where it serves, past the balancer."""
        return f"http://127.0.0.1:{self.ports[GATEWAYS[0]]}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A deployment whose every dependency is behind a proxy, and the ways in."""

    gateway: str
    proxies: dict[str, Proxy]
    doors: list[Door]
    http: httpx.Client

    def readyz(self) -> dict[str, Any]:
        """Return what it says of itself."""
        told: dict[str, Any] = self.http.get("/readyz").json()
        return told

    def within(
        self, seconds: float, wanted: Callable[[dict[str, Any]], bool]
    ) -> tuple[float, dict[str, Any]]:
        """Ask until it says what is wanted; return after how many seconds, and what it said."""
        began = time.monotonic()
        while not wanted(told := self.readyz()):
            assert time.monotonic() < began + seconds, told
            time.sleep(0.05)
        return time.monotonic() - began, told


@pytest.fixture(scope="module")
def place(servers: own.Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Start it."""
    folder = tmp_path_factory.mktemp("static")
    with (
        Proxy([servers.redis.port]) as redis,
        OneGateway(
            servers, slow=True, CLARION_STATIC=str(folder), REDIS_URL=f"redis://127.0.0.1:{redis.port}/0"
        ) as deployment,
        httpx.Client(base_url=deployment.gateway, timeout=PATIENCE_S) as http,
    ):
        key, session = stage(**deployment.environment), staff_session(deployment.environment)
        yield Place(
            gateway=deployment.gateway,
            proxies={"database": deployment.to_postgres, "broker": deployment.to_rabbit, "redis": redis},
            doors=doors(deployment.gateway, key, session),
            http=http,
        )


@pytest.mark.parametrize(
    ("breaks", "mends"),
    [(Proxy.refuse, Proxy.listen), (Proxy.stall, Proxy.flow)],
    ids=["refuses", "answers nothing"],
)
@pytest.mark.parametrize("name", ["database", "broker", "redis"])
def test_who_comes_while_it_is_away_is_answered_at_once_and_it_is_found_again(
    place: Place, name: str, breaks: Weather, mends: Weather
) -> None:
    proxy = place.proxies[name]
    expected = WITHOUT_A_DATABASE if name == "database" else HEALTHY
    assert {door.name: door.visit().said for door in place.doors} == HEALTHY
    with visited(place.doors):
        before = visits(place.doors)
        breaks(proxy)
        try:
            opened_s, told = place.within(OPENS_S, lambda each: each["breakers"][name]["state"] != "closed")
            assert told["breakers"][name]["since"]
            assert told["status"] == ("unavailable" if name == "database" else "degraded")
            knocks = visits(place.doors)
        finally:
            mends(proxy)
        closed_s, _ = place.within(2 * RECOVERY_S, lambda each: each["status"] == "ok")
    print(  # noqa: T201 - pytest shows it where it fails, and with -s
        f"{name}: open after {opened_s:.1f} s, back after {closed_s:.1f} s; slowest meanwhile:"
        f" {slowest(knocks)}, before: {slowest(before)}"
    )
    assert {each: said(found) for each, found in knocks.items()} == {
        each: {word} for each, word in expected.items()
    }
    late = {each for each, seconds in slowest(knocks).items() if seconds > slowest(before)[each] + MORE_S}
    assert late == set()
    assert closed_s <= RECOVERY_S
    assert {door.name: door.visit().said for door in place.doors} == HEALTHY


def visits(those: list[Door]) -> dict[str, list[Knock]]:
    """Knock at each door a few times."""
    return {door.name: [door.visit() for _ in range(VISITS)] for door in those}


def slowest(knocks: dict[str, list[Knock]]) -> dict[str, float]:
    return {name: round(max(knock.seconds for knock in found), 2) for name, found in knocks.items()}


def said(knocks: list[Knock]) -> set[str]:
    return {knock.said for knock in knocks}
