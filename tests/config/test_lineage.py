"""Another history of the database is noticed, exactly one process renews the epochs, and nothing old is remembered."""

import shutil
import threading
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from structlog.testing import capture_logs

from config import lineage as following
from config.data_folder import DataFolder
from events import lineage, outbox
from events.models import Event, Game, Lineage
from events.tasks import tidy
from players.known import ensure
from players.models import Player
from tests.given import given_game

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following._Remembered, "identity", None)
    monkeypatch.setattr(following._Remembered, "token", None)


@pytest.fixture
def game() -> Game:
    return given_game()


def epoch(game: Game) -> str:
    return Game.objects.get(pk=game.pk).epoch_name


def is_at(monkeypatch: pytest.MonkeyPatch, identity: str) -> None:
    monkeypatch.setattr(lineage, "identity", lambda: identity)


def test_the_first_start_and_every_restart_leave_the_epochs_as_they_are(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_at(monkeypatch, "7:00000001:16384")
    for _ in range(3):
        following._Remembered.identity = None  # as a process that has just started
        following.compare()
    assert (epoch(game), Lineage.objects.get().renewals) == ("e1", 0)


@pytest.mark.parametrize(
    "now",
    ["7:00000002:16384", "8:00000001:16384", "7:00000001:17000"],
    ids=["timeline", "system", "database"],
)
def test_another_timeline_system_or_database_renews_every_games_epoch_and_says_so_in_the_log(
    game: Game, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    other = given_game()
    lineage.settle("7:00000001:16384")
    is_at(monkeypatch, now)
    following.compare()
    assert "e1" not in {epoch(game), epoch(other)}
    outbox.flush()
    (noted,) = Event.objects.filter(game=game, type="staff.epoch.renewed")
    assert epoch(game) in noted.data
    assert now in noted.data


def test_of_many_processes_exactly_one_renews(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them have seen that it differs before the first one renews."""
    given_game()
    lineage.settle("7:00000001:16384")
    together, made = threading.Barrier(4), lineage._made
    tokens: list[str] = []

    def all_have_seen(now: str) -> Lineage:
        found = made(now)
        together.wait(30)
        return found

    def process() -> None:
        tokens.append(lineage.settle("7:00000002:16384"))
        connection.close()

    monkeypatch.setattr(lineage, "_made", all_have_seen)
    threads = [threading.Thread(target=process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Lineage.objects.get().renewals == 1
    assert tokens == [Lineage.objects.get().token] * 4


def test_an_epoch_is_never_one_that_an_earlier_restore_of_the_same_backup_has_had(game: Game) -> None:
    seen = set()
    for _ in range(20):
        Game.objects.filter(pk=game.pk).update(epoch=1)  # the backup's
        lineage.renew(Game.objects.filter(pk=game.pk), "olive", "restored again")
        seen.add(epoch(game))
    assert len(seen) == 20


def test_a_process_forgets_ids_of_players_who_are_no_more(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_at(monkeypatch, "7:00000001:16384")
    following.compare()
    old = ensure(game.pk, ["alice"])["alice"]
    Player.objects.all().delete()  # the backup does not know her
    is_at(monkeypatch, "7:00000002:16384")
    following.compare()
    assert ensure(game.pk, ["alice"])["alice"] == Player.objects.get(key="alice").pk != old


def test_a_renewal_by_command_reaches_processes_whose_connections_stay(game: Game) -> None:
    following._take(lineage.token())
    old = ensure(game.pk, ["alice"])["alice"]
    Player.objects.all().delete()
    lineage.renew([game], "olive", "restored")
    following._take(lineage.token())
    assert ensure(game.pk, ["alice"])["alice"] != old


@pytest.mark.services
def test_postgresql_tells_its_system_its_timeline_and_its_database() -> None:
    system, timeline, database = lineage.identity().split(":")
    with connection.cursor() as cursor:
        cursor.execute("SELECT timeline_id FROM pg_control_checkpoint()")
        assert int(timeline, 16) == cursor.fetchone()[0]
    assert int(system) > 2**32
    assert int(database) > 0


@pytest.mark.services
def test_a_postgresql_that_keeps_it_to_itself_renews_nothing_and_says_what_to_do(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "IDENTITY", "SELECT pg_not_for_you()")
    monkeypatch.setattr(lineage, "_untold", [])
    with capture_logs() as said:
        for _ in range(2):
            following.compare()
    assert epoch(game) == "e1"
    assert [line["then"] for line in said if line["event"] == "lineage.unknown"] == [lineage.ADVICE]


# -- the command -------------------------------------------------------------------------------------


def test_newepoch_renews_the_games_that_are_named_and_notes_the_reason(game: Game) -> None:
    other, out = given_game(), StringIO()
    call_command("newepoch", game.slug, "--reason", "restored the dump of 03:00", stdout=out)
    assert (epoch(other), epoch(game) != "e1") == ("e1", True)
    assert (
        out.getvalue() == f"{game.slug} has the epoch {epoch(game)}; its clients start over within seconds\n"
    )
    noted = Event.objects.get(game=game, type="staff.epoch.renewed")
    assert "restored the dump of 03:00" in noted.data


def test_newepoch_renews_every_game_unless_some_are_named(game: Game) -> None:
    other = given_game()
    call_command("newepoch", "--reason", "restored", stdout=StringIO())
    assert "e1" not in {epoch(game), epoch(other)}


def test_newepoch_names_a_game_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="no game 'nowhere'"):
        call_command("newepoch", "nowhere", "--reason", "x")


# -- embedded ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder that has been in use; the file stands for the database's."""
    folder = DataFolder(tmp_path)
    folder.database.write_bytes(b"")
    following.resume(folder)
    for _ in range(3):
        following.tick(folder)
    return folder


def test_starting_again_on_the_same_folder_renews_nothing(game: Game, folder: DataFolder) -> None:
    following.resume(folder)
    assert epoch(game) == "e1"


def test_a_crash_between_the_database_and_the_folder_renews_nothing(game: Game, folder: DataFolder) -> None:
    lineage.tick()
    following.resume(folder)
    assert epoch(game) == "e1"


def test_an_older_copy_of_the_database_renews(game: Game, folder: DataFolder) -> None:
    Lineage.objects.update(ticks=2)
    following.resume(folder)
    assert epoch(game) != "e1"


def test_a_copy_of_the_whole_folder_renews(game: Game, folder: DataFolder) -> None:
    copy = folder.path / "copy"
    shutil.copytree(folder.path, copy, ignore=shutil.ignore_patterns("copy"))
    following.resume(DataFolder(copy))
    assert epoch(game) != "e1"


def test_a_database_alone_in_a_new_folder_renews(game: Game, folder: DataFolder) -> None:
    (folder.path / "lineage.json").unlink()
    following.resume(folder)
    assert epoch(game) != "e1"


def test_a_worker_s_child_looks_before_a_task_and_not_before_each(game: Game) -> None:
    """It keeps its connection for ever, so that nothing else would tell it of ``manage.py newepoch``."""
    now = [100.0]
    following._Remembered.looked = 0.0
    following.look_now_and_then(lambda: now[0])
    ensure(game.pk, ["alice"])
    Player.objects.all().delete()  # the restore of an older dump
    call_command("newepoch", game.slug, reason="restored the dump of 03:00", stdout=StringIO())
    following.look_now_and_then(lambda: now[0])
    assert ensure(game.pk, ["alice"]), "it is remembered"
    assert not Player.objects.exists(), "it has not looked again"
    now[0] += following.LOOK_S
    following.look_now_and_then(lambda: now[0])
    ensure(game.pk, ["alice"])
    assert Player.objects.filter(key="alice").exists()


def test_every_task_looks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(following, "look_now_and_then", lambda: looked.append(True))
    tidy.apply().get()
    assert looked == [True]
