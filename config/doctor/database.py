"""The database: reached, migrated, durable, the one that it was, and with room for more connections."""

import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from config.doctor.check import SERVICES, Check, Target
from config.doctor.finding import Finding, fail, ok, warn
from config.doctor.reasons import reason
from events import lineage
from events.models import Game, Lineage

ROUNDS = 9
SLOW_MS = 20.0
"""An append takes several round trips under its partition's lock."""
LONG = timedelta(minutes=5)
"""A transaction that is open for longer keeps the hot rows' old versions from being cleared."""
LEFT_WARN, LEFT_FAIL = 0.2, 0.05
NAMED = 3
REACHABLE = "database.reachable"


class Reachable(Check):
    """Connects, asks, and takes the time."""

    name = REACHABLE
    patience_s = 8.0

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask nine times; the middle answer is the one that counts."""
        if not target.services and not Path(connection.settings_dict["NAME"]).exists():
            yield fail(
                f"there is no database in {settings.CLARION_DATA}",
                "start Clarion once: manage.py up; or name its folder: CLARION_DATA=; or, for services, DATABASE_URL=",
            )
            return
        try:
            took = [_round_trip_ms() for _ in range(ROUNDS)]
        except Error as error:
            yield fail(
                f"the database cannot be reached: {reason(error)}",
                "start it, or correct DATABASE_URL; docs/runbook.md, Database away",
            )
            return
        middle = round(statistics.median(took), 2)
        if middle > SLOW_MS:
            yield warn(
                f"the database answers in {middle:.1f} ms; each append takes several such round trips",
                f"bring Clarion's processes nearer to it: below {SLOW_MS:.0f} ms, better below 1 ms",
                round_trip_ms=middle,
            )
        else:
            yield ok(f"the database answers in {middle:.2f} ms", round_trip_ms=middle)


class Writable(Check):
    """Whether this is the primary."""

    name = "database.primary"
    needs = (REACHABLE,)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask whether it may be written."""
        if _one("SELECT pg_is_in_recovery()"):
            yield fail(
                "DATABASE_URL leads to a standby, which cannot be written", "let it lead to the primary"
            )
        elif _one("SHOW default_transaction_read_only") == "on":
            yield fail(
                "the database's default_transaction_read_only is on: nothing can be appended",
                "set it to off for Clarion's user or database",
            )
        else:
            yield ok("it is the primary, and may be written")


class Migrations(Check):
    """Whether tables and code fit."""

    name = "database.migrations"
    needs = (REACHABLE,)

    def look(self, target: Target) -> Iterator[Finding]:
        """Compare what was applied with what there is."""
        executor = MigrationExecutor(connection)
        plan = [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
        unknown = sorted(
            f"{app}.{name}"
            for app, name in set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations)
            if app in executor.loader.migrated_apps
        )
        if plan:
            named = _listed([f"{each.app_label}.{each.name}" for each in plan])
            then = "manage.py migrate" if target.services else "stop Clarion and start it again: manage.py up"
            yield fail(f"{len(plan)} migrations are not applied: {named}", then, missing=len(plan))
        if unknown:
            yield fail(
                f"the database has migrations that this code does not know: {_listed(unknown)}",
                "deploy the version that made them, or restore the backup from before",
                unknown=len(unknown),
            )
        if not plan and not unknown:
            yield ok("all migrations are applied, and all are known")


class Durability(Check):
    """Whether what was answered with success survives a power cut."""

    name = "database.durability"
    needs = (REACHABLE,)

    def look(self, target: Target) -> Iterator[Finding]:
        """Read the settings on which that depends."""
        yield from _durable_postgres() if target.services else _durable_sqlite()


class History(Check):
    """Whether epochs belong to this history of the database: not so after a restore that nobody has told."""

    name = "database.lineage"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Compare what the database is with what is written in it."""
        row = Lineage.objects.first()
        if row is None and not Game.objects.exists():
            yield ok("it is new")
            return
        if not target.services:
            yield ok(f"the database is at tick {row.ticks if row else 0}")
            return
        now = lineage.identity()
        if not now:
            yield warn(
                "PostgreSQL does not tell its system id and timeline: a restore or failover shows to nobody",
                f"{lineage.ADVICE}, or grant pg_control_system() and pg_walfile_name() to Clarion's user",
            )
        elif row is None or row.identity != now:
            yield fail(
                "the database is another than the one whose epochs are in it: it was restored or failed over",
                'start Clarion\'s processes, which renew them, or run: manage.py newepoch --reason "why"',
            )
        else:
            yield ok(f"epochs belong to this history, renewed {row.renewals} times", renewals=row.renewals)


class Transactions(Check):
    """Who keeps a transaction open."""

    name = "database.transactions"
    needs = (REACHABLE,)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask for the oldest ones; no statement is shown, it may hold values."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)"
                " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND xact_start < clock_timestamp() - make_interval(secs => %s) ORDER BY xact_start LIMIT 100",
                [LONG.total_seconds()],
            )
            found = cursor.fetchall()
        if not found:
            yield ok(f"no transaction is open for more than {LONG.seconds // 60} minutes")
            return
        pid, program, seconds = found[0]
        yield warn(
            f"{len(found)} transactions are open for more than {LONG.seconds // 60} minutes; the oldest, of"
            f" {program or 'an unnamed program'} (pid {pid}), for {float(seconds) / 60:.0f}",
            f"end it: SELECT pg_terminate_backend({pid}); what it keeps open slows every hub down",
            open=len(found),
            oldest_s=round(float(seconds)),
        )


class Connections(Check):
    """How many connections are left."""

    name = "database.connections"
    needs = (REACHABLE,)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Count those of all databases against the server's limit."""
        most = _one(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
        )
        used = _one("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        left = most - used
        told = f"{used} of {most} connections are in use"
        advice = "raise max_connections, lower CLARION_POOL, or start fewer processes"
        values = {"used": used, "most": most}
        if left < most * LEFT_FAIL:
            yield fail(told, advice, **values)
        elif left < most * LEFT_WARN:
            yield warn(told, advice, **values)
        else:
            yield ok(told, **values)


def _round_trip_ms() -> float:
    began = time.perf_counter()
    _one("SELECT 1")
    return (time.perf_counter() - began) * 1000


def _one(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def _durable_postgres() -> Iterator[Finding]:
    found = {name: _one(f"SHOW {name}") for name in ("fsync", "full_page_writes", "synchronous_commit")}
    if found["fsync"] == "off" or found["full_page_writes"] == "off":
        name = "fsync" if found["fsync"] == "off" else "full_page_writes"
        yield fail(
            f"{name} is off: a power cut may lose or break what was answered with success",
            f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
        )
    if found["synchronous_commit"] == "off":
        yield fail(
            "synchronous_commit is off: a crash loses the last moments of what was answered with success",
            "set it to on for Clarion's user or database; Clarion itself turns it off where that is harmless",
        )
    if "off" not in found.values():
        yield ok(", ".join(f"{name} is {value}" for name, value in found.items()))


def _durable_sqlite() -> Iterator[Finding]:
    journal, synchronous = _one("PRAGMA journal_mode"), _one("PRAGMA synchronous")
    full = 2
    if journal != "wal" or synchronous < full:
        yield fail(
            f"journal_mode is {journal} and synchronous {synchronous}: a power cut may lose what was answered",
            "let nobody but Clarion open the file for writing; it sets WAL and FULL at each connection",
        )
    else:
        yield ok("WAL, with synchronous=FULL")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
