"""The embedded mode's data folder: database, secrets, version, logs, and a lock against a second instance."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

SECRETS = ("secret_key", "token_key", "demo_key")

_held: list[IO[str]] = []
"""Files that hold a lock until the process ends: one that is collected as garbage lets go of it."""


class DataFolderError(Exception):
    """The folder cannot be used; the text says why and what to do."""


class DataFolderInUse(DataFolderError):
    """Another Clarion runs on this folder."""


class DataIsNewer(DataFolderError):
    """The data was written by a later version of Clarion."""


class SecretsUnreadable(DataFolderError):
    """secrets.json is no JSON object of texts."""


class DataFolder:
    """Files below ``CLARION_DATA``."""

    def __init__(self, path: Path) -> None:
        """Nothing is made before it is needed."""
        self.path = path
        self.database = path / "clarion.sqlite3"
        self.logs = path / "logs"
        self.backups = path / "backups"
        self._version = path / "version"
        self._secrets = path / "secrets.json"
        self._lineage = path / "lineage.json"

    def secrets(self) -> dict[str, str]:
        """Return the secrets; those that are missing are made, in a file that only its owner reads.

        Raises:
            SecretsUnreadable: the file is no JSON object of texts.
        """
        found = self._read_secrets()
        if all(found.get(name) for name in SECRETS):
            return found
        with self._one_at_a_time():  # two first starts at once must not each believe in their own keys
            found = self._read_secrets()
            found |= {name: _new(name) for name in SECRETS if not found.get(name)}
            self._write_secrets(found)
        return found

    def lock(self) -> None:
        """Keep others off this folder for as long as this process lives.

        Raises:
            DataFolderInUse: another process has it; the text names its number.
        """
        self._make()
        lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise DataFolderInUse(
                f"another Clarion (process {holder}) runs on {self.path};"
                " stop it, or name another folder: CLARION_DATA="
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _held.append(lock)

    def in_use(self) -> bool:
        """Tell whether a Clarion runs on this folder. Nobody is kept off by asking, but for a moment."""
        try:
            with (self.path / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def refuse_newer(self, ours: str) -> None:
        """Compare the version that last wrote here with ours, such as ``0.1.0``.

        Raises:
            DataIsNewer: it was a later one.
        """
        theirs = self._version.read_text().strip() if self._version.exists() else ""
        if _parts(theirs) > _parts(ours):
            raise DataIsNewer(
                f"the data in {self.path} was written by Clarion {theirs}, and this is {ours};"
                " start that version, or name another folder: CLARION_DATA="
            )

    def record_version(self, ours: str) -> None:
        """Note that this version has written here."""
        self._version.write_text(f"{ours}\n")

    def ticks(self) -> int | None:
        """Return the number to which the database had come when this folder was told last; None when never."""
        ticks = self._told().get("ticks")
        return ticks if isinstance(ticks, int) else None

    def moved(self) -> bool:
        """Tell whether the database is another file than the one that was here: a copy was put in its place."""
        return self._told().get("inode") != self.database.stat().st_ino

    def record_ticks(self, ticks: int) -> None:
        """Note how far the database is, and which file it is."""
        draft = self._lineage.with_suffix(".draft")
        draft.write_text(json.dumps({"ticks": ticks, "inode": self.database.stat().st_ino}))
        draft.replace(self._lineage)

    def _told(self) -> dict[str, object]:
        try:
            found = json.loads(self._lineage.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        self._make()
        with (self.path / "secrets.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read_secrets(self) -> dict[str, str]:
        with suppress(OSError):  # it is not there, or another user's
            self._secrets.chmod(0o600)  # a copy that came back from a backup may be anybody's to read
        try:
            found = json.loads(self._secrets.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            found = None
        texts = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
        if not isinstance(found, dict) or not texts:
            raise SecretsUnreadable(
                f"{self._secrets} must hold a JSON object of texts; restore it from a backup. Without it,"
                " log-ins and players' tokens end; then remove the file, and new secrets are made"
            )
        return found

    def _write_secrets(self, content: dict[str, str]) -> None:
        draft = self._secrets.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._secrets)


def _new(name: str) -> str:
    return ("clk_" if name == "demo_key" else "") + secrets.token_urlsafe(48)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
