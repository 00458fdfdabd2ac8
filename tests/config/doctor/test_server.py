"""The server at its own address: each answer that it may give, and what that means."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from config.doctor import server
from config.doctor.finding import Level
from tests.config.doctor.conftest import NOBODY, SECRET, lines, looked

URL = "https://clarion.example.com"
Answers = Callable[..., None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Let the server give these answers by path, and 404 to everything else."""

    def give(**by_path: httpx.Response) -> None:
        def get(_target: Any, path: str) -> httpx.Response:
            answer = by_path.get(path.strip("/").partition("/")[0], httpx.Response(404))
            answer.elapsed = timedelta(milliseconds=7)
            return answer

        monkeypatch.setattr(server, "_get", get)

    return give


def test_one_that_lives_is_told_with_how_long_it_took(answers: Answers) -> None:
    answers(healthz=httpx.Response(200, json={"status": "ok"}))
    (found,) = looked(server.Alive(), url=URL)
    assert (found.level, found.values) == (Level.OK, {"answered_ms": 7.0})


def test_what_answers_in_its_place_is_not_taken_for_it(answers: Answers) -> None:
    answers(healthz=httpx.Response(200, text="<html>welcome to nginx"))
    assert looked(server.Alive(), url=URL)[0].level is Level.FAIL


def test_one_that_is_not_there_fails_with_why() -> None:
    (said,) = lines(server.Alive(), url=f"http://127.0.0.1:{NOBODY}")
    assert said == f"fail: http://127.0.0.1:{NOBODY} cannot be reached: nothing listens there (ConnectError)"


def ready(status: str, code: int = 200, **dependencies: str) -> httpx.Response:
    breakers = {"redis": {"state": "open" if "redis" in dependencies else "closed"}}
    found = {"database": "ok", "broker": "ok", **dependencies}
    return httpx.Response(code, json={"status": status, "dependencies": found, "breakers": breakers})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ready("ok"), "ok: it is ready: database, broker"),
        (
            ready("degraded", redis="TimeoutError"),
            "warn: it is degraded: redis: TimeoutError, redis: breaker open",
        ),
        (
            ready("unavailable", 503, database="1 migrations are missing"),
            "fail: it is unavailable: database: 1 migr",
        ),
        (ready("draining", 503), "warn: it is draining"),
        (httpx.Response(404, text="no"), "not_run: /readyz is not forwarded (404)"),
        (httpx.Response(200, json=["no"]), "not_run: /readyz is not forwarded (200)"),
    ],
)
def test_what_it_says_of_its_dependencies_is_passed_on(
    answers: Answers, answer: httpx.Response, said: str
) -> None:
    answers(readyz=answer)
    assert lines(server.Ready(), url=URL)[0].startswith(said)


@pytest.mark.parametrize(("off_s", "level"), [(0, Level.OK), (-90, Level.FAIL), (90, Level.FAIL)])
def test_a_clock_is_judged_no_finer_than_the_header_tells(answers: Answers, off_s: int, level: Level) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=off_s), usegmt=True)
    answers(healthz=httpx.Response(200, headers={"date": date}))
    assert looked(server.Clock(), url=URL)[0].level is level


def test_without_a_date_the_clock_is_not_judged(answers: Answers) -> None:
    answers(healthz=httpx.Response(200))
    assert looked(server.Clock(), url=URL)[0].level is Level.NOT_RUN


def test_pages_and_their_files_are_asked_for(answers: Answers) -> None:
    page = httpx.Response(200, text='<link href="/static/a.css" rel="stylesheet">')
    answers(admin=page, static=httpx.Response(200))
    assert looked(server.Pages(), url=URL)[0].level is Level.OK
    answers(admin=page)
    (found,) = looked(server.Pages(), url=URL)
    assert (found.level, "/static/a.css" in found.text) == (Level.FAIL, True)
    answers(admin=httpx.Response(200, text="bare"), static=httpx.Response(200))
    assert looked(server.Pages(), url=URL)[0].level is Level.FAIL
    answers(admin=httpx.Response(400))
    (found,) = looked(server.Pages(), url=URL)
    assert (found.level, "CLARION_ALLOWED_HOSTS" in found.advice) == (Level.WARN, True)


def test_an_address_says_how_it_is_spoken_to() -> None:
    assert lines(server.Address()) == ["not_run: nothing was asked of a running server"]
    assert lines(server.Address(), url="http://127.0.0.1:8000", services=True)[0].startswith("ok: ")
    assert lines(server.Address(), url="http://clarion.example.com", services=True)[0].startswith(
        "warn: plain http"
    )


@pytest.mark.parametrize(("days", "level"), [(90, Level.OK), (3, Level.WARN)])
def test_a_certificate_that_ends_soon_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, days: int, level: Level
) -> None:
    class Secure:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def wrap_socket(self, *_: object, **__: object) -> Any:
            return self

        def getpeercert(self) -> dict[str, str]:
            ends = datetime.now(UTC) + timedelta(days=days, hours=1)
            return {"notAfter": ends.strftime("%b %d %H:%M:%S %Y GMT")}

    monkeypatch.setattr(server.ssl, "create_default_context", Secure)
    monkeypatch.setattr(server.socket, "create_connection", lambda *_: Secure())
    (found,) = looked(server.Address(), url=URL)
    assert (found.level, found.values) == (level, {"days_left": days})


def test_https_that_nobody_speaks_fails_with_why() -> None:
    (found,) = looked(server.Address(), url=f"https://127.0.0.1:{NOBODY}")
    assert (found.level, "nothing listens there" in found.text) == (Level.FAIL, True)
    assert SECRET not in found.text
