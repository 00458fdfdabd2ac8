"""The network between a browser and a server, to be unplugged."""

import contextlib
import socket
import threading


class Cable:
    """Passes connections on to a port. Unplugged, it breaks them, and refuses new ones until plugged in again."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._plugged = True
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def unplug(self) -> None:
        with self._lock:
            self._plugged = False
            ends, self._ends = self._ends, set()
        for end in ends:
            self._close(end)

    def plug_in(self) -> None:
        with self._lock:
            self._plugged = True

    def close(self) -> None:
        self.unplug()
        self._close(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._pass_on(near)

    def _pass_on(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:  # the server is away
            self._close(near)
            return
        with self._lock:
            plugged = self._plugged
            if plugged:
                self._ends |= {near, far}
        for here, there in ((near, far), (far, near)):
            if plugged:
                threading.Thread(target=self._pump, args=(here, there), daemon=True).start()
            else:
                self._close(here)

    def _pump(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(65_536):
                there.sendall(data)
        for end in (here, there):
            self._close(end)
        with self._lock:
            self._ends -= {here, there}

    @staticmethod
    def _close(end: socket.socket) -> None:
        """Shut down first: a thread that waits in it would otherwise never hear of it."""
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
