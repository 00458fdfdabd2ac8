"""Files and room: the pages' static files, the disk, where exports go."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage

from config.doctor.check import SERVICES, Check, Target
from config.doctor.finding import Finding, fail, ok, warn
from config.doctor.reasons import reason
from config.watch import kinds
from config.watch.rules.machinery import FULL, in_bytes
from events import storage
from events.export import storing
from events.models import Retention


class Static(Check):
    """Whether ``collectstatic`` has put there what this code's pages ask for."""

    name = "files.static"
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Look at the manifest, and at whether its files are there."""
        folder = settings.STATIC_ROOT
        try:
            paths = json.loads((folder / "staticfiles.json").read_text())["paths"]
        except (OSError, ValueError, KeyError):
            yield fail(
                f"there are no collected static files in {folder}: pages have neither style nor scripts",
                "manage.py collectstatic --noinput, on every machine with web processes",
            )
            return
        gone = sum(1 for path in paths.values() if not (folder / path).exists())
        if gone:
            yield fail(
                f"{gone} of {len(paths)} static files are gone from {folder}",
                "manage.py collectstatic --noinput",
            )
        elif "clarion/clarion.js" not in paths:
            yield fail("the JavaScript client was not collected", "manage.py collectstatic --noinput")
        else:
            yield ok(f"{len(paths)} static files are collected", files=len(paths))


class Disk(Check):
    """For how long the disk will do."""

    name = "files.disk"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Reckon as the watch does."""
        found, limit = storage.forecast(), kinds.in_force()["disk"].limit
        used = in_bytes(found.used)
        if found.limit is None or found.free is None:
            yield warn(
                f"the database takes {used}; how much it may take is not known",
                "set CLARION_DISK_BYTES, so that the disk is watched",
                used_bytes=found.used,
            )
            return
        days = found.days_left
        left = "" if days is None else f", which will do for {days:.0f} days"
        told = f"the database takes {used}, {in_bytes(found.free)} of {in_bytes(found.limit)} are left{left}"
        values = {"used_bytes": found.used, "free_bytes": found.free, "days_left": days}
        advice = "set shorter retention, or give it more room; docs/runbook.md, Disk filling"
        if found.free < FULL * found.limit or (days is not None and days < limit):
            yield warn(told, advice, **values)
        else:
            yield ok(told, **values)


class Exports(Check):
    """Whether payloads can be exported before they go, where a game wants that."""

    name = "files.exports"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Open the place."""
        wanted = Retention.objects.filter(export=True).count()
        if not wanted:
            yield ok("no game asks for exports")
        elif not settings.CLARION_EXPORT:
            yield fail(
                f"{wanted} games want an export before payloads go, and CLARION_EXPORT is not set: nothing goes",
                "set CLARION_EXPORT to a folder that all workers share, or to a storage of Django's",
            )
        else:
            yield _reached(wanted)


def _reached(wanted: int) -> Finding:
    """Ask for a file that is not there: nothing is left behind."""
    try:
        place = storing.storage()
        there = not isinstance(place, FileSystemStorage) or os.access(
            _existing(Path(place.location)), os.W_OK
        )
        place.exists("clarion")
    except Exception as error:  # noqa: BLE001 - each storage has errors of its own
        return fail(f"where exports go cannot be reached: {reason(error)}", "correct CLARION_EXPORT")
    if not there:
        return fail(
            f"exports go to {settings.CLARION_EXPORT}, which this user may not write to",
            "give the workers' user the right to write there",
        )
    return ok(f"{wanted} games export payloads before they go, and the place answers", games=wanted)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that there is: the rest is made when needed."""
    while not folder.exists():
        folder = folder.parent
    return folder
