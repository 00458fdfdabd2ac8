"""Clients whose requests take seconds, so that some are under way at whatever moment a process is told to end."""

import threading
from contextlib import AbstractContextManager
from time import monotonic
from typing import Self

import httpx

from tests.chaos.load import ANSWER_S

CLIENTS = 4
"""Each keeps one of a gateway's ten database connections while it is answered."""
NEVER = "0:999999999"
"""A place that no log comes to: whoever asks for a profile of then is answered after 2 s that it is not there yet."""


class Patient(AbstractContextManager["Patient"]):
    """They ask without a pause while this context lasts, and count what they were told."""

    def __init__(self, url: str, key: str) -> None:
        """Nobody asks yet."""
        self._url, self._headers = url, {"Authorization": f"Bearer {key}"}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]
        self.answered = 0
        self.dropped: list[tuple[float, float, str]] = []
        """When a request began and ended that had no answer, or another one than it should have; and why."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(2 * ANSWER_S)

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=ANSWER_S) as http:
            while not self._over.is_set():
                began = monotonic()
                try:
                    answer = http.get("/api/v1/players/patient", params={"at_least": NEVER})
                except httpx.TransportError as error:
                    self.dropped.append((began, monotonic(), repr(error)))
                    continue
                if answer.status_code == 504:
                    self.answered += 1
                else:
                    told = f"{answer.status_code} {answer.text[:80]}"
                    self.dropped.append((began, monotonic(), told))
