"""Proving the promises of a game on its data: every room's checks, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from events.log.verify import partition_findings
from events.models import Game, Partition
from events.verifying import followed, outbox
from notifications.verifying import announcements, decisions, inboxes, undecided
from players import verifying as players

SHOWN = 100
"""So many findings of one check are told in words; the rest is counted."""

Check = Callable[[int], Iterator[str]]

OF_A_PARTITION: tuple[tuple[str, Check], ...] = (
    ("log", partition_findings),
    ("checkpoints", followed),
    ("decisions", decisions),
    ("undecided", undecided),
)
OF_A_GAME: tuple[tuple[str, Check], ...] = (
    ("outbox", outbox),
    ("players", players.findings),
    ("inboxes", inboxes),
    ("announcements", announcements),
)


@dataclass(kw_only=True)
class Proof:
    """What verifying a game came to."""

    game: str
    events: int = 0  # in the partitions that were looked at
    found: int = 0
    findings: list[str] = field(default_factory=list)  # at most ``SHOWN`` of each check, and how many more


def prove(game: Game, partition: int | None = None, tell: Callable[[str], None] = lambda _: None) -> Proof:
    """Check all promises of a game, or only those about one partition, by its number.

    Reads pages of a few thousand rows, each as of one instant, so it takes little memory, and
    neither appending nor hubs wait for it. ``tell`` is told of each check before it begins.

    Raises:
        Partition.DoesNotExist: the game has no partition of that number.
    """
    proof = Proof(game=game.slug)
    for row in _partitions(game, partition):
        for name, check in OF_A_PARTITION:
            tell(f"{game.slug}/{row.number}: {name}")
            _take(proof, name, check(row.pk))
        proof.events += row.head
    for name, check in OF_A_GAME if partition is None else ():
        tell(f"{game.slug}: {name}")
        _take(proof, name, check(game.pk))
    return proof


def _partitions(game: Game, number: int | None) -> Sequence[Partition]:
    rows = Partition.objects.filter(game=game).order_by("number")
    return list(rows) if number is None else [rows.get(number=number)]


def _take(proof: Proof, name: str, findings: Iterator[str]) -> None:
    shown = list(islice(findings, SHOWN))
    more = sum(1 for _ in findings)
    proof.found += len(shown) + more
    proof.findings += shown
    if more:
        proof.findings.append(f"{name}: and {more} more findings")
