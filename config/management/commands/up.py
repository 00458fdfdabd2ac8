"""``manage.py up``: Clarion in one process, for trying it out and for small games."""

from argparse import ArgumentParser
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from config import leaving, lineage
from config.checks import refuse_to_start
from config.data_folder import DataFolder, DataFolderError
from config.demo import opening
from config.demo.game_server import GameServer
from config.demo.install import install
from config.demo.simulator import Simulator
from config.embedded import migrating, server, staff
from config.embedded.worker import EmbeddedWorker
from config.watch import running
from events.hubs import ageing
from events.log.appending import committer
from events.stopping import STOPPING
from notifications.delivery import postman

WORKER_S = 1.0
BESIDE_S = 0.5
"""So long worker, hubs and postman may take yet; they were told with the server, seconds before."""

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Serves until SIGINT or SIGTERM."""

    help = "Run Clarion in one process on SQLite. For services, set DATABASE_URL and see the README."
    requires_system_checks: list[str] = []  # refuse_to_start runs them, after more likely faults are told

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the port, and whether there is a demo."""
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-demo", action="store_true", help="leave the demo game and its page out")

    def handle(self, *_args: Any, port: int, no_demo: bool, **_options: Any) -> None:
        """Prepare, serve, stop in order."""
        if settings.CLARION_SERVICES:
            raise CommandError(
                "DATABASE_URL is set, so this is services mode: start daphne and Celery (see README.md)"
            )
        demo = settings.CLARION_DEMO and not no_demo
        if not demo:
            opening.close()  # the game may be there from an earlier start
        try:
            password = _prepare(port, demo=demo)
            code = self._serve(port, password, demo=demo)
        except (DataFolderError, server.PortTaken, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        leaving.leave(code)

    def _serve(self, port: int, password: str | None, *, demo: bool) -> int:
        """Return the exit code."""
        # Not at the top: they refuse to load for anything but up itself, such as: manage.py help up
        from config import celery  # noqa: PLC0415
        from config.asgi import application  # noqa: PLC0415

        url = f"http://{server.HOST}:{port}"
        worker = EmbeddedWorker(celery.app)
        simulator = Simulator(GameServer(url, settings.CLARION_DEMO_KEY))

        def ready() -> None:
            worker.start()
            leaving.beside([*ageing.start(STOPPING), postman.start_here(STOPPING)])
            lineage.start(STOPPING, partial(lineage.tick, DataFolder(settings.CLARION_DATA)))
            running.start(STOPPING)
            if demo:
                simulator.start()
            self._say(url, password, demo=demo)

        def signalled() -> None:
            simulator.stop()
            worker.tell()

        server.serve(application, port, on_ready=ready, on_stop=signalled)
        leaving.stop_all(
            (
                ("worker", partial(worker.stop, timeout_s=WORKER_S)),
                ("beside", partial(leaving.join_beside, BESIDE_S)),
                ("append", committer.stop),
                ("database", connections.close_all),
            )
        )
        self.stdout.write("Clarion has stopped.")
        return 0

    def _say(self, url: str, password: str | None, *, demo: bool) -> None:
        lines = ["", f"Clarion is up, with its data in {settings.CLARION_DATA}"]
        if demo:
            lines.append(f"  a player's page     {url}/play/")
        lines += [f"  operations console  {url}/admin/", f"  API                 {url}/api/docs/"]
        if password:
            lines.append(
                f"  log in as {staff.NAME} with the password {password}"
                f" (shown only now; change it: manage.py changepassword {staff.NAME})"
            )
        self.stdout.write("\n".join([*lines, "  stop it with Ctrl-C", ""]))
        self.stdout.flush()


def _prepare(port: int, *, demo: bool) -> str | None:
    """Lock the folder, migrate, make what a first start needs; return the new staff user's password."""
    folder = DataFolder(settings.CLARION_DATA)
    folder.lock()
    server.check_port(port)
    refuse_to_start("Clarion")
    migrating.migrate(folder)
    lineage.resume(folder)
    if demo:
        install()
    return staff.make_first()
