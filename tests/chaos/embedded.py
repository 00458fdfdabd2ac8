"""The one-process mode, killed and started again behind one address."""

from pathlib import Path
from typing import Self

from tests.chaos.proxy import Proxy
from tests.config.processes import Up


class Embedded:
    """``manage.py up`` on a folder; serves at ``url`` when made."""

    def __init__(self, data: Path) -> None:
        """Start it."""
        self.environment = {"CLARION_DATA": str(data)}
        self._data = data
        self.front = Proxy([])
        self.url = f"http://127.0.0.1:{self.front.port}"
        self.start()

    def start(self) -> None:
        """Start it again on the same folder."""
        self._up = Up(self._data, "--no-demo")
        self.front.upstreams = [self._up.port]

    def kill(self) -> None:
        """SIGKILL it."""
        self._up.process.kill()
        self._up.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.front.close()
