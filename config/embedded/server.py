"""Daphne on the main thread, bound to this machine only."""

import socket
from collections.abc import Callable
from typing import Any, cast

from daphne.endpoints import build_endpoint_description_strings

from config.serving import DrainingServer, reactor
from notifications.gateway.protocol import MESSAGE_MAX

HOST = "127.0.0.1"
FINISH_S = 5.5
"""So long after the signal a request may last; all is over after 9 s, and the promise is ten."""
LEAVE_S = 9.0


class PortTaken(Exception):
    """Something else listens there."""


def check_port(port: int) -> None:
    """Find out before anything is made or migrated.

    Raises:
        PortTaken: the port is not to be had; the text says how to choose another.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise PortTaken(
                f"port {port} is not to be had ({error}); choose another, such as: make run PORT=8001"
            ) from error


def serve(application: Any, port: int, *, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, then until every connection has ended its own way.

    ``on_ready`` is called when the port listens, ``on_stop`` when the signal has come.

    Raises:
        PortTaken: somebody else took the port in the meantime.
    """
    started = []

    def ready() -> None:
        started.append(port)
        loop = cast("Any", reactor)
        loop.addSystemEventTrigger("before", "shutdown", on_stop)
        loop.callWhenRunning(on_ready)  # not before it handles signals: whoever is told may send one at once

    _server(application, port, ready).run()
    if not started:
        raise PortTaken(
            f"port {port} was taken at the last moment; choose another, such as: make run PORT=8001"
        )


def _server(application: Any, port: int, ready: Callable[[], None]) -> DrainingServer:
    return DrainingServer(
        finish_s=FINISH_S,
        leave_s=LEAVE_S,
        application=application,
        endpoints=build_endpoint_description_strings(host=HOST, port=port),
        signal_handlers=True,
        websocket_timeout=-1,  # the gateway renews sockets by itself
        websocket_connect_timeout=20,
        websocket_handshake_timeout=5,
        websocket_max_message_size=MESSAGE_MAX,
        websocket_max_frame_size=MESSAGE_MAX,
        application_close_timeout=6,
        http_timeout=60,
        ready_callable=ready,
        server_name="clarion",
        verbosity=0,
    )
