"""The log in files: whole, readable, provable; and payloads go only once that is so."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command

from events import erasing
from events.errors import ExportBroken, ExportRefused
from events.export import files, storing
from events.models import Event, ExportedPart, Game, Partition, Retention, Sweep
from events.retention import exporting, payloads, sweeping
from tests.given import an_event, given_events, given_game, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.CLARION_EXPORT = str(tmp_path)
    return tmp_path


@pytest.fixture
def game() -> Game:
    """Old and new events, and a choice that lets go of the old ones once they are in a file."""
    payloads.forget()
    game = given_game("old", partitions=1)
    for days in (40, 2):
        with time_machine.travel(NOW - days * DAY, tick=False):
            given_events(game, *[an_event(stream="s", data={"n": n, "days": days}) for n in range(3)])
    hubs_catch_up()
    Retention.objects.create(game=game, payload_days=30, export=True)
    sweeping.make_missing()
    return game


def full(game: Game) -> int:
    return Event.objects.filter(game=game, data__isnull=False).count()


def sweep(name: str) -> Sweep:
    return Sweep.objects.get(name=name)


def let_go() -> None:
    Sweep.objects.filter(name="payloads").update(due=NOW)
    while sweeping.sweep_once(sweep("payloads").pk):
        pass


def written(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.rglob("*.ndjson.gz")))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_payloads_go_only_once_they_are_in_a_file(game: Game, folder: Path) -> None:
    let_go()
    assert full(game) == 6
    assert exporting.export_once(sweep("export"))
    let_go()
    assert full(game) == 3
    part = ExportedPart.objects.get()
    assert (part.start, part.stop) == (1, 3)
    assert [line["data"] for line in lines(folder / part.name)] == [{"n": n, "days": 40} for n in range(3)]


def test_a_file_is_read_back_before_it_counts(
    game: Game, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FileSystemStorage.save

    def half(self: Any, name: str, content: Any, **more: Any) -> str:
        saved = real(self, name, content, **more)
        path = folder / name
        path.write_bytes(path.read_bytes()[:-9])
        return saved

    monkeypatch.setattr(FileSystemStorage, "save", half)
    with pytest.raises(ExportBroken, match="SHA-256 differs"):
        exporting.export_once(sweep("export"))
    Sweep.objects.update(due=NOW)
    assert exporting.work_for(1) is False
    let_go()
    assert (full(game), sweep("export").position, ExportedPart.objects.count()) == (6, 0, 0)


def test_without_a_place_to_write_to_nothing_goes(game: Game, settings: Any) -> None:
    settings.CLARION_EXPORT = ""
    with pytest.raises(ExportRefused, match="CLARION_EXPORT is not set"):
        exporting.export_once(sweep("export"))
    let_go()
    assert full(game) == 6


@pytest.mark.usefixtures("game")
def test_a_worker_that_died_after_writing_is_followed_by_one_that_writes_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(exporting, "_record", lambda *_: False)
        assert exporting.export_once(sweep("export")) is None
    assert sweep("export").due > datetime.now(UTC)  # its lease
    Sweep.objects.filter(name="export").update(due=NOW)
    assert exporting.export_once(sweep("export"))
    assert len(list(written(folder))) == 1


@pytest.mark.usefixtures("game", "folder")
def test_of_two_workers_one_has_the_partition() -> None:
    mine, theirs = sweep("export"), sweep("export")
    assert exporting.export_once(mine)
    assert exporting.export_once(theirs) is None
    assert ExportedPart.objects.count() == 1


@pytest.mark.usefixtures("game", "folder")
def test_a_part_of_a_file_waits_for_a_day() -> None:
    exporting.export_once(sweep("export"))
    with time_machine.travel(NOW + timedelta(hours=12), tick=False):
        Retention.objects.update(payload_days=1)
        assert exporting.export_once(sweep("export")) is None
    with time_machine.travel(NOW + 2 * DAY, tick=False):
        assert exporting.export_once(sweep("export"))
    assert [(part.start, part.stop) for part in ExportedPart.objects.order_by("id")] == [(1, 3), (4, 6)]


# -- by hand ------------------------------------------------------------------------------------------------


def exported(game: Game, folder: Path, *how: str) -> str:
    out = StringIO()
    call_command("exportlog", game.slug, "--out", str(folder), *how, stdout=out)
    return out.getvalue()


def proved(*paths: Path) -> str:
    out = StringIO()
    call_command("verifyexport", *map(str, paths), stdout=out)
    return out.getvalue()


def test_what_was_exported_proves_itself(game: Game, folder: Path) -> None:
    assert "6 events" in exported(game, folder)
    (path,) = written(folder)
    assert "6 events, whole, as its manifest says" in proved(path)
    (path.parent / (path.name + files.MANIFEST)).unlink()
    assert "6 events, whole, without a manifest" in proved(path)
    assert full(game) == 6


def test_a_part_follows_on_from_what_came_before_it(game: Game, folder: Path) -> None:
    exported(game, folder, "--partition", "0", "--from", "2", "--to", "4")
    (path,) = written(folder)
    assert [line["clarionoffset"] for line in lines(path)] == [2, 3, 4]
    assert "3 events" in proved(path)


def test_several_files_follow_each_other(game: Game, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "EVENTS", 4)
    exported(game, folder)
    first, second = (files.manifest_of(path.read_bytes()) for path in sorted(folder.rglob("*.manifest.json")))
    assert (first.count, second.count) == (4, 2)
    assert second.previous == first.digest
    assert bytes(Partition.objects.get(game=game).digest).hex() == second.digest


def test_an_erased_payload_is_called_so_and_proves_itself(game: Game, folder: Path) -> None:
    erasing.erase([Event.objects.get(game=game, offset=2).pk], "olive", "a rude name")
    exported(game, folder, "--to", "3")
    (path,) = written(folder)
    assert [line.get("clarionerased", False) for line in lines(path)] == [False, True, False]
    assert "data" not in lines(path)[1]
    assert "3 events, whole" in proved(path)


@pytest.mark.parametrize("text", ['{\n  "n": 1e400,\r\n  "m": 0.10\n}', "[]", "null", '"\\n"', "1.0"])
def test_json_comes_back_to_the_letter(folder: Path, text: str) -> None:
    game = given_game("nasty", partitions=1)
    event = an_event(data=1)
    given_events(
        game, type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"data": text})
    )
    exported(game, folder)
    (path,) = written(folder)
    assert len(lines(path)) == 1
    assert "1 events, whole" in proved(path)


@pytest.mark.parametrize(("encoding", "text"), [("text", "a\nb"), ("base64", "aGk="), ("", None)])
def test_every_kind_of_payload_comes_back(folder: Path, encoding: str, text: str | None) -> None:
    game = given_game("kinds", partitions=1)
    event = an_event()
    changes = {"data": text, "data_encoding": encoding}
    given_events(
        game, type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | changes)
    )
    exported(game, folder)
    (path,) = written(folder)
    assert "1 events, whole" in proved(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[1].update(data={"n": 99}), "the event at offset 2 has another payload"),
        (lambda rows: rows[1].update(type="forged"), "the event at offset 2 says other than its envelope"),
        (lambda rows: rows.pop(1), "the chain breaks at offset 3"),
        (lambda rows: rows.reverse(), "the chain breaks"),
        (lambda rows: rows[1].update(clarionenvelope=rows[0]["clarionenvelope"]), "its digest differs"),
        (lambda rows: rows[1].update(clarionerased=True), "is called erased and has data"),
        (lambda rows: rows[1].pop("clarionsalt"), "has another payload"),
        (lambda rows: rows[1].update(clarionpayload="no hex"), "is not one of an export"),
    ],
)
def test_what_was_changed_in_a_file_is_found(game: Game, folder: Path, change: Any, said: str) -> None:
    exported(game, folder)
    (path,) = written(folder)
    rows = lines(path)
    change(rows)
    path.write_bytes(
        gzip.compress("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode())
    )
    (path.parent / (path.name + files.MANIFEST)).unlink()
    with pytest.raises(CommandError, match=said):
        proved(path)


def test_a_cut_off_file_is_found_by_its_manifest(game: Game, folder: Path) -> None:
    exported(game, folder)
    (path,) = written(folder)
    rows = gzip.decompress(path.read_bytes()).splitlines(keepends=True)[:-1]
    path.write_bytes(gzip.compress(b"".join(rows)))
    with pytest.raises(CommandError, match="SHA-256 differs"):
        proved(path)


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson.gz"
    path.write_bytes(b"nothing")
    with pytest.raises(CommandError, match="cannot be decompressed"):
        proved(path)


def test_a_storage_is_named_with_its_options(settings: Any, tmp_path: Path) -> None:
    name = "django.core.files.storage.FileSystemStorage"
    settings.CLARION_EXPORT = f"{name}?location={tmp_path}"
    assert storing.storage().path("a") == str(tmp_path / "a")
    for wrong in (f"{name}?bucket=x", "nowhere.Storage"):
        settings.CLARION_EXPORT = wrong
        with pytest.raises(ExportRefused, match="names no storage"):
            storing.storage()


def test_there_is_no_such_game(folder: Path) -> None:
    with pytest.raises(CommandError, match="there is no game 'nobody'"):
        call_command("exportlog", "nobody", "--out", str(folder))
