"""The port: one check, which looks at one thing."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from config.doctor.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is examined."""

    services: bool  # else embedded
    url: str = ""  # where players and games reach it, such as https://clarion.example.com; empty: not given


class Check(ABC):
    """Looks at one thing and says how it is.

    ``look`` yields at least one finding, and bounds each wait of its own; whoever runs it gives
    it up after ``patience_s``. What it raises is told as a fault of the check itself, so it
    catches what a broken deployment is known to bring about.
    """

    name: ClassVar[str]
    """``group.what``: stable, since ``--only`` and ``--json`` show it."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of checks without whose success there is nothing to look at; they come earlier in the list."""
    patience_s: ClassVar[float] = 5.0
    only_with_url: ClassVar[bool] = False
    """Left out where no address was given; ``server.address`` says so once for all."""
    ways: ClassVar[frozenset[str]] = frozenset({"services", "embedded"})
    """Where it makes sense; elsewhere it is left out."""

    @property
    def group(self) -> str:
        """The heading below which its lines stand."""
        return self.name.partition(".")[0]

    @abstractmethod
    def look(self, target: Target) -> Iterator[Finding]:
        """Look now."""


SERVICES = frozenset({"services"})
EMBEDDED = frozenset({"embedded"})
