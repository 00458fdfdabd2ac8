"""The data folder: secrets, version, copies."""

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from config.data_folder import DataFolder, DataIsNewer, SecretsUnreadable
from config.embedded.migrating import COPIES_KEPT, copy


def test_secrets_are_made_once(tmp_path: Path) -> None:
    first = DataFolder(tmp_path).secrets()
    assert set(first) == {"secret_key", "token_key", "demo_key"}
    assert len(set(first.values())) == 3
    assert DataFolder(tmp_path).secrets() == first


def test_only_their_owner_reads_them_also_after_they_came_back_from_a_backup(tmp_path: Path) -> None:
    folder, file = DataFolder(tmp_path), tmp_path / "secrets.json"
    made = folder.secrets()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert folder.secrets() == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_secret_that_is_new_in_this_version_is_added_beside_the_old(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"secret_key": "old"}')
    found = DataFolder(tmp_path).secrets()
    assert found["secret_key"] == "old"
    assert found["token_key"]


def test_first_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    found, together = [], threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(DataFolder(tmp_path).secrets())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("content", ["", "[]", '{"secret_key": 1}', "{"])
def test_unreadable_secrets_are_never_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(SecretsUnreadable, match=r"secrets\.json must hold"):
        DataFolder(tmp_path).secrets()
    assert (tmp_path / "secrets.json").read_text() == content


@pytest.mark.parametrize(
    ("theirs", "refused"), [("0.1.0", False), ("0.0.9", False), ("0.1.1", True), ("0.10.0", True)]
)
def test_a_later_versions_data_is_refused(tmp_path: Path, theirs: str, refused: bool) -> None:
    folder = DataFolder(tmp_path)
    folder.record_version(theirs)
    if refused:
        with pytest.raises(DataIsNewer, match=theirs):
            folder.refuse_newer("0.1.0")
    else:
        folder.refuse_newer("0.1.0")


def test_a_copy_holds_what_was_committed_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    database, backups = tmp_path / "clarion.sqlite3", tmp_path / "backups"
    with closing(sqlite3.connect(database, isolation_level=None)) as source:
        source.execute("PRAGMA journal_mode=WAL")
        source.execute("CREATE TABLE counted (number integer)")
        for number in range(COPIES_KEPT + 2):
            source.execute("INSERT INTO counted VALUES (?)", [number])
            newest = copy(database, backups)
        with closing(sqlite3.connect(newest)) as copied:
            assert copied.execute("SELECT count(*) FROM counted").fetchone() == (COPIES_KEPT + 2,)
    assert len(list(backups.iterdir())) == COPIES_KEPT
