"""``/healthz``, ``/readyz`` and ``/metrics``."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

from config import metrics
from events import breakers
from events.breakers import Breaker, State, probes
from events.stopping import STOPPING

TIMEOUT_S = 0.8
"""All are asked at the same time, so that the whole answer takes less than a second."""


class Probe:
    """Asks one dependency on a thread of its own, one question at a time.

    A dependency that hangs therefore costs one thread, however often the state is asked for.
    """

    def __init__(self, name: str, check: Callable[[], None], breaker: Breaker | None = None) -> None:
        """Ask nothing yet. What its breaker knows to be away is not asked at all."""
        self.name = name
        self._check, self._breaker = check, breaker
        self._executor = ThreadPoolExecutor(1, f"probe-{name}")
        self._mutex = threading.Lock()
        self._asked: Future[None] | None = None

    async def state(self) -> str:
        """Return ``ok``, or what is wrong, after less than a second."""
        if known := self._known():
            return known
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._ask())), TIMEOUT_S)
        except TimeoutError:
            return f"no answer within {TIMEOUT_S} s"
        except NotReady as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong is what is told; its text may hold a password
            return type(error).__name__
        return "ok"

    def glance(self, patience_s: float) -> str:
        """Return the same for callers on a thread, who wait no longer than this."""
        if known := self._known():
            return known
        try:
            self._ask().result(patience_s)
        except FutureTimeout:
            return "no answer yet"
        except NotReady as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - as above
            return type(error).__name__
        return "ok"

    def _known(self) -> str:
        """Return what the breaker has to say while it is not closed."""
        if self._breaker is None or self._breaker.is_closed:
            return ""
        status = self._breaker.status()
        return f"away since {status.since:%H:%M:%S} UTC: {status.why}" if status.since else ""

    def _ask(self) -> "Future[None]":
        with self._mutex:
            if self._asked is None or self._asked.done():
                self._asked = self._executor.submit(self._check)
            return self._asked


class NotReady(Exception):
    """A dependency answers, but is not as this version needs it; the text may be shown to anybody."""


async def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that the process is alive."""
    return JsonResponse({"status": "ok"})


async def readyz(_request: HttpRequest) -> HttpResponse:
    """Say whether it can serve: the database must answer and be migrated; all dependencies are told.

    Without Redis or broker Clarion still serves: pushes and hints then take about a second. A
    process that has been told to end is not ready from that moment on, and asks nobody to say so.
    """
    if STOPPING.is_set():
        return _not_ready({"status": "draining", "dependencies": {}, "breakers": _breakers()})
    asked = [DATABASE, BROKER, *([REDIS] if settings.REDIS_URL else [])]
    found = await asyncio.gather(*(probe.state() for probe in asked))
    states = dict(zip([probe.name for probe in asked], found, strict=True))
    ready = states[DATABASE.name] == "ok"
    degraded = ready and any(state != "ok" for state in found)
    status = "degraded" if degraded else "ok" if ready else "unavailable"
    body = {"status": status, "dependencies": states, "breakers": _breakers()}
    return JsonResponse(body) if ready else _not_ready(body)


def _not_ready(body: Mapping[str, object]) -> HttpResponse:
    return JsonResponse(body, status=503, headers={"Retry-After": "2"})


def _breakers() -> dict[str, dict[str, object]]:
    """Return each breaker's state; the database's and Redis's only where there are such servers."""
    if not settings.CLARION_SERVICES:
        return {}
    told: dict[str, dict[str, object]] = {}
    for each in breakers.statuses():
        told[each.name] = {"state": each.state.value, "opened": each.opened}
        if each.state is not State.CLOSED:
            told[each.name] |= {"since": each.since, "why": each.why, "asked_again_in_s": each.retry_s}
    return told


async def prometheus(_request: HttpRequest) -> HttpResponse:
    """Tell everything that is counted, of all processes that share PROMETHEUS_MULTIPROC_DIR."""
    loop = asyncio.get_running_loop()
    return HttpResponse(await loop.run_in_executor(_scraper, _metrics), content_type=CONTENT_TYPE_LATEST)


def _database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        _migrations()
    finally:
        connection.close()


def _migrations() -> None:
    """Ask until the answer is yes: migrations are not taken back while a process runs."""
    if _migrated.is_set():
        return
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise NotReady(f"{len(missing)} migrations are missing; run: manage.py migrate")
    _migrated.set()


_migrated = threading.Event()
_scraper = ThreadPoolExecutor(1, "metrics")
DATABASE = Probe("database", _database, breakers.DATABASE)
BROKER = Probe("broker", probes.broker, breakers.BROKER)
REDIS = Probe("redis", probes.redis, breakers.REDIS)


def _metrics() -> bytes:
    registry = CollectorRegistry()
    registry.register(metrics.State())
    if metrics.many_processes():
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest() + generate_latest(registry)
