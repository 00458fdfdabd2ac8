"""Backups are restored under load, as docs/backup.md says; every client starts over, and nobody is told twice."""

import asyncio
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from config.lineage import LOOK_S
from tests.chaos.embedded import Embedded
from tests.chaos.fleet import Deployment
from tests.chaos.returning import World
from tests.chaos.servers import Replica, Servers, postgres_program
from tests.config.processes import MANAGE, finished

SETTLED_S = LOOK_S + 2
"""A copy that is not so old is not told from the database by its ticks."""


def dumped(deployment: Deployment, file: Path) -> None:
    dump = [postgres_program("pg_dump"), "--format=custom", f"--file={file}"]
    subprocess.run([*dump, deployment.servers.postgres.url(deployment.database)], check=True)


def restored(deployment: Deployment, file: Path) -> None:
    """Restore a dump into a fresh database that takes the old one's name."""
    with psycopg.connect(deployment.servers.postgres.url(), autocommit=True) as postgres:
        postgres.execute(f'DROP DATABASE "{deployment.database}" WITH (FORCE)')
        postgres.execute(f'CREATE DATABASE "{deployment.database}"')
    restore = [postgres_program("pg_restore"), "--no-owner", "--exit-on-error"]
    url = deployment.servers.postgres.url(deployment.database)
    subprocess.run([*restore, f"--dbname={url}", str(file)], check=True)


@pytest.mark.chaos
@pytest.mark.services
async def test_a_dump_is_taken_and_restored_under_load(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "clarion.dump"
    world = World(deployment.url, deployment.environment)
    async with world.living():
        await world.posts(60)
        await asyncio.to_thread(dumped, deployment, file)
        await world.posts(60)  # these are not in the dump
        await asyncio.to_thread(deployment.kill, *deployment.processes)
        await asyncio.to_thread(restored, deployment, file)
        await asyncio.to_thread(deployment.start_all)
        await world.everybody_was_reset(1)
        told = await world.repeat_all()
        assert min(told["appended"], told["duplicate"]) >= 40
        await world.posts(60)
        await world.everybody_has_everything_once()

        command = finished(MANAGE, "newepoch", "--reason", "in doubt", **deployment.environment)
        assert command.returncode == 0, command.stderr
        await world.everybody_was_reset(2)
        await world.posts(30)
        world.pause.set()
        await world.everybody_has_everything_once()
        assert await asyncio.to_thread(world.verified) == ""


@pytest.mark.chaos
@pytest.mark.services
async def test_a_replica_that_is_promoted_is_noticed_by_every_process_and_a_restart_by_none(
    servers: Servers,
) -> None:
    def fail_over() -> None:
        servers.postgres.stop()
        replica.promote()
        deployment.to_postgres.upstreams = [replica.port]

    with Deployment(servers, slow=True) as deployment:
        replica = Replica(servers.postgres)
        replica.start()
        world = World(deployment.url, deployment.environment)
        try:
            async with world.living():
                await world.posts(40)
                await asyncio.to_thread(servers.postgres.stop)
                await asyncio.to_thread(servers.postgres.start)
                await world.posts(40)
                assert {device.resets for device in world.devices} == {0}
                await asyncio.to_thread(fail_over)
                await world.everybody_was_reset(1)
                await world.repeat_all()
                await world.posts(60)
                world.pause.set()
                await world.everybody_has_everything_once()
                assert await asyncio.to_thread(world.verified) == ""
                with psycopg.connect(replica.url(deployment.database)) as promoted:
                    rows = promoted.execute("SELECT renewals FROM events_lineage").fetchall()
                assert rows == [(1,)]  # of all processes exactly one did it
        finally:
            deployment.kill(*deployment.processes)
            replica.end()
            servers.postgres.start()


@pytest.mark.chaos
@pytest.mark.embedded
async def test_an_embedded_copy_is_made_and_restored_under_load(tmp_path: Path) -> None:
    data, backup = tmp_path / "var", tmp_path / "backup.sqlite3"
    database = data / "clarion.sqlite3"

    def back_up() -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM INTO ?", [str(backup)])

    def restore() -> None:
        server.kill()
        for name in ("-wal", "-shm"):
            Path(f"{database}{name}").unlink(missing_ok=True)
        shutil.copyfile(backup, database)  # into the same file: only the ticks tell
        server.start()

    with Embedded(data) as server:
        world = World(server.url, server.environment)
        async with world.living():
            await world.posts(60)
            await asyncio.to_thread(back_up)
            await asyncio.sleep(SETTLED_S)
            await world.posts(60)
            await asyncio.to_thread(restore)
            await world.everybody_was_reset(1)
            await world.repeat_all()
            await world.posts(60)
            await asyncio.to_thread(server.kill)  # a crash is no restore
            await asyncio.to_thread(server.start)
            await world.posts(30)
            world.pause.set()
            await world.everybody_has_everything_once()
            assert {device.resets for device in world.devices} == {1}
            assert await asyncio.to_thread(world.verified) == ""
