"""Versions: of what Clarion runs on, and of what was installed with it."""

import platform
import re
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata

import django
from django.conf import settings
from django.db import connection

from config.checks import SQLITE_MIN
from config.doctor.check import Check, Target
from config.doctor.finding import Finding, fail, ok, warn

PYTHON_MIN = (3, 11)
DJANGO = (5, 2)
POSTGRESQL_MIN = 15
REDIS_MIN = 7
RABBITMQ_MIN = (3, 10)
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;\s*(.*?))?\s*\\?$", re.MULTILINE)
SHOWN = 3


class Python(Check):
    """Python, Django and the database below them."""

    name = "versions.runtime"

    def look(self, target: Target) -> Iterator[Finding]:
        """Compare with the oldest that are supported."""
        yield _at_least("Python", sys.version_info[:2], PYTHON_MIN, platform.python_version())
        if django.VERSION[:2] == DJANGO:
            yield ok(f"Django {django.get_version()}")
        else:
            yield fail(
                f"Django is {django.get_version()}; Clarion is made for {DJANGO[0]}.{DJANGO[1]}",
                "install what is locked: pip install -r requirements.txt",
            )
        if not target.services:
            yield _at_least("SQLite", sqlite3.sqlite_version_info, SQLITE_MIN, sqlite3.sqlite_version)


class Packages(Check):
    """Whether what is installed is what was tested together."""

    name = "versions.packages"

    def look(self, target: Target) -> Iterator[Finding]:
        """Compare with requirements.txt."""
        locked = settings.BASE_DIR / "requirements.txt"
        if not locked.exists():
            yield warn(
                "there is no requirements.txt to compare with", "deploy it with the code, and install from it"
            )
            return
        other = sorted(_others(locked.read_text()))
        if not other:
            yield ok("all packages are those of requirements.txt")
            return
        more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        yield warn(
            f"other packages than in requirements.txt: {', '.join(other[:SHOWN])}{more}",
            "pip install -r requirements.txt, then restart the processes",
            others=len(other),
        )


class PostgreSQL(Check):
    """The database server's version."""

    name = "versions.postgresql"
    needs = ("database.reachable",)
    ways = frozenset({"services"})

    def look(self, target: Target) -> Iterator[Finding]:
        """Compare."""
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version_num")
            number = int(cursor.fetchone()[0])
        told = f"{number // 10_000}.{number % 10_000}"
        yield _at_least("PostgreSQL", (number // 10_000,), (POSTGRESQL_MIN,), told)


def server(name: str, told: str, least: tuple[int, ...]) -> Finding:
    """Judge the version that a server tells, such as ``7.0.15``."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", told)[:3])
    if not numbers:
        return warn(
            f"{name} does not tell its version",
            f"see to it that it is at least {'.'.join(map(str, least))}",
        )
    return _at_least(name, numbers, least, told)


def _at_least(name: str, numbers: tuple[int, ...], least: tuple[int, ...], told: str) -> Finding:
    if numbers >= least:
        return ok(f"{name} {told}")
    wanted = ".".join(map(str, least))
    return fail(f"{name} is {told}; Clarion needs at least {wanted}", f"upgrade {name} to {wanted} or later")


def _others(locked: str) -> Iterator[str]:
    for name, version, condition in PIN.findall(locked):
        if condition:
            continue  # for some platforms or Pythons only
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{name} is missing"
            continue
        if found != version:
            yield f"{name} {found} instead of {version}"
