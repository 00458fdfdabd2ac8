"""Small load tests against ``manage.py up``: what scripts read, what people read, and when it is a failure."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from config.loadtest import drive
from tests.config.processes import MANAGE, Up, finished

pytestmark = pytest.mark.embedded

KEYS = (
    "delivered_per_s", "accepted_per_s", "p50_ms", "p95_ms", "p99_ms", "mean_ms", "lost", "doubled", "out_of_order",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps its data."""
    return tmp_path_factory.mktemp("loadtest")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Up]:
    """A server with the demo."""
    with Up(folder) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: Up, folder: Path) -> str:
    """An operator's key of the demo game."""
    assert server.process.poll() is None  # it has made the database
    made = finished(MANAGE, "apikey", "demo", "--name", "loadtest", CLARION_DATA=str(folder))
    return made.stdout.strip()


def test_one_by_one_prints_one_json_object_with_exactly_these_keys(server: Up, key: str) -> None:
    result = finished(
        MANAGE, "loadtest", "--url", server.url, "--game", "demo", "--key", key, "--players", "5",
        "--rate", "20", "--seconds", "1", "--json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    assert tuple(figures) == KEYS
    assert (figures["lost"], figures["doubled"], figures["out_of_order"]) == (0, 0, 0)
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert min(figures["accepted_per_s"], figures["delivered_per_s"], figures["mean_ms"]) > 0


def test_batches_print_a_table_for_people(server: Up, key: str) -> None:
    out = StringIO()
    call_command(
        "loadtest", "--url", server.url, "--game", "demo", "--key", key, "--players", "4", "--events", "90",
        "--batch", "40", stdout=out,
    )  # fmt: skip
    said = out.getvalue()
    assert "90 events to 4 players of demo" in said
    assert "lost 0, doubled 0, out of order 0" in said
    assert key not in said


def test_what_is_lost_ends_it_with_exit_code_1(
    server: Up, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A game without the demo's rule: its events are accepted, and nobody is told."""
    data = {"CLARION_DATA": str(folder)}
    assert finished(MANAGE, "creategame", "silent", **data).returncode == 0
    key = finished(MANAGE, "apikey", "silent", "--name", "loadtest", **data).stdout.strip()
    monkeypatch.setattr(drive, "LAST_ARRIVAL_S", 0.5)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(
            "loadtest", "--url", server.url, "--game", "silent", "--key", key, "--players", "2",
            "--events", "4", "--json", stdout=out,
        )  # fmt: skip
    assert ended.value.code == 1
    assert json.loads(out.getvalue())["lost"] == 4


@pytest.mark.parametrize("options", [("--events", "4"), ("--rate", "4", "--seconds", "1")])
def test_what_the_server_refuses_is_told_without_the_key(server: Up, options: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="401") as refused:
        call_command("loadtest", "--url", server.url, "--game", "demo", "--key", "hunter2", *options)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("options", [("--events", "4"), ("--rate", "4", "--seconds", "1")])
def test_an_event_that_is_refused_ends_it(server: Up, folder: Path, options: tuple[str, ...]) -> None:
    """A key that may issue tokens and nothing else."""
    made = finished(
        MANAGE, "apikey", "demo", "--name", "tokens", "--scopes", "tokens:issue", CLARION_DATA=str(folder)
    )
    with pytest.raises(CommandError, match="POST /api/v1/events: 403"):
        call_command(
            "loadtest", "--url", server.url, "--game", "demo", "--key", made.stdout.strip(), "--players", "2", *options
        )  # fmt: skip
